"""Rules inside of modules: what `keep` of a kind and `multiple of` leave to a rate."""

from math import lcm

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wootzc.ir.layers import Activation, Body, Branch, Conv, DepthwiseConv, LocalNorm, Norm, walk
from wootzc.ir.layers.shapes import shape_after_body
from wootzc.ir.net.coupling import Group, couple, couple_module
from wootzc.ir.net.network import Module
from wootzc.ir.net.prune import kept_width, prune_module

INVERTED: Body = (
    Conv(width=48, kernel=(1, 1)),
    Norm(),
    Activation(kind="relu6"),
    DepthwiseConv(),
    Norm(),
    Conv(width=24, kernel=(1, 1)),
    Conv(width=8, kernel=(1, 1)),
)


@given(
    parts=st.integers(1, 6),
    part=st.integers(1, 300),
    rate=st.floats(0.01, 0.99),
    multiple=st.integers(2, 40),
)
def test_no_other_multiple_is_nearer(parts: int, part: int, rate: float, multiple: int) -> None:
    unit = lcm(multiple, parts)
    assume(unit > parts)  # else every width that the parts can share is a multiple
    width = part * parts
    kept = kept_width(Group(width=width, makers=("0",), partitions=parts, multiple=multiple), rate)
    choices = [*range(unit, width, unit), width]
    assert kept in choices
    wanted = (1 - rate) * width
    beyond = -(-width // unit) * unit  # what the full width counts as
    distance = abs((beyond if kept == width else kept) - wanted)
    assert all(distance <= abs(other - wanted) + 1e-6 for other in choices[:-1])


@pytest.mark.parametrize(
    ("width", "rate", "kept"),
    [(64, 0.0, 64), (64, 0.7, 16), (64, 0.3, 48), (64, 0.95, 8), (8, 0.5, 8), (4, 0.5, 4),
     (20, 0.1, 16), (23, 0.1, 23), (100, 0.5, 48)],
)  # fmt: skip
def test_multiples_of_eight(width: int, rate: float, kept: int) -> None:
    assert kept_width(Group(width=width, makers=("0",), multiple=8), rate) == kept


def test_a_module_carries_its_multiple_to_all_its_groups() -> None:
    module = Module(name="m", body=INVERTED, multiple=8)
    small = prune_module(module, (8, 8, 8), 0.6)
    widths = [layer.width for _, layer in walk(small.body) if isinstance(layer, Conv)]
    assert widths == [16, 8, 8]
    assert shape_after_body(small.body, (8, 8, 8)) == (8, 8, 8)
    assert (small.multiple, small.kept) == (1, ())


def test_kept_layers_stay_whole_with_all_that_is_coupled_to_them() -> None:
    module = Module(name="m", body=INVERTED, kept=("3",))  # the depthwise convolution
    small = prune_module(module, (8, 8, 8), 0.5)
    widths = [layer.width for _, layer in walk(small.body) if isinstance(layer, Conv)]
    assert widths == [48, 12, 8]


def test_a_kept_branch_keeps_what_leaves_it() -> None:
    gate: Body = (Branch(join="add", arms=((Conv(width=8),), (Conv(width=8),))), Conv(width=4))
    assert not couple(gate, (8, 8, 4)).groups[-2].whole
    free = [g for g in couple(gate, (8, 8, 4), kept=("0",)).groups if not g.whole]
    assert free == []


def test_what_a_local_norm_mixes_stays_whole() -> None:
    body: Body = (Conv(width=8), LocalNorm(), Conv(width=8), Activation(), Conv(width=4))
    free = [g.makers for g in couple(body, (8, 8, 3)).groups if not g.whole]
    assert free == [("2",)]


def test_a_modules_rules_reach_its_coupling() -> None:
    module = Module(name="m", body=INVERTED, kept=("5",), multiple=4)
    coupling = couple_module(module, (8, 8, 8))
    assert {g.multiple for g in coupling.groups} == {4}
    assert [g.makers for g in coupling.groups if not g.whole] == [("0",)]
