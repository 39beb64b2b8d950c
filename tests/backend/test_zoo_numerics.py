"""Every network of the zoo, whole and pruned: what JAX makes of it is what the compiler predicts.

Shapes, parameters and MACs are those of the full-size networks, traced but not run; that a pruned
network computes what the full one does with the same filters silenced is seen on narrow versions.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import cycle, islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from wootzc.backends.flax.net.model import SegmentNet, structure
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.parameters import (
    Weights,
    count_parameters,
    is_statistic,
    network_parameters,
    parameters,
)  # fmt: skip
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.widen import widen_weights
from wootzc.grammar.lower.named_networks import zoo_network
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.layers import Body, Branch, Conv, Dense, Layer
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.cost import Cost, network_cost
from wootzc.ir.net.network import Module, Network, segment_shapes
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.trunk import even_rates, trunks, with_seams

RATE = 0.7


@cache
def pruned(name: str) -> Network:
    network = zoo_network(name, {})
    return prune_network(network, (RATE,) * len(network.modules))


# Sizes, as traced


def equations(jaxpr: Any) -> Iterator[Any]:
    """Every equation, those of inner functions included."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def macs_of(equation: Any) -> int:
    """Multiplications with weights: each output times what it sums over."""
    match equation.primitive.name:
        case "conv_general_dilated":
            kernel = equation.invars[1].aval.shape
            filters = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
            return int(equation.outvars[0].aval.size * np.prod(kernel) // filters)
        case "dot_general":
            ((contracted, _), _) = equation.params["dimension_numbers"]
            left = equation.invars[0].aval.shape
            summed = int(np.prod([left[axis] for axis in contracted]))
            return int(equation.outvars[0].aval.size) * summed
        case _:
            return 0


@cache
def traced(body: Body, shape: Shape) -> tuple[Cost, Shape]:
    """Cost of a segment for one image, and the shape that leaves it, as Flax and JAX have them."""
    net = nnx.eval_shape(lambda: SegmentNet(body, shape, axis_name=None))
    flat = nnx.to_flat_state(nnx.split(net)[1])
    values = {"/".join(map(str, path[1:])): variable.get_raw_value() for path, variable in flat}
    assert {n: value.shape for n, value in values.items()} == parameters(body, shape)
    params = sum(value.size for name, value in values.items() if not is_statistic(name))
    image = jax.eval_shape(lambda: jnp.zeros((1, *shape)))
    jaxpr = jax.make_jaxpr(structure(body, shape, plain=True).evaluate)(values, image)
    macs = sum(map(macs_of, equations(jaxpr.jaxpr)))
    return Cost(params, macs), jaxpr.out_avals[0].shape[1:]


@pytest.mark.parametrize("name", zoo_names())
def test_what_is_traced_is_what_was_predicted(name: str) -> None:
    for network in (zoo_network(name, {}), pruned(name)):
        shapes = segment_shapes(network)
        total = Cost(0, 0)
        for segment, entering, leaving in zip(network.segments, shapes, shapes[1:], strict=False):
            cost, shape = traced(segment.body, entering)
            assert shape == leaving, segment.name
            total = total.plus(cost)
        assert total == network_cost(network)
    assert segment_shapes(pruned(name)) == segment_shapes(zoo_network(name, {}))
    assert network_cost(pruned(name)).params < network_cost(zoo_network(name, {})).params


@pytest.mark.parametrize("name", zoo_names())
def test_what_is_sliced_is_what_was_predicted(name: str) -> None:
    network = zoo_network(name, {})
    whole = {
        weight: np.broadcast_to(np.int8(0), shape)  # sizes count here, not values
        for weight, shape in network_parameters(network).items()
    }
    count = len(network.modules)
    sliced = prune_weights(network, whole, [RATE] * count, ["random"] * count)
    assert {n: value.shape for n, value in sliced.items()} == network_parameters(pruned(name))
    assert count_parameters(sliced) == network_cost(pruned(name)).params


# Values, of narrow versions

FAMILIES = {  # and the modules that stay, one or more of each kind, or it would take minutes
    "cifar_resnet20": "layer1_0|layer2_[01]",
    "resnet18": "layer[12]_[01]",
    "resnet50": "layer[14]_[01]",
    "vgg11": ".*",
    "vgg11_bn": ".*",
    "cifar_vgg19": "stage[125]",
    "googlenet": "inception(3a|4a|5b)",
    "inception_v2": "inception(3a|3c|5b)",
    "inception_v3": "Mixed_(5b|6a|6b|7a|7b)",
    "mobilenet_v1": "group[126]",
    "mobilenet_v2": "block(2|3|14|15|17)",
    "densenet121": "dense[14]_[12]",
    "squeezenet1_0": "fire[29]",
    "squeezenet1_1": "fire[59]",
    "efficientnet_b0": "block(1_1|6_1|6_2)",
}


def narrow(name: str) -> Network:
    """A network with an eighth of the channels and fewer modules, for small images.

    Equal widths stay equal, so that what is added or multiplied still fits.
    """

    def narrowed(layer: Layer) -> Layer:
        match layer:
            case Conv(width=width) | Dense(width=width):
                return replace(layer, width=max(3, width // 8))
            case Branch(arms=arms):
                return replace(layer, arms=tuple(tuple(map(narrowed, arm)) for arm in arms))
            case _:
                return layer

    network = zoo_network(name, {})
    side = 32 if name.startswith("cifar") else 80
    segments = tuple(
        replace(segment, body=tuple(map(narrowed, segment.body)))
        for segment in network.segments
        if not isinstance(segment, Module) or re.fullmatch(FAMILIES[name], segment.name)
    )
    return replace(network, input=(side, side, 3), segments=segments, auxiliaries=())


@pytest.mark.parametrize("name", FAMILIES)
def test_pruned_equals_masked_equals_widened(
    name: str,
    random_weights: Callable[[Network], Weights],
    silenced: Callable[..., Weights],
) -> None:
    network = narrow(name)
    weights = random_weights(network)
    count = len(network.modules)
    rates = list(islice(cycle([RATE, 0.5]), count))
    small = prune_network(network, tuple(rates))
    images = np.random.default_rng(3).normal(size=(2, *network.input)).astype(np.float32)
    full = predict(network, weights, images, batch=2)
    masked = predict(network, silenced(network, weights, rates, "l1"), images, batch=2)
    sliced = prune_weights(network, weights, rates, ["l1"] * count)
    found = predict(small, sliced, images, batch=2)
    scale = np.abs(masked).max()
    assert np.abs(full - masked).max() > 0.01 * scale
    np.testing.assert_allclose(found, masked, rtol=0, atol=1e-4 * scale)
    wide = widen_weights(Pruner(network, weights, ["l1"] * count), sliced, rates)
    widened = predict(network, wide, images, batch=2)
    np.testing.assert_allclose(widened, found, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v2", "densenet121", "googlenet", "efficientnet_b0"]
)
def test_cut_trunks_equal_masked_ones(
    name: str,
    random_weights: Callable[[Network], Weights],
    throughout: Callable[[Network, Weights, float], Weights],
) -> None:
    whole = narrow(name)
    network = with_seams(whole, {trunk.name for trunk in trunks(whole)})
    weights, rates = random_weights(network), even_rates(network, 0.5)
    sliced = prune_weights(network, weights, rates, ["l1"] * len(rates))
    images = np.random.default_rng(3).normal(size=(2, *network.input)).astype(np.float32)
    masked = predict(network, throughout(network, weights, 0.5), images, batch=2)
    found = predict(prune_network(network, rates), sliced, images, batch=2)
    np.testing.assert_allclose(found, masked, rtol=0, atol=1e-4 * np.abs(masked).max())
