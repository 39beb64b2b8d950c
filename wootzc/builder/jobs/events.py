"""What a build says while it runs: a closed union. Who hears of it: listeners.py."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from wootzc.ir.net.metrics import CostName
from wootzc.ir.reflect import op_name

Training = Literal["teacher", "candidate", "polish"]
Sweep = Literal["variant", "score"]
Step = Literal["look", "begin", "go on", "polish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildStarted:
    space: str
    out: str
    store: str
    candidates: int  # at most, where scores are to propose them
    blocks: int | None  # None: not known before they are proposed


@dataclass(frozen=True, slots=True, kw_only=True)
class DataLoaded:
    source: str
    train: int  # images
    validation: int
    test: int
    shape: tuple[int, ...]
    fitted_from: tuple[int, ...] | None  # the shape that images had, if another


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicesShared:
    count: int
    at_once: int  # candidates


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerJoined:
    """A process of a cluster is ready for jobs."""

    worker: int  # from 1
    host: str
    process: int
    devices: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost:
    """A process of a cluster is gone; what it was doing goes to another."""

    worker: int
    host: str
    doing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdle:
    """What a process of a cluster did is done, and it has no other job yet."""

    worker: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsOn:
    """Where what has just been started runs."""

    what: str  # teacher, blocks, candidate …
    candidate: int | None = None
    worker: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    """A job that the store lacks."""

    job: Training | Literal["test"]
    name: str
    candidate: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A training goes on from a checkpoint: where it stood when its process ended."""

    stage: Training | Literal["blocks"]
    candidate: int | None = None
    step: int
    steps: int  # at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """So many steps of a training are done."""

    stage: Training | Literal["blocks"]
    candidate: int | None = None
    step: int
    steps: int  # at most
    loss: float | None = None
    accuracy: float | None = None
    worker: int | None = None  # of a cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A network has come to the end of a training, or as far as it was to go."""

    job: Training
    name: str
    candidate: int | None = None
    seconds: float | None  # None: found in the store
    start_accuracy: float | None = None  # of a candidate
    accuracy: float
    steps: int
    begun: int = 0  # of these, those that an earlier stretch had taken: `seconds` are of the rest
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    name: str
    seconds: float | None  # None: found in the store
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocksStarted:
    """A cohort."""

    blocks: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockTrained:
    block: int
    name: str
    seconds: float
    loss_first: float
    loss_last: float
    steps: int
    finite: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivationsKept:
    boundaries: list[int]
    images: int
    memory: int  # bytes
    disk: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepStarted:
    """Single variants are refitted, or scored."""

    of: Sweep
    variants: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFinished:
    of: Sweep
    variants: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientsStarted:
    """Training images go through the teacher, for criteria that read them."""

    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientsFinished:
    images: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatesProposed:
    candidates: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateChosen:
    """What is fine-tuned or polished next."""

    candidate: int
    position: int  # in the order of trying, from 1
    of: int
    then: Step
    cost: CostName  # what the search goes by
    costs: Mapping[CostName, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestKnown:
    candidate: int
    met: bool
    cost: CostName  # what the search goes by
    costs: Mapping[CostName, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A candidate became the best by hand."""

    number: int
    costs: Mapping[CostName, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    message: str
    code: str | None = None  # where docs/diagnostics.md has it
    help: str | None = None  # the way out, in the words of a `.wz` file


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Another build on the same store is doing the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInterrupted:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailed:
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFinished:
    seconds: float
    objective_met: bool
    accuracy: float
    costs: Mapping[CostName, int]


Event: TypeAlias = (
    BuildStarted
    | DataLoaded
    | DevicesShared
    | WorkerJoined
    | WorkerLost
    | WorkerIdle
    | RunsOn
    | JobStarted
    | Resumed
    | Progressed
    | Trained
    | Tested
    | BlocksStarted
    | BlockTrained
    | ActivationsKept
    | SweepStarted
    | SweepFinished
    | GradientsStarted
    | GradientsFinished
    | CandidatesProposed
    | CandidateChosen
    | BestKnown
    | Taken
    | Warned
    | Noted
    | Waiting
    | BuildInterrupted
    | BuildFailed
    | BuildFinished
)
Listener: TypeAlias = Callable[[Event], None]

# What the log calls those that it does not call by the name of their class, as `data_loaded`.
NAMES: dict[type, str] = {
    DevicesShared: "devices",
    Progressed: "progress",
    CandidatesProposed: "proposed",
    BestKnown: "best",
    Warned: "warning",
    Noted: "note",
    BuildInterrupted: "interrupted",
    BuildFailed: "failed",
}


def log_name(event: Event) -> str:
    """`teacher_finished`: what a line of the log calls an event."""
    match event:
        case JobStarted(job=job):
            return f"{job}_started"
        case Trained(job=job, seconds=seconds):
            return f"{job}_{'reused' if seconds is None else 'finished'}"
        case Tested(seconds=seconds):
            return f"test_{'reused' if seconds is None else 'finished'}"
        case BlockTrained():
            return "block_finished"
        case SweepStarted(of=of):
            return f"{of}s_started"
        case SweepFinished(of=of):
            return f"{of}s_finished"
        case CandidateChosen(then=then):
            return "polish" if then == "polish" else "candidate"
        case _:
            kind: type = type(event)
            return NAMES.get(kind) or op_name(kind)


def finished(
    job: Training | Literal["test"],
    name: str,
    candidate: int | None,
    result: Mapping[str, Any],  # as the store keeps it
    seconds: float | None,  # None: found in the store
) -> Trained | Tested:
    """What is said at the end of a job, from what the store keeps of it."""
    if job == "test":
        return Tested(name=name, seconds=seconds, accuracy=result["accuracy"])
    return Trained(
        job=job,
        name=name,
        candidate=candidate,
        seconds=seconds,
        start_accuracy=result.get("start_accuracy"),
        accuracy=result["accuracy"],
        steps=result["steps"],
        begun=result.get("begun", 0),
        reason=result["reason"],
    )


def log_entry(event: Event) -> dict[str, Any]:
    """What a line of the log holds: an event with its fields, its costs by their names."""
    fields = asdict(event)
    return {"event": log_name(event), **fields.pop("costs", {}), **fields}
