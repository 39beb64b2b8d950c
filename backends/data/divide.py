"""Which images train, which choose, which judge: decided on labels alone."""

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data.formats import Labels, PartName
from wootzc.backends.data.images import Rows
from wootzc.diagnostics import fail


def divide(
    labels: Labels,  # [n], every class 0..k-1 occurs
    *,
    validation: float,  # fraction of what `limit` leaves
    test: float,  # likewise
    limit: int | None,
    seed: int,
    where: str,  # the data's name, for messages
) -> dict[PartName, Rows]:
    """Split every class in the same proportions. Each class keeps an image for training.

    Row numbers, ascending in each part; no row is in two of them.
    """
    counts = np.bincount(labels)
    _check(len(counts), validation, test, limit, where)
    order = _shuffled_by_class(labels, seed)
    kept = counts
    if limit is not None:  # one image of each class first, then by share
        kept = 1 + apportion(limit - len(counts), counts - 1)
    total = int(kept.sum())
    wanted = [round(total * validation), round(total * test)]
    held = apportion(sum(wanted), kept - 1)
    into_validation = apportion(wanted[0], held)

    starts = np.cumsum(counts) - counts
    of_class = [order[start : start + keep] for start, keep in zip(starts, kept, strict=True)]
    cuts = np.stack([into_validation, held], axis=1)
    pieces = [np.split(rows, cut) for rows, cut in zip(of_class, cuts, strict=True)]
    chosen, judged, trained = (np.sort(np.concatenate(rows)) for rows in zip(*pieces, strict=True))
    for name, fraction, rows in (("validation", validation, chosen), ("test", test, judged)):
        if fraction > 0 and not len(rows):
            raise fail(
                "WZ115",
                f"{where}: {total:,} images of {len(counts)} classes leave none for {name} "
                f"at a fraction of {fraction:g}",
                f"use more images, or a larger {name} fraction",
            )
    return {"train": trained, "validation": chosen, "test": judged}


def apportion(
    total: int,
    weights: NDArray[np.intp],  # [k], each also the most that its place can take
) -> NDArray[np.intp]:  # [k], sums to `total`, or to all there is
    """Share out `total` in proportion to `weights`, by largest remainder."""
    whole = int(weights.sum())
    if total >= whole:
        return weights.copy()
    # In integers: a float would round differently on another machine.
    share, rest = np.divmod(weights.astype(np.int64) * total, whole)
    first = np.argsort(-rest, kind="stable")[: total - int(share.sum())]
    share[first] += 1
    return share.astype(np.intp)


def _shuffled_by_class(labels: Labels, seed: int) -> Rows:
    """All rows, class by class, in random order inside each."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    return shuffled[np.argsort(labels[shuffled], kind="stable")]


def _check(classes: int, validation: float, test: float, limit: int | None, where: str) -> None:
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise fail(
            "WZ115",
            f"{where}: validation {validation:g} and test {test:g} must be fractions that leave "
            "something to train on (together below 1)",
        )
    if limit is not None and limit < classes:
        raise fail(
            "WZ115",
            f"{where}: a limit of {limit} images cannot cover {classes} classes",
            f"raise the limit to {classes} at the very least",
        )
