"""Which channels go together, by hand, and that pruned modules fit together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalPool,
    Norm,
    Pool,
    walk,
)
from wootzc.ir.layers.shapes import Shape, shape_after_body
from wootzc.ir.net.cost import Cost, body_cost
from wootzc.ir.net.coupling import Group, couple
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.prune import kept_width, kept_widths, prune_body, prune_module, prune_network


def free(body: Body, shape: Shape) -> list[tuple[int, tuple[str, ...], int]]:
    """(width, makers, partitions) of the groups that may be pruned."""
    groups = couple(body, shape).groups
    return [(g.width, g.makers, g.partitions) for g in groups if not g.whole]


def pruned(body: Body, shape: Shape, rate: float) -> Body:
    coupling = couple(body, shape)
    return prune_body(body, coupling, kept_widths(coupling, rate))


def width(body: Body, path: str) -> int:
    layer = dict(walk(body))[path]
    assert isinstance(layer, Conv | Dense)
    return layer.width


RESIDUAL: Body = (
    Branch(
        join="add",
        arms=(
            (Conv(width=8, stride=(2, 2)), Norm(), Activation(), Conv(width=8), Norm()),
            (Conv(width=8, kernel=(1, 1), stride=(2, 2)), Norm()),  # where the shape changes
        ),
    ),
    Activation(),
)


def test_a_residual_block_prunes_its_inside_only() -> None:
    assert free(RESIDUAL, (8, 8, 4)) == [(8, ("0.0.0",), 1)]
    groups = couple(RESIDUAL, (8, 8, 4)).groups
    assert Group(width=8, makers=("0.0.3", "0.1.0"), whole=True) in groups
    half = pruned(RESIDUAL, (8, 8, 4), 0.5)
    assert (width(half, "0.0.0"), width(half, "0.0.3"), width(half, "0.1.0")) == (4, 8, 8)
    assert shape_after_body(half, (8, 8, 4)) == (4, 4, 8)
    # conv 4·9·8, norm 16, conv 8·9·8, norm 16, shortcut 4·8, norm 16; 4×4 pixels leave each conv
    assert body_cost(RESIDUAL, (8, 8, 4)) == Cost(288 + 576 + 32 + 48, 16 * (288 + 576 + 32))
    assert body_cost(half, (8, 8, 4)) == Cost(144 + 288 + 32 + 40, 16 * (144 + 288 + 32))


def test_an_identity_shortcut_keeps_what_enters() -> None:
    body: Body = (Branch(join="add", arms=((Conv(width=6), Conv(width=4)), ())),)
    assert free(body, (8, 8, 4)) == [(6, ("0.0.0",), 1)]


def test_the_inside_of_two_adds_is_coupled() -> None:
    """conv0 and conv1.0.1 are added inside the module, so they lose the same filters."""
    body: Body = (
        Conv(width=8),
        Branch(join="add", arms=((Conv(width=6), Conv(width=8)), ())),
        Activation(),
        Conv(width=4),
    )
    assert free(body, (8, 8, 4)) == [(6, ("1.0.0",), 1), (8, ("0", "1.0.1"), 1)]
    third = pruned(body, (8, 8, 4), 0.3)
    assert [width(third, p) for p in ("0", "1.0.0", "1.0.1", "3")] == [6, 4, 6, 4]


def test_concat_joins_the_groups_of_its_arms() -> None:
    """An Inception block: what leaves is whole, the 1x1 reductions before it are free."""
    body: Body = (
        Branch(
            join="concat",
            arms=(
                (Conv(width=4, kernel=(1, 1)),),
                (Conv(width=6, kernel=(1, 1)), Conv(width=8)),
                (Pool(size=(3, 3), stride=(1, 1), padding="same"), Conv(width=2, kernel=(1, 1))),
            ),
        ),
    )
    assert free(body, (8, 8, 16)) == [(6, ("0.1.0",), 1)]
    assert shape_after_body(pruned(body, (8, 8, 16), 0.5), (8, 8, 16)) == (8, 8, 14)


def test_a_concat_inside_is_pruned_piece_by_piece() -> None:
    body: Body = (
        Branch(join="concat", arms=((Conv(width=4),), (Conv(width=6),))),
        Norm(),
        Conv(width=5),
    )
    coupling = couple(body, (8, 8, 3))
    assert free(body, (8, 8, 3)) == [(4, ("0.0.0",), 1), (6, ("0.1.0",), 1)]
    assert [coupling.groups[g].width for g in coupling.inputs["2"]] == [4, 6]
    half = pruned(body, (8, 8, 3), 0.5)
    # convs 3·9·(2 + 3), norm 2·5, conv 5·9·5
    assert body_cost(half, (8, 8, 3)) == Cost(135 + 10 + 225, 64 * (135 + 225))


def test_an_add_over_concats_of_other_cuts_keeps_all() -> None:
    body: Body = (
        Branch(
            join="add",
            arms=(
                (Branch(join="concat", arms=((Conv(width=4),), (Conv(width=6),))),),
                (Conv(width=10),),
            ),
        ),
        Conv(width=3),
    )
    assert free(body, (8, 8, 3)) == []


def test_an_add_over_concats_of_equal_cuts_couples_them_in_pairs() -> None:
    pair = Branch(join="concat", arms=((Conv(width=4),), (Conv(width=6),)))
    body: Body = (Branch(join="add", arms=((pair,), (pair,))), Conv(width=3))
    assert free(body, (8, 8, 3)) == [
        (4, ("0.0.0.0.0", "0.1.0.0.0"), 1),
        (6, ("0.0.0.1.0", "0.1.0.1.0"), 1),
    ]


def test_squeeze_and_excite_scales_what_it_reads() -> None:
    excite: Body = (
        GlobalPool(keep_dims=True),
        Conv(width=2, kernel=(1, 1)),
        Activation(),
        Conv(width=8, kernel=(1, 1)),
        Activation(kind="sigmoid"),
    )
    body: Body = (Conv(width=8), Branch(join="scale", arms=((), excite)), Conv(width=4))
    assert free(body, (4, 4, 3)) == [(8, ("0", "1.1.3"), 1), (2, ("1.1.1",), 1)]
    half = pruned(body, (4, 4, 3), 0.5)
    assert [width(half, p) for p in ("0", "1.1.1", "1.1.3", "2")] == [4, 1, 4, 4]
    # 3·9·4; squeeze 4·1, excite 1·4 on one pixel; 4·9·4
    assert body_cost(half, (4, 4, 3)) == Cost(108 + 4 + 4 + 144, 16 * (108 + 144) + 8)


def test_depthwise_follows_its_input() -> None:
    """MobileNet: the expansion is free, the depthwise convolution goes along."""
    body: Body = (
        Conv(width=12, kernel=(1, 1)),
        Norm(),
        DepthwiseConv(stride=(2, 2)),
        Norm(),
        Conv(width=4, kernel=(1, 1)),
    )
    assert free(body, (8, 8, 4)) == [(12, ("0",), 1)]
    half = pruned(body, (8, 8, 4), 0.5)
    # 4·6, norm 12, 9·6, norm 12, 6·4; 64 pixels, then 16
    assert body_cost(half, (8, 8, 4)) == Cost(24 + 12 + 54 + 12 + 24, 64 * 24 + 16 * (54 + 24))


def test_a_depthwise_convolution_on_what_enters_is_whole() -> None:
    assert free((DepthwiseConv(), Conv(width=4)), (8, 8, 4)) == []


def test_grouped_convolutions_keep_equal_parts() -> None:
    """ResNeXt: what enters and what leaves the grouped convolution is cut into four parts."""
    body: Body = (Conv(width=16, kernel=(1, 1)), Conv(width=8, groups=4), Conv(width=6))
    assert free(body, (8, 8, 4)) == [(16, ("0",), 4), (8, ("1",), 4)]
    third = pruned(body, (8, 8, 4), 0.3)  # parts of 4 lose 1, parts of 2 lose 1
    assert [width(third, p) for p in ("0", "1", "2")] == [12, 4, 6]
    assert shape_after_body(third, (8, 8, 4)) == (8, 8, 6)
    # 4·12, 12/4·9·4, 4·9·6
    assert body_cost(third, (8, 8, 4)) == Cost(48 + 108 + 216, 64 * (48 + 108 + 216))


def test_partitions_of_two_grouped_convolutions_are_reconciled() -> None:
    body: Body = (
        Conv(width=12, groups=2),
        Conv(width=12, groups=3),
        Conv(width=4),
    )
    assert free(body, (8, 8, 4)) == [(12, ("0",), 6), (12, ("1",), 3)]


def test_a_concat_into_a_grouped_convolution_is_whole() -> None:
    body: Body = (
        Branch(join="concat", arms=((Conv(width=4),), (Conv(width=4),))),
        Conv(width=6, groups=2),
        Conv(width=3),
    )
    assert free(body, (8, 8, 4)) == [(6, ("1",), 2)]


def test_flatten_repeats_the_channels_for_every_pixel() -> None:
    body: Body = (Conv(width=6), Flatten(), Dense(width=10), Dense(width=4))
    coupling = couple(body, (2, 2, 3))
    assert free(body, (2, 2, 3)) == [(6, ("0",), 1), (10, ("2",), 1)]
    assert len(set(coupling.inputs["2"])) == 1 and len(coupling.inputs["2"]) == 4
    half = pruned(body, (2, 2, 3), 0.5)
    # 3·9·3; (4 pixels · 3)·5 + 5; 5·4 + 4
    assert body_cost(half, (2, 2, 3)) == Cost(81 + 65 + 24, 4 * 81 + 60 + 20)


@pytest.mark.parametrize(
    ("width_", "rate", "kept"),
    [
        (16, 0.0, 16),
        (16, 0.3, 11),
        (16, 0.5, 8),
        (5, 0.5, 2),
        (3, 0.1, 3),
        (10, 0.05, 9),
        (2, 0.9, 0),
    ],
)
def test_halves_are_rounded_up(width_: int, rate: float, kept: int) -> None:
    assert kept_width(Group(width=width_, makers=("0",)), rate) == kept
    assert kept_width(Group(width=width_, makers=("0",), whole=True), rate) == width_


def test_rate_zero_is_the_module_itself() -> None:
    module = Module(name="m", body=RESIDUAL)
    assert prune_module(module, (8, 8, 4), 0.0) == module


@given(st.tuples(st.floats(0, 0.8), st.floats(0, 0.8)))
def test_pruned_modules_fit_together(rates: tuple[float, float]) -> None:
    network = Network(
        name="n",
        input=(8, 8, 3),
        segments=(
            Plain(name="plain1", body=(Conv(width=4),)),
            Module(name="a", body=RESIDUAL),
            Plain(name="plain2", body=(Activation(),)),
            Module(name="b", body=(Conv(width=16), Conv(width=5))),
            Plain(name="plain3", body=(GlobalPool(), Dense(width=3))),
        ),
    )
    smaller = prune_network(network, rates)
    shape = network.input
    for before, after in zip(network.segments, smaller.segments, strict=True):
        if isinstance(before, Plain):
            assert before == after
        assert shape_after_body(after.body, shape) == shape_after_body(before.body, shape)
        shape = shape_after_body(after.body, shape)


@pytest.mark.parametrize("rates", [(), (0.5,) * 9, (1.0,), (-0.5,)])
def test_rates_that_do_not_fit_are_refused(rates: tuple[float, ...]) -> None:
    module = Module(name="a", body=(Conv(width=4),))
    network = Network(name="n", input=(8, 8, 1), segments=(module,))
    with pytest.raises(ValueError, match="rate"):
        prune_network(network, rates)
