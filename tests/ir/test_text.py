"""The textual form: printing and parsing are inverse; mistakes are told with their line."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.diagnostics import WootzError, place
from wootzc.ir import layers as ir
from wootzc.ir.array import Array
from wootzc.ir.net.network import Auxiliary, Module, Network, Plain
from wootzc.ir.passes import PASSES, MineSubsequences, replaced
from wootzc.ir.plan import Method, Plan
from wootzc.ir.space import (
    AccuracyLimit,
    Budget,
    CostLimit,
    Objective,
    Ordered,
    Proposed,
    Sample,
    Space,
    Tie,
)
from wootzc.ir.space.recipe import Augment, Data, FromFile, Optimizer, Recipe, Schedule
from wootzc.ir.text import parse_ir, parse_network, parse_plan, print_ir, print_network, print_plan

MakeSpace = Callable[..., Space]


def test_every_stage_of_the_pipeline_comes_back(make_space: MakeSpace) -> None:
    methods: tuple[Method, ...] = ("sequitur", "windows")
    for method in methods:
        plan = Plan(space=make_space(4, selection=Sample(count=20), blocks="modules"))
        for apply in replaced(PASSES, MineSubsequences(method=method)):
            text = print_plan(plan)
            assert parse_plan(text) == plan
            assert print_plan(parse_plan(text)) == text
            plan = apply(plan)
        assert parse_plan(print_plan(plan)) == plan


def test_a_space_with_everything_in_it_comes_back(make_space: MakeSpace) -> None:
    space = make_space(
        3,
        name='quo"ted\nname',
        constraints=(
            Tie(modules=(0, 1)),
            Ordered(direction="nonincreasing", modules=(0, 1, 2)),
            CostLimit(metric="macs", comparison=">=", value=1),
        ),
        rows=[[0, 0, 0], [1, 1, 1]],
        objective=Objective(
            target="accuracy",
            limits=(
                AccuracyLimit(value=0.01, below_teacher=True),
                CostLimit(metric="params", comparison="<=", value=10**6),
            ),
        ),
        criteria=("l1", "geometric_median", "random"),
        data=Data(path="a b.zip", kind="zip", limit=3),
        augment=Augment(flip=True, crop=2),
        teacher=FromFile(path="teacher.safetensors"),
        finetune=Recipe(
            steps=7,
            optimizer=Optimizer(
                name="adamw", learning_rate=1e-3, options=(("b1", 0.9), ("eps", 1e-8))
            ),
            schedule=Schedule(name="warmup_cosine", options=(("warmup_steps", 5.0),)),
            clip=1.0,
            patience=3,
        ),
        blocks="none",
        explore="all",
        seed=-3,
    )
    assert parse_plan(print_plan(Plan(space=space))).space == space
    assert parse_ir(print_ir(space), (Space,)) == space


def test_a_predicted_search_comes_back(make_space: MakeSpace) -> None:
    space = make_space(
        2,
        selection=Proposed(count=500),
        pretrain=Recipe(steps=0, reconstruct=512, precision="bfloat16"),
        explore="predicted",
        certify=0.975,
        budget=Budget(candidates=10, seconds=1800.0),
        until=0.025,
        polish=Recipe(steps=40, epochs=2.5, least=7, most=900),
        objective=Objective(limits=(AccuracyLimit(value=0.9, confidence=0.95),)),
    )
    text = print_ir(space)
    assert parse_ir(text, (Space,)) == space
    assert "selection = proposed(500)" in text
    assert "budget(10, seconds = 1800.0)" in text
    assert "polish = recipe(40, epochs = 2.5, least = 7, most = 900)" in text
    assert "accuracy_limit(0.9, confidence = 0.95)" in text


pairs = st.tuples(st.integers(1, 7), st.integers(1, 7))
paddings = st.one_of(st.sampled_from(["same", "valid"]), st.tuples(pairs, pairs))
leaves = st.one_of(
    st.builds(
        ir.Conv, width=st.integers(1, 999), kernel=pairs, padding=paddings, groups=st.integers(1, 4)
    ),
    st.builds(ir.DepthwiseConv, kernel=pairs, stride=pairs, dilation=pairs, bias=st.booleans()),
    st.builds(ir.Norm, epsilon=st.floats(1e-9, 1), momentum=st.floats(0, 1)),
    st.builds(ir.LocalNorm, size=st.integers(1, 9), alpha=st.floats(0, 1), k=st.floats(0.1, 2)),
    st.builds(
        ir.Activation,
        kind=st.sampled_from(["relu", "gelu_tanh", "leaky_relu"]),
        slope=st.floats(0, 1),
    ),
    st.builds(
        ir.Pool,
        kind=st.sampled_from(["max", "avg"]),
        size=pairs,
        padding=paddings,
        ceil=st.booleans(),
        count_padding=st.booleans(),
    ),
    st.builds(ir.GlobalPool, kind=st.sampled_from(["max", "avg"]), keep_dims=st.booleans()),
    st.builds(ir.Dense, width=st.integers(1, 999), bias=st.booleans()),
    st.builds(ir.Dropout, rate=st.floats(0, 1)),
    st.builds(ir.Flatten),
)


def bodies(layers: st.SearchStrategy[Any]) -> st.SearchStrategy[ir.Body]:
    return st.lists(layers, max_size=3).map(tuple)


def branches(layers: st.SearchStrategy[Any]) -> st.SearchStrategy[ir.Branch]:
    arms = st.lists(bodies(layers), min_size=1, max_size=3).map(tuple)
    return st.builds(ir.Branch, join=st.sampled_from(["add", "concat", "scale"]), arms=arms)


layers = st.recursive(leaves, lambda inner: st.one_of(inner, branches(inner)), max_leaves=12)
segments = st.one_of(
    st.builds(
        Module,
        name=st.text(max_size=5),
        body=bodies(layers),
        kept=st.lists(st.sampled_from(["0", "1.0.2"])).map(tuple),
        multiple=st.integers(1, 64),
        definition=st.text(),
    ),
    st.builds(Plain, name=st.text(max_size=5), body=bodies(layers)),
)
heads = st.builds(
    Auxiliary,
    name=st.text(max_size=5),
    after=st.integers(0, 3),
    weight=st.floats(0, 2),
    body=bodies(layers),
)
networks = st.builds(
    Network,
    name=st.text(),
    input=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    segments=st.lists(segments, max_size=3).map(tuple),
    auxiliaries=st.lists(heads, max_size=2).map(tuple),
)


@given(networks)
def test_any_network_comes_back(network: Network) -> None:
    text = print_network(network)
    assert parse_network(text) == network
    broken = [line for line in text.split("\n") if not line.lstrip().startswith("name = ")]
    assert max(map(len, broken)) <= 100 or len(network.name) > 20 or "definition" in text


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
@pytest.mark.parametrize("shape", [(0, 3), (2, 3), (0,), (40,)])
def test_arrays_keep_type_and_shape(
    make_space: MakeSpace, dtype: str, shape: tuple[int, ...]
) -> None:
    values = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    plan = Plan(space=make_space(3), candidates=Array(values))
    assert parse_plan(print_plan(plan)).candidates == Array(values)


def test_arrays_of_other_types_have_no_text(make_space: MakeSpace) -> None:
    plan = Plan(space=make_space(3), candidates=Array(np.zeros((1, 3))))
    with pytest.raises(TypeError, match="integers"):
        print_plan(plan)


def test_long_tuples_are_folded(make_space: MakeSpace) -> None:
    plan = Plan(space=make_space(2), training_order=tuple(range(500)))
    text = print_plan(plan)
    assert max(map(len, text.splitlines())) <= 100
    assert parse_plan(text) == plan


def test_nothing_and_an_empty_tuple_are_different(make_space: MakeSpace) -> None:
    space = make_space(2)
    for plan in (Plan(space=space), Plan(space=space, blocks=()), Plan(space=space, blocks=None)):
        assert parse_plan(print_plan(plan)) == plan


def test_comments_blank_lines_and_indentation_do_not_matter() -> None:
    text = """
    // a comment

network("n", input = (2,)) {
# another
          plain("p") {
    dense(3)
  }
}
"""
    body = (ir.Dense(width=3),)
    expected = Network(name="n", input=(2,), segments=(Plain(name="p", body=body),))
    assert parse_network(text) == expected
    assert parse_network(text.replace("\n", "\r\n")) == expected


MISTAKES = [
    ("", 1, "WZ080", "expected one `network`, found 0 nodes"),
    ('network("n", input = (2,))\nnetwork("m", input = (2,))', 2, "WZ080", "found 2 nodes"),
    ('network("n", input = (2,)) {\n  plain("p") {\n  }', 1, "WZ080", "never closed"),
    ('network("n", input = (2,)) {\n  % what\n}', 2, "WZ080", "no node, no field and no array"),
    ('network("n", input = (2,) {\n}', 1, "WZ080", "cannot read the fields"),
    ('network("n", input = (x,))', 1, "WZ080", "expected a number, a string"),
    ('network("n", input = )', 1, "WZ080", "cannot read the fields"),
    ("name = 3", 1, "WZ080", "`name` stands outside"),
    ('plane("p")', 1, "WZ081", "`plane` cannot stand here; expected `network`"),
    (
        'network("n", input = (2,)) {\n  plain("p") {\n    cov(3)\n  }\n}',
        3,
        "WZ081",
        "did you mean `conv`?",
    ),
    ('network("n")', 1, "WZ082", "`network` lacks `input`"),
    ('network("n", inputs = (2,))', 1, "WZ082", "did you mean `input`?"),
    ('network("n", input = "2")', 1, "WZ082", "expected a tuple, each item an integer, not '2'"),
    ('network("n", (2,))', 1, "WZ082", "only the first field may stand without its name"),
    ('network("n", input = (2,), segments = 3)', 1, "WZ082", "`segments` is no plain value"),
    (
        'network("n", input = (2,)) {\n  plain("p") {\n    activation("rely")\n  }\n}',
        3,
        "WZ082",
        "expected one of 'relu'",
    ),
    (
        'network("n", input = (2,)) {\n  a = uint8[2] {\n    1 x\n  }\n}',
        3,
        "WZ083",
        "`x` in this array",
    ),
    ('network("n", input = (2,)) {\n  a = uint8[3] {\n    1 2\n  }\n}', 2, "WZ083", "2 numbers"),
    (
        'network("n", input = (2,)) {\n  a = uint8[1] {\n    256\n  }\n}',
        3,
        "WZ083",
        "256 does not fit",
    ),
    ('network("n", input = (2,)) {\n  input = uint8[1] {\n    1\n  }\n}', 2, "WZ082", "twice"),
    ('network("n") {\n  input = uint8[1] {\n    1\n  }\n}', 2, "WZ082", "no array"),
    (
        'network("n", input = (2,)) {\n plain("p") {\n  branch("add") {\n   norm\n  }\n }\n}',
        4,
        "WZ081",
        "expected `body {`",
    ),
]


@pytest.mark.parametrize(("text", "line", "code", "message"), MISTAKES)
def test_mistakes_are_told_with_their_line(text: str, line: int, code: str, message: str) -> None:
    with pytest.raises(WootzError) as caught:
        parse_network(text, "a.wzir")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert message in f"{diagnostic.message} {diagnostic.help}"
    assert place(diagnostic.span, text)[0] == line
    assert f"a.wzir:{line}:" in str(caught.value)
