"""Layers: the closed union that every network is written in. Sizes are (height, width).

A page a layer: what it is, what the language calls it, what it makes of a shape, what it costs,
which arrays it carries and what it does with channels. All else follows from there, but for the
lowerings: what runs it, and what writes and reads it in the form of other tools.
"""

from typing import get_args

from wootzc.ir.layers.activation import ActivationKind as ActivationKind
from wootzc.ir.layers.branch import *  # every layer, and their union
from wootzc.ir.layers.branch import Layer
from wootzc.ir.layers.layer_page import Array as Array
from wootzc.ir.layers.layer_page import Axis as Axis
from wootzc.ir.layers.layer_page import Page as Page
from wootzc.ir.layers.layer_page import Rule as Rule
from wootzc.ir.layers.layer_page import ShapeError as ShapeError
from wootzc.ir.layers.sizes import Pair as Pair
from wootzc.ir.layers.sizes import Shape as Shape
from wootzc.ir.layers.sizes import shape_text as shape_text
from wootzc.ir.layers.walk import rewritten as rewritten
from wootzc.ir.layers.walk import walk as walk
from wootzc.ir.layers.walk import walk_shapes as walk_shapes
from wootzc.ir.layers.windows import Padding as Padding

LAYERS: tuple[type[Layer], ...] = get_args(Layer)
