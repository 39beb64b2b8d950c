"""Many training steps in a row, in the way that suits the device. All give the same numbers."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import jax
import numpy as np
from jax import lax
from numpy.typing import NDArray

from wootzc.backends.flax.device.parallel import Devices, Function, Strategy, chunk_size
from wootzc.backends.flax.net.model import Structure, evaluate_all
from wootzc.backends.flax.train.batches import looks
from wootzc.backends.flax.train.recipes import Told, told, without_rate
from wootzc.backends.flax.train.segments import compiled_prepare, evaluate_segments, segmented_step
from wootzc.backends.flax.train.step import (
    Head,
    Images,
    Loss,
    State,
    Trees,
    network_step,
    prepare,
)  # fmt: skip
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

if TYPE_CHECKING:
    from wootzc.backends.data import Batch

Losses: TypeAlias = NDArray[np.float32]  # [steps]
Step: TypeAlias = Callable[[State, Told, Images], tuple[State, Loss]]

KEPT = 4  # compiled whole networks: every candidate is another one, and holds memory


class Run(Protocol):
    def __call__(
        self, state: State, batches: Iterable["Batch"], done: int = 0
    ) -> tuple[State, Losses]:
        """One step per batch, after `done` steps of the recipe; waits for the device only then."""


class Guide(NamedTuple):
    """The teacher of a distilled network, where no logits of it come with the batches."""

    structures: tuple[Structure, ...]
    values: Trees  # on the devices


def runner(
    structures: tuple[Structure, ...],
    recipe: Recipe,
    augment: Augment,
    devices: Devices,
    strategy: Strategy,
    guide: Guide | None = None,
    heads: tuple[Head, ...] = (),
    masks: Trees | None = None,  # on the devices: 1 for each parameter that moves, 0 for zeros
) -> Run:
    """What takes the steps of a recipe."""
    asked, size = partial(_asked, recipe, devices), stride(recipe, strategy)
    if strategy == "segments":
        if heads or masks is not None:
            raise ValueError("segments cannot train auxiliary heads, nor some of the weights")
        step = _segments(structures, recipe, augment, devices, guide)
        return partial(_in_chunks, step, step, size, asked, devices)
    values = guide.values if guide else ()
    compiled = partial(
        _compiled,
        structures,
        without_rate(recipe.optimizer),
        augment,
        devices,
        guide.structures if guide else None,
        heads,
    )
    step = partial(compiled(), values, masks)
    steps = step if strategy == "loop" else partial(compiled(scan=True), values, masks)
    return partial(_in_chunks, steps, step, size, asked, devices)


def _asked(recipe: Recipe, devices: Devices, step: int, count: int | None = None) -> Told:
    """What a step is told, or what so many are that are scanned."""
    if count is None:
        return devices.everywhere(told(recipe, step))
    each = [told(recipe, step + number) for number in range(count)]
    return devices.everywhere(Told(*map(np.array, zip(*each, strict=True))))


def stride(recipe: Recipe, strategy: Strategy) -> int:
    """How many steps run as one program: what comes of a run may depend on where these begin."""
    if strategy != "scan":
        return 1
    stops = (0, *looks(recipe.steps, recipe.every))
    return chunk_size([after - before for before, after in pairwise(stops)])


def _spread(devices: Devices, batch: "Batch") -> Images:
    return jax.tree.map(devices.spread, _images(batch))


def _stacked(devices: Devices, chunk: list["Batch"]) -> Images:
    """Batches of a chunk, each cut up for the devices."""
    return jax.tree.map(lambda *each: devices.spread(np.stack(each), 1), *map(_images, chunk))


def _images(batch: "Batch") -> Images:
    return Images(batch.images, batch.labels, batch.soft)


def _in_chunks(
    steps: Step,  # for chunks of `size`
    step: Step,  # for what they leave over: every other length would compile another scan
    size: int,
    asked: Callable[..., Told],
    devices: Devices,
    state: State,
    batches: Iterable["Batch"],
    done: int = 0,
) -> tuple[State, Losses]:
    losses: list[Any] = []
    for chunk in _chunks(iter(batches), size):
        if len(chunk) < size or size == 1:
            for number, batch in enumerate(chunk, done):
                state, loss = step(state, asked(number), _spread(devices, batch))
                losses.append(loss)
        else:
            state, some = steps(state, asked(done, size), _stacked(devices, chunk))
            losses.append(some)
        done += len(chunk)
    return state, np.concatenate(
        [np.empty(0, np.float32), *(np.atleast_1d(devices.first(some)) for some in losses)]
    )


def _chunks(batches: Iterator["Batch"], size: int) -> Iterator[list["Batch"]]:
    while chunk := list(islice(batches, size)):
        yield chunk


@lru_cache(maxsize=KEPT)
def _compiled(
    structures: tuple[Structure, ...],
    optimizer: Optimizer,
    augment: Augment,
    devices: Devices,
    taught: tuple[Structure, ...] | None,
    heads: tuple[Head, ...],
    scan: bool = False,
) -> Function:
    """(teacher's values, masks, state, told, batch) → (state, loss); with `scan`, of a chunk of
    batches, and what is told for each.
    """
    learn = network_step(structures, optimizer, devices.axis_name, heads)
    draws = augment != Augment() or any(
        one.draws for one in (*structures, *(head.structure for head in heads))
    )

    def step(
        values: Trees, masks: Trees | None, state: State, told: Told, batch: Images
    ) -> tuple[State, Loss]:
        ready = batch
        if draws:
            ready = prepare(batch, state.step, state.seed, augment, devices.axis_name)
        if taught is not None:
            ready = ready._replace(soft=evaluate_all(taught, values, ready.images))
        return learn(state, told, ready, masks)

    def steps(
        values: Trees, masks: Trees | None, state: State, told: Told, chunk: Images
    ) -> tuple[State, Loss]:
        def one(state: State, given: tuple[Told, Images]) -> tuple[State, Loss]:
            return step(values, masks, state, *given)

        return lax.scan(one, state, (told, chunk))

    return devices.compile(steps if scan else step, donate=(2,), whole=True)


def _segments(
    structures: tuple[Structure, ...],
    recipe: Recipe,
    augment: Augment,
    devices: Devices,
    guide: Guide | None,
) -> Step:
    if devices.count > 1:
        raise ValueError("segments are for one device")
    learn = segmented_step(structures, recipe)
    ready = compiled_prepare(augment, devices)
    draws = augment != Augment() or any(one.draws for one in structures)

    def step(state: State, told: Told, batch: Images) -> tuple[State, Loss]:
        prepared = ready(batch, state.step, state.seed) if draws else batch
        if guide is not None:
            soft = evaluate_segments(guide.structures, guide.values, prepared.images, devices)
            prepared = prepared._replace(soft=soft)
        return learn(state, told, prepared)

    return step
