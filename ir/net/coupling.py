"""Which channels of a module must be pruned together.

Every layer that makes channels opens a group; layers that combine channels merge groups: the arms
of an add, the two arms of a scale. A layer's output is then a sequence of groups, one after the
other: one for a convolution, several after concat, one per pixel and group after flatten. Groups
that enter or leave the module are kept whole, so that any two modules fit together, but for those
whose fate is settled for the whole network (`Seam`); so are those that a local norm mixes with
their neighbours, and those that `keep` names.

Walked over all segments in a row, the same rules find the groups of the network (`trunk`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from math import lcm
from typing import TypeAlias, assert_never

from wootzc.ir.layers import Body, Branch, Layer, Shape, walk
from wootzc.ir.layers.shapes import shape_after_body
from wootzc.ir.net.network import Module, Network, Seam, segment_shapes
from wootzc.ir.net.rate import Side

Channels: TypeAlias = tuple[int, ...]  # group numbers, in channel order


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Channels that go together. `makers`: the paths of the layers whose filters they are.

    `partitions` > 1 where a grouped convolution needs as many channels left in each part.
    `multiple`: what is left is a multiple of it, or everything. `side`: which part of a rate it
    goes by.
    """

    width: int
    makers: tuple[str, ...]
    partitions: int = 1
    whole: bool = False  # never pruned
    multiple: int = 1
    side: Side = "inside"
    seam: int | None = None  # of what enters or leaves: the number among the network's groups
    place: int | None = None  # of what does neither: the number among these groups of the module

    @property
    def can_go(self) -> bool:
        """Whether a rate may remove some of them."""
        return not self.whole and self.width > self.partitions


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling:
    """The groups of a module, and which of them each layer's channels belong to."""

    groups: tuple[Group, ...]
    inputs: Mapping[str, Channels]  # by layer path: what enters
    outputs: Mapping[str, Channels]  # by layer path: what leaves


class _Builder:
    """Union-find over groups while walking a body."""

    def __init__(self, kept: Collection[str]) -> None:
        self.kept_paths = kept
        self.parent: list[int] = []
        self.width: list[int] = []
        self.makers: list[list[str]] = []
        self.partitions: list[int] = []
        self.whole: list[bool] = []
        self.inputs: dict[str, Channels] = {}
        self.outputs: dict[str, Channels] = {}

    def open(self, width: int, maker: str | None, partitions: int = 1) -> Channels:
        self.parent.append(len(self.parent))
        self.width.append(width)
        self.makers.append([maker] if maker else [])
        self.partitions.append(partitions)
        self.whole.append(False)
        return (self.parent[-1],)

    def find(self, group: int) -> int:
        while self.parent[group] != group:
            self.parent[group] = self.parent[self.parent[group]]
            group = self.parent[group]
        return group

    def keep(self, channels: Channels) -> None:
        for group in channels:
            self.whole[self.find(group)] = True

    def merge(self, one: int, other: int) -> None:
        one, other = self.find(one), self.find(other)
        if one == other:
            return
        self.parent[other] = one
        self.makers[one] += self.makers[other]
        self.partitions[one] = lcm(self.partitions[one], self.partitions[other])
        self.whole[one] |= self.whole[other]

    def join(self, one: Channels, other: Channels) -> Channels:
        """One sequence for two that must stay equal; where their cuts differ, all stay whole."""
        widths = [tuple(self.width[self.find(g)] for g in c) for c in (one, other)]
        if widths[0] == widths[1]:
            for a, b in zip(one, other, strict=True):
                self.merge(a, b)
        else:
            self.keep(one)
            self.keep(other)
        return one

    def body(self, body: Body, shape: Shape, channels: Channels, prefix: str) -> Channels:
        for index, layer in enumerate(body):
            path = f"{prefix}{index}"
            self.inputs[path] = channels
            channels = self.layer(layer, shape, channels, path)
            if path in self.kept_paths:
                self.keep(channels)
            self.outputs[path] = channels
            shape = layer.after(shape)
        return channels

    def layer(self, layer: Layer, shape: Shape, channels: Channels, path: str) -> Channels:
        if isinstance(layer, Branch):
            return self.branch(layer, shape, channels, path)
        if layer.parts > 1:
            self.partition(channels, layer.parts)
        match layer.channels:
            case "makes":
                return self.open(layer.after(shape)[-1], path, layer.parts)
            case "passes":
                return channels
            case "mixes":
                self.keep(channels)
                return channels
            case "flattens":
                return channels * (shape[0] * shape[1])
            case "joins":
                raise AssertionError("only branches join")
            case _:
                assert_never(layer.channels)

    def branch(self, branch: Branch, shape: Shape, channels: Channels, path: str) -> Channels:
        first, *others = (
            self.body(arm, shape, channels, f"{path}.{i}.") for i, arm in enumerate(branch.arms)
        )
        if branch.join == "concat":
            return sum(others, first)
        for other in others:
            self.join(first, other)
        return first

    def partition(self, channels: Channels, groups: int) -> None:
        """What enters a layer of several parts loses as many channels in each of them."""
        if len(channels) != 1:  # parts need not line up with the concatenated pieces
            self.keep(channels)
            return
        root = self.find(channels[0])
        self.partitions[root] = lcm(self.partitions[root], groups)

    def seams(self, seams: Sequence[Seam], opened: dict[int, int]) -> Channels:
        """Groups for channels between segments. `opened`: those that have one, by seam."""
        for seam in seams:
            if seam.group not in opened:
                (opened[seam.group],) = self.open(seam.width, None, seam.partitions)
                if seam.whole:
                    self.keep((opened[seam.group],))
        return tuple(opened[seam.group] for seam in seams)

    def coupling(self, order: Mapping[str, int]) -> Coupling:
        """What was found; makers in this order of paths."""
        roots = sorted({self.find(g) for g in range(len(self.parent))})
        number = {root: i for i, root in enumerate(roots)}
        known: dict[int, Channels] = {}  # by identity: flattened ones are long, and go far

        def renumber(channels: Channels) -> Channels:
            if id(channels) not in known:
                known[id(channels)] = tuple(number[self.find(g)] for g in channels)
            return known[id(channels)]

        return Coupling(
            groups=tuple(
                Group(
                    width=self.width[root],
                    makers=tuple(sorted(self.makers[root], key=order.__getitem__)),
                    partitions=self.partitions[root],
                    whole=self.whole[root],
                )
                for root in roots
            ),
            inputs={path: renumber(c) for path, c in self.inputs.items()},
            outputs={path: renumber(c) for path, c in self.outputs.items()},
        )


def couple_module(module: Module, shape: Shape) -> Coupling:
    """The channel groups of a module whose input has this shape. Raises `ShapeError`."""
    coupling = couple(
        module.body, shape, kept=module.kept, entering=module.entering, leaving=module.leaving
    )
    groups = tuple(
        replace(group, multiple=module.multiple)
        if group.side == "inside" and group.width >= module.multiple_from
        else group
        for group in coupling.groups
    )
    return replace(coupling, groups=groups)


@lru_cache(maxsize=256)
def couple(
    body: Body,
    shape: Shape,
    *,
    kept: tuple[str, ...] = (),
    entering: tuple[Seam, ...] = (),
    leaving: tuple[Seam, ...] = (),
) -> Coupling:
    """The channel groups of a body. `kept`: paths of layers whose channels stay.

    `entering`, `leaving`: what is known of the channels there; (): that they stay.
    """
    shape_after_body(body, shape)
    builder = _Builder(kept)
    seams: dict[int, int] = {}
    first = builder.seams(entering, seams) if entering else builder.open(shape[-1], None)
    if not entering:
        builder.keep(first)
    last = builder.body(body, shape, first, "")
    # What enters and stays is one group here, and may be several of the network's: whole in both.
    same = _alike([builder.width[builder.find(g)] for g in last], [s.width for s in leaving])
    builder.keep(tuple(group for place, group in enumerate(last) if place not in same))
    left = [leaving[place] for place in same.values()]
    for place, known in zip(same, builder.seams(left, seams), strict=True):
        builder.merge(known, last[place])
    coupling = builder.coupling({path: i for i, (path, _) in enumerate(walk(body))})
    at_ends = {*coupling.inputs.get("0", ()), *coupling.outputs.get(str(len(body) - 1), ())}
    inner = [number for number in range(len(coupling.groups)) if number not in at_ends]
    groups = [
        replace(group, place=inner.index(number) if number in inner else None)
        for number, group in enumerate(coupling.groups)
    ]
    if not entering and not leaving:
        return replace(coupling, groups=tuple(groups))
    after = coupling.outputs[str(len(body) - 1)]
    ends: tuple[tuple[Sequence[int], Sequence[Seam], Side], ...] = (
        ([after[place] for place in same], left, "leaving"),
        (coupling.inputs["0"], entering, "entering"),  # what does both goes by this rate
    )
    for channels, seams_there, side in ends:
        for number, seam in zip(channels, seams_there, strict=False):
            groups[number] = replace(
                groups[number], side=side, seam=seam.group, multiple=seam.multiple
            )
    return replace(coupling, groups=tuple(groups))


def _alike(one: Sequence[int], other: Sequence[int]) -> dict[int, int]:
    """Two ways to cut one sequence, as widths: which pieces of both are the same, by number."""
    ends = list(accumulate(other))
    places = {
        (end - width, end): at for at, (end, width) in enumerate(zip(ends, other, strict=True))
    }
    found = ((end - width, end) for end, width in zip(accumulate(one), one, strict=True))
    return {at: places[piece] for at, piece in enumerate(found) if piece in places}


def couple_network(network: Network) -> Coupling:
    """The channel groups of a whole network, by paths segment/layer.

    What enters and leaves a segment stands under its name.
    """
    shapes = segment_shapes(network)
    kept = {f"{m.name}/{path}" for m in network.modules for path in m.kept}
    builder = _Builder(kept)
    channels = builder.open(network.input[-1], None)
    builder.keep(channels)
    order: dict[str, int] = {}
    for segment, shape in zip(network.segments, shapes, strict=False):
        prefix = f"{segment.name}/"
        builder.inputs[segment.name] = channels
        channels = builder.body(segment.body, shape, channels, prefix)
        builder.outputs[segment.name] = channels
        order |= {
            f"{prefix}{path}": len(order) + i for i, (path, _) in enumerate(walk(segment.body))
        }
    builder.keep(channels)
    return builder.coupling(order)
