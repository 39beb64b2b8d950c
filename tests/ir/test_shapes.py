"""Shapes, by hand and against the sizes that the published networks have."""

import pytest

from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import (
    Shape,
    ShapeError,
    resolved_padding,
    shape_after,
    shape_after_body,
)
from wootzc.ir.net.cost import Cost, body_cost, layer_cost


@pytest.mark.parametrize(
    ("layer", "shape", "after"),
    [
        (ir.Conv(width=8), (7, 9, 3), (7, 9, 8)),
        (ir.Conv(width=8, stride=(2, 2)), (7, 9, 3), (4, 5, 8)),
        (ir.Conv(width=8, padding="valid"), (7, 9, 3), (5, 7, 8)),
        (ir.Conv(width=8, padding="valid", dilation=(2, 1)), (7, 9, 3), (3, 7, 8)),
        (ir.Conv(width=8, kernel=(7, 7), padding=((3, 3), (3, 4))), (8, 8, 3), (8, 9, 8)),
        (ir.Conv(width=8, kernel=(1, 7)), (5, 5, 3), (5, 5, 8)),
        (ir.Conv(width=8, groups=4), (5, 5, 12), (5, 5, 8)),
        (ir.DepthwiseConv(stride=(2, 1)), (5, 5, 3), (3, 5, 3)),
        (ir.Pool(), (7, 8, 3), (3, 4, 3)),
        (ir.Pool(size=(3, 3), padding=((1, 1), (1, 1))), (112, 112, 64), (56, 56, 64)),
        (ir.Pool(size=(3, 3), stride=(1, 1), padding="same"), (5, 5, 3), (5, 5, 3)),
        (ir.Pool(size=(3, 3), ceil=True), (112, 55, 64), (56, 27, 64)),
        (ir.Pool(size=(2, 2), padding=((0, 1), (1, 0)), ceil=True), (7, 8, 3), (4, 5, 3)),
        (ir.GlobalPool(), (7, 7, 32), (32,)),
        (ir.GlobalPool(keep_dims=True), (7, 7, 32), (1, 1, 32)),
        (ir.Flatten(), (7, 5, 3), (105,)),
        (ir.Dense(width=10), (32,), (10,)),
        (ir.Dense(width=10), (1, 1, 32), (1, 1, 10)),
        (ir.Norm(), (4, 4, 2), (4, 4, 2)),
        (ir.LocalNorm(size=9), (4, 4, 2), (4, 4, 2)),
        (ir.Activation(), (3,), (3,)),
        (ir.Dropout(), (3,), (3,)),
        (ir.Branch(join="add", arms=((ir.Conv(width=3),), ())), (4, 4, 3), (4, 4, 3)),
        (ir.Branch(join="concat", arms=((ir.Conv(width=5),), ())), (4, 4, 3), (4, 4, 8)),
        (
            ir.Branch(join="scale", arms=((), (ir.GlobalPool(keep_dims=True),))),
            (4, 4, 3), (4, 4, 3),
        ),
    ],
)  # fmt: skip
def test_shape_after(layer: ir.Layer, shape: Shape, after: Shape) -> None:
    assert shape_after(layer, shape) == after


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (ir.Dense(width=3), (4, 4, 3), "put global_pool or flatten before it"),
        (ir.Conv(width=3), (4,), "Conv expects height x width x channels"),
        (ir.Conv(width=3, groups=2), (4, 4, 4), "2 groups do not divide 4 → 3"),
        (ir.Conv(width=3, padding="valid"), (2, 2, 4), "3x3 window does not fit into 2x2"),
        (ir.Branch(join="add", arms=((ir.Conv(width=5),), ())), (4, 4, 3), "4x4x5, 4x4x3"),
        (ir.Branch(join="concat", arms=((ir.Pool(),), ())), (4, 4, 3), "agree in height and width"),
        (ir.Branch(join="scale", arms=((), (ir.GlobalPool(),))), (4, 4, 3), "scale needs two arms"),
        (ir.Branch(join="scale", arms=((), (), ())), (4, 4, 3), "scale needs two arms"),
    ],
)
def test_layers_that_do_not_fit(layer: ir.Layer, shape: Shape, message: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        shape_after(layer, shape)
    assert caught.value.layer == layer


def test_the_innermost_layer_is_at_fault() -> None:
    wrong = ir.Dense(width=3)
    with pytest.raises(ShapeError) as caught:
        shape_after_body((ir.Branch(join="add", arms=((wrong,), ())),), (4, 4, 3))
    assert caught.value.layer is wrong


def test_same_padding_puts_the_odd_pixel_last() -> None:
    assert resolved_padding("same", (6, 7), (3, 3), (2, 2)) == ((0, 1), (1, 1))
    assert resolved_padding("valid", (6, 7), (3, 3), (2, 2)) == ((0, 0), (0, 0))
    assert resolved_padding(((1, 2), (3, 4)), (6, 7), (3, 3), (2, 2)) == ((1, 2), (3, 4))


def bottleneck(width: int, stride: int, project: bool) -> ir.Branch:
    main: ir.Body = (
        ir.Conv(width=width, kernel=(1, 1)),
        ir.Norm(),
        ir.Activation(),
        ir.Conv(width=width, stride=(stride, stride)),
        ir.Norm(),
        ir.Activation(),
        ir.Conv(width=4 * width, kernel=(1, 1)),
        ir.Norm(),
    )
    shortcut: ir.Body = (
        ir.Conv(width=4 * width, kernel=(1, 1), stride=(stride, stride)),
        ir.Norm(),
    )
    return ir.Branch(join="add", arms=(main, shortcut if project else ()))


def test_resnet50_has_its_known_size() -> None:
    """25,557,032 parameters (torchvision), 4.089 G multiply-accumulates at 224 pixels (v1.5)."""
    body: list[ir.Layer] = [
        ir.Conv(width=64, kernel=(7, 7), stride=(2, 2), padding=((3, 3), (3, 3))),
        ir.Norm(),
        ir.Activation(),
        ir.Pool(size=(3, 3), padding=((1, 1), (1, 1))),
    ]
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            body += [bottleneck(width, stride, project=block == 0), ir.Activation()]
    body += [ir.GlobalPool(), ir.Dense(width=1000)]
    assert body_cost(tuple(body), (224, 224, 3)) == Cost(25_557_032, 4_089_184_256)


def test_biases_and_norms_count_as_parameters_only() -> None:
    assert layer_cost(ir.Conv(width=4, bias=True), (5, 5, 3)) == Cost(108 + 4, 25 * 108)
    assert layer_cost(ir.DepthwiseConv(bias=True), (5, 5, 3)) == Cost(27 + 3, 25 * 27)
    assert layer_cost(ir.Dense(width=4), (3,)) == Cost(12 + 4, 12)
    assert layer_cost(ir.Dense(width=4, bias=False), (3,)) == Cost(12, 12)
    assert layer_cost(ir.Norm(), (5, 5, 3)) == Cost(6, 0)
    assert layer_cost(ir.Pool(), (4, 4, 3)) == Cost(0, 0)
    assert layer_cost(ir.LocalNorm(), (4, 4, 3)) == Cost(0, 0)
