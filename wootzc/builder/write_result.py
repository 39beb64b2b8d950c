"""The result folder: the best network in every form a user may want, and the figures behind it.

best/network.wz  best/weights.safetensors  best/model.py  best/example.npz  best/origins.json
best/manifest.json  best/int8.onnx  best/int8.json (of spaces that quantise)
result.json  report.html  plan.wzir  log.jsonl
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import wootzc
from wootzc.backends.data import Dataset, spread
from wootzc.backends.flax.train.evaluation import batch_for
from wootzc.backends.weights.parameters import count_parameters
from wootzc.builder.jobs.events import Warned
from wootzc.builder.jobs.gradients import saliencies
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.store import Weights
from wootzc.builder.jobs.teacher import teacher_hash
from wootzc.builder.report import report_html
from wootzc.builder.result.int8 import JUDGED, Quantized
from wootzc.builder.result.origins import NOWHERE, origins_of, origins_text
from wootzc.builder.result.parts import parts
from wootzc.builder.result.summary import Summary, to_json
from wootzc.diagnostics import WootzError, fail
from wootzc.driver import placed
from wootzc.files import seal, sha256_of, write_atomically
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.metrics import Numbers, exact_text
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate
from wootzc.ir.space.recipe import FromFile
from wootzc.ir.text import print_plan

EXAMPLES = 16  # images stored beside the model, to replay


def write_result(
    out: Path,
    jobs: Jobs,
    weights: Weights,  # of the best
    summary: Summary,
    int8: Quantized | None = None,  # of the best, where it was judged so
) -> None:
    """Write the result folder; `result.json` last, so that it stands for a whole folder."""
    space, entry = jobs.space, summary.best
    network = prune_network(space.network, entry.rates)
    check_real(network, weights, entry.costs, space.quantize)
    best = out / "best"
    made = _parts(network, weights, jobs.dataset)
    made["origins.json"] = origins_text(_origins(jobs, entry.rates)).encode()
    if int8 is not None:
        made[JUDGED] = bytes(int8.model.SerializeToString())
        made["int8.json"] = int8.about.encode()
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
        "modules": summary.modules,
        "rates": entry.rates,
        **entry.costs,
        "objective": summary.objective,
        "objective_met": summary.objective_met,
        "accuracy": {
            "validation": entry.accuracy,
            "test": entry.test_accuracy,
            "teacher_validation": summary.teacher.validation_accuracy,
            "teacher_test": summary.teacher.test_accuracy,
        },
        "recipes": {
            "teacher": asdict(space.teacher),
            "pretrain": asdict(space.pretrain),
            "finetune": asdict(space.finetune),
            "augment": asdict(space.augment),
        },
        "data": asdict(summary.data),
        "seed": space.seed,
        "versions": summary.versions,
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
    write_atomically(best / "manifest.json", seal(manifest, hashes))
    write_atomically(out / "plan.wzir", print_plan(placed(jobs.plan, out / "plan.wzir")))
    write_atomically(out / "report.html", report_html(summary, jobs.plan))
    files = {name: sha256_of(out / name) for name in ("best/manifest.json", "plan.wzir")}
    write_atomically(out / "result.json", seal(to_json(summary), files))


def _origins(jobs: Jobs, rates: tuple[Rate, ...]) -> dict[str, Any]:
    source = jobs.space.teacher
    if isinstance(source, FromFile) and not _is_still(Path(source.path), jobs.keys.file):
        message = f"{source.path} is not what it was: origins.json does not name its tensors"
        jobs.events.emit(Warned(message=message))
        return NOWHERE
    teacher = jobs.store.find(jobs.keys.teacher)
    if teacher is None or teacher.weights is None:
        return NOWHERE
    found = saliencies(jobs, teacher.weights)
    return origins_of(jobs.space, teacher.weights, rates, found)


def _is_still(file: Path, sha256: str | None) -> bool:
    """Whether a teacher's file is that of the build's start: a search takes hours."""
    try:
        return teacher_hash(file) == sha256
    except WootzError:
        return False


def check_real(
    network: Network, weights: Weights, predicted: Mapping[str, int], quantize: Numbers = "none"
) -> None:
    """Stop the build if the sliced weights are not what the compiler predicted."""
    real = {**network_costs(network, quantize), "params": count_parameters(weights)}
    told = {name: predicted[name] for name in real}
    if real != told:
        raise fail(
            "WZ143",
            f"the pruned network has {exact_text(real)}, but the plan predicted {exact_text(told)}",
            "this is a bug in wootzc: please report it with the .wz file",
        )


def _parts(network: Network, weights: Weights, dataset: Dataset) -> dict[str, bytes]:
    """The files of `best/`, with a few test images to replay.

    Spread over the test part, for images of one class often stand together.
    """
    batch = dataset.test.batch(spread(len(dataset.test), EXAMPLES))
    return parts(
        network,
        weights,
        classes=dataset.classes,
        mean=dataset.mean,
        std=dataset.std,
        images=batch.images * dataset.std + dataset.mean,
        labels=batch.labels,
        batch=batch_for(len(dataset.validation)),
    )
