"""A block is trained by the same programs on the same inputs, whatever is kept or flies along.

Bits alone would not show it: processors differ in which images of which batches they round alike.
The network is one whose first convolution rounds an image by its place in the batch on many.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import jax
import numpy as np
import pytest

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.train import blocks as cohort
from wootzc.backends.flax.train import boundary_activations as keeping
from wootzc.backends.flax.train.blocks import BlockJob, TrainedBlock, train_blocks
from wootzc.backends.flax.train.boundary_activations import Activations, Room
from wootzc.backends.flax.train.segments import compiled_evaluate
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import prune_weights
from wootzc.ir.layers import Activation, Conv, Dense, GlobalPool, Norm
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

IMAGES = 31  # three batches, the last of them filled up
SGD = Optimizer(learning_rate=0.05)
RECIPE = Recipe(steps=8, batch=12, optimizer=SGD)
PLENTY = 10**9
BOUNDARY = 3 * 12 * 5 * 5 * 8 * 4  # bytes: all batches of what leaves a module
NETWORK = Network(
    name="tiny",
    input=(5, 5, 3),
    segments=(
        Plain(name="plain1", body=(Conv(width=8, kernel=(1, 1)), Activation())),
        Module(name="m1", body=(Conv(width=8, kernel=(1, 1)), Norm(), Activation())),
        Plain(name="plain2", body=(Norm(),)),
        Module(name="m2", body=(Conv(width=8), Norm(), Activation(), Conv(width=8))),
        Plain(name="plain3", body=(GlobalPool(), Dense(width=3))),
    ),
)
WHOLE, FIRST, LAST = (0, (0.5, 0.5)), (0, (0.3,)), (1, (0.5,))  # a block's start and rates
Fed: TypeAlias = tuple[str, ...]  # a program, and what went into it


@dataclass(slots=True)
class Watched:
    """What ran, by fingerprints."""

    teacher: set[Fed] = field(default_factory=set)
    blocks: list[list[Fed]] = field(default_factory=list)  # in the order of their launch, by step


def program(function: Any, *arguments: Any) -> str:
    text: str = function.lower(*arguments).as_text()
    return digest(text.encode())


def digest(*contents: Any) -> str:
    found = hashlib.sha256()
    for content in contents:
        found.update(content if isinstance(content, bytes) else np.asarray(content).tobytes())
    return found.hexdigest()[:16]


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    found = Watched()
    evaluate, compiled = compiled_evaluate, cohort._compiled

    def watched_evaluate(*of: Any) -> Callable[[Any, Any], Any]:
        function = evaluate(*of)

        def run(values: Any, x: Any) -> Any:
            given = digest(*jax.tree.leaves(values)), digest(x)
            found.teacher.add((program(function, values, x), *given))
            return function(values, x)

        return run

    def watched_block(*of: Any) -> Callable[..., Any]:
        function, steps = compiled(*of), list[Fed]()
        found.blocks.append(steps)

        def run(state: Any, told: Any, frozen: Any, *batch: Any) -> Any:
            entering, leaving, keys = batch
            given = digest(entering), digest(leaving), digest(jax.random.key_data(keys))
            asked = f"{program(function, state, told, frozen, *batch)} {digest(*told)}"
            steps.append((asked, *given))
            return function(state, told, frozen, *batch)

        return run

    monkeypatch.setattr(keeping, "compiled_evaluate", watched_evaluate)
    monkeypatch.setattr(cohort, "_compiled", watched_block)
    return found


@pytest.fixture(scope="module")
def images() -> Dataset:
    rng = np.random.default_rng(0)
    split = Split(
        images=Stored(rng.normal(size=(IMAGES, 5, 5, 3)).astype(np.float32)),
        rows=np.arange(IMAGES),
        labels=rng.integers(0, 3, IMAGES).astype(np.int32),
        mean=np.zeros(3, np.float32),
        std=np.ones(3, np.float32),
    )
    return Dataset(
        train=split, validation=split, test=split, classes=("a", "b", "c"), shape=(5, 5, 3),
        fingerprint="", mean=split.mean, std=split.std, source="",
    )  # fmt: skip


def job(weights: Weights, start: int, rates: tuple[float, ...]) -> BlockJob:
    all_rates = [0.0, 0.0]
    all_rates[start : start + len(rates)] = rates
    sliced = prune_weights(NETWORK, weights, all_rates, ["l1", "l1"])
    names = {module.name for module in NETWORK.modules[start : start + len(rates)]}
    own = {name: value for name, value in sliced.items() if name.split("/")[0] in names}
    return BlockJob(start=start, rates=rates, weights=own)


def same(some: Sequence[TrainedBlock], others: Sequence[TrainedBlock]) -> None:
    for one, other in zip(some, others, strict=True):
        assert (one.loss_first, one.loss_last) == (other.loss_first, other.loss_last)
        for name, value in one.weights.items():
            np.testing.assert_array_equal(value, other.weights[name], err_msg=name)


@pytest.mark.parametrize("cohorts", [((0, 1, 2),), ((1,), (0, 2)), ((0,), (1,), (2,))], ids=str)
@pytest.mark.parametrize(
    ("memory", "disk", "held"),
    [
        (PLENTY, 0, 4),
        (0, PLENTY, 4),
        (BOUNDARY, BOUNDARY, 2),
        (0, BOUNDARY, 1),
        (0, 0, 0),
    ],
)
def test_whatever_is_kept_and_whoever_flies_along(
    random_weights: Callable[[Network], Weights],
    images: Dataset,
    watched: Watched,
    tmp_path: Path,
    memory: int,
    disk: int,
    held: int,
    cohorts: tuple[tuple[int, ...], ...],
) -> None:
    weights = random_weights(NETWORK)
    jobs = [job(weights, *block) for block in (WHOLE, FIRST, LAST)]
    expected = train_blocks(NETWORK, weights, jobs, images, RECIPE, seed=1)
    teacher, blocks = set(watched.teacher), list(watched.blocks)
    assert len(teacher) == 3 * 4  # three batches through four segments, for all eight steps
    watched.teacher.clear()
    watched.blocks.clear()

    room = Room(memory=memory, disk=disk, folder=tmp_path)
    kept = Activations(NETWORK, images.train, RECIPE, 1, room)
    found: dict[int, TrainedBlock] = {}
    for numbers in cohorts:
        some = [jobs[number] for number in numbers]
        trained = train_blocks(NETWORK, weights, some, images, RECIPE, seed=1, activations=kept)
        found |= dict(zip(numbers, trained, strict=True))
    assert len(kept.held) == held
    assert watched.teacher == teacher
    order = [number for numbers in cohorts for number in numbers]
    assert [watched.blocks[order.index(number)] for number in range(3)] == blocks
    same([found[number] for number in range(3)], expected)


def test_every_epoch_feeds_the_same_batches_in_another_order(
    random_weights: Callable[[Network], Weights], images: Dataset, watched: Watched
) -> None:
    weights = random_weights(NETWORK)
    train_blocks(NETWORK, weights, [job(weights, *FIRST)], images, RECIPE, seed=1)
    (steps,) = watched.blocks
    fed = [entering for _, entering, _, _ in steps]
    epochs = [fed[:3], fed[3:6]]
    assert len(set(fed)) == 3
    assert set(epochs[0]) == set(epochs[1]) == set(fed)
    assert len({keys for *_, keys in steps}) == 8


def test_with_augmentation_no_batch_comes_again(
    random_weights: Callable[[Network], Weights], images: Dataset, watched: Watched
) -> None:
    weights = random_weights(NETWORK)
    train_blocks(
        NETWORK, weights, [job(weights, *FIRST)], images, RECIPE, Augment(crop=1), seed=1
    )  # fmt: skip
    (steps,) = watched.blocks
    assert len({entering for _, entering, _, _ in steps}) == 8
