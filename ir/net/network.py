"""Networks: a chain of segments, each prunable (a module) or not (plain layers)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from wootzc.diagnostics import Placed
from wootzc.ir.layers import Body, Layer, walk_shapes
from wootzc.ir.layers.shapes import Shape, shape_after_body
from wootzc.ir.net.criteria import Criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class Seam:
    """Channels between two segments that go together, all along the network."""

    group: int  # which of the network's groups: equal numbers are one group (see `trunk`)
    width: int
    partitions: int = 1  # as many channels stay in each of so many equal parts
    multiple: int = 1  # what is left is a multiple of it, or everything
    whole: bool = False  # never pruned
    criterion: Criterion = "l1"  # which of them go first


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(Placed):
    """A convolution module: what a rate applies to. One input and one output.

    These are kept whole, but for channels that a `Seam` speaks of.
    """

    name: str
    body: Body
    kept: tuple[str, ...] = ()  # paths of layers whose output channels no rate removes
    multiple: int = 1  # filters left of each group: a multiple of this, or all of them
    multiple_from: int = 0  # narrower groups are left any number
    entering: tuple[Seam, ...] = ()  # the channels that enter, in order; (): all stay
    leaving: tuple[Seam, ...] = ()  # likewise
    outside: bool = False  # plain layers, which stand here for what enters or leaves them
    # The module it was made from in the source, "basic" say: where it comes from, not what it is.
    definition: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain(Placed):
    """Layers outside every module: never pruned. Named by the compiler: plain1, plain2, …"""

    name: str
    body: Body


Segment: TypeAlias = Module | Plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Auxiliary(Placed):
    """A second head that only training the teacher uses (Szegedy et al. 2015, §5).

    Its loss, times `weight`, joins the network's. It is no part of the network's costs, weights or
    exports. Its own weights are named name/path/parameter while they exist.
    """

    name: str  # aux1, aux2, …
    after: int  # it reads what leaves segment number `after`, from 0
    weight: float
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(Placed):
    """Segments in execution order. Weights are named segment/path/parameter: "a1/0.0.2/kernel"."""

    name: str
    input: Shape
    segments: tuple[Segment, ...]
    auxiliaries: tuple[Auxiliary, ...] = ()

    @property
    def modules(self) -> tuple[Module, ...]:
        return tuple(s for s in self.segments if isinstance(s, Module))


def segment_shapes(network: Network) -> list[Shape]:
    """The shape that enters every segment, and last the one that leaves the network."""
    shapes = [network.input]
    for segment in network.segments:
        shapes.append(shape_after_body(segment.body, shapes[-1]))
    return shapes


def module_shapes(network: Network) -> list[tuple[Module, Shape]]:
    """Every module, and the shape that enters it."""
    every = zip(network.segments, segment_shapes(network), strict=False)
    return [(segment, shape) for segment, shape in every if isinstance(segment, Module)]


def walk_network(network: Network) -> Iterator[tuple[str, Layer, Shape]]:
    """Every layer, in execution order: its path, segment/path; itself; the shape that enters.

    Auxiliary heads are no part of it. Raises `ShapeError`.
    """
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        for path, layer, entering in walk_shapes(segment.body, shape):
            yield f"{segment.name}/{path}", layer, entering


def head_shapes(network: Network) -> list[Shape]:
    """The shape that enters every auxiliary head."""
    shapes = segment_shapes(network)
    return [shapes[head.after + 1] for head in network.auxiliaries]


def module_positions(network: Network) -> list[int]:
    """Where in `segments` the modules are: position of module 0, of module 1, …"""
    return [i for i, s in enumerate(network.segments) if isinstance(s, Module)]
