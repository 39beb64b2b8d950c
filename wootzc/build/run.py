"""One build, top to bottom: compile → data → teacher → search → test → result folder."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wootzc.backends.data import Dataset, check_fits, load
from wootzc.backends.flax.parallel import Parallel, all_devices, configure
from wootzc.build.events import Events, JsonLog, Listener
from wootzc.build.explore import explore
from wootzc.build.jobs import Jobs
from wootzc.build.proposing import with_proposals
from wootzc.build.result import summarize, write_result
from wootzc.build.search import Found
from wootzc.build.store import Outcome, Store, default_root
from wootzc.build.teacher import read_teacher
from wootzc.diagnostics import WootzError, fail
from wootzc.driver import compile
from wootzc.files import load_json
from wootzc.ir.cost_model import CostModel
from wootzc.ir.lengths import resolved
from wootzc.ir.network import segment_shapes
from wootzc.ir.passes import PASSES, run
from wootzc.ir.plan import Plan
from wootzc.ir.prune import prune_network
from wootzc.ir.recipe import FromFile
from wootzc.ir.space import Proposed, Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to build.

    `baseline`: default networks, inherited weights instead of blocks. `parallel`: what several
    devices do while candidates are fine-tuned: `data`, one candidate over all of them;
    `candidates`, as many at once; `auto`, at once where a batch leaves each few images. `memory`
    and `disk` decide how fast blocks are trained, never what comes out.
    """

    out: Path | None = None  # default: build/<space>, or build/<space>-baseline
    store: Path | None = None  # default: $WOOTZC_STORE or the user's cache
    baseline: bool = False
    replace: bool = False  # even what another file's build left in `out`
    overrides: Mapping[str, str] = field(default_factory=dict)  # as --set
    space: str | None = None
    parallel: Parallel = "auto"
    memory: int | None = None  # bytes for training blocks; default: half of what is free
    disk: int | None = None  # bytes beside the store, meanwhile; default: a tenth of what is free
    cost_model: CostModel | None = None  # None: the defaults; `blocks optimal` goes by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A finished build: its folder and `result.json` as a dictionary."""

    out: Path
    summary: dict[str, Any]

    @property
    def objective_met(self) -> bool:
        return bool(self.summary["objective_met"])


def build(
    source: Path | str,
    options: Options = Options(),
    listeners: Sequence[Listener] = (),
) -> Built:
    """Build a `.wz` file (a `Path`) or text (a str) and write the result folder.

    Finished jobs are kept in the store as it goes: interrupted at any moment, the same call goes
    on where it was. Raises `WootzError` for mistakes of the source, the data or the store.
    """
    events = Events(listeners=list(listeners))
    with events.stage("compile"):
        plan = compile(
            source,
            overrides=options.overrides,
            space=options.space,
            cost_model=options.cost_model,
        )
        if options.baseline:
            plan = run(Plan(space=as_baseline(plan.space)), PASSES)
    out = options.out or Path("build") / (plan.space.name + "-baseline" * options.baseline)
    _make_folder(out)
    origin = str(source.resolve()) if isinstance(source, Path) else None
    if origin is not None and not options.replace:
        _check_owner(out, origin)
    with JsonLog(out / "log.jsonl") as log:
        events.listeners.append(log)
        try:
            store = Store(options.store or default_root())
            with store.in_use():
                return _build(plan, out, store, events, origin, options)
        except KeyboardInterrupt:
            events.emit("interrupted")
            raise
        except Exception as error:
            events.emit("failed", message=str(error))
            raise


def as_baseline(space: Space) -> Space:
    """The space as the search without blocks sees it: candidates in order, weights inherited."""
    if isinstance(space.selection, Proposed):
        raise fail(
            "WZ160",
            "the baseline tries candidates in order, but scores propose those of this space",
            "compare on a sample: --set sample=500",
            space.selection.span,
        )
    explore = space.explore
    if explore == "predicted":
        explore = "descending" if space.objective.target == "accuracy" else "ascending"
    return replace(space, blocks="none", explore=explore, certify=None)


def _build(
    plan: Plan,
    out: Path,
    store: Store,
    events: Events,
    origin: str | None = None,
    options: Options = Options(),
) -> Built:
    started = time.perf_counter()
    space = plan.space
    configure(store.root / "xla")
    assert plan.candidates is not None and plan.exploration_order is not None
    events.emit(
        "build_started",
        space=space.name,
        out=str(out),
        store=str(store.root),
        candidates=len(plan.candidates),
        blocks=len(plan.blocks or ()),
    )
    if isinstance(space.teacher, FromFile):  # what is wrong with it is told before data is read
        new_head = space.teacher.recipe is not None
        read_teacher(Path(space.teacher.path), space.network, new_head=new_head)
    with events.stage("data"):
        dataset = load(space.data, seed=space.seed, shape=_image_shape(space))
        check_fits(dataset, _image_shape(space), _outputs(space))
        _need_images(dataset)
    plan = resolved(plan, len(dataset.train))
    events.emit(
        "data_loaded",
        source=dataset.source,
        train=len(dataset.train),
        validation=len(dataset.validation),
        test=len(dataset.test),
        shape=dataset.shape,
        fitted_from=dataset.fitted_from,
    )
    jobs = Jobs(
        plan=plan,
        dataset=dataset,
        store=store,
        events=events,
        parallel=options.parallel,
        memory=options.memory,
        disk=options.disk,
    )
    with events.stage("teacher"):
        teacher = jobs.teacher()
    searching = time.perf_counter()
    jobs = with_proposals(jobs, teacher.weights)
    events.emit("devices", count=all_devices().count, at_once=jobs.width)
    with closing(jobs):
        found = explore(jobs, teacher, searching)
    if found.target is not None and found.target <= 0:
        events.emit("warning", message="every network meets this accuracy limit: it is not above 0")
    with events.stage("test"):
        tests = _final_tests(jobs, teacher, found)
    with events.stage("write"):
        summary = summarize(jobs, teacher, found, tests, events) | {"built_from": origin}
        before = _weights_hash(out)
        write_result(out, jobs, found, summary)
    if (out / "export").is_dir() and before not in (None, _weights_hash(out)):
        events.emit(
            "warning", message=f"what is in {out / 'export'} is of an earlier result: export again"
        )
    events.emit(
        "build_finished",
        seconds=time.perf_counter() - started,
        objective_met=found.best.met,
        params=found.best.params,
        accuracy=found.best.accuracy,
    )
    return Built(out=out, summary=summary)


def _final_tests(jobs: Jobs, teacher: Outcome, found: Found) -> tuple[float, float]:
    network = jobs.space.network
    pruned = prune_network(network, found.best.rates)
    return (
        jobs.test(jobs.keys.teacher, network, teacher.weights),
        jobs.test(found.best_key, pruned, found.weights),
    )


def _need_images(dataset: Dataset) -> None:
    for name in ("train", "validation", "test"):
        if not len(getattr(dataset, name)):
            raise fail(
                "WZ147",
                f"the {name} part of {dataset.source} is empty",
                "give it a share of the images: data … { validation 15%; test 15% }",
            )


def _image_shape(space: Space) -> tuple[int, int, int]:
    height, width, channels = space.network.input
    return height, width, channels


def _outputs(space: Space) -> int:
    return segment_shapes(space.network)[-1][-1]


def _check_owner(out: Path, origin: str) -> None:
    """Refuse a folder that holds what another file's build found."""
    owner = _read(out / "result.json", "built_from")
    if owner is not None and owner != origin:
        raise fail(
            "WZ127",
            f"{out} holds the result of {owner}",
            "choose another folder with --out DIR, give the space another name, or overwrite it "
            "with --replace",
        )


def _weights_hash(out: Path) -> str | None:
    return _read(out / "best" / "manifest.json", "weights_sha256")


def _read(path: Path, key: str) -> str | None:
    """One value of an earlier result; None where there is none that can be read."""
    try:
        return load_json(path).get(key)
    except WootzError:
        return None


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise fail(
            "WZ144", f"can't write to {out}: {error.strerror}", "choose another with --out DIR"
        ) from None
