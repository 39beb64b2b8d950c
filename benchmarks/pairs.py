"""Networks with their data, as benchmarks/defaults.py and predictors.py measure on them.

A bench is one of them ready for use: its data read, its teacher trained (once, by the store), every
module refitted by least squares at every rate. Fine-tuned candidates are kept in the store.
"""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from paper_setting import read_zip
from scipy.special import log_softmax

from wootzc.backends.data import Dataset, load
from wootzc.backends.flax.device.parallel import configure
from wootzc.backends.flax.train.evaluation import evaluate, predict
from wootzc.backends.flax.train.reconstruct import reconstruct
from wootzc.backends.flax.train.scores import score_variants
from wootzc.backends.flax.train.train import train
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import Pruner, Variant, prune_weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.backends.weights.widen import widen_weights
from wootzc.builder.jobs.store import Store, job_key
from wootzc.builder.jobs.teacher import read_teacher, teacher_hash
from wootzc.driver import front
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.cost_tables import VariantCosts, variant_costs
from wootzc.ir.net.prune import prune_network
from wootzc.ir.propose import proposals
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import FromFile, Recipe
from wootzc.ir.text import print_network

Rates = tuple[float, ...]
Floats = NDArray[np.float64]
Rows = NDArray[np.uint8]  # [candidates, modules]: positions in the space's rates

ROOT = Path(__file__).parents[1]
REFITTED = 512  # training images that least squares looks at
SCORED = 512  # validation images that scores look at, at most
NEVER = 1e9  # a norm of gradients
CIFAR = (6_000, 2_000, 2_000)  # images of CIFAR-10 small: training, validation, test
STRANGER = """
network stranger from "{folder}/{file}"
space stranger over stranger {{
  data folder("{folder}/data") {{ normalize imagenet }}
  rates {{ 0, 30%, 50%, 70%, 90% }}
  prune * by l1
  sample 60 seed 1
  minimize params
  subject to accuracy >= teacher - 1 points
}}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cifar", type=Path, help="a zip of CIFAR-10's training images")
    parser.add_argument("--stranger", type=Path, help="what benchmarks/stranger.py wrote")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--pairs", nargs="+", help="of those that have their data; default: all")


def spaces(options: argparse.Namespace) -> dict[str, Space]:
    """The pairs whose data was given, by name."""
    digits = {"data": str(ROOT / "samples" / "digits.npz")}
    found = {
        "digits": _space("benchmarks/digits.wz", rates="0, 50%, 70%, 85%, 94%", **digits),
        "digits.onnx": _space("samples/onnx.wz", rates="0, 50%, 75%, 90%", **digits),
    }
    if options.cifar:
        data = {"data": str(write_cifar(options.cifar, options.store))}
        rates = "0, 30%, 50%, 70%, 85%"
        found["cifar"] = _space("benchmarks/cifar10_small.wz", rates=rates, **data)
    if options.stranger:
        for name, file in (("stranger", "norms.onnx"), ("stranger, folded", "model.onnx")):
            text = STRANGER.format(folder=options.stranger.resolve(), file=file)
            found[name] = front(text).space
    chosen = options.pairs or list(found)
    return {name: found[name] for name in chosen}


def _space(file: str, **overrides: str) -> Space:
    return front(ROOT / file, overrides).space


def write_cifar(source: Path, folder: Path) -> Path:
    """A part of the images, cut in three."""
    found = folder / "cifar.npz"
    if not found.exists():
        folder.mkdir(parents=True, exist_ok=True)
        images, labels = read_zip(source)
        order = np.random.default_rng(0).permutation(len(labels))
        ends = (0, *np.cumsum(CIFAR).tolist())
        parts = {
            f"{name}_{kind}": array[order[ends[i] : ends[i + 1]]]
            for i, name in enumerate(("train", "val", "test"))
            for kind, array in (("images", images), ("labels", labels))
        }
        np.savez(found, **parts)
    return found


@dataclass(frozen=True)
class Bench:
    """A pair, ready for fine-tuning."""

    name: str
    space: Space
    store: Store

    @cached_property
    def dataset(self) -> Dataset:
        height, width, channels = self.space.network.input
        return load(self.space.data, seed=self.space.seed, shape=(height, width, channels))

    @cached_property
    def _common(self) -> dict[str, object]:
        source = self.space.teacher
        teacher = teacher_hash(Path(source.path)) if isinstance(source, FromFile) else repr(source)
        return {
            "network": print_network(self.space.network),
            "data": self.dataset.fingerprint,
            "teacher": teacher,
            "augment": asdict(self.space.augment),
            "seed": self.space.seed,
        }

    @cached_property
    def teacher(self) -> Weights:
        source, network = self.space.teacher, self.space.network
        if isinstance(source, FromFile):
            return read_teacher(Path(source.path), network)
        key = job_key("bench-teacher", **self._common)
        done = self.store.find(key)
        if done is None or done.weights is None:
            weights, seed = initial_weights(network, self.space.seed), self.space.seed
            made = train(network, weights, self.dataset, source, self.space.augment, seed=seed)
            about = {"accuracy": made.accuracy}
            done = self.store.finish(
                key, "bench-teacher", self.name, about, made.seconds, made.weights
            )
        assert done.weights is not None
        return done.weights

    @cached_property
    def accuracies(self) -> tuple[float, float]:
        """Of the teacher, on validation and test images."""
        network, data = self.space.network, self.dataset
        parts = data.validation, data.test
        found = [evaluate(network, self.teacher, part) for part in parts]
        return found[0], found[1]

    @cached_property
    def refitted(self) -> dict[Variant, Weights]:
        space = self.space
        wanted = [
            (module, space.rates[rate])
            for module, choices in enumerate(space.choices)
            for rate in choices
            if space.rates[rate]
        ]
        images = min(REFITTED, len(self.dataset.train))
        return reconstruct(self._pruner, wanted, self.dataset.train, images=images)

    @property
    def _pruner(self) -> Pruner:
        space = self.space
        return Pruner(space.network, self.teacher, space.criteria, space.seed)

    @cached_property
    def _seen(self) -> Any:
        """The validation images that scores look at."""
        validation = self.dataset.validation
        count = min(SCORED, len(validation))
        rows = np.random.default_rng(self.space.seed).permutation(len(validation))[:count]
        return validation.batch(np.sort(rows))

    @cached_property
    def scores(self) -> Floats:  # [modules, rates] nats; infinite where a rate is not to be had
        space = self.space
        key = job_key("bench-scores", rates=space.rates, choices=space.choices, **self._common)
        done = self.store.find(key)
        if done is None:
            found = np.full((len(space.choices), len(space.rates)), np.inf)
            for module, choices in enumerate(space.choices):
                found[module, [r for r in choices if not space.rates[r]]] = 0.0
            made = score_variants(self._pruner, self.refitted, self._seen)
            for (module, rate), score in made:
                found[module, space.rates.index(rate)] = score.loss
            done = self.store.finish(key, "bench-scores", self.name, {"nats": found.tolist()}, 0.0)
        return np.array(done.result["nats"])

    @cached_property
    def costs(self) -> VariantCosts:
        return variant_costs(self.space.network, self.space.rates)

    def front(self, count: int) -> Rows:
        """Candidates of the front between size and summed score, from small to large."""
        rows = proposals(self.space, self.costs, self.scores, 50, rungs=50).rows
        rows = rows[np.argsort(self.costs.total("params", rows), kind="stable")]
        return rows[np.unique(np.linspace(0, len(rows) - 1, count + 1).round().astype(int)[:-1])]

    def rates(self, row: NDArray[np.uint8]) -> Rates:
        return tuple(self.space.rates[i] for i in row)

    def damage(self, row: NDArray[np.uint8]) -> float:
        return float(self.scores[np.arange(len(row)), row].sum())

    def share(self, row: NDArray[np.uint8]) -> float:
        """Of the full network's parameters."""
        size = int(self.costs.total("params", row[None])[0])
        return size / network_cost(self.space.network).params

    def assembled(self, rates: Rates) -> Weights:
        space = self.space
        weights = prune_weights(space.network, self.teacher, rates, space.criteria, seed=space.seed)
        for module, rate in enumerate(rates):
            if rate:
                weights |= self.refitted[module, rate]
        return weights

    def divergence(self, rates: Rates) -> float:
        """KL(teacher ‖ assembled candidate) before any step, in nats, through the teacher."""
        space, images = self.space, self._seen.images
        wide = widen_weights(self._pruner, self.assembled(rates), rates)
        expected = log_softmax(predict(space.network, self.teacher, images), axis=-1)
        given = log_softmax(predict(space.network, wide, images), axis=-1)
        return float((np.exp(expected) * (expected - given)).sum(axis=-1).mean())

    def steps(self, epochs: float, batch: int = 64) -> int:
        return max(1, round(epochs * len(self.dataset.train) / batch))

    def finetuned(self, rates: Rates, recipe: Recipe) -> dict[str, Any]:
        """`history`, (step, validation accuracy), and `test`, of the best look's weights."""
        key = job_key(
            "bench-candidate", rates=rates, recipe=asdict(recipe), fit=REFITTED, **self._common
        )
        done = self.store.find(key)
        if done is None:
            network, space = prune_network(self.space.network, rates), self.space
            started = time.perf_counter()
            made = train(
                network,
                self.assembled(rates),
                self.dataset,
                recipe,
                space.augment,
                seed=space.seed,
                teacher=(space.network, self.teacher) if recipe.distill else None,
                shared=True,
            )
            result = {
                "history": [(look.step, look.accuracy) for look in made.history],
                "accuracy": made.accuracy,
                "reason": made.reason,
                "test": evaluate(network, made.weights, self.dataset.test),
            }
            seconds = time.perf_counter() - started
            done = self.store.finish(key, "bench-candidate", self.name, result, seconds)
        return done.result | {"seconds": done.seconds}


def benches(options: argparse.Namespace) -> list[Bench]:
    store = Store(options.store)
    configure(store.root / "xla")
    return [Bench(name, space, store) for name, space in spaces(options).items()]


def print_setting() -> None:
    print("command:", " ".join(["python", *sys.argv]))
    names = ("jax", "flax", "optax", "numpy")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"machine: {platform.platform()}, Python {platform.python_version()}, {versions}")


def with_steps(recipe: Recipe, steps: int, looks: int, clip: float = NEVER) -> Recipe:
    """So long, with so many looks.

    Where gradients are clipped, one compiled gradient serves every recipe: so all of them are, most
    at a norm that none ever has.
    """
    every = max(1, steps // looks)
    return replace(recipe, steps=steps, every=every, patience=None, clip=clip)


def mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
