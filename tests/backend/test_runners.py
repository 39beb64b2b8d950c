"""What a run of steps does with buffers, and that it never waits for the device on the way."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import pytest

from wootzc.backends.data import Batch, Dataset
from wootzc.backends.flax.device.parallel import Devices, Strategy
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.train.batches import training_batches
from wootzc.backends.flax.train.runners import runner
from wootzc.backends.flax.train.step import State, initial_state
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.net.network import Network
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

MOMENTUM = Optimizer(learning_rate=0.05, options=(("momentum", 0.9),))
RECIPE = Recipe(steps=6, batch=8, optimizer=MOMENTUM, every=3)
ONE = Devices(1)


def started(network: Network, recipe: Recipe) -> State:
    parts = split(network, initial_weights(network, seed=0))
    return ONE.replicate(initial_state(parts, recipe, seed=0))


def gone(tree: Any) -> set[bool]:
    return {array.is_deleted() for array in jax.tree.leaves(tree)}


@pytest.mark.parametrize(
    ("strategy", "clip"), [("loop", None), ("scan", None), ("segments", None), ("segments", 1.0)]
)
def test_steps_use_the_memory_of_the_state_before(
    zoo: dict[str, Network], dataset: Dataset, strategy: Strategy, clip: float | None
) -> None:
    network, recipe = zoo["bare"], replace(RECIPE, clip=clip)
    run = runner(structures(network), recipe, Augment(), ONE, strategy)
    before = started(network, recipe)
    after, _ = run(before, training_batches(dataset.train, recipe.batch, recipe.every, seed=0))
    assert gone(before.moments) == {True}
    assert gone(before.params) == {True}
    assert gone(after) == {False}


@pytest.mark.parametrize("strategy", ["loop", "scan", "segments"])
def test_a_run_reads_nothing_before_its_last_step_is_under_way(
    zoo: dict[str, Network],
    dataset: Dataset,
    strategy: Strategy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    first, gather = Devices.first, Devices.gather

    def reading(devices: Devices, tree: Any) -> Any:
        seen.append("read")
        return first(devices, tree)

    def gathering(devices: Devices, array: Any) -> Any:
        seen.append("read")
        return gather(devices, array)

    def drawn() -> Iterator[Batch]:
        for batch in training_batches(dataset.train, RECIPE.batch, RECIPE.steps, seed=0):
            seen.append("batch")
            yield batch

    monkeypatch.setattr(Devices, "first", reading)
    monkeypatch.setattr(Devices, "gather", gathering)
    network = zoo["bare"]
    run = runner(structures(network), RECIPE, Augment(), ONE, strategy)
    _, losses = run(started(network, RECIPE), drawn())
    assert seen[: RECIPE.steps] == ["batch"] * RECIPE.steps
    assert set(seen[RECIPE.steps :]) == {"read"}
    assert losses.shape == (RECIPE.steps,)
