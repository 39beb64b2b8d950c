"""Group normalisation, and layer normalisation over channels."""

from dataclasses import dataclass
from typing import ClassVar

from wootzc.ir.layers.layer_page import Array, Page, Rule, ShapeError
from wootzc.ir.layers.signature import AMOUNT, COUNT, Operator, Parameter
from wootzc.ir.layers.sizes import Shape
from wootzc.ir.layers.steps import Steps, Tensor

_EPSILON = Parameter("epsilon", AMOUNT, 1e-5)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNorm(Page):
    """Normalisation of each image over equal groups of channels (Wu & He, ECCV 2018).

    `pixelwise`: each pixel by itself, all channels one group: layer normalisation as in ConvNeXt.
    """

    groups: int = 32
    epsilon: float = 1e-5
    pixelwise: bool = False

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator(
            "group_norm",
            (Parameter("groups", COUNT, 32, said="has groups"), _EPSILON),
            {"pixelwise": False},
            ("groupnorm", "gn"),
        ),
        Operator(
            "layer_norm",
            (_EPSILON,),
            {"pixelwise": True, "groups": 1},
            ("layernorm", "layernorm2d", "ln"),
        ),
    )
    channels: ClassVar[Rule] = "passes"
    normalizes: ClassVar[bool] = True
    sums_channels: ClassVar[bool] = True

    @property
    def parts(self) -> int:
        return self.groups

    def after(self, shape: Shape) -> Shape:
        if shape[-1] % self.groups:
            raise ShapeError(self, f"{self.groups} groups do not divide {shape[-1]} channels")
        if self.pixelwise and self.groups != 1:
            raise ShapeError(self, f"a norm of each pixel has one group, not {self.groups}")
        return shape

    def arrays(self) -> tuple[Array, ...]:
        return Array("scale", ("in",), start=1.0), Array("bias", ("in",))

    def steps(self, x: Tensor, out: Steps) -> Tensor:
        x = out.in_order(x)
        if self.pixelwise:
            return out.in_turn(x, "new", *(("new", "new") if len(x.shape) == 3 else ()))
        return out.in_turn(x, "view", "new", "view", "over", "over")
