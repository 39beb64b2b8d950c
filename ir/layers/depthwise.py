"""Depthwise convolution."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from wootzc.ir.layers.layer_page import Array, Rule, bias_of, image_of
from wootzc.ir.layers.signature import (
    AUTO_BIAS,
    DILATION,
    SAME,
    SIZE,
    STRIDE,
    Operator,
    Parameter,
)  # fmt: skip
from wootzc.ir.layers.sizes import Pair, Shape
from wootzc.ir.layers.windows import Padding, Windowed, dilated, windows


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthwiseConv(Windowed):
    """One filter per channel, so its width follows its input. Kernel layout: [kh, kw, 1, in]."""

    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)
    bias: bool = False

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator(
            "depthwise",
            (Parameter("kernel", SIZE), STRIDE, SAME, DILATION, AUTO_BIAS),
            aliases=("depthwise_conv", "dwconv"),
        ),
    )
    channels: ClassVar[Rule] = "passes"

    @property
    def window(self) -> Pair:
        return dilated(self.kernel, self.dilation)

    def after(self, shape: Shape) -> Shape:
        return (*windows(self, shape), image_of(self, shape)[2])

    def macs(self, shape: Shape) -> int:
        return prod(self.kernel) * prod(self.after(shape))

    def arrays(self) -> tuple[Array, ...]:
        kernel = Array("kernel", (*self.kernel, 1, "in"), start=None)
        return kernel, *bias_of("in", self.bias)
