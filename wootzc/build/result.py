"""The result folder: the best network in every form a user may want, and the figures behind it.

best/network.wz  best/weights.safetensors  best/model.py  best/example.npz  best/origins.json
best/manifest.json
result.json  report.html  plan.wzir  log.jsonl
"""

import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import wootzc
from wootzc.backends.data import Dataset
from wootzc.backends.flax.compiles import Compilations
from wootzc.backends.parameters import count_parameters
from wootzc.build.chance import CONFIDENCE, half_width
from wootzc.build.chosen import Chosen
from wootzc.build.events import Events
from wootzc.build.jobs import Jobs
from wootzc.build.origins import NOWHERE, origins_of, origins_text
from wootzc.build.parts import parts
from wootzc.build.report import report_html
from wootzc.build.search import accuracy_target, strictest
from wootzc.build.store import Outcome, Weights
from wootzc.build.tried import Found, Tried
from wootzc.diagnostics import fail
from wootzc.driver import placed
from wootzc.files import finite, seal, sha256_of, write_atomically
from wootzc.ir.cost import network_cost
from wootzc.ir.network import Network
from wootzc.ir.plan import Plan
from wootzc.ir.prune import prune_network
from wootzc.ir.space import AccuracyLimit, CostLimit, Space
from wootzc.ir.text import print_plan
from wootzc.ir.widths import module_widths

EXAMPLES = 16  # images stored beside the model, to replay


def summarize(
    jobs: Jobs,
    teacher: Outcome,
    found: Found,
    tests: tuple[float, float],  # test accuracy of the teacher and of the best network
    histories: Sequence[list[dict[str, Any]]],  # the looks at each candidate tried, in order
    events: Events,
) -> dict[str, Any]:
    """`result.json`: everything the closing summary and the report show.

    Accuracies are fractions. An `error` beside one: its 95 % interval is that far to both sides.
    """
    plan, space, data = jobs.plan, jobs.space, jobs.dataset
    validated, tested = len(data.validation), len(data.test)
    accuracy = float(teacher.done.result["accuracy"])
    assert plan.costs is not None and plan.candidates is not None
    explored = 0 if plan.exploration_order is None else len(plan.exploration_order)
    summary = {
        "space": space.name,
        "network": space.network.name,
        "modules": [module.name for module in space.network.modules],
        "objective": _objective_text(plan, found),
        "baseline": space.blocks == "none",
        "objective_met": found.best.met,
        "judgement": _judgement(found, strictest(space.objective, accuracy)),
        "damage": found.damage,
        "taken": None,  # the number of the candidate that was taken as the best by hand
        "target_accuracy": found.target,
        "test_target": accuracy_target(space.objective, tests[0]),  # the same, held on test data
        "teacher": {
            "params": plan.costs.full_params,
            "macs": plan.costs.full_macs,
            "key": teacher.done.key,
            "bytes": weights_bytes(teacher.weights),
            "validation_accuracy": teacher.done.result["accuracy"],
            "validation_error": half_width(teacher.done.result["accuracy"], validated),
            "test_accuracy": tests[0],
            "test_error": half_width(tests[0], tested),
            "steps": teacher.done.result["steps"],
            "seconds": teacher.done.seconds,
            "history": _curve(teacher.done.result["history"]),
            "reused": teacher.reused,
        },
        "best": _best(_tried(found.best, validated), tests[1], tested, found.weights),
        "candidates": {
            "in_space": len(plan.candidates),
            "within_cost_limits": explored,
            "tried": len(found.tried),
            "spared": explored - len(found.tried),
        },
        "search": {
            "explore": space.explore,
            "ended": found.ended,
            "left": None if found.left is None else asdict(found.left),
        },
        "blocks": {
            "method": space.blocks,
            "planned": len(plan.blocks or ()),
            "used": sum(b.uses > 0 for b in found.blocks),
            "unused": sum(b.uses == 0 for b in found.blocks),  # trained ahead of their turn
            "trained": sum(not b.reused for b in found.blocks),
            "from_store": sum(b.reused for b in found.blocks),
            "uses": sum(b.uses for b in found.blocks),
            "list": [asdict(block) for block in found.blocks],
        },
        "steps": {
            "teacher": teacher.done.result["steps"],
            "blocks": sum(b.steps for b in found.blocks),
            "finetune": sum(t.steps for t in found.tried),
        },
        "seconds_now": dict(events.seconds),
        "compilations": _compilations(events),
        "seconds_recorded": {
            "teacher": teacher.done.seconds,
            "blocks": sum(b.seconds for b in found.blocks),
            "candidates": sum(t.seconds for t in found.tried),
        },
        "tried": [
            {**_tried(one, validated), "history": _curve(history)}
            for one, history in zip(found.tried, histories, strict=True)
        ],
        "widths": module_widths(space.network, found.best.rates),
        "data": {
            "source": data.source,
            "fingerprint": data.fingerprint,
            "train": len(data.train),
            "validation": validated,
            "test": tested,
        },
        "seed": space.seed,
        "store": str(jobs.store.root.resolve()),  # has the weights of all that was tried
        "versions": versions(),
    }
    return _plain(summary)


def with_best(
    summary: dict[str, Any], chosen: Chosen, test_accuracy: float, space: Space, events: Events
) -> dict[str, Any]:
    """A summary of which another candidate that was tried is the best, taken by hand."""
    tried = {name: value for name, value in chosen.tried.items() if name != "history"}
    changed = {
        "objective_met": tried["met"],
        "taken": chosen.number,
        "judgement": None,  # was of another candidate, and of one chosen as the best of many
        "best": _best(tried, test_accuracy, summary["data"]["test"], chosen.weights),
        "widths": module_widths(space.network, tuple(tried["rates"])),
        "seconds_now": dict(events.seconds),
        "compilations": _compilations(events),
        "versions": versions(),
    }
    return _plain(summary | changed)


def _judgement(found: Found, limit: AccuracyLimit | None) -> dict[str, Any]:
    """The drop that the best network is expected to have on other images, and its error."""
    return {
        "drop": found.verdict.corrected,
        "error": CONFIDENCE * found.verdict.error,  # as beside accuracies
        "optimism": found.verdict.optimism,
        "holds": found.verdict.holds,
        "confidence": None if limit is None else limit.confidence,
    }


def write_result(
    out: Path,
    jobs: Jobs,
    weights: Weights,  # of the best
    summary: dict[str, Any],
) -> None:
    """Write the result folder; `result.json` last, so that it stands for a whole folder."""
    space, entry = jobs.space, summary["best"]
    network = prune_network(space.network, tuple(entry["rates"]))
    check_real(network, weights, entry["params"], entry["macs"])
    best = out / "best"
    made = _parts(network, weights, jobs.dataset)
    made["origins.json"] = origins_text(_origins(jobs, tuple(entry["rates"]))).encode()
    for name, content in made.items():
        write_atomically(best / name, content)
    manifest = {
        "wootzc": wootzc.__version__,
        "network": network.name,
        "weights_sha256": hashlib.sha256(made["weights.safetensors"]).hexdigest(),
        "model_sha256": hashlib.sha256(made["model.py"]).hexdigest(),
        "input": list(network.input),
        "classes": list(jobs.dataset.classes),
        "normalize": {
            "mean": jobs.dataset.mean.tolist(),
            "std": jobs.dataset.std.tolist(),
        },
        "modules": summary["modules"],
        "rates": entry["rates"],
        "params": entry["params"],
        "macs": entry["macs"],
        "objective": summary["objective"],
        "objective_met": summary["objective_met"],
        "accuracy": {
            "validation": entry["accuracy"],
            "test": entry["test_accuracy"],
            "teacher_validation": summary["teacher"]["validation_accuracy"],
            "teacher_test": summary["teacher"]["test_accuracy"],
        },
        "recipes": {
            "teacher": asdict(space.teacher),
            "pretrain": asdict(space.pretrain),
            "finetune": asdict(space.finetune),
            "augment": asdict(space.augment),
        },
        "data": summary["data"],
        "seed": space.seed,
        "versions": summary["versions"],
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
    write_atomically(best / "manifest.json", seal(manifest, hashes))
    write_atomically(out / "plan.wzir", print_plan(placed(jobs.plan, out / "plan.wzir")))
    write_atomically(out / "report.html", report_html(summary, jobs.plan))
    files = {name: sha256_of(out / name) for name in ("best/manifest.json", "plan.wzir")}
    write_atomically(out / "result.json", seal(summary, files))


def _origins(jobs: Jobs, rates: tuple[float, ...]) -> dict[str, Any]:
    teacher = jobs.store.find(jobs.keys.teacher)
    if teacher is None or teacher.weights is None:
        return NOWHERE
    return origins_of(jobs.space, teacher.weights, rates)


def check_real(network: Network, weights: Weights, params: int, macs: int) -> None:
    """Stop the build if the sliced weights are not what the compiler predicted."""
    real = count_parameters(weights)
    cost = network_cost(network)
    if (real, cost.macs) != (params, macs):
        raise fail(
            "WZ143",
            f"the pruned network has {real:,} parameters and {cost.macs:,} MACs, "
            f"but the plan predicted {params:,} and {macs:,}",
            "this is a bug in wootzc: please report it with the .wz file",
        )


def _compilations(events: Events) -> dict[str, Any]:
    """What this build compiled, and read from the persistent cache, in all and by stage."""
    total = reduce(Compilations.plus, events.compiled.values(), Compilations())
    stages = {name: asdict(one) for name, one in events.compiled.items() if one != Compilations()}
    return {**asdict(total), "stages": stages}


def versions() -> dict[str, str]:
    """Versions of what the figures depend on."""
    packages = ("jax", "jaxlib", "flax", "optax", "numpy")
    return {
        "wootzc": wootzc.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version(name) for name in packages},
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def weights_bytes(weights: Weights) -> int:
    """What a safetensors file of these holds, but for the names in its head."""
    return sum(array.nbytes for array in weights.values())


def _best(tried: dict[str, Any], test: float, images: int, weights: Weights) -> dict[str, Any]:
    """The entry of the best network: that of a candidate, and what only the best has."""
    figures = {"test_accuracy": test, "test_error": half_width(test, images)}
    return {**tried, **figures, "bytes": weights_bytes(weights)}


def _tried(one: Tried, images: int) -> dict[str, Any]:
    return {**asdict(one), "error": half_width(one.accuracy, images)}


def _curve(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a learning curve shows of each look."""
    return [{name: look.get(name) for name in ("step", "loss", "accuracy")} for look in history]


def _plain(summary: dict[str, Any]) -> dict[str, Any]:
    """As it will be read back."""
    plain: dict[str, Any] = json.loads(json.dumps(finite(summary), allow_nan=False))
    return plain


def _parts(network: Network, weights: Weights, dataset: Dataset) -> dict[str, bytes]:
    """The files of `best/`, with a few test images to replay.

    Spread over the test part, for images of one class often stand together.
    """
    count = min(EXAMPLES, len(dataset.test))
    places = np.linspace(0, len(dataset.test) - 1, count).astype(np.intp)
    batch = dataset.test.batch(places)
    return parts(
        network,
        weights,
        classes=dataset.classes,
        mean=dataset.mean,
        std=dataset.std,
        images=batch.images * dataset.std + dataset.mean,
        labels=batch.labels,
    )


def _objective_text(plan: Plan, found: Found) -> str:
    objective = plan.space.objective
    verb = "maximize" if objective.target == "accuracy" else "minimize"
    limits = [
        f"{limit.metric} {limit.comparison} {limit.value:,}"
        for limit in objective.limits
        if isinstance(limit, CostLimit)
    ]
    if found.target is not None:
        limits.insert(0, f"accuracy >= {found.target:.2%}")
    return ", ".join([f"{verb} {objective.target}", *limits])
