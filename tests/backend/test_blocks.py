"""Block training: only the block moves, towards the teacher, whoever else is in flight."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from wootzc.backends.data import Dataset
from wootzc.backends.data.images import Images, Pixels, Rows, Shape
from wootzc.backends.flax.train import blocks as cohort
from wootzc.backends.flax.train.batches import Progress
from wootzc.backends.flax.train.blocks import BlockJob, TrainedBlock, train_blocks
from wootzc.backends.flax.train.boundary_activations import Activations, Room, Teacher
from wootzc.backends.flax.train.evaluation import evaluate
from wootzc.backends.flax.train.paused import Paused
from wootzc.backends.flax.train.train import train
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import check_fits, initial_weights
from wootzc.ir.layers import Activation, Conv, Dropout, Norm
from wootzc.ir.net.network import Network, Plain
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe, Schedule

pytestmark = pytest.mark.bits

Trained: TypeAlias = tuple[Network, Weights]
RECIPE = Recipe(steps=12, batch=32, optimizer=Optimizer(learning_rate=0.05), every=5)
CROP = Augment(crop=1)


@pytest.fixture(scope="module")
def teacher(zoo: dict[str, Network], dataset: Dataset) -> Trained:
    """m1, a plain segment, m2, m3; trained a little. m1 and m3 differ in shape, m3 is m4's twin."""
    first, m1, m2, m3, last = zoo["residual"].segments
    between = Plain(
        name="plain3", body=(Conv(width=6, kernel=(1, 1)), Norm(), Dropout(rate=0.2), Activation())
    )
    m4 = replace(m3, name="m4")
    network = replace(zoo["residual"], segments=(first, m1, between, m2, m3, m4, last))
    recipe = Recipe(steps=40, batch=32, every=40, optimizer=Optimizer(learning_rate=0.05))
    start = initial_weights(network, seed=0)
    return network, train(network, start, dataset, recipe, seed=0).weights


def job(teacher: Trained, start: int, *rates: float) -> BlockJob:
    network, weights = teacher
    all_rates = [0.0] * len(network.modules)
    all_rates[start : start + len(rates)] = rates
    sliced = prune_weights(network, weights, all_rates, ["l1"] * len(all_rates))
    names = {module.name for module in network.modules[start : start + len(rates)]}
    own = {name: value for name, value in sliced.items() if name.split("/")[0] in names}
    return BlockJob(start=start, rates=rates, weights=own)


def test_every_weight_of_a_block_moves_and_its_loss_falls(
    teacher: Trained, dataset: Dataset
) -> None:
    network, weights = teacher
    before = {name: value.copy() for name, value in weights.items()}
    jobs = [job(teacher, 0, 0.5), job(teacher, 0, 0.3, 0.5), job(teacher, 2, 0.5)]
    kept = [{name: value.copy() for name, value in one.weights.items()} for one in jobs]
    said: list[Progress] = []
    trained = train_blocks(
        network, weights, jobs, dataset, RECIPE, CROP, seed=1, progress=said.append
    )
    for one, start, result in zip(jobs, kept, trained, strict=True):
        assert result.weights.keys() == one.weights.keys()
        assert result.steps == 12
        assert result.finite
        assert result.loss_last < result.loss_first
        for name, value in result.weights.items():
            assert value.shape == start[name].shape
            assert not np.array_equal(value, start[name]), name
            np.testing.assert_array_equal(one.weights[name], start[name])  # given ones stay
    for name in weights:
        np.testing.assert_array_equal(weights[name], before[name])
    assert [p.step for p in said] == [5, 10, 12]
    assert all(p.loss is not None for p in said)


def test_the_first_loss_is_the_distance_to_the_teacher(teacher: Trained, dataset: Dataset) -> None:
    """At rate 0 a block in training mode differs from the teacher by its batch statistics alone."""
    network, weights = teacher
    whole, pruned = train_blocks(
        network, weights, [job(teacher, 0, 0.0), job(teacher, 0, 0.7)], dataset, RECIPE, seed=1
    )
    assert 0 < whole.loss_first < 0.5 * pruned.loss_first


def test_blocks_do_not_depend_on_who_flies_along(teacher: Trained, dataset: Dataset) -> None:
    network, weights = teacher
    jobs = [job(teacher, 0, 0.5, 0.5), job(teacher, 1, 0.5), job(teacher, 2, 0.5, 0.3)]
    together = train_blocks(network, weights, jobs, dataset, RECIPE, CROP, seed=1)
    for one, expected in zip(jobs, together, strict=True):
        (alone,) = train_blocks(network, weights, [one], dataset, RECIPE, CROP, seed=1)
        assert alone.loss_first == expected.loss_first
        assert alone.loss_last == expected.loss_last
        for name, value in alone.weights.items():
            np.testing.assert_array_equal(value, expected.weights[name], err_msg=name)


def _take_into(there: list[list[Paused]], take: Callable[[], list[Paused]]) -> None:
    there.append(take())


@pytest.mark.parametrize("augment", [Augment(), CROP])
def test_a_cohort_goes_on_from_wherever_it_was_kept(
    teacher: Trained, dataset: Dataset, monkeypatch: pytest.MonkeyPatch, augment: Augment
) -> None:
    network, weights = teacher
    recipe = replace(RECIPE, steps=25, optimizer=Optimizer(learning_rate=0.02))
    jobs = [job(teacher, 0, 0.5, 0.5), job(teacher, 2, 0.5)]
    again = partial(train_blocks, network, weights, dataset=dataset, recipe=recipe, seed=1)
    whole = again(blocks=jobs, augment=augment)
    monkeypatch.setattr("wootzc.backends.flax.train.blocks.resized", lambda *_: 8)
    there: list[list[Paused]] = []
    again(blocks=jobs, augment=augment, keep=partial(_take_into, there))
    assert [one[0].step for one in there] == [1, 9, 17]
    for stand in there:
        paused = [replace(one, paused=at) for one, at in zip(jobs, stand, strict=True)]
        later: list[list[Paused]] = []
        keep = partial(_take_into, later)
        run = again(blocks=paused, augment=augment, keep=keep)
        assert all(one[0].step > stand[0].step for one in later)
        for one, expected in zip(run, whole, strict=True):
            assert (one.loss_first, one.loss_last) == (expected.loss_first, expected.loss_last)
            for name, value in one.weights.items():
                np.testing.assert_array_equal(value, expected.weights[name], err_msg=name)
    with pytest.raises(ValueError, match="same step"):
        again(blocks=[paused[0], jobs[1]], augment=augment)


def test_equal_shaped_blocks_share_one_compiled_step(teacher: Trained, dataset: Dataset) -> None:
    network, weights = teacher
    recipe = replace(RECIPE, steps=2)
    cohort._compiled.cache_clear()
    train_blocks(
        network, weights, [job(teacher, 2, 0.5), job(teacher, 3, 0.5)], dataset, recipe, seed=1
    )
    assert cohort._compiled.cache_info().currsize == 1
    train_blocks(network, weights, [job(teacher, 2, 0.3)], dataset, recipe, seed=1)
    assert cohort._compiled.cache_info().currsize == 2


@pytest.mark.parametrize("rate", [1e30, 1e4])
def test_a_block_that_diverged_says_so_and_keeps_its_start(
    teacher: Trained, dataset: Dataset, rate: float
) -> None:
    network, weights = teacher
    one = job(teacher, 2, 0.5)
    recipe = replace(RECIPE, optimizer=Optimizer(learning_rate=rate), steps=30)
    (wild,) = train_blocks(network, weights, [one], dataset, recipe, seed=1)
    assert not wild.finite
    assert wild.weights.keys() == one.weights.keys()
    for name, value in wild.weights.items():
        np.testing.assert_array_equal(value, one.weights[name])


def test_one_bad_number_is_enough() -> None:
    good = np.ones(3, np.float32)
    assert cohort._finite({"a": good, "b": good}, [np.float32(1)])
    assert not cohort._finite({"a": good, "b": good * np.inf}, [np.float32(1)])
    assert not cohort._finite({"a": good}, [np.float32(1), np.float32("nan")])


def test_assembled_blocks_beat_inherited_weights(teacher: Trained, dataset: Dataset) -> None:
    network, weights = teacher
    rates = (0.7, 0.7, 0.7, 0.7)
    jobs = [job(teacher, start, 0.7) for start in range(4)]
    recipe = replace(RECIPE, steps=60)
    trained = train_blocks(network, weights, jobs, dataset, recipe, seed=1)
    small = prune_network(network, rates)
    inherited = prune_weights(network, weights, rates, ["l1"] * 4)
    assembled = dict(inherited)
    for block in trained:
        assembled |= block.weights
    check_fits(small, assembled)
    plain = evaluate(small, inherited, dataset.validation)
    assert evaluate(small, assembled, dataset.validation) > plain + 0.1


def test_no_blocks_no_work(teacher: Trained, dataset: Dataset) -> None:
    network, weights = teacher
    assert train_blocks(network, weights, [], dataset, RECIPE, seed=0) == []


# Kept activations


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Images that count how often they are read."""

    images: Images
    reads: list[int]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> Shape:
        return self.images.shape

    @property
    def bytes_each(self) -> int:
        return self.images.bytes_each

    def take(self, rows: Rows) -> Pixels:
        self.reads.append(len(rows))
        return self.images.take(rows)


def same(some: list[TrainedBlock], others: list[TrainedBlock]) -> None:
    for one, other in zip(some, others, strict=True):
        assert (one.loss_first, one.loss_last) == (other.loss_first, other.loss_last)
        assert one.weights.keys() == other.weights.keys()
        for name, value in one.weights.items():
            np.testing.assert_array_equal(value, other.weights[name], err_msg=name)


@pytest.mark.parametrize(
    ("memory", "disk"), [(10**9, 0), (0, 10**9), (200_000, 0), (200_000, 200_000)]
)
def test_kept_activations_change_no_bit(
    teacher: Trained, dataset: Dataset, tmp_path: Path, memory: int, disk: int
) -> None:
    network, weights = teacher
    jobs = [job(teacher, 0, 0.5, 0.5), job(teacher, 1, 0.5), job(teacher, 2, 0.5, 0.3)]
    expected = train_blocks(network, weights, jobs, dataset, RECIPE, seed=1)
    room = Room(memory=memory, disk=disk, folder=tmp_path)
    kept = Activations(network, dataset.train, RECIPE, 1, room)
    found = train_blocks(network, weights, jobs[2:], dataset, RECIPE, seed=1, activations=kept)
    assert kept.held
    found = [
        *train_blocks(network, weights, jobs[:2], dataset, RECIPE, seed=1, activations=kept),
        *found,
    ]
    kept.close()
    same(found, expected)


@pytest.mark.parametrize(("memory", "disk"), [(10**9, 0), (0, 10**9)])
def test_kept_activations_have_the_precision_of_the_recipe(
    teacher: Trained, dataset: Dataset, tmp_path: Path, memory: int, disk: int
) -> None:
    network, weights = teacher
    recipe = replace(RECIPE, precision="bfloat16")
    one = [job(teacher, 1, 0.5)]
    kept = Activations(
        network, dataset.train, recipe, 1, Room(memory=memory, disk=disk, folder=tmp_path)
    )
    same(
        train_blocks(network, weights, one, dataset, recipe, seed=1, activations=kept),
        train_blocks(network, weights, one, dataset, recipe, seed=1),
    )
    assert kept.held


def test_what_is_kept_is_not_worked_out_again(
    teacher: Trained, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, weights = teacher
    run, reads = [], list[int]()
    before = Teacher._run

    def counted(self: Teacher, segment: int, x: Any) -> Any:
        run.append(segment)
        return before(self, segment, x)

    monkeypatch.setattr(Teacher, "_run", counted)
    images = replace(dataset.train, images=Counted(dataset.train.images, reads))
    watched = replace(dataset, train=images)
    kept = Activations(network, images, RECIPE, 1, Room(memory=10**9))
    jobs = [job(teacher, 1, 0.5), job(teacher, 1, 0.3)]
    train_blocks(network, weights, jobs[:1], watched, RECIPE, seed=1, activations=kept)
    once = -(-len(images) // RECIPE.batch)  # batches of all images
    assert sum(reads) == once * RECIPE.batch
    assert run == [0, 1, 2, 3] * once  # up to what leaves m2, segment number 3
    run.clear()
    reads.clear()
    train_blocks(network, weights, jobs[1:], watched, RECIPE, seed=1, activations=kept)
    assert (run, reads) == ([], [])


def test_with_augmentation_nothing_can_be_kept(teacher: Trained, dataset: Dataset) -> None:
    network, weights = teacher
    kept = Activations(network, dataset.train, RECIPE, 1, Room(memory=10**9))
    with pytest.raises(ValueError, match="other pixels"):
        train_blocks(
            network, weights, [job(teacher, 0, 0.5)], dataset, RECIPE, CROP, seed=1,
            activations=kept,
        )  # fmt: skip


def test_without_steps_a_block_is_measured_and_stays(teacher: Trained, dataset: Dataset) -> None:
    network, weights = teacher
    recipe = replace(RECIPE, steps=0, schedule=Schedule(name="cosine"), weight_decay=0.1)
    one = job(teacher, 0, 0.5)
    said: list[Progress] = []
    (still,) = train_blocks(network, weights, [one], dataset, recipe, seed=1, progress=said.append)
    (moving,) = train_blocks(network, weights, [one], dataset, RECIPE, seed=1)
    assert still.loss_first == still.loss_last
    assert still.loss_first == pytest.approx(moving.loss_first, rel=1e-5)  # two programs
    assert (still.steps, still.finite, said) == (0, True, [])
    for name, value in still.weights.items():
        np.testing.assert_array_equal(value, one.weights[name])
