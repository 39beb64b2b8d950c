"""Batch normalisation."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from wootzc.ir.layers.layer_page import Array, Page, Rule
from wootzc.ir.layers.signature import AMOUNT, SHARE, Operator, Parameter
from wootzc.ir.layers.sizes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm(Page):
    """Batch normalisation over all axes but the last; `momentum` weighs the old running value."""

    epsilon: float = 1e-5
    momentum: float = 0.9

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator(
            "norm",
            (Parameter("epsilon", AMOUNT, 1e-5), Parameter("momentum", SHARE, 0.9)),
            aliases=("bn", "batch_norm", "batchnorm", "batchnorm2d", "batchnormalization"),
        ),
    )
    channels: ClassVar[Rule] = "passes"
    normalizes: ClassVar[bool] = True

    def computed(self, shape: Shape) -> Self:
        return replace(self, momentum=0.0)

    def arrays(self) -> tuple[Array, ...]:
        return (
            Array("scale", ("in",), start=1.0),
            Array("bias", ("in",)),
            Array("mean", ("in",)),
            # One where a filter was removed: norms divide by its root.
            Array("var", ("in",), start=1.0, removed=1.0),
        )
