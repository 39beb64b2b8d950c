"""`build --take 3`: another candidate that was tried becomes the best of a result folder.

Nothing is searched or trained: the figures of the search stay as they are, and only what depends
on which candidate is the best is made anew.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from wootzc.backends.data import Dataset
from wootzc.builder.jobs.events import Taken
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Store
from wootzc.builder.result.chosen import Chosen, choose
from wootzc.builder.result.device import device_figures
from wootzc.builder.result.figures import with_best
from wootzc.builder.result.folder import switched
from wootzc.builder.result.int8 import in_build
from wootzc.builder.result.summary import Summary, read_summary
from wootzc.builder.write_result import write_result
from wootzc.diagnostics import fail
from wootzc.driver import compile
from wootzc.ir.net.prune import prune_network
from wootzc.ir.passes import complete
from wootzc.ir.plan import Complete


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """A result folder as it stands, and the candidate to take from it."""

    out: Path
    summary: Summary  # its result.json
    plan: Complete  # with the candidates that were proposed, where they were
    chosen: Chosen

    @staticmethod
    def read(out: Path, number: int, store: Store) -> "Taking":
        """Raises `WootzError` where no such candidate is in the result."""
        summary = read_summary(out)
        return Taking(
            out=out,
            summary=summary,
            plan=complete(compile(out / "plan.wzir", ())),
            chosen=choose(out, summary, number, store.address),
        )


def taken(
    taking: Taking, plan: Complete, dataset: Dataset, store: Store, events: Events
) -> Summary:
    """Write the folder anew with the candidate as its best. Returns what `result.json` holds.

    `plan` is what the source says now: a search by another one has other candidates.
    """
    searched, now = taking.plan.space, plan.space
    found_here = replace(now, selection=searched.selection)  # what was proposed stands listed there
    jobs = Jobs(
        plan=replace(taking.plan, space=found_here), dataset=dataset, store=store, events=events
    )
    apart_from_paths = replace(found_here, data=searched.data, teacher=searched.teacher)
    if apart_from_paths != searched or jobs.keys.teacher != taking.summary.teacher.key:
        raise fail(
            "WZ172",
            f"the result in {taking.out} is of another space than this, or of other data or "
            "settings",
            "build again without --take; or give the --set and --seed that it was built with",
        )
    chosen = taking.chosen
    network = prune_network(found_here.network, chosen.tried.rates)
    with events.stage("test"):
        test = jobs.test(chosen.tried.key, network, chosen.weights)
        seen = max(look.accuracy or 0.0 for look in chosen.tried.history)
        int8 = in_build(jobs, chosen.tried.key, network, chosen.weights, (seen, test))
    with events.stage("write"):
        teacher = jobs.store.find(jobs.keys.teacher)
        device = None
        if teacher is not None and teacher.weights is not None:
            full, weights = found_here.network, teacher.weights
            device = device_figures((full, weights), (network, chosen.weights), events, int8)
        figures = None if int8 is None else int8.figures
        if figures is not None:
            test = figures.test.int8
        summary = with_best(taking.summary, chosen, test, device, figures, found_here, events)
        with switched(taking.out) as new:
            write_result(new, jobs, chosen.weights, summary, int8)
    events.emit(Taken(number=chosen.number, costs=chosen.tried.costs))
    return summary
