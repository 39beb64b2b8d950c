"""Modules that reach further: into the layers that `ir.structure` left outside of all.

What leaves a module is whole, so the layer that reads it decides what of a module's last channels
can go. Half of the parameters of a MobileNet-V2 lie behind its last block, in the convolution and
the classifier that read each other's channels and nothing else.
"""

from collections.abc import Iterator, Sequence

from wootzc.ir.graph.graph import Chain
from wootzc.ir.graph.runs import Run, coupling_of, makes_channels
from wootzc.ir.layers import Dropout, Pool
from wootzc.ir.layers.shapes import Shape


def extended(runs: Sequence[Run], chain: Chain, shapes: Sequence[Shape]) -> list[Run]:
    """Modules that go on to the layer that reads them, where most of what it reads can then go.

    Before: module a { conv 8; conv 16 }; global_pool; dense 4
    After:  module a { conv 8; conv 16; global_pool; dense 4 }
    """
    found = []
    for number, (start, stop) in enumerate(runs):
        limit = runs[number + 1][0] if number + 1 < len(runs) else len(chain)
        while reader := next(_makers(chain, stop, limit), None):
            longer = start, _unit_end(chain, reader, limit)
            if not _loses_most(chain, shapes, longer, reader):
                break
            stop = longer[1]
        found.append((start, stop))
    return found


def between(runs: Sequence[Run], chain: Chain, shapes: Sequence[Shape]) -> list[Run]:
    """Modules of their own in what lies behind others: channels with all that make and read them.

    Before: module a { … }; conv 32; global_pool; dense 4
    After:  module a { … }; module b { conv 32; global_pool; dense 4 }
    """
    found = []
    for number, (_, stop) in enumerate(runs):
        limit = runs[number + 1][0] if number + 1 < len(runs) else len(chain)
        free = stop
        for first, last in sorted(_spans(chain, shapes, (stop, limit)), key=lambda run: run[::-1]):
            if first >= free:
                free = _unit_end(chain, last, limit)
                found.append((first, free))
    return found


def together(chain: Chain, shapes: Sequence[Shape], most: int) -> list[Run]:
    """Modules of up to so many groups of channels that overlap: what makes one reads another.

    Before: add { conv 8 | conv 8 }; add { conv 8 | conv 8 | }; add { conv 16 | conv 16 }; …
    After:  module a { add { conv 8 | conv 8 }; add { conv 8 | conv 8 | }; add { conv 16 | … } }; …

    A group that begins in one module and ends in another stays whole.
    """
    found: list[Run] = []
    start = stop = groups = 0
    whole = 0, len(chain)
    for first, last in sorted(_spans(chain, shapes, whole), key=lambda run: run[::-1]):
        if first >= stop:
            start, groups = first, 0
        elif groups == most or first < start:
            continue
        else:
            found.pop()
        stop = _unit_end(chain, last, len(chain))
        groups += 1
        found.append((start, stop))
    return found


def _spans(chain: Chain, shapes: Sequence[Shape], run: Run) -> Iterator[Run]:
    """For each group of channels that can go: the first and the last piece that they pass."""
    start = run[0]
    coupling = coupling_of(chain, shapes, run)
    passed: dict[int, list[int]] = {}
    for channels in (coupling.inputs, coupling.outputs):
        for path, groups in channels.items():
            for number in groups:
                passed.setdefault(number, []).append(start + int(path.partition(".")[0]))
    for number, group in enumerate(coupling.groups):
        if group.can_go:
            first, last = min(passed[number]), max(passed[number])
            if any(makes_channels(chain[n].layer) for n in range(first + 1, last + 1)):
                yield first, last


def _loses_most(chain: Chain, shapes: Sequence[Shape], run: Run, reader: int) -> bool:
    """Whether half of the channels that enter a piece can go, were this run a module."""
    coupling = coupling_of(chain, shapes, run)
    entering = [coupling.groups[number] for number in coupling.inputs[str(reader - run[0])]]
    total = sum(group.width for group in entering)
    return 2 * sum(group.width for group in entering if not group.whole) >= total


def _makers(chain: Chain, start: int, stop: int) -> Iterator[int]:
    return (n for n in range(start, stop) if makes_channels(chain[n].layer))


def _unit_end(chain: Chain, maker: int, limit: int) -> int:
    """Where what follows a piece ends: in front of the next that makes channels, or at the limit.

    Pools in front of the next one are its own.
    """
    end = next(_makers(chain, maker + 1, limit), limit)
    while end < len(chain) and isinstance(chain[end - 1].layer, Pool | Dropout):
        end -= 1
    return end
