"""Arms side by side; and with it the closed union of layers, for arms hold any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias, TypeGuard, assert_never

from wootzc.ir.layers.activation import Activation
from wootzc.ir.layers.conv import Conv
from wootzc.ir.layers.dense import Dense
from wootzc.ir.layers.depthwise import DepthwiseConv
from wootzc.ir.layers.dropout import Dropout
from wootzc.ir.layers.flatten import Flatten
from wootzc.ir.layers.global_pool import GlobalPool
from wootzc.ir.layers.group_norm import GroupNorm
from wootzc.ir.layers.layer_page import Page, Rule, ShapeError
from wootzc.ir.layers.local_norm import LocalNorm
from wootzc.ir.layers.norm import Norm
from wootzc.ir.layers.pool import Pool
from wootzc.ir.layers.prelu import PRelu
from wootzc.ir.layers.signature import Operator
from wootzc.ir.layers.sizes import Shape, shape_text
from wootzc.ir.layers.steps import Steps, Tensor

__all__ = [
    "Activation",
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
    "Learned",
    "LocalNorm",
    "Norm",
    "PRelu",
    "Pool",
    "has_filters",
    "joined_shape",
]

Join = Literal["add", "concat", "scale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch(Page):
    """Arms side by side on one input; an empty arm is the identity.

    add: all arms have one shape. concat: equal height and width. scale: two arms, the second
    multiplies the first channel by channel, as in squeeze-and-excite.
    """

    join: Join
    arms: tuple["Body", ...]

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator("add", fixed={"join": "add"}, aliases=("residual", "sum")),
        Operator("concat", fixed={"join": "concat"}, aliases=("cat", "concatenate")),
        Operator("scale", fixed={"join": "scale"}, aliases=("se",)),
    )
    channels: ClassVar[Rule] = "joins"

    def after(self, shape: Shape) -> Shape:
        shapes = []
        for arm in self.arms:
            leaving = shape
            for layer in arm:
                leaving = layer.after(leaving)
            shapes.append(leaving)
        together = joined_shape(self.join, shapes)
        if together is None:
            seen = ", ".join(shape_text(one) for one in shapes)
            raise ShapeError(self, f"{_WANTED[self.join]}, not {seen}")
        return together

    def joined(self, arms: Sequence[Tensor], out: Steps) -> Tensor:
        """Add the step that joins what the arms made to `out`."""
        if self.join == "concat" or len({one.scattered for one in arms}) > 1:
            arms = [out.in_order(arm) for arm in arms]
        if self.join == "concat":
            channels = sum(arm.shape[-1] for arm in arms)
            return out.step("new", *arms, shape=(*arms[0].shape[:-1], channels))
        return out.step("over", *arms, shape=arms[0].shape)


_WANTED: Mapping[Join, str] = {
    "add": "the arms of add must have one shape",
    "concat": "the arms of concat must agree in height and width",
    "scale": "scale needs two arms, HxWxC and 1x1xC or HxWxC",
}


def joined_shape(join: Join, shapes: Sequence[Shape]) -> Shape | None:
    """What comes of a join of these shapes; None where they do not fit."""
    match join:
        case "add":
            return shapes[0] if len(set(shapes)) == 1 else None
        case "concat":
            if len({shape[:-1] for shape in shapes}) != 1:
                return None
            return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))
        case "scale":
            gates = len(shapes) == 2 and shapes[1] in {shapes[0], (1, 1, shapes[0][-1])}
            return shapes[0] if gates else None
        case _:
            assert_never(join)


Learned: TypeAlias = Conv | DepthwiseConv | Norm | GroupNorm | PRelu | Dense  # that carry weights
Layer: TypeAlias = Learned | LocalNorm | Activation | Pool | GlobalPool | Dropout | Flatten | Branch
Body: TypeAlias = tuple[Layer, ...]
Filters: TypeAlias = Conv | Dense  # layers that make channels, as many as their `width`


def has_filters(layer: Layer) -> TypeGuard[Filters]:
    """Whether a layer's own filters make what leaves it, one channel each."""
    return layer.channels == "makes"
