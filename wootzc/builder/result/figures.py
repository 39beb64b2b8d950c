"""The figures of a build, gathered from what its jobs and its search left."""

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wootzc
from wootzc.backends.flax.device.compiles import Compilations
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Outcome, Weights
from wootzc.builder.result.chance import CONFIDENCE, half_width
from wootzc.builder.result.chosen import Chosen
from wootzc.builder.result.summary import (
    BestFigures,
    BlocksFigures,
    Candidate,
    Compiled,
    DataFigures,
    DeviceFigures,
    Explored,
    Int8Figures,
    Judged,
    Look,
    SearchFigures,
    Steps,
    Summary,
    TeacherFigures,
    TriedFigures,
)
from wootzc.builder.search.goals import accuracy_target, asked
from wootzc.builder.search.tried import SearchResult, Tried
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.net.rate import Rate, texts
from wootzc.ir.net.widths import ModuleWidths, module_widths
from wootzc.ir.plan import Complete
from wootzc.ir.space import CostLimit, Space
from wootzc.ir.space.narrow import trunk_widths


def summarize(
    jobs: Jobs,
    teacher: Outcome,
    found: SearchResult,
    tests: tuple[float, float],  # test accuracy of the teacher and of the best network
    device: DeviceFigures | None,  # likewise
    histories: Sequence[list[dict[str, Any]]],  # the looks at each candidate tried, in order
    events: Events,
    built_from: str | None,
    int8: Int8Figures | None,  # of the best network
) -> Summary:
    """Everything the closing summary and the report show."""
    plan, space, data = jobs.plan, jobs.space, jobs.dataset
    validated, tested, done = len(data.validation), len(data.test), teacher.done
    accuracy = float(done.result["accuracy"])
    return Summary(
        built_from=built_from,
        space=space.name,
        network=space.network.name,
        modules=tuple(module.name for module in space.network.modules),
        objective=_objective_text(plan, found),
        cost=space.objective.cost,
        baseline=space.blocks == "none",
        objective_met=found.best.met,
        judgement=_judgement(found, accuracy),
        damage=None if found.damage is None else _damage(found.damage),
        taken=None,
        target_accuracy=found.target,
        test_target=accuracy_target(space.objective, tests[0]),
        teacher=TeacherFigures(
            costs=plan.costs.full,
            key=done.key,
            bytes=weights_bytes(teacher.weights),
            validation_accuracy=accuracy,
            validation_error=half_width(accuracy, validated),
            test_accuracy=tests[0],
            test_error=half_width(tests[0], tested),
            steps=done.result["steps"],
            seconds=done.seconds,
            history=_curve(done.result["history"]),
            reused=teacher.reused,
        ),
        best=_best(_candidate(found.best, validated), tests[1], tested, found.weights),
        candidates=Explored(
            in_space=len(plan.candidates),
            within_cost_limits=found.within,
            tried=len(found.tried),
            spared=found.within - len(found.tried),
        ),
        search=SearchFigures(
            explore=space.explore,
            ended=found.ended,
            left=found.left,
        ),
        blocks=BlocksFigures(
            method=space.blocks,
            planned=len(plan.blocks),
            used=sum(b.uses > 0 for b in found.blocks),
            unused=sum(b.uses == 0 for b in found.blocks),
            trained=sum(not b.reused for b in found.blocks),
            from_store=sum(b.reused for b in found.blocks),
            uses=sum(b.uses for b in found.blocks),
            list=found.blocks,
        ),
        steps=Steps(
            teacher=done.result["steps"],
            blocks=sum(b.steps for b in found.blocks),
            finetune=sum(t.steps for t in found.tried),
        ),
        seconds_now=dict(events.seconds),
        compilations=_compilations(events),
        seconds_recorded={
            "teacher": done.seconds,
            "blocks": sum(b.seconds for b in found.blocks),
            "candidates": sum(t.seconds for t in found.tried),
        },
        device=device,
        int8=int8,
        latency_on=None if space.measured is None else space.measured.on,
        tried=tuple(
            TriedFigures(**_candidate(one, validated), history=_curve(history))
            for one, history in zip(found.tried, histories, strict=True)
        ),
        widths=_widths(space, found.best.rates),
        data=DataFigures(
            source=data.source,
            fingerprint=data.fingerprint,
            train=len(data.train),
            validation=validated,
            test=tested,
        ),
        seed=space.seed,
        store=jobs.store.address,
        versions=versions(),
    )


def with_best(
    summary: Summary,
    chosen: Chosen,
    test_accuracy: float,
    device: DeviceFigures | None,
    int8: Int8Figures | None,
    space: Space,
    events: Events,
) -> Summary:
    """A summary of which another candidate that was tried is the best, taken by hand."""
    shared = {one.name: getattr(chosen.tried, one.name) for one in fields(Candidate)}
    return replace(
        summary,
        objective_met=chosen.tried.met,
        taken=chosen.number,
        device=device,
        int8=int8,
        judgement=None,  # was of another candidate, and of one chosen as the best of many
        best=_best(shared, test_accuracy, summary.data.test, chosen.weights),
        widths=_widths(space, chosen.tried.rates),
        seconds_now=dict(events.seconds),
        compilations=_compilations(events),
        versions=versions(),
    )


def _judgement(found: SearchResult, teacher: float) -> Judged:
    """`teacher`: its accuracy, which limits are told beside."""
    limit = found.verdict.limit
    return Judged(
        drop=found.verdict.corrected,
        error=CONFIDENCE * found.verdict.error,  # as beside accuracies
        optimism=found.verdict.optimism,
        among=found.among,
        holds=found.verdict.holds,
        limit=None if limit is None else teacher - asked(limit, teacher),
        confidence=None if limit is None else limit.confidence,
    )


def _compilations(events: Events) -> Compiled:
    """What this build compiled, and read from the persistent cache, in all and by stage."""
    total = reduce(Compilations.plus, events.compiled.values(), Compilations())
    stages = {name: asdict(one) for name, one in events.compiled.items() if one != Compilations()}
    return Compiled(**asdict(total), stages=stages)


def versions() -> dict[str, str]:
    """Versions of what the figures depend on."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy")
    program = Path(sys.argv[0]).name.replace("__main__.py", "python -m wootzc")
    return {
        "wootzc": wootzc.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in packages},
        "command": " ".join([program, *sys.argv[1:]]),
    }


def weights_bytes(weights: Weights) -> int:
    """What a safetensors file of these holds, but for the names in its head."""
    return sum(array.nbytes for array in weights.values())


def _best(shared: dict[str, Any], test: float, images: int, weights: Weights) -> BestFigures:
    """The entry of the best network: what it has as a candidate, and what only the best has."""
    error = half_width(test, images)
    return BestFigures(**shared, test_accuracy=test, test_error=error, bytes=weights_bytes(weights))


def _candidate(one: Tried, images: int) -> dict[str, Any]:
    """The fields of `Candidate`."""
    own = {each.name: getattr(one, each.name) for each in fields(one)}
    return own | {"error": half_width(one.accuracy, images)}


def _damage(damage: Mapping[str, Mapping[Rate, float]]) -> dict[str, dict[str, float]]:
    """As JSON has it: rates are strings."""
    return {
        module: {texts(rate, "{}"): nats for rate, nats in by_rate.items()}
        for module, by_rate in damage.items()
    }


def _widths(space: Space, rates: tuple[Rate, ...]) -> tuple[ModuleWidths, ...]:
    """Of modules, and of trunks that may be cut."""
    modules = zip(module_widths(space.network, rates), space.network.modules, strict=True)
    rows = [row for row, module in modules if not module.outside]
    return (*rows, *trunk_widths(space.network, rates))


def _curve(history: list[dict[str, Any]]) -> tuple[Look, ...]:
    """What a learning curve shows of each look."""
    return tuple(
        Look(step=look["step"], loss=look.get("loss"), accuracy=look.get("accuracy"))
        for look in history
    )


def _objective_text(plan: Complete, found: SearchResult) -> str:
    objective = plan.space.objective
    limits = [limit.text for limit in objective.limits if isinstance(limit, CostLimit)]
    if found.target is not None:
        limits.insert(0, f"accuracy >= {found.target:.2%}")
    return ", ".join([f"{METRICS[objective.target].verb} {objective.target}", *limits])
