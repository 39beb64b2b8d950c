"""Layers in the language: what each argument means in the IR, and the way back."""

from dataclasses import replace

import pytest

from wootzc.diagnostics import render
from wootzc.grammar import analyze, print_network
from wootzc.ir.layers import Activation, Layer, LocalNorm, Pool


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        ("max_pool(3, stride = 2, ceil = true)", Pool(size=(3, 3), ceil=True)),
        ("max_pool(3x2, stride = 2)", Pool(size=(3, 2))),
        (
            "avg_pool(3, stride = 1, padding = 1, count_padding = true)",
            Pool(
                kind="avg",
                size=(3, 3),
                stride=(1, 1),
                padding=((1, 1), (1, 1)),
                count_padding=True,
            ),
        ),
        (
            "avg_pool(2, padding = 0x1x1x0, ceil = true, count_padding = true)",
            Pool(kind="avg", padding=((0, 1), (1, 0)), ceil=True, count_padding=True),
        ),
        ("avg_pool(2)", Pool(kind="avg")),
        ("lrn", LocalNorm()),
        ("lrn(size = 4, beta = 0.5)", LocalNorm(size=4, beta=0.5)),
        ("lrn(alpha = 0.1, k = 2.0)", LocalNorm(alpha=0.1, k=2)),
        ("leaky_relu", Activation(kind="leaky_relu")),
        ("leaky_relu(slope = 0.1)", Activation(kind="leaky_relu", slope=0.1)),
        ("gelu", Activation(kind="gelu")),
        ("gelu_tanh", Activation(kind="gelu_tanh")),
    ],
)
def test_a_layer_there_and_back(text: str, layer: Layer) -> None:
    analysis = analyze(f"network n {{ input(8x8x6); {text} }}")
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    [network] = analysis.networks
    assert network.segments[0].body == (layer,)
    printed = print_network(network)
    assert f"  {text}\n" in printed
    assert analyze(printed).networks == (network,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_pool(3, padding = 3)", "the padding of a 3x3 pool must be less than its window"),
        ("max_pool(3, count_padding = true)", "`max_pool` has no argument `count_padding`"),
        ("relu(slope = 0.1)", "`relu` has no argument `slope`"),
        ("lrn(size = 0)", "`size` of `lrn` must be a whole number"),
        ("local_response_norm(5)", "did you mean `lrn`?"),
    ],
)
def test_arguments_that_no_layer_takes(text: str, message: str) -> None:
    analysis = analyze(f"network n {{ input(8x8x6); {text} }}")
    [diagnostic] = analysis.diagnostics
    assert message in f"{diagnostic.message} {diagnostic.help}"


HEADS = """network n {
  input(8x8x3)
  conv(3x3, 8)
  module a {
    conv(3x3, 8)
  }
  auxiliary(weight = 0.3) {
    avg_pool(4)
    flatten
    dense(5)
  }
  module b {
    conv(3x3, 8)
  }
  auxiliary(weight = 0.0) {
    global_pool
    dense(5)
  }
  global_pool
  dense(5)
}
"""


def test_auxiliary_heads_there_and_back() -> None:
    analysis = analyze(HEADS)
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    [network] = analysis.networks
    assert [(h.name, h.after, h.weight) for h in network.auxiliaries] == [
        ("aux1", 1, 0.3),
        ("aux2", 2, 0.0),
    ]
    assert print_network(network) == HEADS
    first, second = network.auxiliaries
    for heads in ((second, first), (replace(first, name="head"),), (replace(first, after=3),)):
        with pytest.raises(ValueError, match="cannot say auxiliary heads"):
            print_network(replace(network, auxiliaries=heads))
