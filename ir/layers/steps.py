"""What a layer becomes in an exported file, as far as room goes. Nothing is written.

What takes several nodes in ONNX takes several steps here, as `backends/onnx/layers.py` writes them;
numbers are float32, or of int8 in a quantised network.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Generic, Literal, NamedTuple, TypeAlias, TypeVar

from wootzc.ir.layers.sizes import Shape

NUMBER = 4  # bytes of a float32
Value = TypeVar("Value", bound=Hashable)  # what tells values apart: a name, a number

# What a step does for room: it takes new bytes; it writes over what it reads, where that is as
# large and nothing else needs it; or what it makes is only another view of what it reads first.
How: TypeAlias = Literal["new", "over", "view"]


class Step(NamedTuple, Generic[Value]):
    """What a step reads and makes."""

    reads: Sequence[Value]
    makes: Sequence[Value]
    how: How


class Tensor(NamedTuple):
    """What a step makes of one image."""

    name: int
    shape: Shape
    scattered: bool = False  # a flattened image, whose values stand channel by channel


@dataclass(slots=True)
class Steps:
    """Steps, as layers add them."""

    number: int = NUMBER  # bytes of one in activations
    steps: list[Step[int]] = field(default_factory=list)
    sizes: dict[int, int] = field(default_factory=dict)  # bytes of each tensor

    def entering(self, shape: Shape) -> Tensor:
        """The tensor that no step makes."""
        self.sizes[0] = self.number * prod(shape)
        return Tensor(0, shape)

    def step(self, how: How, *reads: Tensor, shape: Shape) -> Tensor:
        """Add one step; the tensor of this shape that it makes."""
        made = Tensor(len(self.sizes), shape, reads[0].scattered and how != "new")
        self.sizes[made.name] = self.number * prod(shape)
        self.steps.append(Step([one.name for one in reads], [made.name], how))
        return made

    def in_turn(self, x: Tensor, *how: How) -> Tensor:
        """Add steps of one shape, each of which reads the one before it."""
        for one in how:
            x = self.step(one, x, shape=x.shape)
        return x

    def in_order(self, x: Tensor) -> Tensor:
        """With its values pixel by pixel."""
        return self.in_turn(x, "view", "new", "view") if x.scattered else x
