"""Networks of which little or nothing could be pruned: the modules found reach them, and fit."""

from collections.abc import Callable

import numpy as np
import pytest

from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.widen import widen_weights
from wootzc.ir.graph.segment import segment_modules
from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalPool,
    Norm,
    Pool,
)
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network, Plain
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.reach import reach
from wootzc.ir.space import Criterion

RELU = Activation()
HEAD: Body = (GlobalPool(), Dense(width=5))


def unit(width: int, kernel: int = 3, stride: int = 1) -> Body:
    return (*linear(width, kernel, stride), RELU)


def linear(width: int, kernel: int = 3, stride: int = 1) -> Body:
    return (Conv(width=width, kernel=(kernel, kernel), stride=(stride, stride)), Norm())


def excite(squeezed: int, width: int) -> Branch:
    gate: Body = (
        GlobalPool(keep_dims=True),
        Conv(width=squeezed, kernel=(1, 1), bias=True),
        RELU,
        Conv(width=width, kernel=(1, 1), bias=True),
        Activation(kind="sigmoid"),
    )
    return Branch(join="scale", arms=((), gate))


def inverted(width: int, inner: int, stride: int) -> Body:
    """An inverted residual with squeeze and excite, without a shortcut (MobileNet-V3)."""
    depthwise = (DepthwiseConv(stride=(stride, stride)), Norm(), RELU)
    return (*unit(inner, kernel=1), *depthwise, excite(4, inner), *linear(width, kernel=1))


def gathered(width: int, gathering: int) -> Body:
    """What enters, beside two convolutions one behind the other; and one that reads them all."""
    inner = Branch(join="concat", arms=((), unit(width)))
    outer = Branch(join="concat", arms=((), (*unit(width), inner)))
    return (outer, *unit(gathering, kernel=1))


def parallel(width: int, stride: int, *, identity: bool) -> Body:
    """A block of a RepVGG as it is trained: arms with a norm each."""
    arms = (linear(width, 3, stride), linear(width, 1, stride))
    return (Branch(join="add", arms=(*arms, (Norm(),)) if identity else arms), RELU)


CASES: dict[str, tuple[Body, float, float]] = {  # what may be left at 50 %, and out of reach
    "inverted residuals with stride and squeeze-excite": (
        (*unit(8, stride=2), *inverted(12, 32, 2), *inverted(16, 48, 2), *HEAD), 0.5, 0.07,
    ),
    "a concatenation of pruned with unpruned arms": (
        (*unit(8, stride=2), *gathered(8, 8), *gathered(12, 16), *HEAD), 0.4, 0.06,
    ),
    "parallel arms with a norm each": (
        (
            *parallel(8, 2, identity=False),
            *parallel(12, 2, identity=False),
            *parallel(12, 1, identity=True),
            *parallel(16, 2, identity=False),
            *parallel(16, 1, identity=True),
            *parallel(24, 2, identity=False),
            *HEAD,
        ), 0.5, 0.2,
    ),
    "modules without inner convolutions (VoVNet)": (
        (
            *unit(8, stride=2),
            *gathered(8, 12), excite(12, 12), Pool(),
            *gathered(12, 16), excite(16, 16),
            *HEAD,
        ), 0.6, 0.16,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_could_not_be_pruned_can_be(
    case: str, random_weights: Callable[[Network], Weights]
) -> None:
    body, at_most, beyond = CASES[case]
    plain = Network(name="n", input=(16, 16, 3), segments=(Plain(name="plain1", body=body),))
    network = segment_modules(plain)
    rates = [0.5] * len(network.modules)
    small = prune_network(network, tuple(rates))
    left = network_cost(small).params / network_cost(network).params
    assert left < at_most, left
    assert reach(network).outside < beyond

    criteria: list[Criterion] = ["l1"] * len(rates)
    weights = random_weights(network)
    sliced = prune_weights(network, weights, rates, criteria)
    wide = widen_weights(Pruner(network, weights, criteria), sliced, rates)
    images = np.random.default_rng(3).normal(size=(4, *network.input)).astype(np.float32)
    expected = predict(small, sliced, images, batch=4)
    found = predict(network, wide, images, batch=4)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
