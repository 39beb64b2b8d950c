"""Splits: complete, disjoint, stratified, repeatable."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wootzc.backends.data.divide import apportion, divide


@given(
    counts=st.lists(st.integers(3, 60), min_size=2, max_size=8),
    validation=st.sampled_from([0.0, 0.15, 0.25, 0.4]),
    test=st.sampled_from([0.0, 0.15, 0.3]),
    share=st.sampled_from([None, 0.5, 0.9, 2.0]),
    seed=st.integers(0, 5),
)
def test_every_division(
    counts: list[int], validation: float, test: float, share: float | None, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    labels = np.random.default_rng(seed).permutation(labels)
    total = len(labels)
    limit = None if share is None else max(20 + len(counts), round(total * share))
    if total < 20:
        return  # too few to fill every part, which is an error of its own
    parts = divide(labels, validation=validation, test=test, limit=limit, seed=seed, where="a.npz")
    rows = np.concatenate([parts["train"], parts["validation"], parts["test"]])
    used = min(total, limit or total)
    assert len(rows) == len(np.unique(rows)) == used
    assert len(parts["validation"]) == round(used * validation)
    assert len(parts["test"]) == round(used * test)
    assert set(labels[parts["train"]]) == set(range(len(counts)))
    for part, fraction in ((parts["validation"], validation), (parts["test"], test)):
        here = np.bincount(labels[part], minlength=len(counts))
        kept = np.bincount(labels[rows], minlength=len(counts))
        # One kept back per class and two roundings: never further off than that.
        assert np.all(np.abs(here - kept * fraction) <= 3)


def test_the_seed_decides_and_nothing_else() -> None:
    labels = np.arange(90, dtype=np.int32) % 3

    def rows(seed: int) -> list[int]:
        parts = divide(labels, validation=0.2, test=0.2, limit=None, seed=seed, where="a")
        return [*parts["validation"].tolist(), *parts["test"].tolist()]

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)


def test_even_classes_stay_exactly_even() -> None:
    labels = np.arange(1000, dtype=np.int32) % 10
    parts = divide(labels, validation=0.15, test=0.15, limit=400, seed=0, where="a")
    for part, each in ((parts["train"], 28), (parts["validation"], 6), (parts["test"], 6)):
        assert np.bincount(labels[part]).tolist() == [each] * 10


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), st.integers(0, 300))
def test_apportioning_is_within_one_of_the_exact_share(weights: list[int], total: int) -> None:
    array = np.array(weights, np.intp)
    share = apportion(total, array)
    assert share.sum() == min(total, array.sum())
    assert np.all((share >= 0) & (share <= array))
    if 0 < total < array.sum():
        assert np.all(np.abs(share - array * total / array.sum()) < 1)
