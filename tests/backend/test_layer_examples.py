"""What holds for every layer, on the examples of conftest.py."""

from itertools import chain
from math import prod

from wootzc.grammar import analyze, print_network
from wootzc.ir.layers import LAYERS, Branch, walk, walk_shapes
from wootzc.ir.layers.signature import operator_of
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network
from wootzc.ir.text import parse_network
from wootzc.ir.text import print_network as print_ir


def test_there_are_examples_of_every_layer(
    layers: dict[str, Network], zoo: dict[str, Network]
) -> None:
    """By each of its names; those with weights also where they are pruned."""
    found = {
        operator_of(layer).name
        for network in layers.values()
        for segment in network.segments
        for _, layer in walk(segment.body)
    }
    names = chain.from_iterable(layer.operators for layer in LAYERS)
    assert found == {operator.name for operator in names if not operator.also}
    pruned = {
        type(layer)
        for network in zoo.values()
        for module in network.modules
        for _, layer in walk(module.body)
    }
    examples = (layer for n in layers.values() for s in n.segments for _, layer in walk(s.body))
    # Zeros in the place of removed channels change what the others are normalised by, and the tests
    # of the zoo compare with just that.
    assert {type(one) for one in examples if one.arrays() and not one.sums_channels} <= pruned


def test_every_layer_is_said_in_the_language_and_in_the_ir(any_layer: Network) -> None:
    assert parse_network(print_ir(any_layer)) == any_layer
    body = any_layer.segments[0].body
    arms = [len(layer.arms) for _, layer in walk(body) if isinstance(layer, Branch)]
    if len(any_layer.input) == 3 and body and min(arms, default=2) > 1:  # or no `.wz` text says it
        (said,) = analyze(print_network(any_layer)).networks
        assert tuple(chain.from_iterable(s.body for s in said.segments)) == body


def test_every_weight_is_counted(any_layer: Network) -> None:
    (segment,) = any_layer.segments
    sizes = [
        prod(array.sizes(shape[-1], layer.after(shape)[-1]))
        for _, layer, shape in walk_shapes(segment.body, any_layer.input)
        for array in layer.arrays()
        if array.trained
    ]
    assert network_cost(any_layer).params == sum(sizes)
