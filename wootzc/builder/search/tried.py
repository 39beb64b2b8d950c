"""What a search leaves: the candidates that it tried, the blocks that it used, what it found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from wootzc.builder.jobs.store import Weights
from wootzc.builder.search.judging import Verdict
from wootzc.ir.net.rate import Rate

# met: the first in the order that meets the objective. all: nothing is left to try. ruled out: what
# is left would hardly be better. certified: nor all of it together. budget: it was spent.
# interrupted: by the user, who gets the best so far.
Ended = Literal["met", "all", "ruled out", "certified", "budget", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What was expected of a candidate before it was fine-tuned."""

    accuracy: float  # fraction, on validation data
    chance: float  # of being better than the best known then


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One candidate that was fine-tuned. Accuracies are fractions, on validation data."""

    candidate: int  # row of plan.candidates
    rates: tuple[Rate, ...]  # one per module
    costs: Mapping[str, int]  # by metric
    start_accuracy: float  # assembled, before fine-tuning
    accuracy: float
    steps: int  # of fine-tuning
    seconds: float  # of fine-tuning, when it ran
    reason: str  # where it stands: paused, steps, target, patience, diverged, polished
    met: bool  # accuracy is within the objective
    blocks: tuple[int, ...]
    reused: bool  # found in the store
    key: str  # of the job that made it: the store has its weights
    forecast: Forecast | None = None  # of `explore predicted`


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockUse:
    """One tuning block that the search asked for."""

    block: int
    name: str
    steps: int
    seconds: float
    loss_first: float | None  # None where nothing was trained, only solved
    loss_last: float | None
    uses: int  # candidates tried that were assembled from it
    reused: bool  # found in the store


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A candidate that was neither tried nor ruled out when the search ended."""

    candidate: int
    rates: tuple[Rate, ...]
    costs: Mapping[str, int]  # by metric
    forecast: Forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a predicted search did not try."""

    ruled_out: int  # candidates that would be better if they held, but hardly do
    open: int  # candidates that may well be better
    likeliest: tuple[Open, ...]  # of those the first few
    chance: float  # that any untried candidate is better: at most this, by the predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What the search saw. `best` is the winner or, if none met the objective, the closest."""

    tried: tuple[Tried, ...]
    blocks: tuple[BlockUse, ...]
    best: Tried
    best_key: str  # of the job that made it
    weights: Weights  # of the best
    target: float | None  # the accuracy asked for
    verdict: Verdict  # of the best
    among: int  # candidates that it was judged beside, itself included
    within: int  # candidates within the limits of cost, by what was measured
    ended: Ended
    left: Left | None = None  # of `explore predicted`
    damage: Mapping[str, Mapping[Rate, float]] | None = None  # by module and rate, in nats
