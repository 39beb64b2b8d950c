"""Which channels of a module must be pruned together.

Every layer that makes channels opens a group; layers that combine channels merge groups: the arms
of an add, the two arms of a scale. A layer's output is then a sequence of groups, one after the
other: one for a convolution, several after concat, one per pixel and group after flatten. Groups
that enter or leave the module are kept whole, so that any two modules fit together; so are those
that a local norm mixes with their neighbours, and those that `keep` names.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import gcd
from typing import TypeAlias, assert_never

from wootzc.ir.layers import Body, Branch, Layer, Shape, walk
from wootzc.ir.layers.shapes import shape_after_body
from wootzc.ir.net.network import Module

Channels: TypeAlias = tuple[int, ...]  # group numbers, in channel order


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Channels that go together. `makers`: the paths of the layers whose filters they are.

    `partitions` > 1 where a grouped convolution needs as many channels left in each part.
    `multiple`: what is left is a multiple of it, or everything.
    """

    width: int
    makers: tuple[str, ...]
    partitions: int = 1
    whole: bool = False  # never pruned
    multiple: int = 1


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
        p, q = self.partitions[one], self.partitions[other]
        self.partitions[one] = p * q // gcd(p, q)
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
        p = self.partitions[root]
        self.partitions[root] = p * groups // gcd(p, groups)


def couple_module(module: Module, shape: Shape) -> Coupling:
    """The channel groups of a module whose input has this shape. Raises `ShapeError`."""
    coupling = couple(module.body, shape, kept=module.kept)
    groups = tuple(
        replace(group, multiple=module.multiple if group.width >= module.multiple_from else 1)
        for group in coupling.groups
    )
    return replace(coupling, groups=groups)


def couple(body: Body, shape: Shape, *, kept: Collection[str] = ()) -> Coupling:
    """The channel groups of a body. `kept`: paths of layers whose channels stay."""
    shape_after_body(body, shape)
    builder = _Builder(kept)
    entering = builder.open(shape[-1], None)
    builder.keep(entering)
    builder.keep(builder.body(body, shape, entering, ""))

    roots = sorted({builder.find(g) for g in range(len(builder.parent))})
    number = {root: i for i, root in enumerate(roots)}
    order = {path: i for i, (path, _) in enumerate(walk(body))}

    known: dict[int, Channels] = {}  # by identity: flattened ones are long, and go far

    def renumber(channels: Channels) -> Channels:
        if id(channels) not in known:
            known[id(channels)] = tuple(number[builder.find(g)] for g in channels)
        return known[id(channels)]

    return Coupling(
        groups=tuple(
            Group(
                width=builder.width[root],
                makers=tuple(sorted(builder.makers[root], key=order.__getitem__)),
                partitions=builder.partitions[root],
                whole=builder.whole[root],
            )
            for root in roots
        ),
        inputs={path: renumber(c) for path, c in builder.inputs.items()},
        outputs={path: renumber(c) for path, c in builder.outputs.items()},
    )
