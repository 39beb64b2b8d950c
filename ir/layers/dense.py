"""Fully connected layer."""

from dataclasses import dataclass
from typing import ClassVar

from wootzc.ir.layers.layer_page import Array, Page, Rule, ShapeError, bias_of
from wootzc.ir.layers.signature import COUNT, FLAG, Operator, Parameter
from wootzc.ir.layers.sizes import Shape, shape_text
from wootzc.ir.layers.steps import How


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense(Page):
    """Fully connected over the last axis. Kernel layout: [in, width]."""

    width: int
    bias: bool = True

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator(
            "dense",
            (Parameter("width", COUNT), Parameter("bias", FLAG, True)),
            aliases=("linear", "fc", "softmax"),
        ),
    )
    channels: ClassVar[Rule] = "makes"
    how: ClassVar[How] = "new"

    def after(self, shape: Shape) -> Shape:
        if len(shape) == 3 and shape[:2] != (1, 1):
            raise ShapeError(
                self,
                f"dense expects a vector, but {shape_text(shape)} enters; "
                "put global_pool or flatten before it",
            )
        return (*shape[:-1], self.width)

    def macs(self, shape: Shape) -> int:
        return shape[-1] * self.width

    def arrays(self) -> tuple[Array, ...]:
        return Array("kernel", ("in", "out"), start=None), *bias_of("out", self.bias)
