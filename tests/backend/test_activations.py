"""Kept activations: the bits of a pass, as far as the room goes, and no trace left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.backends.data import Dataset, Split
from wootzc.backends.flax.device.parallel import Devices, training_devices
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.train.batches import batch_order
from wootzc.backends.flax.train.boundary_activations import Activations, Room, Teacher, route
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import split
from wootzc.ir.net.network import Network, segment_shapes
from wootzc.ir.space.recipe import Recipe

pytestmark = pytest.mark.bits

RECIPE = Recipe(steps=30, batch=32)  # several epochs
PLENTY = 10**9
Make = Callable[..., tuple[Activations, Teacher]]


@pytest.fixture
def make(
    zoo: dict[str, Network],
    random_weights: Callable[[Network], Weights],
    dataset: Dataset,
    tmp_path: Path,
) -> Make:
    def kept(
        memory: int = 0, disk: int = 0, recipe: Recipe = RECIPE, images: Split = dataset.train
    ) -> tuple[Activations, Teacher]:
        network = zoo["residual"]
        room = Room(memory=memory, disk=disk, folder=tmp_path)
        teacher = Teacher(
            graphs=structures(network),
            parts=split(network, random_weights(network)),
            devices=training_devices(recipe.batch),
        )
        return Activations(network, images, recipe, 1, room), teacher

    return kept


@pytest.fixture
def sizes(zoo: dict[str, Network], dataset: Dataset) -> list[int]:
    """Bytes of every boundary, for all batches."""
    shapes = segment_shapes(zoo["residual"])
    images = -(-len(dataset.train) // RECIPE.batch) * RECIPE.batch
    return [4 * images * int(np.prod(shape)) for shape in shapes]


@given(
    wanted=st.frozensets(st.integers(0, 9), max_size=4),
    held=st.frozensets(st.integers(1, 9), max_size=5),
)
def test_a_route_leads_to_what_is_wanted_and_nowhere_else(
    wanted: frozenset[int], held: frozenset[int]
) -> None:
    def known(segments: tuple[int, ...]) -> set[int]:
        found = {0, *held}
        for segment in segments:
            if segment in found:
                found.add(segment + 1)
        return found

    runs = route(wanted, held)
    assert wanted <= known(runs)
    for left_out in runs:
        assert not wanted <= known(tuple(s for s in runs if s != left_out))


def fed(kept: Activations, teacher: Teacher, wanted: set[int]) -> list[dict[int, Any]]:
    """What is at these boundaries for every batch, on the host."""
    batches = kept.feed(teacher, wanted, range(len(kept.batches)))
    return [{b: teacher.devices.gather(x) for b, x in found.items()} for found in batches]


def equal(some: list[dict[int, Any]], others: list[dict[int, Any]]) -> None:
    """Bit for bit: the same functions saw the same batches (test_same_programs.py)."""
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        for boundary, values in one.items():
            np.testing.assert_array_equal(values, other[boundary])


@pytest.mark.parametrize(("memory", "disk"), [(PLENTY, 0), (0, PLENTY)])
def test_kept_activations_have_the_bits_of_a_pass(make: Make, memory: int, disk: int) -> None:
    kept, teacher = make(memory, disk)
    kept.keep(teacher, {1, 3})
    kept.keep(teacher, {2, 3, 4})  # 2 and 4 start from what is held
    assert kept.held == {1, 2, 3, 4}
    nothing, anew = make()
    equal(fed(kept, teacher, {1, 2, 3, 4}), fed(nothing, anew, {1, 2, 3, 4}))
    assert not nothing.held
    kept.close()
    assert not kept.held


def test_a_batch_is_what_the_teacher_makes_of_its_images(make: Make) -> None:
    kept, teacher = make(PLENTY)
    kept.keep(teacher, {2})
    for positions, found in zip(kept.batches, fed(kept, teacher, {0, 2}), strict=True):
        images = kept.images.batch(positions).images
        np.testing.assert_array_equal(found[0], images)
        x: Any = images
        for graph, part in zip(teacher.graphs[:2], teacher.parts[:2], strict=True):
            x = graph.evaluate(part, x)
        np.testing.assert_allclose(found[2], x, rtol=1e-4, atol=1e-4)


def test_memory_first_then_disk_then_not_at_all(make: Make, sizes: list[int]) -> None:
    kept, teacher = make(memory=sizes[4] + sizes[3], disk=sizes[2])
    assert sizes[1] >= sizes[2] > sizes[4], "the test wants a network that narrows"
    assert kept.fitting({0, 1, 2, 3, 4}) == {4: "memory", 3: "memory", 2: "disk"}
    kept.keep(teacher, {3})
    assert kept.fitting({1, 2, 3, 4}) == {4: "memory", 2: "disk"}
    kept.keep(teacher, {1, 2, 4})
    assert kept.held == {2, 3, 4}
    assert kept.taken("memory") == sizes[3] + sizes[4]
    assert kept.taken("disk") == sizes[2]
    kept.close()
    assert kept.taken("memory") == kept.taken("disk") == 0


def test_on_accelerators_nothing_goes_to_disk(
    make: Make, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    expected = fed(*make(), {2})
    monkeypatch.setattr(Devices, "accelerated", property(lambda self: True))
    kept, teacher = make(memory=0, disk=PLENTY)
    assert kept.fitting({1, 2}) == {}
    kept, teacher = make(memory=PLENTY)
    kept.keep(teacher, {2})
    equal(fed(kept, teacher, {2}), expected)
    assert kept.taken("memory") == sizes[2]
    monkeypatch.setattr(jax, "local_device_count", lambda: 4)  # each of four holds its share
    assert make(memory=sizes[2] // 4)[0].fitting({2}) == {2: "memory"}
    assert make(memory=sizes[2] // 4 - 1)[0].fitting({2}) == {}


def test_only_batches_that_the_schedule_visits_are_kept(make: Make, dataset: Dataset) -> None:
    longer, _ = make()
    kept, teacher = make(PLENTY, recipe=Recipe(steps=2, batch=32))
    assert kept.batches.tolist() == longer.batches[:2].tolist()
    assert (kept.seen, longer.seen) == (64, len(dataset.train))
    kept.keep(teacher, {2})
    assert kept.taken("memory") == 2 * 32 * int(np.prod(kept.shapes[2])) * 4
    order = batch_order(len(kept.batches), 2, seed=1)
    equal(
        [
            {b: teacher.devices.gather(x) for b, x in found.items()}
            for found in kept.feed(teacher, {2}, order)
        ],
        fed(kept, teacher, {2}),
    )


def test_files_have_no_name(make: Make, tmp_path: Path) -> None:
    kept, teacher = make(disk=PLENTY)
    kept.keep(teacher, {1, 2})
    assert kept.taken("disk") > 0
    assert list(tmp_path.iterdir()) == []
    kept.close()


@pytest.mark.parametrize("failing", ["tempfile.TemporaryFile", "os.posix_fallocate"])
def test_a_full_disk_is_no_error(make: Make, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any, **_names: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(failing, full)
    kept, teacher = make(disk=PLENTY)
    kept.keep(teacher, {1, 2})
    assert not kept.held
