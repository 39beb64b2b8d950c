"""One class for all segments of a network that are the same."""

from dataclasses import dataclass, field

from wootzc.backends.python_text import class_name
from wootzc.backends.torch.layers import Written, written
from wootzc.backends.torch.names import TAKEN_CLASSES, attributes
from wootzc.backends.weights.channels_first import Order
from wootzc.ir.layers import Body
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Module, Network, segment_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClass:
    name: str
    shape: Shape  # that enters
    body: Written
    segments: list[str] = field(default_factory=list)  # that are of this class


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """A network, written down. Segments by name, in order of execution."""

    of: dict[str, SegmentClass]
    attributes: dict[str, str]  # segment → attribute of the network
    order: Order  # of what leaves the network

    def distinct(self) -> list[SegmentClass]:
        return list({made.name: made for made in self.of.values()}.values())


def classes_of(network: Network) -> Classes:
    """One class for segments of equal body, shape and order of numbers, under free names."""
    known: dict[tuple[Body, Shape, Order], SegmentClass] = {}
    of: dict[str, SegmentClass] = {}
    order: Order = None
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        key = segment.body, shape, order
        if key not in known:
            definition = segment.definition if isinstance(segment, Module) else ""
            taken = {*TAKEN_CLASSES, *(one.name for one in known.values())}
            name = class_name(definition or segment.name, taken)
            body = written(segment.body, shape, order)
            known[key] = SegmentClass(name=name, shape=shape, body=body)
        known[key].segments.append(segment.name)
        of[segment.name] = known[key]
        order = known[key].body.order
    return Classes(of=of, attributes=attributes(of), order=order)
