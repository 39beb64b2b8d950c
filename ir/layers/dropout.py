"""Dropout."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from wootzc.ir.layers.layer_page import Page, Rule
from wootzc.ir.layers.signature import PART, Operator, Parameter
from wootzc.ir.layers.sizes import Shape
from wootzc.ir.layers.steps import Steps, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout(Page):
    """While training, that share of numbers becomes 0 and the others grow to make up for it."""

    rate: float = 0.5

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator("dropout", (Parameter("rate", PART, 0.5, said="drops a fraction", always=True),)),
    )
    channels: ClassVar[Rule] = "passes"

    def computed(self, shape: Shape) -> Self:
        return replace(self, rate=0.5)

    def steps(self, x: Tensor, out: Steps) -> Tensor:
        return x  # after training it does nothing
