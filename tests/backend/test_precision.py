"""bfloat16: what stays float32, how near it comes, and that it learns."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wootzc.backends.data import Dataset
from wootzc.backends.flax.device.parallel import Strategy
from wootzc.backends.flax.net.model import structure, structures
from wootzc.backends.flax.train.blocks import BlockJob, train_blocks
from wootzc.backends.flax.train.evaluation import evaluate
from wootzc.backends.flax.train.recipes import told
from wootzc.backends.flax.train.step import Images, initial_state, network_step, prepare
from wootzc.backends.flax.train.train import Trained, train
from wootzc.backends.weights.parameters import Weights, parameters
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.layers import (
    Activation,
    Body,
    Conv,
    Dense,
    Flatten,
    GlobalPool,
    LocalNorm,
    Norm,
    Pool,
)
from wootzc.ir.net.network import Network
from wootzc.ir.space.recipe import Augment, Optimizer, Precision, Recipe

SGD = Optimizer(name="sgd", learning_rate=0.05, options=(("momentum", 0.9),))
RECIPE = Recipe(steps=40, batch=32, optimizer=SGD, every=20)
HALF = replace(RECIPE, precision="bfloat16")
EVERYTHING: Body = (
    Conv(width=8, bias=True),
    Norm(),
    Activation(),
    LocalNorm(size=3),
    Pool(kind="avg", size=(2, 2), stride=(1, 1)),
    Pool(size=(2, 2), stride=(1, 1)),
    GlobalPool(keep_dims=True),
    Flatten(),
    Dense(width=5),
)


def drawn(body: Body, shape: tuple[int, ...]) -> Weights:
    rng = np.random.default_rng(0)
    return {
        name: rng.uniform(0.5, 1.5, size).astype(np.float32)
        for name, size in parameters(body, shape).items()
    }


def test_a_segment_computes_in_bfloat16_with_float32_parameters_and_statistics() -> None:
    shape = (6, 6, 2)
    values, x = drawn(EVERYTHING, shape), jnp.ones((4, *shape))
    exact, half = structure(EVERYTHING, shape), structure(EVERYTHING, shape, precision="bfloat16")
    keys = jax.random.split(jax.random.key(0), 4)
    y, moved = half.train(values, x, keys)
    assert y.dtype == half.evaluate(values, x).dtype == jnp.bfloat16
    assert {v.dtype for v in moved.values()} == {np.dtype("float32")}
    wide = [
        str(e.outvars[0].aval.dtype)
        for e in jax.make_jaxpr(half.train)(values, x, keys).eqns
        if e.primitive.name in ("conv_general_dilated", "dot_general")
    ]
    assert wide == ["bfloat16", "float32", "bfloat16"]  # the one between is of the local norm
    np.testing.assert_allclose(
        half.evaluate(values, x).astype(np.float32), exact.evaluate(values, x), rtol=3e-2
    )


def test_float32_has_no_conversions() -> None:
    values, x = drawn(EVERYTHING, (6, 6, 2)), jnp.ones((4, 6, 6, 2))
    jaxpr = jax.make_jaxpr(structure(EVERYTHING, (6, 6, 2)).evaluate)(values, x)
    assert "convert_element_type" not in str(jaxpr)


@pytest.mark.parametrize("strategy", ["segments", "loop"])
def test_the_state_stays_float32_and_the_loss_near(
    zoo: dict[str, Network], dataset: Dataset, strategy: Strategy
) -> None:
    network = zoo["dropout"]
    recipe = replace(RECIPE, steps=3, every=3)

    def run(precision: Precision) -> Trained:
        return train(
            network,
            initial_weights(network, seed=0),
            dataset,
            replace(recipe, precision=precision, distill=0.5),
            Augment(crop=1),
            seed=1,
            teacher=(network, initial_weights(network, seed=5)),
            strategy=strategy,
        )

    exact, half = run("float32"), run("bfloat16")
    assert {value.dtype for value in half.weights.values()} == {np.dtype("float32")}
    assert half.history[1].loss == pytest.approx(exact.history[1].loss, rel=0.03)
    assert half.history[1].loss != exact.history[1].loss


def test_a_step_keeps_moments_in_float32(zoo: dict[str, Network], dataset: Dataset) -> None:
    network = zoo["dropout"]
    state = initial_state(split(network, initial_weights(network, seed=0)), HALF, seed=0)
    batch = dataset.train.batch(np.arange(8))
    ready = prepare(Images(batch.images, batch.labels), state.step, state.seed, Augment())
    step = network_step(structures(network, precision="bfloat16"), HALF.optimizer)
    after, loss = jax.eval_shape(step, state, told(HALF, 0), ready)
    assert loss.dtype == np.float32
    assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, state)


def test_training_and_blocks_learn(zoo: dict[str, Network], dataset: Dataset) -> None:
    network = zoo["dropout"]
    trained = train(network, initial_weights(network, seed=0), dataset, HALF, seed=3)
    assert trained.accuracy > 0.8 > 0.6 > trained.history[0].accuracy
    assert evaluate(network, trained.weights, dataset.validation) == trained.accuracy
    sliced = prune_weights(network, trained.weights, (0.5,), ("l1",))
    job = BlockJob(
        start=0, rates=(0.5,), weights={n: v for n, v in sliced.items() if n.startswith("m1/")}
    )
    recipe = replace(HALF, steps=60)
    (half,) = train_blocks(network, trained.weights, [job], dataset, recipe, seed=0)
    exact_recipe = replace(recipe, precision="float32")
    (exact,) = train_blocks(network, trained.weights, [job], dataset, exact_recipe, seed=0)
    assert {value.dtype for value in half.weights.values()} == {np.dtype("float32")}
    assert half.loss_last < 0.7 * half.loss_first
    assert half.loss_first == pytest.approx(exact.loss_first, rel=0.03)
    assert half.loss_last == pytest.approx(exact.loss_last, rel=0.2)
