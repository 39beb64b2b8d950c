"""How many programs XLA compiles: counted as they come, not guessed."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from wootzc.backends.data import Dataset
from wootzc.backends.flax.device.compiles import Compilations, compilations, trim_cache
from wootzc.backends.flax.train.train import train
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.ir.layers import Activation, Body, Branch, Conv, Dense, GlobalPool, Norm
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space.recipe import Optimizer, Recipe, Schedule

RATES = (0.25, 0.5, 0.75)
MODULES = 16


def counted(since: Compilations) -> int:
    """Programs that were needed, whether or not another test of this run had them compiled."""
    now = compilations().since(since)
    return now.count + now.from_cache


def test_every_new_program_counts_once() -> None:
    before = compilations()
    double = jax.jit(lambda x: 2 * x)
    x = np.ones(3, np.float32)
    for _ in range(3):
        double(x)
    assert counted(before) == 1
    double(np.ones(4, np.float32))
    after = compilations().since(before)
    assert counted(before) == 2
    assert (after.seconds > 0) == (after.count > 0)
    assert (after.seconds_reading > 0) == (after.from_cache > 0)


@pytest.mark.usefixtures("no_shared_cache")
def test_what_the_cache_holds_is_not_compiled(tmp_path: Path) -> None:
    code = """
import sys, pathlib, jax
from wootzc.backends.flax.device.compiles import compilations
from wootzc.backends.flax.device.parallel import configure
configure(pathlib.Path(sys.argv[1]))
compilations()
jax.jit(lambda x: x + 1)(1.0)
print(compilations().count, compilations().from_cache)
"""

    def said(folder: str) -> list[str]:
        command = [sys.executable, "-c", code, str(tmp_path / folder)]
        return subprocess.check_output(command, text=True).split()

    assert said("here") == ["1", "0"]
    assert said("here") == ["0", "1"]  # small functions too
    (tmp_path / "here").rename(tmp_path / "there")
    assert said("there") == ["0", "1"]


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    folder = tmp_path / "processor"
    folder.mkdir()
    for age, name in enumerate("abcd"):
        (folder / f"{name}-cache").write_bytes(bytes(10))
        os.utime(folder / f"{name}-cache", (1000 - age, 900 - age))
    os.utime(folder / "d-cache", (2000, 0))  # written first, and just read
    (folder / "mine").write_bytes(bytes(100))
    trim_cache(tmp_path, limit=40)
    assert len(list(folder.iterdir())) == 5
    trim_cache(tmp_path, limit=25)
    assert {path.name for path in folder.iterdir()} == {"a-cache", "d-cache", "mine"}


def residual(width: int, stride: int) -> Body:
    strides = (stride, stride)
    through = (Conv(width=width, stride=strides), Norm(), Activation(), Conv(width=width))
    shortcut = (Conv(width=width, kernel=(1, 1), stride=strides),) if stride > 1 else ()
    return (Branch(join="add", arms=(through, shortcut)), Activation())


@pytest.fixture
def resnet() -> Network:
    """Sixteen modules of three shapes."""
    bodies = [residual(4, 1)] * 8 + [residual(8, 2)] + [residual(8, 1)] * 7
    return Network(
        name="narrow",
        input=(6, 6, 2),
        segments=(
            Plain(name="plain1", body=(Conv(width=4), Norm(), Activation())),
            *(Module(name=f"m{i}", body=body) for i, body in enumerate(bodies)),
            Plain(name="plain2", body=(GlobalPool(), Dense(width=3))),
        ),
    )


def test_programs_grow_with_module_variants_not_with_candidates(
    resnet: Network, dataset: Dataset
) -> None:
    candidates = np.random.default_rng(0).choice(RATES, (40, MODULES))
    bodies = [module.body for module in resnet.modules]

    def variants(rows: np.ndarray) -> set[tuple[Body, float]]:
        return {(bodies[i], rate) for row in rows for i, rate in enumerate(row)}

    assert variants(candidates[:20]) == variants(candidates)
    assert len(variants(candidates)) == 3 * len(RATES)
    sgd = Optimizer(learning_rate=0.01, options=(("momentum", 0.9),))
    recipe = Recipe(steps=1, batch=8, optimizer=sgd, every=1, weight_decay=1e-4)
    weights = initial_weights(resnet, seed=0)

    def tune(row: np.ndarray, recipe: Recipe = recipe) -> None:
        rates = tuple(map(float, row))
        pruned = prune_network(resnet, rates)
        start = prune_weights(resnet, weights, rates, ["l1"] * MODULES)
        train(pruned, start, dataset, recipe, seed=0, shared=True)

    before = compilations()
    for row in candidates[:20]:
        tune(row)
    # Forward, backward and evaluation of each variant and of both plain segments; the loss, the
    # images that are right, two numbers that the optimiser starts with. Nothing draws random keys.
    assert counted(before) <= 4 * (3 * len(RATES) + 2) + 4
    before = compilations()
    for row in candidates[20:]:
        tune(row)
    assert counted(before) == 0
    faster = replace(sgd, learning_rate=0.02)
    before = compilations()
    tune(
        candidates[0], replace(recipe, steps=2, optimizer=faster, schedule=Schedule(name="cosine"))
    )
    assert counted(before) == 1  # its loss, which knows the learning rate
