"""Who flies together: the blocks that are needed, cut by memory, and some that may be needed later.

The rule of looking ahead. A flight costs the teacher's passes, which all blocks aboard share, and
each block's own training. A block that will be needed with chance p costs

    aboard    own + what the teacher must run beyond what the flight makes it run anyway
    left out  p × (own + the teacher's passes of a flight of its own)

and it joins where the first is less. Where several blocks reach further into the network than the
flight does, they may join together though none would alone: they share the longer pass.

All passes are counted in seconds of the cost model. So with kept activations, where a later flight
finds nearly all that it needs, hardly a block joins; with augmentation, where every flight runs the
teacher anew, blocks that are likely do.

A block that is left out is taken to fly alone later, and needs are taken to be independent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from wootzc.backends.flax.activations import Boundaries, route
from wootzc.ir.cost import body_cost
from wootzc.ir.cost_model import TRAINING, CostModel, Work, seconds_of, step_work
from wootzc.ir.network import Module, module_positions, segment_shapes
from wootzc.ir.plan import Complete

TeacherSeconds: TypeAlias = Callable[[Boundaries], float]  # of a flight with these boundaries


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A block that flies, or may."""

    number: int  # of the block
    ends: Boundaries  # what it is fed, and what it learns
    seconds: float  # of its own training
    size: int  # bytes that it holds meanwhile
    chance: float = 1.0  # that it will be needed

    @property
    def reach(self) -> int:
        return max(self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """What the teacher must run for a flight. Boundary b is what enters segment b."""

    segments: tuple[Work, ...]  # one pass of each segment on a batch
    steps: int  # of a flight
    filling: int  # batches of all images that a flight sees
    held: Boundaries = frozenset()  # kept activations
    fitting: Boundaries = frozenset()  # would be kept from the first flight on that needs them

    def work(self, wanted: Boundaries) -> Work:
        """Keeping what is new and fits, then every step from what is held."""
        new = (wanted & self.fitting) - self.held
        total = self._run(route(new, self.held)).times(self.filling)
        return total.plus(self._run(route(wanted, self.held | new)).times(self.steps))

    def after(self, wanted: Boundaries) -> "Passes":
        """The passes of the flights after one with these boundaries."""
        return replace(self, held=self.held | (wanted & self.fitting))

    def _run(self, segments: Iterable[int]) -> Work:
        total = Work(0, 0)
        for segment in segments:
            total = total.plus(self.segments[segment])
        return total


def teacher_passes(plan: Complete, images: int) -> Passes:
    """The passes of a plan's teacher where nothing is kept. A flight sees `images` different ones.

    A plain segment counts its MACs alone, as in the cost model.
    """
    network, recipe = plan.space.network, plan.space.pretrain
    segments = tuple(
        step_work(body_cost(segment.body, shape).macs, isinstance(segment, Module), recipe.batch)
        for segment, shape in zip(network.segments, segment_shapes(network), strict=False)
    )
    return Passes(segments=segments, steps=max(recipe.steps, 1), filling=-(-images // recipe.batch))


def ends_of(plan: Complete, number: int) -> Boundaries:
    """The boundaries at which a block enters and leaves the teacher."""
    block, positions = plan.blocks[number], module_positions(plan.space.network)
    return frozenset({positions[block.start], positions[block.stop - 1] + 1})


def own_work(plan: Complete, number: int) -> Work:
    """Training a block's own modules."""
    recipe, block = plan.space.pretrain, plan.blocks[number]
    macs = plan.costs["macs"].variants.values[range(block.start, block.stop), block.rates]
    step = step_work(int(macs.sum()), len(block.rates), recipe.batch)
    return step.times(TRAINING * recipe.steps)


def own_seconds(plan: Complete, number: int, model: CostModel) -> float:
    return seconds_of(own_work(plan, number), model) + model.seconds_per_block


def flight_work(plan: Complete, numbers: Sequence[int], passes: Passes) -> Work:
    """Training these blocks side by side: their modules, and what the teacher ran for them."""
    total = passes.work(frozenset[int]().union(*(ends_of(plan, number) for number in numbers)))
    for number in numbers:
        total = total.plus(own_work(plan, number))
    return total


def cut(seats: Sequence[Seat], room: int) -> list[list[Seat]]:
    """Flights in order, each as large as `room` bytes hold; what is too large flies alone."""
    flights: list[list[Seat]] = []
    left = 0
    for seat in seats:
        if not flights or seat.size > left:
            flights.append([])
            left = room
        flights[-1].append(seat)
        left -= seat.size
    return flights


def joining(
    aboard: Sequence[Seat],
    likely: Sequence[Seat],  # in order of need
    now: TeacherSeconds,
    later: TeacherSeconds,  # of flights after this one
    room: int,  # bytes, for all
) -> list[Seat]:
    """Those of the likely blocks that had better fly along, in order of need.

    Exact where nothing is kept and room is no matter: for each reach that could be chosen, the best
    block of that reach is tried first, which pays for the longer pass, then all others in order.
    """
    base = frozenset[int]().union(*(seat.ends for seat in aboard))
    free = room - sum(seat.size for seat in aboard)
    seconds = cache(now)
    worth = {
        seat: seat.chance * (seat.seconds + later(seat.ends)) - seat.seconds for seat in likely
    }
    hopeful = [seat for seat in likely if worth[seat] > 0 and seat.size <= free]
    best: list[Seat] = []
    most = 0.0
    for first in (None, *_best_by_reach(hopeful, worth)):
        chosen = [first] if first else []
        ends = base | first.ends if first else base
        left = free - (first.size if first else 0)
        for seat in hopeful:
            longer = seconds(ends | seat.ends) - seconds(ends)
            if seat is not first and seat.size <= left and worth[seat] > longer:
                chosen.append(seat)
                ends |= seat.ends
                left -= seat.size
        gain = sum(worth[seat] for seat in chosen) - (seconds(ends) - seconds(base))
        if gain > most:
            best, most = chosen, gain
    return [seat for seat in likely if seat in best]


def _best_by_reach(seats: Iterable[Seat], worth: Mapping[Seat, float]) -> list[Seat]:
    best: dict[int, Seat] = {}
    for seat in seats:
        if seat.reach not in best or worth[seat] > worth[best[seat.reach]]:
            best[seat.reach] = seat
    return list(best.values())
