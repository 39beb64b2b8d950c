"""Graphs become the body that computes the same, or are refused by name; nothing else happens."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wootzc.ir.graph import INPUT, Chain, Graph, Node, Refused
from wootzc.ir.graph.decompose import MAX_BRANCHES, decompose
from wootzc.ir.graph.dominators import Dominators
from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    DepthwiseConv,
    Dropout,
    GlobalPool,
    Join,
    Layer,
    Norm,
)
from wootzc.ir.layers.shapes import Shape, shape_after_body

LINES = 15_000_000  # of Python; 3.6 million are run

Values: TypeAlias = Any  # float64 [height, width, channels]
SHAPE: Shape = (2, 2, 3)
RELU, DROP = Activation(), Dropout()


def node(name: str, operation: Layer | Join, *inputs: str) -> Node:
    """Convolutions have the weights 1x1 [in, out] of their own that `run` multiplies by."""
    return Node(name=name, inputs=inputs, operation=operation)


def conv(width: int) -> Conv:
    return Conv(width=width, kernel=(1, 1))


def graph(*nodes: Node, input: Shape = SHAPE) -> Graph:
    return Graph(name="net", input=input, nodes=nodes, output=nodes[-1].name)


def layers(chain: Chain) -> Body:
    return tuple(piece.layer for piece in chain)


def refused(*nodes: Node) -> str:
    with pytest.raises(Refused) as caught:
        decompose(graph(*nodes))
    return caught.value.message


# A small interpreter: graphs and bodies on arrays [height, width, channels].


def apply(layer: Layer, weights: Mapping[str, NDArray[Any]], x: Values) -> Values:
    match layer:
        case Conv():
            return x @ weights["kernel"]
        case Activation(kind="relu"):
            return np.maximum(x, 0)
        case Activation(kind="tanh"):
            return np.tanh(x)
        case Norm():
            return x * weights["scale"] + weights["bias"]
        case Dropout():
            return x
        case GlobalPool():
            return x.mean(axis=(0, 1), keepdims=True)
        case _:
            raise AssertionError(layer)


def join(kind: Join, values: list[Values]) -> Values:
    if kind == "concat":
        return np.concatenate(values, axis=-1)
    if kind == "add":
        return np.sum(values, axis=0)
    return values[0] * values[1]


def run_graph(graph: Graph, x: Values) -> Values:
    tensors = {INPUT: x}
    needed = {graph.output}
    for step in reversed(graph.nodes):
        needed.update(step.inputs if step.name in needed else ())
    for step in graph.nodes:
        if step.name not in needed:
            continue
        values = [tensors[i] for i in step.inputs]
        if isinstance(step.operation, str):
            if step.operation == "scale" and values[0].shape[:2] != x.shape[:2]:
                values.reverse()
            tensors[step.name] = join(step.operation, values)
        else:
            tensors[step.name] = apply(step.operation, step.weights, values[0])
    return tensors[graph.output]


def run_body(body: Body, weights: Mapping[str, NDArray[Any]], prefix: str, x: Values) -> Values:
    for position, layer in enumerate(body):
        path = f"{prefix}{position}"
        if isinstance(layer, Branch):
            arms = enumerate(layer.arms)
            x = join(layer.join, [run_body(arm, weights, f"{path}.{a}.", x) for a, arm in arms])
        else:
            own = {
                name.removeprefix(f"{path}/"): value
                for name, value in weights.items()
                if name.startswith(f"{path}/")
            }
            x = apply(layer, own, x)
    return x


def run_chain(chain: Chain, x: Values) -> Values:
    weights = {
        f"{i}{name}": v for i, piece in enumerate(chain) for name, v in piece.weights.items()
    }
    return run_body(layers(chain), weights, "", x)


def same_function(graph: Graph, chain: Chain) -> None:
    x = np.random.default_rng(0).standard_normal(graph.input)
    np.testing.assert_allclose(run_chain(chain, x), run_graph(graph, x), rtol=1e-9, atol=1e-9)


# By hand


def test_a_residual_block() -> None:
    chain = decompose(
        graph(
            node("c1", conv(4), INPUT),
            node("r1", RELU, "c1"),
            node("c2", conv(4), "r1"),
            node("c3", conv(4), INPUT),
            node("s", "add", "c2", "c3"),
            node("r2", RELU, "s"),
        )
    )
    assert layers(chain) == (
        Branch(join="add", arms=((conv(4), RELU, conv(4)), (conv(4),))),
        RELU,
    )
    assert [piece.names for piece in chain] == [("c1", "r1", "c2", "c3", "s"), ("r2",)]


def test_weights_are_named_by_where_they_are() -> None:
    kernels = {name: {"kernel": np.full((3, 3), i)} for i, name in enumerate("abc")}
    (branch,) = decompose(
        graph(
            Node(name="a", inputs=(INPUT,), operation=conv(3), weights=kernels["a"]),
            Node(name="b", inputs=("a",), operation=conv(3), weights=kernels["b"]),
            Node(name="c", inputs=("a",), operation=conv(3), weights=kernels["c"]),
            node("inner", "scale", "b", "c"),
            node("outer", "add", INPUT, "inner"),
        )
    )
    assert {name: value[0, 0] for name, value in branch.weights.items()} == {
        ".1.0/kernel": 0,
        ".1.1.0.0/kernel": 1,
        ".1.1.1.0/kernel": 2,
    }


def test_flat_concats_of_densenet_are_nested() -> None:
    chain = decompose(
        graph(
            node("one", "concat", INPUT),  # torch.cat([x], 1), as torchvision writes it
            node("a", conv(2), "one"),
            node("ab", "concat", INPUT, "a"),
            node("b", conv(2), "ab"),
            node("abc", "concat", INPUT, "a", "b"),
            node("c", conv(2), "abc"),
            node("all", "concat", INPUT, "a", "b", "c"),
        )
    )
    assert layers(chain) == (Branch(join="concat", arms=((), (conv(2),))),) * 3
    assert [piece.names for piece in chain] == [("a", "ab"), ("b", "abc"), ("c", "all")]


def test_a_concat_may_begin_with_new_tensors() -> None:
    chain = decompose(
        graph(
            node("a", conv(2), INPUT),
            node("ab", "concat", INPUT, "a"),
            node("b", conv(2), "ab"),
            node("all", "concat", "b", INPUT, "a"),
        )
    )
    arms = (
        Branch(join="concat", arms=((), (conv(2),))),
        Branch(join="concat", arms=((conv(2),), ())),
    )
    assert layers(chain) == arms


def test_split_arms_written_flat_share_their_stem() -> None:
    """Inception-V3's last modules."""
    (branch,) = decompose(
        graph(
            node("a", conv(2), INPUT),
            node("b", conv(3), INPUT),
            node("b1", conv(1), "b"),
            node("b2", conv(2), "b"),
            node("c", conv(4), INPUT),
            node("out", "concat", "a", "b1", "b2", "c"),
        )
    )
    split = Branch(join="concat", arms=((conv(1),), (conv(2),)))
    assert branch.layer == Branch(join="concat", arms=((conv(2),), (conv(3), split), (conv(4),)))
    assert branch.names == ("a", "b", "b1", "b2", "c", "out")


def test_arms_of_an_add_are_grouped_wherever_they_stand() -> None:
    (branch,) = decompose(
        graph(
            node("a", conv(3), INPUT),
            node("b", conv(3), INPUT),
            node("a1", conv(3), "a"),
            node("s", "add", "a1", "b"),
            node("a2", conv(3), "a"),
            node("out", "add", "s", "a2"),
        )
    )
    inner = Branch(join="add", arms=((conv(3),), (conv(3),)))
    assert branch.layer == Branch(join="add", arms=((conv(3), inner), (conv(3),)))
    assert branch.names == ("a", "b", "a1", "a2", "s", "out")


def test_squeeze_and_excite_in_either_order() -> None:
    for order in (("x", "gate"), ("gate", "x")):
        chain = decompose(
            graph(
                node("x", conv(4), INPUT),
                node("pool", GlobalPool(keep_dims=True), "x"),
                node("gate", conv(4), "pool"),
                node("out", "scale", *order),
            )
        )
        gate = (GlobalPool(keep_dims=True), conv(4))
        assert layers(chain) == (conv(4), Branch(join="scale", arms=((), gate)))


def test_one_tensor_twice() -> None:
    chain = decompose(graph(node("a", conv(3), INPUT), node("s", "add", "a", "a")))
    assert layers(chain) == (conv(3), Branch(join="add", arms=((), ())))
    (branch,) = decompose(
        graph(
            node("a", conv(3), INPUT),
            node("b", conv(3), INPUT),
            node("s", "concat", "a", "a", "b"),
        )
    )
    double = Branch(join="concat", arms=((), ()))
    assert branch.layer == Branch(join="concat", arms=((conv(3), double), (conv(3),)))


def test_nodes_that_lead_nowhere_are_left_out() -> None:
    chain = decompose(
        Graph(
            name="net",
            input=SHAPE,
            nodes=(node("a", conv(4), INPUT), node("aux", "add", "a", INPUT), node("b", RELU, "a")),
            output="b",
        )
    )
    assert layers(chain) == (conv(4), RELU)
    assert decompose(Graph(name="net", input=SHAPE, nodes=(), output=INPUT)) == ()


def test_equal_concats_are_one() -> None:
    chain = decompose(
        graph(
            node("a", conv(3), INPUT),
            node("c1", "concat", INPUT, "a"),
            node("c2", "concat", INPUT, "a"),
            node("b", conv(6), "c1"),
            node("s", "add", "b", "c2"),
        )
    )
    first = Branch(join="concat", arms=((), (conv(3),)))
    assert layers(chain) == (first, Branch(join="add", arms=((conv(6),), ())))


# What is refused


def test_a_node_needed_in_two_arms() -> None:
    message = refused(
        node("a", conv(3), INPUT),
        node("b", conv(3), INPUT),
        node("left", "add", "a", "b"),
        node("more", RELU, "left"),
        node("right", RELU, "b"),
        node("out", "concat", "more", "right"),
    )
    assert message.startswith("`b` is needed in two arms of the concat `out`")


def test_arms_that_share_a_stem_with_another_between_them() -> None:
    message = refused(
        node("a", conv(3), INPUT),
        node("a1", conv(3), "a"),
        node("b", conv(3), INPUT),
        node("a2", conv(3), "a"),
        node("out", "concat", "a1", "b", "a2"),
    )
    assert message.startswith("`a` is needed in two arms of the concat `out`")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("a", conv(4), INPUT), node("s", "add", "a", INPUT)], "`s` adds 2x2x4 and 2x2x3"),
        (
            [node("p", GlobalPool(), INPUT), node("s", "concat", "p", INPUT)],
            "`s` puts 3 and 2x2x3 together",
        ),
        (
            [node("p", GlobalPool(), INPUT), node("s", "scale", INPUT, "p")],
            "`s` multiplies 2x2x3 and 3",
        ),
        ([node("s", "scale", INPUT)], "`s` multiplies 2x2x3;"),
        ([node("a", Conv(width=4, groups=2), INPUT)], "`a` does not fit its input: 2 groups"),
        ([node("a", RELU, "b"), node("b", RELU, INPUT)], "`a` reads `b`, which no node before"),
        ([node("a", RELU, INPUT), node("a", RELU, "a")], "there are two nodes `a`"),
        ([node("a", RELU, INPUT, INPUT)], "`a` has 2 inputs"),
        ([node("a", "add")], "`a` adds nothing"),
    ],
)
def test_nodes_that_do_not_fit(nodes: list[Node], message: str) -> None:
    assert message in refused(*nodes)


# Size


def nested(depth: int) -> Graph:
    """relu(x + relu(x + …)): every add is an arm of the next."""
    nodes = [node("r0", RELU, INPUT)]
    for i in range(1, depth + 1):
        nodes += [node(f"s{i}", "add", INPUT, f"r{i - 1}"), node(f"r{i}", RELU, f"s{i}")]
    return graph(*nodes)


def test_joins_nest_as_deep_as_the_language_can_say() -> None:
    same_function(nested(MAX_BRANCHES), decompose(nested(MAX_BRANCHES)))
    with pytest.raises(Refused, match=r"nested in more than 14 other joins"):
        decompose(nested(200))


def test_large_graphs_take_no_time(worked: Any) -> None:
    long = [node("n0", RELU, INPUT)]  # 3,000 residual blocks
    for i in range(3_000):
        long += [node(f"a{i}", RELU, f"n{i}"), node(f"n{i + 1}", "add", f"n{i}", f"a{i}")]
    deep = [node("n0", RELU, INPUT)]  # one long arm, and joins that all lead far back
    deep += [node(f"n{i}", RELU, f"n{i - 1}") for i in range(1, 5_000)]
    deep += [node("m0", RELU, INPUT)]
    for i in range(1, 2_000):
        deep += [node(f"s{i}", "add", "n4999", f"m{i - 1}"), node(f"m{i}", RELU, f"s{i}")]
    dense: list[Node] = []  # 200 layers, each with all before it
    for i in range(200):
        dense += [
            node(f"c{i}", "concat", INPUT, *(f"d{k}" for k in range(i))),
            node(f"d{i}", conv(2), f"c{i}"),
        ]
    dense.append(node("c", "concat", INPUT, *(f"d{k}" for k in range(200))))
    with worked() as work:
        assert len(decompose(graph(*long))) == 3_001
        with pytest.raises(Refused):
            decompose(graph(*deep))
        assert len(decompose(graph(*dense))) == 200
    assert work.lines < LINES


def test_dominators_agree_with_brute_force() -> None:
    """A node dominates another when no way from the root avoids it."""
    for seed in range(200):
        draw = random.Random(seed)
        inputs: list[list[int]] = [[]]
        for i in range(1, draw.randrange(2, 25)):
            inputs.append([draw.randrange(i) for _ in range(draw.randrange(1, 4))])
        tree = Dominators(inputs)
        for n in range(1, len(inputs)):
            strict = []
            for avoided in range(n):
                reached = {0} - {avoided}
                for m in range(1, n + 1):
                    if m != avoided and reached.intersection(inputs[m]):
                        reached.add(m)
                if n not in reached:
                    strict.append(avoided)
            assert tree.parent[n] == max(strict), seed


# Random bodies and random graphs


@dataclass
class Flattening:
    """A body written as nodes, joins and their arms in some order that can run."""

    draw: random.Random
    nodes: list[Node] = field(default_factory=list)

    def name(self) -> str:
        return f"n{len(self.nodes)}"

    def body(self, body: Body, at: str, channels: int) -> tuple[str, int]:
        rng = np.random.default_rng(self.draw.randrange(1 << 30))
        for layer in body:
            weights: dict[str, NDArray[Any]] = {}
            if isinstance(layer, Branch):
                arms = list(enumerate(layer.arms))
                self.draw.shuffle(arms)
                ends = {i: self.body(arm, at, channels) for i, arm in arms}
                inputs = tuple(ends[i][0] for i in range(len(arms)))
                new = Node(name=self.name(), inputs=inputs, operation=layer.join)
                if layer.join == "concat":
                    channels = sum(ends[i][1] for i in range(len(arms)))
                else:
                    channels = ends[0][1]
            else:
                if isinstance(layer, Conv):
                    weights = {"kernel": rng.standard_normal((channels, layer.width))}
                    channels = layer.width
                elif isinstance(layer, Norm):
                    weights = dict(
                        zip(("scale", "bias"), rng.standard_normal((2, channels)), strict=True)
                    )
                new = Node(name=self.name(), inputs=(at,), operation=layer, weights=weights)
            self.nodes.append(new)
            at = new.name
        return at, channels


def random_body(draw: random.Random, channels: int, depth: int) -> tuple[Body, int]:
    """A body and the channels that leave it."""
    body: list[Layer] = []
    for _ in range(draw.randrange(4)):
        kind = draw.choice(["conv", "relu", "norm", "tanh", "add", "concat", "scale"])
        match kind:
            case "conv":
                channels = draw.randrange(1, 4)
                body.append(conv(channels))
            case "relu" | "tanh":
                body.append(Activation(kind="relu" if kind == "relu" else "tanh"))
            case "norm":
                body.append(Norm())
            case _ if depth == 0:
                body.append(DROP)
            case "concat":
                arms = [random_body(draw, channels, depth - 1) for _ in range(draw.choice([2, 3]))]
                body.append(Branch(join="concat", arms=tuple(arm for arm, _ in arms)))
                channels = sum(width for _, width in arms)
            case _:
                arms = [random_body(draw, channels, depth - 1) for _ in range(2)]
                fixed = tuple(
                    arm if width == channels else (*arm, conv(channels)) for arm, width in arms
                )
                body.append(Branch(join="add" if kind == "add" else "scale", arms=fixed))
    return tuple(body), channels


def normal(body: Body) -> Body:
    """Adds of adds and concats of concats written flat."""
    result: list[Layer] = []
    for layer in body:
        if not isinstance(layer, Branch):
            result.append(layer)
            continue
        arms: list[Body] = []
        for arm in map(normal, layer.arms):
            last = arm[-1] if arm else None
            if isinstance(last, Branch) and last.join == layer.join != "scale":
                arms += [(*arm[:-1], *inner) for inner in last.arms] if len(arm) == 1 else [arm]
            else:
                arms.append(arm)
        result.append(Branch(join=layer.join, arms=tuple(arms)))
    return tuple(result)


@given(st.randoms(use_true_random=False))
def test_bodies_come_back(draw: random.Random) -> None:
    body, _ = random_body(draw, SHAPE[-1], depth=3)
    flat = Flattening(draw)
    output, channels = flat.body(body, INPUT, SHAPE[-1])
    written = Graph(name="net", input=SHAPE, nodes=tuple(flat.nodes), output=output)
    chain = decompose(written)
    assert layers(chain) == normal(body)
    assert shape_after_body(layers(chain), SHAPE) == (2, 2, channels)
    assert sorted(n for piece in chain for n in piece.names) == sorted(n.name for n in flat.nodes)
    same_function(written, chain)


@given(st.randoms(use_true_random=False))
def test_any_graph_is_decomposed_or_refused(draw: random.Random) -> None:
    rng = np.random.default_rng(draw.randrange(1 << 30))
    nodes: list[Node] = []
    channels = {INPUT: 3}
    for i in range(draw.randrange(1, 9)):
        recent = list(channels)[-draw.choice([2, 3, 9]) :]
        operation: Layer | Join = draw.choice(
            [conv(3), RELU, RELU, "add", "add", "concat", "scale"]
        )
        count = 1
        weights: dict[str, NDArray[Any]] = {}
        if isinstance(operation, str):
            count = 2 if operation == "scale" else draw.choice([1, 2, 2, 3, 4])
        inputs = tuple(draw.choice(recent) for _ in range(count))
        if operation == conv(3):
            weights = {"kernel": rng.standard_normal((channels[inputs[0]], 3))}
        nodes.append(Node(name=f"n{i}", inputs=inputs, operation=operation, weights=weights))
        widths = [channels[name] for name in inputs]
        channels[f"n{i}"] = sum(widths) if operation == "concat" else widths[0]
        if operation == conv(3):
            channels[f"n{i}"] = 3
    written = graph(*nodes)
    try:
        chain = decompose(written)
    except Refused:
        return
    shape_after_body(layers(chain), SHAPE)
    same_function(written, chain)


def test_depthwise_layers_are_as_good_as_any() -> None:
    chain = decompose(graph(node("d", DepthwiseConv(), INPUT)))
    assert layers(chain) == (DepthwiseConv(),)
