"""The result folder: the best network in every form a user may want, and the figures behind it.

best/network.wz  best/weights.safetensors  best/model.py  best/example.npz  best/origins.json
best/manifest.json
result.json  report.html  plan.wzir  log.jsonl
"""

import hashlib
import io
import json
import platform
import sys
from dataclasses import asdict
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

import wootzc
from wootzc.backends.data import Dataset
from wootzc.backends.flax.codegen import model_source
from wootzc.backends.flax.compiles import Compilations
from wootzc.backends.flax.train import predict
from wootzc.backends.parameters import count_parameters
from wootzc.build.events import Events
from wootzc.build.jobs import Jobs
from wootzc.build.origins import NOWHERE, origins_of, origins_text
from wootzc.build.report import report_html
from wootzc.build.search import Found
from wootzc.build.store import Outcome, Weights, contiguous
from wootzc.diagnostics import fail
from wootzc.files import finite, write_atomically
from wootzc.grammar import print_network
from wootzc.ir.cost import network_cost
from wootzc.ir.network import Network
from wootzc.ir.plan import Plan
from wootzc.ir.prune import prune_network
from wootzc.ir.space import CostLimit
from wootzc.ir.text import print_plan
from wootzc.ir.widths import module_widths

EXAMPLES = 16  # images stored beside the model, to replay


def summarize(
    jobs: Jobs, teacher: Outcome, found: Found, tests: tuple[float, float], events: Events
) -> dict[str, Any]:
    """`result.json`: everything the closing summary and the report show. Accuracies are fractions.

    `tests`: test accuracy of the teacher and of the best network.
    """
    plan, space = jobs.plan, jobs.space
    assert plan.costs is not None and plan.candidates is not None
    explored = 0 if plan.exploration_order is None else len(plan.exploration_order)
    summary = {
        "space": space.name,
        "network": space.network.name,
        "modules": [module.name for module in space.network.modules],
        "objective": _objective_text(plan, found),
        "baseline": space.blocks == "none",
        "objective_met": found.best.met,
        "target_accuracy": found.target,
        "teacher": {
            "params": plan.costs.full_params,
            "macs": plan.costs.full_macs,
            "validation_accuracy": teacher.done.result["accuracy"],
            "test_accuracy": tests[0],
            "steps": teacher.done.result["steps"],
            "seconds": teacher.done.seconds,
            "history": teacher.done.result.get("history", []),
            "reused": teacher.reused,
        },
        "best": {**asdict(found.best), "test_accuracy": tests[1]},
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
        "tried": [asdict(one) for one in found.tried],
        "widths": module_widths(space.network, found.best.rates),
        "data": {
            "source": jobs.dataset.source,
            "fingerprint": jobs.dataset.fingerprint,
            "train": len(jobs.dataset.train),
            "validation": len(jobs.dataset.validation),
            "test": len(jobs.dataset.test),
        },
        "seed": space.seed,
        "versions": versions(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(finite(summary), allow_nan=False))
    return plain


def write_result(
    out: Path, jobs: Jobs, found: Found, summary: dict[str, Any], plan_text: str | None = None
) -> None:
    """Write the result folder; `result.json` last, so that it stands for a whole folder."""
    space = jobs.space
    network = prune_network(space.network, found.best.rates)
    check_real(network, found.weights, found.best.params, found.best.macs)
    best = out / "best"
    weights = save(contiguous(found.weights), {"format": "wootzc"})
    write_atomically(best / "weights.safetensors", weights)
    write_atomically(best / "network.wz", print_network(network))
    model = model_source(
        network, jobs.dataset.classes, mean=jobs.dataset.mean, std=jobs.dataset.std
    )
    write_atomically(best / "model.py", model)
    write_atomically(best / "origins.json", origins_text(_origins(jobs, found)))
    write_atomically(best / "example.npz", _example(network, found.weights, jobs.dataset))
    manifest = {
        "wootzc": wootzc.__version__,
        "network": network.name,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "model_sha256": hashlib.sha256(model.encode()).hexdigest(),
        "input": list(network.input),
        "classes": list(jobs.dataset.classes),
        "normalize": {
            "mean": jobs.dataset.mean.tolist(),
            "std": jobs.dataset.std.tolist(),
        },
        "modules": summary["modules"],
        "rates": list(found.best.rates),
        "params": found.best.params,
        "macs": found.best.macs,
        "objective": summary["objective"],
        "objective_met": found.best.met,
        "accuracy": {
            "validation": found.best.accuracy,
            "test": summary["best"]["test_accuracy"],
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
    write_atomically(best / "manifest.json", json.dumps(manifest, indent=2) + "\n")
    write_atomically(out / "plan.wzir", plan_text or print_plan(jobs.plan))
    write_atomically(out / "report.html", report_html(summary, jobs.plan))
    write_atomically(out / "result.json", json.dumps(summary, indent=2) + "\n")


def _origins(jobs: Jobs, found: Found) -> dict[str, Any]:
    teacher = jobs.store.find(jobs.keys.teacher)
    if teacher is None or teacher.weights is None:
        return NOWHERE
    return origins_of(jobs.space, teacher.weights, found.best.rates)


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


def _example(network: Network, weights: Weights, dataset: Dataset) -> bytes:
    """A few test images before normalisation, their labels, and the logits they must give.

    Spread over the test part, for images of one class often stand together.
    """
    count = min(EXAMPLES, len(dataset.test))
    places = np.linspace(0, len(dataset.test) - 1, count).astype(np.intp)
    batch = dataset.test.batch(places)
    images = batch.images * dataset.std + dataset.mean
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        images=images.astype(np.float32),
        labels=batch.labels,
        logits=predict(network, weights, batch.images),
    )
    return buffer.getvalue()


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
