"""An activation that learns."""

from dataclasses import dataclass
from typing import ClassVar

from wootzc.ir.layers.layer_page import Array, Page, Rule
from wootzc.ir.layers.signature import Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class PRelu(Page):
    """x, or below zero the channel's own slope times x (He et al., ICCV 2015). It is trained."""

    operators: ClassVar[tuple[Operator, ...]] = (Operator("prelu"),)
    channels: ClassVar[Rule] = "passes"
    activates: ClassVar[bool] = True

    def arrays(self) -> tuple[Array, ...]:
        return (Array("slope", ("in",), start=0.25),)
