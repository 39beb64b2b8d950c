"""Bands and quotas."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wootzc.ir.diagram.sampling import band_of, fill


@given(st.integers(0, 1000), st.integers(0, 300), st.integers(1, 25))
def test_bands_divide_the_costs_evenly(low: int, spread: int, count: int) -> None:
    bands = [band_of(band, (low, low + spread), count) for band in range(count)]
    costs = [cost for first, last in bands for cost in range(first, last + 1)]
    assert costs == list(range(low, low + spread + 1))
    widths = [last - first + 1 for first, last in bands[:-1]]
    assert max(widths, default=0) - min(widths, default=0) <= 1


@given(st.integers(0, 200), st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_quotas_are_as_even_as_the_room_allows(wanted: int, room: list[int]) -> None:
    taken = fill(wanted, room, np.random.default_rng(0))
    assert sum(taken) == min(wanted, sum(room))
    assert all(0 <= t <= r for t, r in zip(taken, room, strict=True))
    with_room_left = [t for t, r in zip(taken, room, strict=True) if t < r]
    if with_room_left:
        assert max(taken) - min(with_room_left) <= 1
