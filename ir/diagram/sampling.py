"""Stratified samples: as many candidates from each band of a cost."""

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.diagram.space_diagram import SpaceDiagram
from wootzc.ir.joining import Range
from wootzc.ir.net.metrics import CostName


def stratified(
    space: SpaceDiagram, metric: CostName, count: int, bands: int, rng: "np.random.Generator"
) -> NDArray[np.uint8]:  # [candidates, modules]
    """Distinct candidates, uniform within each of `bands` bands of equal width.

    The bands lie between the smallest and the largest candidate. What a band cannot give, the
    others do.
    """
    bounds = space.range(metric)
    parts = [space.within(metric, band_of(band, bounds, bands)) for band in range(bands)]
    room = [count if part.count is None else part.count for part in parts]
    while True:
        quotas = fill(count, room, rng)
        chosen = [part.sample(quota, rng) for part, quota in zip(parts, quotas, strict=True)]
        if all(len(rows) == quota for rows, quota in zip(chosen, quotas, strict=True)):
            return np.concatenate(chosen)
        room = [
            len(rows) if len(rows) < quota else most  # less was found than counting let hope for
            for rows, quota, most in zip(chosen, quotas, room, strict=True)
        ]


def band_of(band: int, bounds: Range, bands: int) -> Range:
    """The whole costs of one of `bands` bands of equal width; low > high where there is none."""
    low, high = bounds
    width = max(high - low, 1)
    first = low - (-band * width // bands)
    last = low - (-(band + 1) * width // bands) - 1
    return first, high if band == bands - 1 else last


def fill(quota_of_all: int, room: list[int], rng: "np.random.Generator") -> list[int]:
    """Spread a number over bands as evenly as their room allows."""
    taken = [0] * len(room)
    left = min(quota_of_all, sum(room))
    while left:
        free = [i for i, r in enumerate(room) if taken[i] < r]
        if left < len(free):
            free = rng.permutation(free)[:left].tolist()
        share = max(1, left // len(free))
        for i in free:
            taken[i] += min(share, room[i] - taken[i])
        left = min(quota_of_all, sum(room)) - sum(taken)
    return taken
