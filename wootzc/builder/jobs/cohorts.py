"""Who flies together: the blocks that are needed, cut by memory, and some that may be needed later.

The rule of looking ahead. A cohort costs the teacher's passes, which all blocks aboard share, and
each block's own training. A block that will be needed with chance p costs

    aboard    own + what the teacher must run beyond what the cohort makes it run anyway
    left out  p × (own + the teacher's passes of a cohort of its own)

and it joins where the first is less. Where several blocks reach further into the network than the
cohort does, they may join together though none would alone: they share the longer pass.

All passes are counted in seconds of the cost model. So with kept activations, where a later cohort
finds nearly all that it needs, hardly a block joins; with augmentation, where every cohort runs the
teacher anew, blocks that are likely do.

A block that is left out is taken to fly alone later, and needs are taken to be independent.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from wootzc.backends.flax.train.boundary_activations import Boundaries, route
from wootzc.ir.net.cost import body_cost
from wootzc.ir.net.network import Module, module_positions, segment_shapes
from wootzc.ir.plan import Complete
from wootzc.ir.plan.cost_model import TRAINING, CostModel, Work, seconds_of, step_work

TeacherSeconds: TypeAlias = Callable[[Boundaries], float]  # of a cohort with these boundaries


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
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
    """What the teacher must run for a cohort. Boundary b is what enters segment b."""

    segments: tuple[Work, ...]  # one pass of each segment on a batch
    steps: int  # of a cohort
    filling: int  # batches of all images that a cohort sees
    held: Boundaries = frozenset()  # kept activations
    fitting: Boundaries = frozenset()  # would be kept from the first cohort on that needs them

    def work(self, wanted: Boundaries) -> Work:
        """Keeping what is new and fits, then every step from what is held."""
        new = (wanted & self.fitting) - self.held
        total = self._run(route(new, self.held)).times(self.filling)
        return total.plus(self._run(route(wanted, self.held | new)).times(self.steps))

    def after(self, wanted: Boundaries) -> "Passes":
        """The passes of the cohorts after one with these boundaries."""
        return replace(self, held=self.held | (wanted & self.fitting))

    def _run(self, segments: Iterable[int]) -> Work:
        total = Work(0, 0)
        for segment in segments:
            total = total.plus(self.segments[segment])
        return total


def teacher_passes(plan: Complete, images: int) -> Passes:
    """The passes of a plan's teacher where nothing is kept. A cohort sees `images` different ones.

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
    """What training a block costs by itself, whoever trains beside it."""
    return seconds_of(own_work(plan, number), model) + model.seconds_per_block


def cohort_work(plan: Complete, numbers: Sequence[int], passes: Passes) -> Work:
    """Training these blocks side by side: their modules, and what the teacher ran for them."""
    total = passes.work(frozenset[int]().union(*(ends_of(plan, number) for number in numbers)))
    for number in numbers:
        total = total.plus(own_work(plan, number))
    return total


def cut(members: Sequence[Member], room: int) -> list[list[Member]]:
    """Cohorts in order, each as large as `room` bytes hold; what is too large flies alone."""
    cohorts: list[list[Member]] = []
    left = 0
    for member in members:
        if not cohorts or member.size > left:
            cohorts.append([])
            left = room
        cohorts[-1].append(member)
        left -= member.size
    return cohorts


def joining(
    aboard: Sequence[Member],
    likely: Sequence[Member],  # in order of need
    now: TeacherSeconds,
    later: TeacherSeconds,  # of cohorts after this one
    room: int,  # bytes, for all
) -> list[Member]:
    """Those of the likely blocks that had better fly along, in order of need.

    Exact where nothing is kept and room is no matter: for each reach that could be chosen, the best
    block of that reach is tried first, which pays for the longer pass, then all others in order.
    """
    base = frozenset[int]().union(*(member.ends for member in aboard))
    free = room - sum(member.size for member in aboard)
    seconds = cache(now)
    worth = {
        member: member.chance * (member.seconds + later(member.ends)) - member.seconds
        for member in likely
    }
    hopeful = [member for member in likely if worth[member] > 0 and member.size <= free]
    best: list[Member] = []
    most = 0.0
    for first in (None, *_best_by_reach(hopeful, worth)):
        chosen = [first] if first else []
        ends = base | first.ends if first else base
        left = free - (first.size if first else 0)
        for member in hopeful:
            longer = seconds(ends | member.ends) - seconds(ends)
            if member is not first and member.size <= left and worth[member] > longer:
                chosen.append(member)
                ends |= member.ends
                left -= member.size
        gain = sum(worth[member] for member in chosen) - (seconds(ends) - seconds(base))
        if gain > most:
            best, most = chosen, gain
    return [member for member in likely if member in best]


def _best_by_reach(members: Iterable[Member], worth: Mapping[Member, float]) -> list[Member]:
    best: dict[int, Member] = {}
    for member in members:
        if member.reach not in best or worth[member] > worth[best[member.reach]]:
            best[member.reach] = member
    return list(best.values())
