"""What a block holds, against what XLA says; what is free, against what a machine says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from wootzc.backends.flax.device import parallel
from wootzc.backends.flax.device.parallel import Devices, free_memory, free_memory_of_machine
from wootzc.backends.flax.train.blocks import BlockJob, _launch
from wootzc.backends.flax.train.memory import activation_size, block_bytes
from wootzc.backends.flax.train.recipes import told
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.layers import Activation, Branch, Conv, Dense, GlobalPool
from wootzc.ir.net.network import Network, segment_shapes
from wootzc.ir.space.recipe import Optimizer, Recipe

ADAM = Recipe(steps=5, batch=64, optimizer=Optimizer(name="adam", learning_rate=0.01))


def test_all_layers_count_what_they_give_out() -> None:
    arm = (Conv(width=4), Activation())
    body = (Conv(width=2, stride=(2, 2)), Branch(join="concat", arms=(arm, ())), GlobalPool())
    assert activation_size(body, (8, 6, 3)) == 12 * (2 + 4 + 4 + 6) + 6
    assert activation_size((Dense(width=5),), (7,)) == 5


@pytest.mark.parametrize(("start", "rates"), [(0, (0.5,)), (1, (0.3, 0.5))])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_block_holds_no_more_than_said_and_not_far_less(
    zoo: dict[str, Network], start: int, rates: tuple[float, ...], optimizer: str
) -> None:
    network, devices = zoo["residual"], Devices(1)
    recipe = replace(ADAM, optimizer=Optimizer(name=optimizer, learning_rate=0.01))
    all_rates = [0.0] * len(network.modules)
    all_rates[start : start + len(rates)] = rates
    weights = initial_weights(network, seed=0)
    sliced: Weights = prune_weights(network, weights, all_rates, ["l1"] * len(all_rates))
    job = BlockJob(start=start, rates=rates, weights=sliced)
    flying = _launch(network, split(network, weights), {}, job, recipe, 0, devices)
    shapes = segment_shapes(network)
    entering, leaving = (
        np.zeros((recipe.batch, *shapes[end]), np.float32) for end in (flying.enter, flying.leave)
    )
    keys = jax.vmap(jax.random.key)(np.arange(recipe.batch, dtype=np.uint32))
    step: Callable[..., None] = flying.step
    given = flying.state, told(recipe, 0), flying.frozen, entering, leaving, keys
    compiled = step.lower(*given).compile()  # type: ignore[attr-defined]
    real = compiled.memory_analysis()
    held = real.temp_size_in_bytes + real.argument_size_in_bytes
    said = block_bytes(network, start, rates, recipe, devices)
    assert held <= said <= 3 * held


def test_shared_memory_holds_a_copy_for_every_device(
    zoo: dict[str, Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(devices: int) -> int:
        return block_bytes(zoo["residual"], 0, (0.5,), ADAM, Devices(devices))

    one, two, four = held(1), held(2), held(4)
    assert four - two == 2 * (two - one) > 0
    monkeypatch.setattr(Devices, "accelerated", property(lambda self: True))
    assert held(1) == one
    assert one / 4 < held(4) < one / 2  # a quarter of the images, but all weights


def machine(root: Path, available: int, **group: str) -> Path:
    (root / "proc").mkdir()
    lines = ["MemTotal: 16000000 kB", f"MemAvailable: {available // 1024} kB"]
    (root / "proc" / "meminfo").write_text("\n".join(lines))
    folder = root / "sys" / "fs" / "cgroup"
    folder.mkdir(parents=True)
    for name, text in group.items():
        (folder / f"memory.{name}").write_text(text)
    return root


def test_free_is_what_the_machine_says(tmp_path: Path) -> None:
    assert free_memory_of_machine(machine(tmp_path, 2**30)) == 2**30


def test_free_ends_at_the_limit_of_a_container(tmp_path: Path) -> None:
    stat = "anon 100\ninactive_file 50\nactive_file 7\n"
    limited = machine(tmp_path, 2**30, max="1000\n", current="700\n", stat=stat)
    assert free_memory_of_machine(limited) == 350
    (limited / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert free_memory_of_machine(limited) == 2**30


def test_a_machine_that_says_nothing_has_some(tmp_path: Path) -> None:
    assert free_memory_of_machine(tmp_path) == parallel.UNTOLD_MEMORY
    assert free_memory() > 0
