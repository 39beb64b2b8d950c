"""Convolution."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from wootzc.ir.layers.layer_page import Array, Rule, ShapeError, bias_of, image_of
from wootzc.ir.layers.signature import (
    AUTO_BIAS,
    COUNT,
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
class Conv(Windowed):
    """Convolution, grouped where `groups` > 1. Kernel layout: [kh, kw, in // groups, width]."""

    width: int  # output channels
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Padding = "same"
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = False

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator(
            "conv",
            (
                Parameter("kernel", SIZE),
                Parameter("width", COUNT),
                STRIDE,
                SAME,
                DILATION,
                Parameter("groups", COUNT, 1, said="has groups"),
                AUTO_BIAS,
            ),
            aliases=("conv2d", "convolution"),
        ),
    )
    channels: ClassVar[Rule] = "makes"

    @property
    def window(self) -> Pair:
        return dilated(self.kernel, self.dilation)

    @property
    def parts(self) -> int:
        return self.groups

    def after(self, shape: Shape) -> Shape:
        channels = image_of(self, shape)[2]
        if channels % self.groups or self.width % self.groups:
            raise ShapeError(
                self, f"{self.groups} groups do not divide {channels} → {self.width} channels"
            )
        return (*windows(self, shape), self.width)

    def macs(self, shape: Shape) -> int:
        height, width, filters = self.after(shape)
        return prod(self.kernel) * (shape[-1] // self.groups) * filters * height * width

    def arrays(self) -> tuple[Array, ...]:
        kernel = Array("kernel", (*self.kernel, "in", "out"), groups=self.groups, start=None)
        return kernel, *bias_of("out", self.bias)
