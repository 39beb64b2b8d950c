"""What peers.py gives to PyTorch's side: the teacher, the data, and job.json."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from wootzc.backends.data import Dataset, Split, load
from wootzc.backends.flax.train.batches import batch_indices, looks
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.python_source.classes import classes_of
from wootzc.backends.torch import model_source, state_dict
from wootzc.backends.torch.layers import TORCH
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Store, Weights
from wootzc.builder.search.goals import accuracy_target
from wootzc.driver import compile
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import Module, Network, segment_shapes
from wootzc.ir.net.prune import kept_width
from wootzc.ir.plan import Plan
from wootzc.ir.plan.lengths import resolved
from wootzc.ir.space.recipe import Recipe

SEARCH = ("explore", "certify", "budget")  # what PyTorch's side does in its own way


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What both sides start from."""

    plan: Plan  # candidates in ascending order
    dataset: Dataset
    teacher: Weights
    store: Path  # holds the teacher, and nothing that was compiled
    folder: Path  # what peers_torch.py reads


def prepare(source: Path, settings: dict[str, str], folder: Path) -> Prepared:
    """Train the teacher and write it, the data and the job down."""
    own = {key: value for key, value in settings.items() if key not in SEARCH}
    plan = compile(source, overrides=own | {"explore": "ascending"})
    height, width, channels = plan.space.network.input
    dataset = load(plan.space.data, seed=plan.space.seed, shape=(height, width, channels))
    plan = resolved(plan, len(dataset.train))
    space, recipe = plan.space, plan.space.finetune
    store = folder / "store"
    jobs = Jobs(plan=plan, dataset=dataset, store=Store(store), events=Events())
    teacher = jobs.teacher()
    job = job_of(plan, float(teacher.done.result["accuracy"]))
    save_file(state_dict(space.network, teacher.weights), folder / "weights.safetensors")
    text = model_source(space.network, dataset.classes, dataset.mean, dataset.std)
    (folder / "model.py").write_text(text)
    (folder / "job.json").write_text(json.dumps(job))
    parts = {name: everything(getattr(dataset, name)) for name in ("train", "validation", "test")}
    images = parts["validation"][0][:256]
    arrays = {f"{name}_images": np.moveaxis(part[0], 3, 1).copy() for name, part in parts.items()}
    arrays |= {f"{name}_labels": part[1].astype(np.int64) for name, part in parts.items()}
    order = batch_indices(len(dataset.train), recipe.batch, recipe.steps, space.seed)
    logits = predict(space.network, teacher.weights, images)
    np.savez(folder / "data.npz", order=np.stack(list(order)), logits=logits, **arrays)
    return Prepared(plan=plan, dataset=dataset, teacher=teacher.weights, store=store, folder=folder)


def everything(split: Split) -> tuple[Any, Any]:
    batch = split.batch(np.arange(len(split)))
    return batch.images, batch.labels


def job_of(plan: Plan, teacher_accuracy: float) -> dict[str, Any]:
    """job.json. Exits where PyTorch's side does not follow the file."""
    space, recipe = plan.space, plan.space.finetune
    target = accuracy_target(space.objective, teacher_accuracy)
    known = Recipe(
        steps=recipe.steps,
        epochs=recipe.epochs,
        least=recipe.least,
        most=recipe.most,
        batch=recipe.batch,
        optimizer=recipe.optimizer,
        schedule=recipe.schedule,
        weight_decay=recipe.weight_decay,
        clip=recipe.clip,
        every=recipe.every,
        patience=recipe.patience,
    )
    schedule = recipe.schedule
    follows = recipe.optimizer.name == "sgd" and schedule.name in ("constant", "cosine")
    if not follows or schedule.options or recipe != known:
        sys.exit("peers.py fine-tunes with sgd, constant or cosine, decay, clipping, patience only")
    if target is None or space.objective.target == "accuracy" or set(space.criteria) != {"l1"}:
        sys.exit("peers.py needs: minimize params or macs, a limit of accuracy, prune … by l1")
    assert plan.exploration_order is not None
    return {
        "target": target,
        "recipe": {
            "steps": recipe.steps,
            "learning_rate": recipe.optimizer.learning_rate,
            "options": dict(recipe.optimizer.options),
            "cosine": schedule.name == "cosine",
            "clip": recipe.clip,
            "weight_decay": recipe.weight_decay,
            "patience": recipe.patience,
        },
        "augment": {"flip": space.augment.flip, "crop": space.augment.crop},
        "looks": looks(recipe.steps, recipe.every),
        "seed": space.seed,
        "layers": layers(space.network),
        "candidates": [candidate(plan, int(row)) for row in plan.exploration_order.values],
    }


def candidate(plan: Plan, row: int) -> dict[str, Any]:
    assert plan.candidates is not None and plan.costs is not None
    rates = tuple(plan.space.rates[i] for i in plan.candidates.values[row])
    return {
        "ratios": ratios(plan.space.network, rates),
        "params": int(plan.costs["params"].candidates.values[row]),
        "macs": int(plan.costs["macs"].candidates.values[row]),
    }


def layers(network: Network) -> list[str]:
    """PyTorch's names of all layers that make channels, first to last."""
    classes = classes_of(network, TORCH)
    return [
        f"{classes.attributes[segment]}.{learned.attribute}"
        for segment, made in classes.of.items()
        for learned in made.body.learned
        if learned.attribute.startswith(("conv", "dense"))
    ]


def ratios(network: Network, rates: tuple[float, ...]) -> dict[str, float]:
    """PyTorch's name of a layer → the share of its channels to remove; none for whole layers."""
    classes = classes_of(network, TORCH)
    remaining = iter(rates)
    found = {}
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        if not isinstance(segment, Module):
            continue
        rate = next(remaining)
        names = {one.path: one.attribute for one in classes.of[segment.name].body.learned}
        for group in couple_module(segment, shape).groups:
            kept, part = (n // group.partitions for n in (kept_width(group, rate), group.width))
            if kept < part:
                share = 1 - (kept + 0.5) / part  # it keeps int(part * (1 - share)): half a channel
                for maker in group.makers:  # more, lest rounding take one
                    found[f"{classes.attributes[segment.name]}.{names[maker]}"] = share
    return found
