"""Layers: the closed union that every network is written in. Sizes are (height, width).

A page a layer: what it is, what the language calls it, what it makes of a shape, what it costs,
which arrays it carries and what it does with channels. All else follows from there, but for the
lowerings: what runs it, and what writes and reads it in the form of other tools.
"""

from typing import get_args

from wootzc.ir.layers.activation import Activation, ActivationKind
from wootzc.ir.layers.branch import (
    Body,
    Branch,
    Filters,
    Join,
    Layer,
    has_filters,
    joined_shape,
)  # fmt: skip
from wootzc.ir.layers.conv import Conv
from wootzc.ir.layers.dense import Dense
from wootzc.ir.layers.depthwise import DepthwiseConv
from wootzc.ir.layers.dropout import Dropout
from wootzc.ir.layers.flatten import Flatten
from wootzc.ir.layers.global_pool import GlobalPool
from wootzc.ir.layers.group_norm import GroupNorm
from wootzc.ir.layers.layer_page import Array, Axis, Page, Rule, ShapeError
from wootzc.ir.layers.local_norm import LocalNorm
from wootzc.ir.layers.norm import Norm
from wootzc.ir.layers.pool import Pool
from wootzc.ir.layers.prelu import PRelu
from wootzc.ir.layers.sizes import Pair, Shape, shape_text
from wootzc.ir.layers.walk import rewritten, walk, walk_shapes
from wootzc.ir.layers.windows import Padding

LAYERS: tuple[type[Layer], ...] = get_args(Layer)

__all__ = [
    "LAYERS",
    "Activation",
    "ActivationKind",
    "Array",
    "Axis",
    "Body",
    "Branch",
    "Conv",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Filters",
    "Flatten",
    "GlobalPool",
    "GroupNorm",
    "Join",
    "Layer",
    "LocalNorm",
    "Norm",
    "PRelu",
    "Padding",
    "Page",
    "Pair",
    "Pool",
    "Rule",
    "Shape",
    "ShapeError",
    "has_filters",
    "joined_shape",
    "rewritten",
    "shape_text",
    "walk",
    "walk_shapes",
]
