"""One build, top to bottom: compile → data → teacher → search → test → result folder."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wootzc.backends.data import Dataset, check_fits, load
from wootzc.backends.data.formats import PART_ORDER
from wootzc.backends.data.loading import found as found_data
from wootzc.backends.flax.device.parallel import Parallel, all_devices, configure
from wootzc.builder.jobs.cluster import workers_on
from wootzc.builder.jobs.compiling import Compiled, as_baseline, compiled
from wootzc.builder.jobs.events import (
    BuildFailed,
    BuildFinished,
    BuildInterrupted,
    BuildStarted,
    DataLoaded,
    DevicesShared,
    Listener,
    Noted,
    Warned,
)
from wootzc.builder.jobs.hosts import Hosts, hosts_in
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.joined import Group
from wootzc.builder.jobs.latency import measured
from wootzc.builder.jobs.listeners import Events, JsonLog
from wootzc.builder.jobs.on_cluster import ClusterJobs, Elsewhere
from wootzc.builder.jobs.store import Store, default_root
from wootzc.builder.jobs.teacher import read_teacher
from wootzc.builder.result.device import device_figures
from wootzc.builder.result.earlier import (
    check_owner,
    make_folder,
    telling_of_exports,
    went_as_far,
)
from wootzc.builder.result.figures import summarize
from wootzc.builder.result.folder import check_result, folder_of, recover, switched
from wootzc.builder.result.int8 import in_build
from wootzc.builder.result.summary import Summary, to_json
from wootzc.builder.search.explore import explore
from wootzc.builder.search.foreseen import foreseen, no_better_than_guessing
from wootzc.builder.search.proposing import most_proposed, with_proposals
from wootzc.builder.search.scale import check_scale
from wootzc.builder.search.search import Search
from wootzc.builder.search.tried import SearchResult
from wootzc.builder.taking import Taking, taken
from wootzc.builder.write_result import write_result
from wootzc.diagnostics import fail, told_at
from wootzc.driver import Source
from wootzc.ir.net.network import segment_shapes
from wootzc.ir.net.prune import prune_network
from wootzc.ir.passes import Pass
from wootzc.ir.plan.cost_model import CostModel
from wootzc.ir.plan.lengths import resolved
from wootzc.ir.space import Proposed, Space
from wootzc.ir.space.recipe import FromFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to build.

    `baseline`: default networks, inherited weights instead of blocks. `parallel`: what several
    devices do while candidates are fine-tuned: `data`, one candidate over all of them;
    `candidates`, as many at once; `auto`, at once where a batch leaves each few images. `memory`
    and `disk` decide how fast blocks are trained, never what comes out. `take`: search nothing,
    but make this candidate of the result that stands in `out` its best. `passes` stand in for the
    default ones, which fill in what they leave open.
    """

    out: Path | None = None  # default: build/<space>, or build/<space>-baseline
    # A folder, or s3://bucket/prefix and the like; default: $WOOTZC_STORE or the user's cache.
    store: Path | str | None = None
    baseline: bool = False
    replace: bool = False  # even what another file's build left in `out`
    take: int | None = None  # place at which the candidate was tried, from 1
    overrides: Mapping[str, object] = field(default_factory=dict)  # as --set
    space: str | None = None
    parallel: Parallel = "auto"
    memory: int | None = None  # bytes for training blocks; default: half of what is free
    disk: int | None = None  # bytes beside the store, meanwhile; default: a tenth of what is free
    on: str | None = None  # jobs run on Ray: "ray", a cluster on this machine, or "ray://host:port"
    workers: int | None = None  # on Ray; default: one an accelerator, else one a machine
    group: Group | None = None  # hosts that were joined, of which this is the first: `join_hosts`
    cost_model: CostModel | None = None  # None: the defaults; `blocks optimal` goes by it
    passes: Sequence[Pass] | None = None  # as `wootzc opt -p` reads them


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A finished build: its folder, and its figures."""

    out: Path
    result: Summary

    @property
    def summary(self) -> dict[str, Any]:
        """The figures as `result.json` has them."""
        return to_json(self.result)

    @property
    def objective_met(self) -> bool:
        """Whether the accuracy asked for was reached; else this is what came closest."""
        return self.result.objective_met


class Interrupted(KeyboardInterrupt):
    """The search was interrupted with a candidate that met the objective: `built` holds it.

    The result folder is whole; the same build again goes on and replaces it.
    """

    def __init__(self, built: Built):
        super().__init__(f"the best so far is in {built.out}")
        self.built = built


def build(
    source: Source,
    options: Options = Options(),
    listeners: Sequence[Listener] = (),
    *,
    passes: Sequence[Pass] | None = None,  # instead of those in `options`
) -> Built:
    """Build a `.wz` or `.wzir` file (a `Path`), text (a str), a space or a plan: write its folder.

    Finished jobs are kept in the store as it goes: interrupted at any moment, the same call goes
    on where it was. Raises `WootzError` for mistakes of the source, the data or the store, and
    `Interrupted` once the best so far is written; KeyboardInterrupt where there is none.
    """
    if passes is not None:
        options = replace(options, passes=passes)
    events = Events(listeners=list(listeners))
    with hosts_in(options.group, events) as hosts:
        return _compiled(source, options, events, hosts)


def _compiled(source: Source, options: Options, events: Events, hosts: Hosts | None) -> Built:
    """Compile, and build with the result folder and the store at hand."""
    root = options.store or default_root()

    def note(message: str) -> None:
        events.emit(Noted(message=message))

    def foresee(space: Space) -> Space:
        """What is missing is told before anything is measured, and before a folder is made."""
        if options.take is not None:
            check_result(Path(options.out or folder_of(space.name, options.baseline)))
        with told_at(space.at("data")):
            found_data(space.data)
        return measured(space, lambda: Store(root), note)

    with events.stage("compile"):
        made = compiled(
            source,
            options.passes,
            overrides=options.overrides,
            space=options.space,
            cost_model=options.cost_model,
            measure=foresee,
        )
        if options.baseline:
            made = as_baseline(made)
    out = Path(options.out or folder_of(made.plan.space.name, options.baseline))
    recover(out)
    make_folder(out)
    origin = str(source.resolve()) if isinstance(source, Path) else None
    if origin is not None and not options.replace:
        check_owner(out, origin)
    with JsonLog(out / "log.jsonl") as log:
        events.listeners.append(log)
        try:
            store = Store(root, lambda message: events.emit(Warned(message=message)))
            with store.in_use(), workers_on(options.on, options.workers, events) as cluster:
                return _build(made, out, store, events, origin, options, cluster or hosts)
        except Interrupted:
            raise
        except KeyboardInterrupt:
            events.emit(BuildInterrupted())
            raise
        except Exception as error:
            events.emit(BuildFailed(message=str(error) or type(error).__name__))
            raise


def _build(
    made: Compiled,
    out: Path,
    store: Store,
    events: Events,
    origin: str | None,
    options: Options,
    elsewhere: Elsewhere | None,
) -> Built:
    started = time.perf_counter()
    plan, space = made.plan, made.plan.space
    taking = None if options.take is None else Taking.read(out, options.take, store)
    configure(store.root / "xla")
    later = isinstance(space.selection, Proposed)
    began = BuildStarted(
        space=space.name,
        out=str(out),
        store=str(store.place),
        candidates=most_proposed(space) if later else len(plan.candidates),
        blocks=None if later else len(plan.blocks),
    )
    events.emit(began)
    if made.note:
        events.emit(Noted(message=made.note))
    if isinstance(space.teacher, FromFile):  # what is wrong with it is told before data is read
        new_head = space.teacher.recipe is not None
        with told_at(space.at("teacher")):
            read_teacher(Path(space.teacher.path), space.network, new_head=new_head)
    with events.stage("data"), told_at(space.at("data")):
        dataset = load(space.data, seed=space.seed, shape=space.network.input)
        check_fits(dataset, space.network.input, segment_shapes(space.network)[-1][-1])
        _need_images(dataset)
    plan = resolved(plan, len(dataset.train))
    data = DataLoaded(
        source=dataset.source,
        train=len(dataset.train),
        validation=len(dataset.validation),
        test=len(dataset.test),
        shape=dataset.shape,
        fitted_from=dataset.fitted_from,
    )
    events.emit(data)
    if taking is not None:
        with telling_of_exports(out, events):
            return Built(out=out, result=taken(taking, plan, dataset, store, events))
    jobs = Jobs(
        plan=plan,
        dataset=dataset,
        store=store,
        events=events,
        parallel=options.parallel,
        memory=options.memory,
        disk=options.disk,
    )
    if elsewhere is not None:
        jobs = jobs.become(ClusterJobs, cluster=elsewhere)
    with events.stage("teacher"):
        teacher = jobs.teacher()
        check_scale(jobs, teacher)
    _warn(jobs, float(teacher.done.result["accuracy"]))
    searching = time.perf_counter()
    jobs = with_proposals(jobs, teacher.weights, made.passes)
    if elsewhere is None:
        events.emit(DevicesShared(count=all_devices().count, at_once=jobs.width))
    search = Search(jobs=jobs, teacher=teacher, started=searching)
    with closing(jobs):
        found = _searched(search, out)
    if found.target is not None and found.target <= 0:
        events.emit(Warned(message="every network meets this accuracy limit: it is not above 0"))
    with events.stage("test"):
        network, pruned = space.network, prune_network(space.network, found.best.rates)
        tests = (
            jobs.test(jobs.keys.teacher, network, teacher.weights),
            jobs.test(found.best_key, pruned, found.weights),
        )
        own = search.trials.outcomes[found.best.candidate].done.result["accuracy"], tests[1]
        int8 = in_build(jobs, found.best_key, pruned, found.weights, own)
        device = device_figures((network, teacher.weights), (pruned, found.weights), events, int8)
        if int8 is not None:
            tests = tests[0], int8.figures.test.int8
    with events.stage("write"):
        runs = search.trials.outcomes
        histories = [runs[one.candidate].done.result["history"] for one in search.tried]
        figures = None if int8 is None else int8.figures
        summary = summarize(jobs, teacher, found, tests, device, histories, events, origin, figures)
        with telling_of_exports(out, events), switched(out) as new:
            write_result(new, jobs, found.weights, summary, int8)
    done = BuildFinished(
        seconds=time.perf_counter() - started,
        objective_met=found.best.met,
        accuracy=found.best.accuracy,
        costs=found.best.costs,
    )
    events.emit(done)
    built = Built(out=out, result=summary)
    if found.ended == "interrupted":
        raise Interrupted(built)
    return built


def _searched(search: Search, out: Path) -> SearchResult:
    """What the search finds; interrupted, the best so far, if that meets the objective."""
    try:
        return explore(search)
    except KeyboardInterrupt:
        if search.trials.held is None or went_as_far(out, search):
            raise
        search.jobs.events.emit(BuildInterrupted())
        return search.found("interrupted")


def _warn(jobs: Jobs, teacher: float) -> None:
    """Say what the images won't tell; how many are needed is known with the teacher's accuracy."""
    judging = jobs.dataset.validation
    none = no_better_than_guessing(jobs.space, teacher, judging.labels)
    for warning in (*none, *foreseen(jobs.space, teacher, len(judging))):
        told = Warned(message=warning.message, code=warning.code, help=warning.help)
        jobs.events.emit(told)


def _need_images(dataset: Dataset) -> None:
    for name in PART_ORDER:
        if not len(getattr(dataset, name)):
            raise fail(
                "WZ147",
                f"the {name} part of {dataset.source} is empty",
                "give it a share of the images: data … { validation 15%; test 15% }",
            )
