"""How far pruning reaches: the parameters that no rate can remove, and why.

A parameter is out of reach where neither the channels that enter its layer nor those that leave it
can lose any: outside of all modules, or in one whose channels there enter or leave it, and these
are in no trunk that is cut.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from wootzc.ir.layers import Shape, walk_shapes
from wootzc.ir.net.cost import own_params
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import Module, Network, Segment, segment_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Trainable parameters of a network, by whether a rate can remove some of their layer's."""

    params: int  # all of them
    plain: int  # outside of all modules
    kept: int  # in modules that have no rate but 0
    whole: int  # in the others, in layers all of whose channels enter or leave the module
    largest: tuple[tuple[str, int], ...]  # layers out of reach, segment/path, the largest first

    @property
    def outside(self) -> float:
        """The share that is out of reach."""
        return (self.plain + self.kept + self.whole) / self.params if self.params else 0.0


def reach(network: Network, kept: Collection[int] = ()) -> Reach:
    """What rates reach of a network. `kept`: the numbers of modules that have none but 0."""
    numbers = {module.name: number for number, module in enumerate(network.modules)}
    params = plain = whole = kept_params = 0
    out: list[tuple[str, int]] = []
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        is_kept = numbers.get(segment.name) in kept
        for path, count, reached in _layers(segment, shape):
            params += count
            if isinstance(segment, Module) and reached and not is_kept:
                continue
            out.append((f"{segment.name}/{path}", count))
            if not isinstance(segment, Module):
                plain += count
            elif is_kept:
                kept_params += count
            else:
                whole += count
    largest = sorted((item for item in out if item[1]), key=lambda item: -item[1])
    return Reach(params=params, plain=plain, kept=kept_params, whole=whole, largest=tuple(largest))


def _layers(segment: Segment, shape: Shape) -> Iterator[tuple[str, int, bool]]:
    """Each layer's path, its trainable parameters, and whether some of its channels can go."""
    coupling = couple_module(segment, shape) if isinstance(segment, Module) else None
    for path, layer, entering in walk_shapes(segment.body, shape):
        around = {*coupling.inputs[path], *coupling.outputs[path]} if coupling else ()
        loses = coupling is not None and any(coupling.groups[number].can_go for number in around)
        yield path, own_params(layer, entering), loses
