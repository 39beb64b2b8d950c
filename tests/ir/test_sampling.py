"""Bands and quotas."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wootzc.ir.sampling import band_of, fill, strata


@given(st.integers(0, 1000), st.integers(0, 300), st.integers(1, 25))
def test_bands_are_what_strata_say(low: int, spread: int, bins: int) -> None:
    bounds = (low, low + spread)
    costs = np.arange(low, low + spread + 1)
    for cost, stratum in zip(costs.tolist(), strata(costs, bounds, bins).tolist(), strict=True):
        first, last = band_of(stratum, bounds, bins)
        assert first <= cost <= last
    lengths = [last - first + 1 for first, last in (band_of(s, bounds, bins) for s in range(bins))]
    assert sum(max(n, 0) for n in lengths) == len(costs)


@given(st.integers(0, 200), st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_quotas_are_as_even_as_the_room_allows(wanted: int, room: list[int]) -> None:
    taken = fill(wanted, room, np.random.default_rng(0))
    assert sum(taken) == min(wanted, sum(room))
    assert all(0 <= t <= r for t, r in zip(taken, room, strict=True))
    with_room_left = [t for t, r in zip(taken, room, strict=True) if t < r]
    if with_room_left:
        assert max(taken) - min(with_room_left) <= 1
