"""What the compiler knows of each layer and module, by the place in the file that makes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from wootzc.diagnostics import Span
from wootzc.ir.layers import Body, Branch
from wootzc.ir.layers.shapes import Shape, shape_after
from wootzc.ir.net.cost import Cost, layer_cost
from wootzc.ir.net.network import Module, Network


@dataclass(frozen=True, slots=True)
class Passage:
    """What enters a layer or a module, what leaves it, and what that costs."""

    entering: Shape
    leaving: Shape
    cost: Cost

    def then(self, after: "Passage") -> "Passage":
        """Through both, one after the other."""
        return Passage(self.entering, after.leaving, self.cost.plus(after.cost))


Places: TypeAlias = Mapping[Span, tuple[Passage, ...]]  # one for each module that is made there


def places_of(networks: Iterable[Network]) -> Places:
    """By place in the text what passes there: several where a module is used several times."""
    found: dict[Span, list[Passage]] = {}
    for network in networks:
        shape = network.input
        for segment in network.segments:
            here: dict[Span, Passage] = {}
            whole = _body(segment.body, shape, here)
            for span, passage in here.items():
                found.setdefault(span, []).append(passage)
            if isinstance(segment, Module):
                found.setdefault(segment.span, []).append(whole)
            shape = whole.leaving
    return {span: tuple(passages) for span, passages in found.items()}


def _body(body: Body, shape: Shape, here: dict[Span, Passage]) -> Passage:
    """The layers of a body; those that one place makes together count as one."""
    whole = Passage(shape, shape, Cost(0, 0))
    for layer in body:
        if isinstance(layer, Branch):
            for arm in layer.arms:
                _body(arm, shape, here)
        passage = Passage(shape, shape_after(layer, shape), layer_cost(layer, shape))
        before = here.get(layer.span)
        follows = before is not None and before.leaving == passage.entering
        here[layer.span] = before.then(passage) if before and follows else passage
        whole = whole.then(passage)
        shape = passage.leaving
    return whole
