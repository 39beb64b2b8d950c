"""Many training steps in a row, in the way that suits the device. All give the same numbers."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, assert_never

import numpy as np
from jax import lax
from numpy.typing import NDArray

from wootzc.backends.flax.device.parallel import Devices, Function, Strategy, chunk_size
from wootzc.backends.flax.net.model import Structure
from wootzc.backends.flax.train.batches import looks
from wootzc.backends.flax.train.segments import compiled_prepare, evaluate_segments, segmented_step
from wootzc.backends.flax.train.step import (
    Head,
    Images,
    Loss,
    State,
    Trees,
    evaluate_all,
    network_step,
    prepare,
    undrawn,
)  # fmt: skip
from wootzc.ir.space.recipe import Augment, Recipe

if TYPE_CHECKING:
    from wootzc.backends.data import Batch

Losses: TypeAlias = NDArray[np.float32]  # [steps]
Step: TypeAlias = Callable[[State, Images], tuple[State, Loss]]
Run: TypeAlias = Callable[[State, Iterable["Batch"]], tuple[State, Losses]]

KEPT = 4  # compiled whole networks: every candidate is another one, and holds memory


class Guide(NamedTuple):
    """The teacher of a distilled network."""

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
) -> Run:
    """A function that takes one step per batch and waits for the device only at its end."""
    taught = guide.structures if guide else None
    values = guide.values if guide else ()
    match strategy:
        case "segments":
            if heads:
                raise ValueError("segments cannot train auxiliary heads")
            step = _segments(structures, recipe, augment, devices, guide)
            return partial(_one_by_one, step, devices)
        case "loop":
            compiled = _compiled(structures, recipe, augment, devices, taught, heads)
            return partial(_one_by_one, partial(_call, compiled, values), devices)
        case "scan":
            one = _compiled(structures, recipe, augment, devices, taught, heads)
            many = _compiled(structures, recipe, augment, devices, taught, heads, scan=True)
            size = stride(recipe, strategy)
            return partial(
                _in_chunks, partial(_call, many, values), partial(_call, one, values), size, devices
            )
        case _:
            assert_never(strategy)


def stride(recipe: Recipe, strategy: Strategy) -> int:
    """How many steps run as one program: what comes of a run may depend on where these begin."""
    if strategy != "scan":
        return 1
    stops = (0, *looks(recipe.steps, recipe.every))
    return chunk_size([after - before for before, after in pairwise(stops)])


def _call(compiled: Function, values: Trees, state: State, batch: Images) -> Any:
    return compiled(state, values, batch)


def _one_by_one(
    step: Step,
    devices: Devices,
    state: State,
    batches: Iterable["Batch"],
) -> tuple[State, Losses]:
    losses = []
    for batch in batches:
        images = Images(devices.spread(batch.images), devices.spread(batch.labels))
        state, loss = step(state, images)
        losses.append(loss)
    return state, np.array([devices.first(loss) for loss in losses])


def _in_chunks(
    steps: Step,  # for chunks of `size`
    step: Step,  # for what they leave over: every other length would compile another scan
    size: int,
    devices: Devices,
    state: State,
    batches: Iterable["Batch"],
) -> tuple[State, Losses]:
    losses: list[Any] = []
    for chunk in _chunks(iter(batches), size):
        if len(chunk) < size or size == 1:
            for batch in chunk:
                one = Images(devices.spread(batch.images), devices.spread(batch.labels))
                state, loss = step(state, one)
                losses.append(loss)
            continue
        images = np.stack([batch.images for batch in chunk])
        labels = np.stack([batch.labels for batch in chunk])
        state, some = steps(state, Images(devices.spread(images, 1), devices.spread(labels, 1)))
        losses.append(some)
    return state, np.concatenate(
        [np.empty(0, np.float32), *(np.atleast_1d(devices.first(some)) for some in losses)]
    )


def _chunks(batches: Iterator["Batch"], size: int) -> Iterator[list["Batch"]]:
    while chunk := list(islice(batches, size)):
        yield chunk


@lru_cache(maxsize=KEPT)
def _compiled(
    structures: tuple[Structure, ...],
    recipe: Recipe,
    augment: Augment,
    devices: Devices,
    taught: tuple[Structure, ...] | None,
    heads: tuple[Head, ...],
    scan: bool = False,
) -> Function:
    """(state, teacher's values, batch) → (state, loss); with `scan`, of a chunk of batches."""
    learn = network_step(structures, recipe, devices.axis_name, heads)

    def step(state: State, values: Trees, batch: Images) -> tuple[State, Loss]:
        ready = prepare(batch, state.step, state.seed, augment, devices.axis_name)
        if taught is not None:
            ready = ready._replace(soft=evaluate_all(taught, values, ready.images))
        return learn(state, ready)

    def steps(state: State, values: Trees, chunk: Images) -> tuple[State, Loss]:
        return lax.scan(lambda state, batch: step(state, values, batch), state, chunk)

    return devices.compile(steps if scan else step, donate=(0,), whole=True)


def _segments(
    structures: tuple[Structure, ...],
    recipe: Recipe,
    augment: Augment,
    devices: Devices,
    guide: Guide | None,
) -> Callable[[State, Images], tuple[State, Loss]]:
    if devices.count > 1:
        raise ValueError("segments are for one device")
    learn = segmented_step(structures, recipe)
    ready = compiled_prepare(augment, devices)
    draws = augment != Augment() or any(one.draws for one in structures)

    def step(state: State, batch: Images) -> tuple[State, Loss]:
        prepared = ready(batch, state.step, state.seed) if draws else undrawn(batch)
        if guide is not None:
            soft = evaluate_segments(guide.structures, guide.values, prepared.images, devices)
            prepared = prepared._replace(soft=soft)
        return learn(state, prepared)

    return step
