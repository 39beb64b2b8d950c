"""Which layers of a chain make a module, told by what they are.

A module is a run of layers with channels inside of it that nothing outside of it sees. What a
person would mark, and what the papers do:

- A branch with convolutions is a module: a residual block with the activation behind it and, where
  it begins with them, the norm and activation in front; an Inception module; a layer of a DenseNet.
- Other layers are cut into units, one for each convolution or dense layer: with the depthwise
  convolution before it, and all else behind it. Units are put together until there is something to
  prune, and on as long as the image stays as large (the stages of a VGG); never across a linear
  bottleneck, a convolution that no activation follows (MobileNet-V2's inverted residuals), nor
  into the classifier behind flatten or global pooling. A branch all of whose channels leave it
  counts as a unit, and ends a module (SqueezeNet). More than four units are divided evenly.
- Outside stay: the first convolution, where it has a stride or where branches or bottlenecks
  follow; units that would add nothing to prune; pooling in front of a branch and behind it.
- Sums of convolutions have no channels of their own (RepVGG in training form, with a norm in each
  arm): there up to four groups of channels that overlap are a module.
- Dense layers behind flatten or pooling are a module where there are several. What leaves a module
  is whole, so class scores are never pruned. `ir.reaching` goes on from here.

Where that leaves no module at all, bottlenecks do not count, and at last nothing does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from wootzc.ir.graph.graph import Chain
from wootzc.ir.graph.reaching import together
from wootzc.ir.graph.runs import Run, makes_channels, prunable_groups
from wootzc.ir.layers import (
    Branch,
    Conv,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    Pool,
)  # fmt: skip
from wootzc.ir.layers.shapes import Shape

LARGEST = 4  # units of a module


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """Pieces from `start` to before `stop` that no module divides."""

    start: int
    stop: int
    makes: bool = False  # channels
    inner: int = 0  # groups of them that do not leave it
    branch: bool = False
    linear: bool = False  # no activation behind its convolution
    strided: bool = False  # its convolution is
    smaller: bool = False  # fewer pixels leave than enter
    head: bool = False  # begins with what makes a vector of an image


Apart = Callable[
    [_Unit, _Unit], bool
]  # whether no module may have both, the second behind the first


def found_runs(chain: Chain, shapes: Sequence[Shape]) -> list[Run]:
    """The runs of pieces that are modules. `shapes`: what enters each piece, and what leaves."""
    if _only_parallel(chain, shapes):
        return together(chain, shapes, LARGEST)
    units = list(_units(chain, shapes))
    blocks = any(unit.branch for unit in units)
    bottlenecks = any(unit.linear for unit in units)
    for apart, stem in (
        (_strictly, _stem(units, led=blocks or bottlenecks)),
        (_kinds, _stem(units, led=blocks)),
        (_nowhere, None),
    ):
        runs = [
            run
            for part in _parts([unit for unit in units if unit is not stem], apart)
            for run in _modules(part, chain, shapes)
        ]
        if runs:
            return runs
    return []


def _only_parallel(chain: Chain, shapes: Sequence[Shape]) -> bool:
    """Whether there are sums of what filters make, and none of them has channels of its own."""
    sums = [
        number
        for number, piece in enumerate(chain)
        if isinstance(piece.layer, Branch) and piece.layer.join == "add"
        if makes_channels(piece.layer)
    ]
    return bool(sums) and not any(prunable_groups(chain, shapes, (n, n + 1)) for n in sums)


def _stem(units: Sequence[_Unit], *, led: bool) -> _Unit | None:
    """The first unit that makes channels, where it stays outside. `led`: what follows says so."""
    first = next((unit for unit in units if unit.makes), None)
    if first is None or first.branch:
        return None
    return first if led or first.strided else None


def _strictly(before: _Unit, after: _Unit) -> bool:
    return before.linear or _kinds(before, after)


def _kinds(before: _Unit, after: _Unit) -> bool:
    blocks = any(unit.branch and unit.inner for unit in (before, after))
    return blocks or after.head or before.stop != after.start


def _nowhere(before: _Unit, after: _Unit) -> bool:
    return False


# Chain → units


def _units(chain: Chain, shapes: Sequence[Shape]) -> Iterator[_Unit]:
    """All pieces, in units. Those without a layer that makes channels are never in modules."""
    start = 0
    while start < len(chain):
        at = start
        while at < len(chain) and not makes_channels(chain[at].layer):
            if at > start and _is_head(chain[at].layer, shapes[at], shapes[at + 1]):
                break
            at += 1
        if at == len(chain) or not makes_channels(chain[at].layer):
            yield _Unit(start=start, stop=at, head=_begins_head(chain, shapes, start))
        elif isinstance(chain[at].layer, Branch):
            inner = prunable_groups(chain, shapes, (at, at + 1))
            begin = _preparation(chain, start, at) if inner else start
            if begin > start:
                yield _Unit(start=start, stop=begin, head=_begins_head(chain, shapes, start))
            at += 1
            if at < len(chain) and chain[at].layer.activates:
                at += 1
            yield _Unit(start=begin, stop=at, makes=True, branch=True, inner=inner)
        else:
            yield (unit := _plain_unit(chain, shapes, start, at))
            at = unit.stop
        start = at


def _preparation(chain: Chain, start: int, branch: int) -> int:
    """Where a branch begins with the norm and activation in front of it, if it has them."""
    begin = branch
    while begin > start and (chain[begin - 1].layer.scales or chain[begin - 1].layer.activates):
        begin -= 1
    return begin if begin < branch and chain[begin].layer.scales else branch


def _plain_unit(chain: Chain, shapes: Sequence[Shape], start: int, maker: int) -> _Unit:
    stop = maker + 1
    while stop < len(chain) and not _begins_unit(chain[stop].layer, shapes[stop], shapes[stop + 1]):
        stop += 1
    layers = [piece.layer for piece in chain[start:stop]]
    made = chain[maker].layer
    rest = [piece.layer for piece in chain[maker + 1 : stop]]
    return _Unit(
        start=start,
        stop=stop,
        makes=True,
        inner=prunable_groups(chain, shapes, (start, stop)),
        linear=isinstance(made, Conv)
        and stop < len(chain)
        and all(layer.scales or isinstance(layer, Dropout) for layer in rest),
        strided=isinstance(made, Conv) and made.stride != (1, 1),
        smaller=any(map(_is_strided, layers)),
        head=_begins_head(chain, shapes, start),
    )


def _begins_unit(layer: Layer, entering: Shape, leaving: Shape) -> bool:
    starts = makes_channels(layer) or isinstance(layer, DepthwiseConv)
    return starts or _is_head(layer, entering, leaving)


def _begins_head(chain: Chain, shapes: Sequence[Shape], at: int) -> bool:
    return _is_head(chain[at].layer, shapes[at], shapes[at + 1])


def _is_head(layer: Layer, entering: Shape, leaving: Shape) -> bool:
    """Whether a layer makes one vector of an image of more than one pixel."""
    if len(entering) != 3 or entering[:2] == (1, 1):
        return False
    if isinstance(layer, Pool):
        return layer.kind == "avg" and leaving[:2] == (1, 1)
    return isinstance(layer, Flatten | GlobalPool)


def _is_strided(layer: Layer) -> bool:
    return isinstance(layer, Conv | DepthwiseConv | Pool) and layer.stride != (1, 1)


# Units → modules


def _parts(units: Sequence[_Unit], apart: Apart) -> Iterator[list[_Unit]]:
    """Runs of units, cut between those that must be apart."""
    part = list(units[:1])
    for before, after in pairwise(units):
        if apart(before, after):
            yield part
            part = []
        part.append(after)
    if part:
        yield part


def _modules(part: Sequence[_Unit], chain: Chain, shapes: Sequence[Shape]) -> Iterator[Run]:
    """The modules of a part, each with something to prune."""
    # Whether what leaves a unit can be pruned when the next one is in the module too.
    linked = {
        a.start: prunable_groups(chain, shapes, (a.start, b.stop)) > a.inner + b.inner
        for a, b in pairwise(part)
    }
    found: list[list[_Unit]] = []
    waiting: list[_Unit] = []
    for unit in part:
        waiting.append(unit)
        if not (unit.smaller or unit.branch or unit is part[-1]):
            continue
        useful = _trimmed(waiting, linked)
        if useful:
            found.append(useful)
            waiting = []
        else:  # what leaves the last one may yet be pruned
            waiting = waiting[-1:]
    if waiting and found:
        last = found[-1][-1]
        if not last.branch and last.stop == waiting[0].start and linked[last.start]:
            found[-1] += waiting
    for units in found:
        for group in _divided(units):
            if useful := _trimmed(group, linked):
                start = useful[0].start
                while isinstance(chain[start].layer, Pool | Dropout):
                    start += 1
                yield start, useful[-1].stop


def _trimmed(units: Sequence[_Unit], linked: Mapping[int, bool]) -> list[_Unit]:
    """Units without those at the beginning that add nothing to prune; [] where none does."""
    for at, unit in enumerate(units):
        if unit.inner or (at + 1 < len(units) and linked[unit.start]):
            return list(units[at:])
    return []


def _divided(units: Sequence[_Unit]) -> list[Sequence[_Unit]]:
    """Parts of at most `LARGEST` units, as even as can be, the larger ones first."""
    count = -(-len(units) // LARGEST)
    ends = [-(-len(units) * i // count) for i in range(count + 1)]
    return [units[a:b] for a, b in pairwise(ends)]
