"""Who flies together: the blocks that are needed, cut by memory; and what that runs of the teacher.

A cohort costs the teacher's passes, which all blocks aboard share, and each block's own training.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wootzc.backends.flax.train.boundary_activations import Boundaries, route
from wootzc.ir.net.cost import body_cost
from wootzc.ir.net.network import Module, module_positions, segment_shapes
from wootzc.ir.plan import Complete
from wootzc.ir.plan.cost_model import TRAINING, Work, step_work


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


def cohort_work(plan: Complete, numbers: Sequence[int], passes: Passes) -> Work:
    """Training these blocks side by side: their modules, and what the teacher ran for them."""
    total = passes.work(frozenset[int]().union(*(ends_of(plan, number) for number in numbers)))
    for number in numbers:
        total = total.plus(own_work(plan, number))
    return total


def cut(sizes: Mapping[int, int], room: int) -> list[list[int]]:
    """Blocks in order, cut into cohorts as large as `room` bytes hold; too large ones fly alone.

    `sizes`: bytes that each block holds meanwhile.
    """
    cohorts: list[list[int]] = []
    left = 0
    for number, size in sizes.items():
        if not cohorts or size > left:
            cohorts.append([])
            left = room
        cohorts[-1].append(number)
        left -= size
    return cohorts
