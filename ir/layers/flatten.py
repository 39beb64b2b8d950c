"""Flatten: an image as one vector."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from wootzc.ir.layers.layer_page import Page, Rule, ShapeError, image_of
from wootzc.ir.layers.maxima import MAX_COUNT
from wootzc.ir.layers.signature import Operator
from wootzc.ir.layers.sizes import Shape
from wootzc.ir.layers.steps import Steps, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten(Page):
    """(height, width, channels) → (height * width * channels,), channels fastest."""

    operators: ClassVar[tuple[Operator, ...]] = (Operator("flatten"),)
    channels: ClassVar[Rule] = "flattens"
    vectors: ClassVar[bool] = False

    def after(self, shape: Shape) -> Shape:
        """A vector of more numbers than can be is a slip, and following it takes hours."""
        count = prod(image_of(self, shape))
        if count > MAX_COUNT:
            raise ShapeError(
                self,
                f"flatten makes a vector of {count:,} numbers, and at most {MAX_COUNT:,} are "
                "possible; put a pool or global_pool before it",
            )
        return (count,)

    def steps(self, x: Tensor, out: Steps) -> Tensor:
        made = out.step("view", x, shape=self.after(x.shape))
        return made._replace(scattered=prod(x.shape[:-1]) > 1 < x.shape[-1])
