"""How accurate candidates will be: learned from those that were assembled, tuned and polished.

Every variant gets a score, the damage it does to the teacher by itself; a candidate's damage is the
sum of its variants'. From damage `ir/propose/predict.py` tells how accurate a candidate will be as
it is assembled, from there `jobs/pauses.py` how accurate when it was fine-tuned. Candidates that
leave modules out or narrow trunks recover otherwise from the same damage than those with rates of
modules alone: so a try says nothing of the other kind, once there is one of that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wootzc.builder.jobs.pauses import POLISHED, TUNED, Outlook, Stage, outlook, unpolished
from wootzc.builder.search.search import Search
from wootzc.builder.search.tried import Tried
from wootzc.ir.net.rate import cuts_ends
from wootzc.ir.net.skip import is_skipped
from wootzc.ir.propose.predict import Belief, believed, prior
from wootzc.ir.space import Space

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

COMPLETE = ("steps", "patience")  # what ends a fine-tuning that may be polished


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """What a search expects of its candidates, by what it has seen so far."""

    search: Search
    damage: Floats  # [candidates] nats
    start: Belief  # before any candidate is assembled
    beyond: Mask  # [candidates] whether they leave modules out or narrow trunks

    @classmethod
    def of(cls, search: Search) -> "Forecasts":
        damage, dataset = _damages(search), search.jobs.dataset
        start = prior(
            damage[search.order],
            search.trials.reference,
            images=len(dataset.validation),
            chance=1 / len(dataset.classes),
        )
        rows = search.jobs.plan.candidates.values
        beyond = is_beyond_modules(search.space)[rows].any(axis=1)
        return cls(search=search, damage=damage, start=start, beyond=beyond)

    def outlooks(self, candidates: Ints) -> Iterator[tuple[Mask, Outlook]]:
        """Where these are expected to end, in groups of a kind that have as many steps left.

        Polished, where that may make them hold and a budget leaves the time.
        """
        damage = self.damage[candidates]
        for beyond in (False, True):
            own = self.beyond[candidates] == beyond
            tried = [one for one in self.search.tried if self.beyond[one.candidate] == beyond]
            belief = believed(self.start, self._assembled(beyond))
            expected = belief.expected(damage), belief.error(damage)
            yield from self._of_a_kind(candidates, own, *expected, tried)

    def _assembled(self, beyond: bool) -> Sequence[tuple[float, float]]:
        """Damage and accuracy before any step, of those of a kind; of all before there is one."""
        runs = self.search.looked_at | self.search.trials.outcomes
        kind = [c for c in runs if self.beyond[c] == beyond] or runs
        starts = {c: float(runs[c].done.result["start_accuracy"]) for c in kind}
        return [(float(self.damage[c]), start) for c, start in starts.items()]

    def _of_a_kind(
        self, candidates: Ints, own: Mask, accuracy: Floats, error: Floats, tried: list[Tried]
    ) -> Iterator[tuple[Mask, Outlook]]:
        search = self.search
        last, images = search.space.finetune.steps, len(search.jobs.dataset.validation)
        results = {
            one.candidate: search.trials.outcomes[one.candidate].done.result for one in tried
        }
        over = [one for one in tried if one.reason == "polished"]
        whole = [r for one in over if (r := results[one.candidate])["begun"] == last]
        tuned = [results[one.candidate] for one in tried if one.reason in (*COMPLETE, "target")]
        tuned += [unpolished(result) for result in whole]
        polish = Stage(believed=POLISHED, runs=whole, since=last)
        stands = np.zeros(len(candidates), dtype=np.int64)  # after so many steps
        for one in tried:
            here = candidates == one.candidate
            accuracy[here], error[here] = float(results[one.candidate]["accuracy"]), 0.0
            stands[here] = last if one.reason in COMPLETE else one.steps
        for candidate, run in search.looked_at.items():
            here = (candidates == candidate) & (stands == 0)
            accuracy[here], error[here] = run.done.result["start_accuracy"], 0.0
        for step in np.unique(stands[own]).tolist():
            here = own & (stands == step)
            stages = [Stage(believed=TUNED, runs=tuned, since=step)] if step < last else []
            if step == last or polishes(search, last - step):
                stages.append(polish)
            reference = search.trials.reference
            yield here, outlook(accuracy[here], error[here], stages, reference, images)


def polishes(search: Search, left: int) -> bool:
    """A run with so many steps left that misses the objective would be polished after them."""
    another = search.space.finetune.steps
    return not search.space.objective.maximizes and search.has_time_to_polish(left + another)


def is_beyond_modules(space: Space) -> Mask:  # [rates]
    """Whether a rate leaves a module out, or narrows a trunk."""
    return np.array([cuts_ends(rate) or is_skipped(rate) for rate in space.rates])


def _damages(search: Search) -> Floats:
    """The damage of every candidate: [candidates] nats."""
    rows = search.jobs.plan.candidates.values
    with search.jobs.events.stage("scores"):
        scores = search.jobs.variants.scores(
            search.teacher.weights, [np.unique(column).tolist() for column in rows.T]
        )
    search.damage = scores.by_name(search.space.network)
    found = np.zeros(len(rows))
    for module, column in enumerate(rows.T):
        found += scores.table[module][column]
    return found
