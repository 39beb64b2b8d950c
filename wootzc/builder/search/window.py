"""Candidates under way: chosen, but not counted as tried yet.

On one machine a search waits for all that it has begun before it chooses again, since what runs
side by side shares its devices. The workers of a cluster need not wait for each other: there the
next candidate is chosen when the first of those under way, in the order in which they were chosen,
is in. So candidate k + W is chosen by results 1 … k and by no others, whichever worker was faster:
a search by W workers is the same every time, and that by one worker is that of one machine.
"""

from concurrent.futures import Future
from dataclasses import dataclass

from wootzc.builder.jobs.store import Outcome
from wootzc.builder.search.tried import Forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """One of them; a search holds them in the order in which they were chosen."""

    candidate: int
    future: Future[Outcome]
    forecast: Forecast | None = None
    before: Outcome | None = None  # the run that is polished, with its weights; else None
