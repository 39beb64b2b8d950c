"""Maximum or average over the whole image."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from wootzc.ir.layers.layer_page import Page, Rule, image_of
from wootzc.ir.layers.signature import FLAG, Operator, Parameter, words
from wootzc.ir.layers.sizes import Shape
from wootzc.ir.layers.steps import Steps, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPool(Page):
    """(height, width, channels) → (channels,); with `keep_dims` → (1, 1, channels)."""

    kind: Literal["max", "avg"] = "avg"
    keep_dims: bool = False

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator(
            "global_pool",
            (Parameter("kind", words("avg", "max"), "avg"), Parameter("keep_dims", FLAG, False)),
            aliases=("gap", "global_avg_pool"),
        ),
    )
    channels: ClassVar[Rule] = "passes"
    vectors: ClassVar[bool] = False

    def after(self, shape: Shape) -> Shape:
        channels = image_of(self, shape)[2]
        return (1, 1, channels) if self.keep_dims else (channels,)

    def steps(self, x: Tensor, out: Steps) -> Tensor:
        pooled = out.step("new", x, shape=(1, 1, x.shape[-1]))
        return pooled if self.keep_dims else out.step("view", pooled, shape=x.shape[-1:])
