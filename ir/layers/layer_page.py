"""What the pages of the layers are written in: arrays with axis roles, rules of channels."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypeAlias

from wootzc.diagnostics import Placed
from wootzc.ir.layers.signature import Operator
from wootzc.ir.layers.sizes import Shape
from wootzc.ir.layers.steps import How, Steps, Tensor

# What a layer does with the channels that enter. "makes": filters make new ones. "passes": each
# comes out by itself. "mixes": each depends on its neighbours. "flattens": each comes out once a
# pixel. "joins": arms do something of their own, and what comes of it is joined.
Rule = Literal["makes", "passes", "mixes", "flattens", "joins"]

STATISTICS = frozenset({"mean", "var"})  # names of arrays that training moves, not gradients

# Of an array's axis: a size, the channels that enter the layer, or those that its filters make.
Axis: TypeAlias = int | Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Array:
    """An array of a layer's weights.

    `groups` > 1: filters in that many equal parts, each of which reads its part of the channels.
    """

    name: str
    axes: tuple[Axis, ...]
    groups: int = 1
    start: float | None = 0.0  # of each number; None: drawn, by how many a filter reads
    removed: float = 0.0  # where a pruned filter is put back as one that does nothing

    @property
    def trained(self) -> bool:
        """Whether gradients move it."""
        return self.name not in STATISTICS

    def sizes(self, entering: int, leaving: int) -> Shape:
        """The array's shape, when so many channels enter and leave its layer."""
        channels = {"in": entering // self.groups, "out": leaving}
        return tuple(axis if isinstance(axis, int) else channels[axis] for axis in self.axes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Placed):
    """What is known of every layer. A layer says what differs from here."""

    operators: ClassVar[tuple[Operator, ...]]  # what the language calls it
    channels: ClassVar[Rule]
    normalizes: ClassVar[bool] = False  # whoever has one of these in a file kept its norms
    activates: ClassVar[bool] = False  # bends the curve: what stands before it is not linear
    sums_channels: ClassVar[bool] = False  # zeros in the place of removed ones would count
    how: ClassVar[How] = "over"  # what its node in an exported file does for room
    vectors: ClassVar[bool] = True  # whether a vector of channels may enter, not only an image

    @property
    def parts(self) -> int:
        """In how many equal parts channels are told apart, from each of which as many must go."""
        return 1

    @property
    def scales(self) -> bool:
        """Whether it has a factor for each channel, by which filters can be judged."""
        return any(array.name == "scale" for array in self.arrays())

    def after(self, shape: Shape) -> Shape:
        """The shape that leaves when `shape` enters. Raises `ShapeError`."""
        return shape

    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates on one image of this shape; of convolutions and dense layers."""
        return 0

    def computed(self, shape: Shape) -> Self:
        """The layer in one spelling of what it computes; what only trains is left out."""
        return self

    def steps(self, x: Tensor, out: Steps) -> Tensor:
        """Add what the layer takes in an exported file to `out`: what it makes of `x`."""
        return out.step(self.how, x, shape=self.after(x.shape))

    def arrays(self) -> tuple[Array, ...]:
        """The layer's own weights, in order; a branch has none, its arms do."""
        return ()


class ShapeError(ValueError):
    """A layer that its input does not fit. `layer` is the innermost one at fault."""

    def __init__(self, layer: Page, message: str):
        self.layer = layer
        super().__init__(message)


def image_of(layer: Page, shape: Shape) -> tuple[int, int, int]:
    """Height, width and channels. Raises `ShapeError` for a vector."""
    if len(shape) != 3:
        name = type(layer).__name__
        raise ShapeError(layer, f"{name} expects height x width x channels, but a vector enters")
    height, width, channels = shape
    return height, width, channels


def bias_of(axis: Axis, bias: bool) -> tuple[Array, ...]:
    """The bias along this axis, where there is one."""
    return (Array("bias", (axis,)),) if bias else ()
