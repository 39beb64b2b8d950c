"""Maximum or average over windows."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

from wootzc.ir.layers.layer_page import Rule, ShapeError, image_of
from wootzc.ir.layers.signature import FLAG, PADDING, PAIR, Operator, Parameter
from wootzc.ir.layers.sizes import Pair, Shape, shape_text
from wootzc.ir.layers.steps import Steps, Tensor
from wootzc.ir.layers.windows import (
    Padding,
    Windowed,
    overhang,
    padding_of,
    resolved_padding,
    windows,
)

_PARAMETERS = (
    Parameter("size", PAIR, said="has a window"),
    Parameter("stride", PAIR, None, like="size"),
    Parameter("padding", PADDING, "valid"),
    Parameter("ceil", FLAG, False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Windowed):
    """Maximum or average over windows.

    `ceil`: a last window may reach over the end, as in Caffe and PyTorch's ceil mode, if it begins
    inside of the image or its padding at the top or left. `count_padding`: zeros of the padding
    count towards an average; what lies beyond the padding never does.
    """

    kind: Literal["max", "avg"] = "max"
    size: Pair = (2, 2)
    stride: Pair = (2, 2)
    padding: Padding = "valid"
    ceil: bool = False
    count_padding: bool = False

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator("max_pool", _PARAMETERS, {"kind": "max"}, ("maxpool", "maxpool2d", "pool")),
        Operator(
            "avg_pool",
            (*_PARAMETERS, Parameter("count_padding", FLAG, False)),
            {"kind": "avg"},
            ("avgpool",),
        ),
    )
    channels: ClassVar[Rule] = "passes"

    @property
    def window(self) -> Pair:
        return self.size

    def after(self, shape: Shape) -> Shape:
        """No window may lie in the padding altogether: it has no maximum and no average."""
        image = image_of(self, shape)
        zeros = self.kind == "avg" and self.count_padding  # then it is an average of zeros
        if (
            not isinstance(self.padding, str)
            and not zeros
            and any(max(self.padding[axis]) >= self.size[axis] for axis in (0, 1))
        ):
            raise ShapeError(
                self, f"the padding of a {shape_text(self.size)} pool must be less than its window"
            )
        return (*windows(self, shape), image[2])

    def computed(self, shape: Shape) -> Self:
        image = image_of(self, shape)
        return replace(self, padding=padding_of(self, image[:2]), ceil=False)

    def steps(self, x: Tensor, out: Steps) -> Tensor:
        """Where zeros count towards an average in a way that no runtime has: of a padded copy."""
        height, width, channels = x.shape
        image, shape = (height, width), self.after(x.shape)
        rows, columns = resolved_padding(self.padding, image, self.size, self.stride)
        counted = self.kind == "avg" and self.count_padding and any((*rows, *columns))
        wide = max(rows) >= self.size[0] or max(columns) >= self.size[1]
        if counted and (wide or any(overhang(self, image))):
            padded = (height + sum(rows), width + sum(columns), channels)
            x = out.step("new", x, shape=padded)
        return out.step("new", x, shape=shape)
