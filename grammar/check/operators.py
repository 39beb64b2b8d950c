"""The names of built-in layers: what each takes and makes is on its page, `ir.layers`."""

from wootzc.grammar.check.arguments import COUNT, PAIR, Parameter
from wootzc.ir.layers import LAYERS, Branch, Layer
from wootzc.ir.layers.signature import Operator

# By name of the language: the class of the layer, and how it is called.
OPERATORS: dict[str, Operator] = {
    operator.name: operator
    for layer in LAYERS
    if layer is not Branch
    for operator in layer.operators
}
CLASSES: dict[str, type[Layer]] = {o.name: layer for layer in LAYERS for o in layer.operators}

# Not a layer of its own: nothing where the shape stays, else a 1x1 convolution with a norm.
SHORTCUT = (Parameter("width", COUNT), Parameter("stride", PAIR, (1, 1)))

JOINS: tuple[str, ...] = tuple(operator.name for operator in Branch.operators)

# An arm of `add` by itself: the input where it has the shape of the other arms, else no arm.
FITTING = "shortcut_if_fits"

BUILT_IN = (*OPERATORS, "shortcut", FITTING, *JOINS, "input")

# What other tools call it.
ALIASES = {
    **{alias: o.name for layer in LAYERS for o in layer.operators for alias in o.aliases},
    "skip": "shortcut",
    "projection": "shortcut",
}
