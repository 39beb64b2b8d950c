"""What a device must tell of candidates: measured before one is tried, in the place of what its
parts let expect; and, where the network is quantised, judged as that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from wootzc.builder.jobs.events import Noted
from wootzc.builder.jobs.int8 import InInt8
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.latency import Stopwatch
from wootzc.builder.jobs.store import Outcome
from wootzc.builder.jobs.targets import is_measured_here
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import CostLimit, cost_limits


@dataclass(kw_only=True)
class Measuring:
    jobs: Jobs
    known: dict[int, dict[str, int]] = field(default_factory=dict)  # by candidate

    def costs(self, candidate: int) -> dict[str, int]:
        """As measured, where they were."""
        return self.jobs.plan.costs.of(candidate) | self.known.get(candidate, {})

    def judged(self, candidate: int, outcome: Outcome) -> Mapping[str, Any]:
        """The result of a run that its limits are held against."""
        if not self.int8.wanted:
            return outcome.done.result
        network = prune_network(self.jobs.space.network, self.jobs.keys.rates(candidate))
        return self.int8.judged(network, outcome)

    @cached_property
    def int8(self) -> InInt8:
        return InInt8(self.jobs)

    def within(self, candidates: Sequence[int]) -> list[bool]:
        """Which of these are within the limits, now that they are measured."""
        space = self.jobs.space
        if space.measured is None or not self._is_here:
            return [True] * len(candidates)
        fresh = [one for one in candidates if one not in self.known]
        rows = [self.jobs.keys.rates(one) for one in fresh]
        found = self._stopwatch.nanoseconds(rows) if fresh else []
        self.known |= {
            one: {space.measured.metric: cost} for one, cost in zip(fresh, found, strict=True)
        }
        limits = [*cost_limits(space.objective)]
        limits += [limit for limit in space.constraints if isinstance(limit, CostLimit)]
        return [all(lm.holds(self.costs(one)[lm.metric]) for lm in limits) for one in candidates]

    @cached_property
    def _is_here(self) -> bool:
        """Whether the table was measured on what would measure candidates."""
        return is_measured_here(self.jobs.space)

    @cached_property
    def _stopwatch(self) -> Stopwatch:
        def tell(message: str) -> None:
            self.jobs.events.emit(Noted(message=message))

        return Stopwatch(space=self.jobs.space, store=self.jobs.store, tell=tell)
