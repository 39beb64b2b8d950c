"""A candidate that was tried, chosen by its number: `export --candidate 3`, `build --take 3`.

Its number is the place at which it was tried, from 1, as the build prints it. The store has its
weights, under the key that `result.json` names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wootzc.builder.jobs.pauses import trained_weights
from wootzc.builder.jobs.store import Store, Weights, is_store
from wootzc.builder.result.chance import plus_minus
from wootzc.builder.result.summary import Summary, TriedFigures
from wootzc.diagnostics import fail
from wootzc.ir.net.metrics import Metric
from wootzc.units import percent

LISTED = 24  # candidates that a message lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A candidate that was tried."""

    number: int
    tried: TriedFigures
    weights: Weights


def choose(folder: Path, summary: Summary, number: int, store: Path | str | None = None) -> Chosen:
    """Candidate `number` of the result in `folder`, with its weights out of the store.

    `store`: where it lies now, None for where `summary` says. Raises `WootzError` where nothing
    of that number was tried, or the store has lost it.
    """
    tried = summary.tried
    if not 1 <= number <= len(tried):
        raise fail(
            "WZ170",
            f"candidate {number} was not tried: those in {folder} are 1 to {len(tried)}",
            _listed(tried, summary.metric),
        )
    root = store or summary.store
    key = tried[number - 1].key
    done = Store(root).find(key) if is_store(root) else None
    if done is None or done.weights is None:
        raise fail(
            "WZ171",
            f"the store {root} has no weights of candidate {number} any more",
            "build again, which trains anew what the store lacks; or say where the store is now: "
            "--store DIR",
        )
    return Chosen(number=number, tried=tried[number - 1], weights=trained_weights(done.weights))


def _listed(tried: Sequence[TriedFigures], cost: Metric) -> str:
    shown = [
        f"{number}: {cost.short(one.costs[cost.name])}, "
        f"{percent(one.accuracy)}{plus_minus(one.error)}"
        + (", meets the objective" if one.met else "")
        for number, one in enumerate(tried[:LISTED], start=1)
    ]
    if len(tried) > LISTED:
        shown.append(f"… and {len(tried) - LISTED:,} more: result.json has them all")
    return "\n    ".join(["choose one of", *shown])
