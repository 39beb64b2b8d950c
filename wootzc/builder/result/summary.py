"""`result.json`: the figures of a build, as one tree of dataclasses. JSON stays in this file.

Accuracies are fractions. An `error` beside one: its 95 % interval is that far to both sides.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from wootzc.backends.onnx.runtime import Latency
from wootzc.builder.search.tried import BlockUse, Ended, Left, Tried
from wootzc.diagnostics import fail
from wootzc.files import finite, load_json
from wootzc.ir.net.metrics import CostName, Metric, costs
from wootzc.ir.net.widths import ModuleWidths
from wootzc.units import percent

VERSION = 6  # of what stands here; 1: results that had no version
T = TypeVar("T")
Costs: TypeAlias = Mapping[CostName, int]  # in JSON they stand beside the other fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A point of a learning curve."""

    step: int
    loss: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherFigures:
    costs: Costs
    key: str
    bytes: int
    validation_accuracy: float
    validation_error: float
    test_accuracy: float
    test_error: float
    steps: int
    seconds: float
    history: tuple[Look, ...]
    reused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate(Tried):
    """One that was tried."""

    error: float  # of its accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedFigures(Candidate):
    history: tuple[Look, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFigures(Candidate):
    test_accuracy: float
    test_error: float
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The drop that the best network is expected to have on other images."""

    drop: float
    error: float
    optimism: float
    among: int  # candidates that it was chosen from, when it was judged
    holds: bool
    limit: float | None  # the drop that it is held against
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explored:
    """Candidates: how many there were, and were tried."""

    in_space: int
    within_cost_limits: int
    tried: int
    spared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFigures:
    explore: str
    ended: Ended
    left: Left | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocksFigures:
    method: str
    planned: int
    used: int
    unused: int  # made for candidates that were looked at and not tried
    trained: int  # or refitted: made in this build
    from_store: int
    uses: int
    list: tuple[BlockUse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Of training."""

    teacher: int
    blocks: int
    finetune: int  # and polishing


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    count: int
    seconds: float
    from_cache: int
    seconds_reading: float  # these
    stages: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFigures:
    source: str
    fingerprint: str
    train: int  # images
    validation: int
    test: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDevice:
    """A network as `export --to onnx` writes it."""

    latency: Latency | None  # None: without onnxruntime
    memory: int | None  # bytes: activations of an image at their peak; None: it can't be counted
    size: int  # bytes of the file


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFigures:
    """The teacher and the best network, which took turns."""

    before: OnDevice
    after: OnDevice
    on: str  # what gave the latency; empty where nothing did

    @property
    def slower(self) -> bool:
        """In three of four readings."""
        return self.after.latency is not None and self.after.latency.ratio_low > 1

    @property
    def within_noise(self) -> bool:
        """Half of the readings lie on both sides of no difference."""
        took = self.after.latency
        return took is not None and took.ratio_low <= 1 <= took.ratio_high


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Accuracy on some images: of a network in float32 and in int8."""

    images: int
    float32: float
    int8: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Figures:
    """The best network as it was judged, where the space quantises."""

    on: str  # what quantised it and ran it
    calibrated_on: int  # training images
    validation: Change
    test: Change

    def lines(self) -> tuple[str, ...]:
        """For people."""
        return tuple(
            f"{name} accuracy, float32 → int8: {percent(one.float32)} → {percent(one.int8)} "
            f"on {one.images:,} images"
            for name, one in (("validation", self.validation), ("test", self.test))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the closing summary and the report show."""

    version: int = VERSION
    built_from: str | None
    space: str
    network: str
    modules: tuple[str, ...]
    objective: str
    cost: CostName  # what candidates are compared by
    baseline: bool
    objective_met: bool
    judgement: Judged | None
    damage: Mapping[str, Mapping[str, float]] | None  # by module and rate, in nats
    taken: int | None  # the number of the candidate that was taken as the best by hand
    target_accuracy: float | None
    test_target: float | None  # the same, held on test data
    teacher: TeacherFigures
    best: BestFigures
    candidates: Explored
    search: SearchFigures
    blocks: BlocksFigures
    steps: Steps
    seconds_now: Mapping[str, float]
    compilations: Compiled
    seconds_recorded: Mapping[str, float]
    device: DeviceFigures | None  # None: too large for a file, or it does not run
    int8: Int8Figures | None  # accuracies of the best and of what was tried are then of int8
    latency_on: str | None  # what measured it, where it is a cost of the space
    tried: tuple[TriedFigures, ...]
    widths: tuple[ModuleWidths, ...]
    data: DataFigures
    seed: int
    store: str  # has the weights of all that was tried
    versions: Mapping[str, str]

    @property
    def metric(self) -> Metric:
        return costs()[self.cost]

    @property
    def role(self) -> str:
        """What `best` is of those that were tried: it need not be the best."""
        if self.taken is not None:
            return "taken by hand"
        return "best" if self.objective_met else "closest"

    @property
    def written(self) -> str:
        """The same of the network whose weights were written, in words."""
        return f"network {self.role}" if self.taken is not None else f"{self.role} network"


def to_json(value: Any) -> dict[str, Any]:
    """A tree of dataclasses as JSON holds it, which has no NaN: there None stands for it."""
    plain: dict[str, Any] = json.loads(json.dumps(finite(_plain(value)), allow_nan=False))
    return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        entry = {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
        return entry.pop("costs", {}) | entry
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def read_summary(folder: Path) -> Summary:
    """The summary of a result folder. Raises `WootzError`."""
    path = folder / "result.json"
    loaded = load_json(path)
    version = loaded.get("version", 1)
    if version != VERSION:
        raise fail(
            "WZ210",
            f"{path} was written by another wootzc: its version is {version}, not {VERSION}",
            "build again: what is finished is not trained again",
        )
    try:
        return from_json(loaded)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise fail("WZ145", f"{path} is damaged: {error}", "build again") from None


def from_json(loaded: Mapping[str, Any]) -> Summary:
    """The inverse of `to_json`. Raises `KeyError`, `TypeError` or `ValueError`."""
    return _node(Summary, loaded)


def _node(cls: type[T], loaded: Mapping[str, Any]) -> T:
    hints = get_type_hints(cls)
    given = {
        name: {cost: _read(int, loaded[cost]) for cost in costs() if cost in loaded}
        if name == "costs"
        else _read(hint, loaded[name])
        for name, hint in hints.items()
    }
    return cls(**given)


def _read(hint: Any, value: Any) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin is UnionType:
        if value is None and NoneType in args:
            return None
        members = [one for one in args if one is not NoneType]
        several = [one for one in members if (get_origin(one) is tuple) == isinstance(value, list)]
        return _read((several or members)[0], value)
    if origin is tuple:
        return tuple(_read(args[0], item) for item in value)
    if origin is Mapping:
        return {name: _read(args[1], item) for name, item in value.items()}
    if is_dataclass(hint):
        return _node(hint, value)  # type: ignore[arg-type]
    if hint is float:
        return math.nan if value is None else float(value)
    if hint in (int, str, bool) and not isinstance(value, hint):
        raise TypeError(f"{value!r:.40} is no {hint.__name__}")
    if origin is Literal and value not in args:
        raise ValueError(f"{value!r:.40} is none of {', '.join(map(str, args))}")
    return value
