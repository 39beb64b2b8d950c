"""Pools against loops over single windows, local norms against loops over single channels."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wootzc.backends.flax.net.layer_functions import local_norm, pool
from wootzc.ir.layers import LocalNorm, Padding, Pool
from wootzc.ir.layers.shapes import ShapeError, shape_after

Array = NDArray[Any]


def images(*shape: int) -> Array:
    """Mostly below zero: a zero of the padding would win, and pull averages up."""
    return np.random.default_rng(1).normal(size=shape).astype(np.float32) - 1


def run(layer: Pool | LocalNorm, x: Array) -> Array:
    given = jnp.asarray(x)
    return np.asarray(pool(layer, given) if isinstance(layer, Pool) else local_norm(layer, given))


def starts(size: int, window: int, stride: int, padding: tuple[int, int], ceil: bool) -> list[int]:
    """Where windows begin along an axis; the image begins at 0.

    A window that reaches over the end is there with `ceil` alone, if it does so by less than a
    stride, and begins inside of the image.
    """
    found: list[int] = []
    start = -padding[0]
    while True:
        beyond = start + window - size - padding[1]
        if beyond > 0 and not (ceil and beyond < stride and start < size):
            return found
        found.append(start)
        start += stride


def pooled(layer: Pool, x: Array) -> Array:
    """One window after the other, and nothing of the code under test."""
    batch, height, width, channels = x.shape
    pads = ((0, 0), (0, 0)) if isinstance(layer.padding, str) else layer.padding
    rows, columns = (
        starts(x.shape[1 + axis], layer.size[axis], layer.stride[axis], pads[axis], layer.ceil)
        for axis in (0, 1)
    )
    out = np.empty((batch, len(rows), len(columns), channels))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            bottom, right = top + layer.size[0], left + layer.size[1]
            real = x[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)].reshape(
                batch, -1, channels
            )
            counted = min(bottom, height + pads[0][1]) - top, min(right, width + pads[1][1]) - left
            divisor = counted[0] * counted[1] if layer.count_padding else real.shape[1]
            out[:, i, j] = real.max(axis=1) if layer.kind == "max" else real.sum(axis=1) / divisor
    return out


sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
windows = st.tuples(st.integers(1, 4), st.integers(1, 4))
explicit = st.tuples(st.tuples(*[st.integers(0, 3)] * 2), st.tuples(*[st.integers(0, 3)] * 2))
pools = st.builds(
    Pool,
    kind=st.sampled_from(["max", "avg"]),
    size=windows,
    stride=windows,
    padding=st.one_of(st.just("valid"), explicit),
    ceil=st.booleans(),
    count_padding=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(layer=pools, size=sizes)
def test_pools_are_loops_over_windows(layer: Pool, size: tuple[int, int]) -> None:
    x = images(2, *size, 3)
    try:
        after = shape_after(layer, x.shape[1:])
    except ShapeError:
        assume(False)
    expected = pooled(layer, x)
    assert expected.shape[1:] == after
    np.testing.assert_allclose(run(layer, x), expected, rtol=1e-5, atol=1e-6)


# (pixels, window, stride, padding) → windows with ceil: figures that PyTorch 2.13 gives.
@pytest.mark.parametrize(
    ("size", "window", "stride", "padding", "count"),
    [
        (112, 3, 2, 0, 56),  # GoogLeNet in Caffe: 112 → 56
        (56, 3, 2, 0, 28),
        (13, 3, 2, 0, 6),  # no window left over
        (7, 2, 2, 1, 4),  # a fifth would begin behind the image
        (3, 1, 3, 0, 1),
        (4, 1, 3, 0, 2),
        (7, 8, 2, 0, 1),
    ],
)
def test_ceil_rounds_the_windows_up(
    size: int, window: int, stride: int, padding: int, count: int
) -> None:
    pads = ((padding, padding), (padding, padding))
    layer = Pool(size=(window, window), stride=(stride, stride), padding=pads, ceil=True)
    assert shape_after(layer, (size, size, 2)) == (count, count, 2)


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("window", range(1, 4))
@pytest.mark.parametrize("stride", range(1, 4))
def test_ceil_changes_nothing_of_same_padding(size: int, window: int, stride: int) -> None:
    plain, ceil = (
        Pool(size=(window, window), stride=(stride, stride), padding="same", ceil=ceil)
        for ceil in (False, True)
    )
    x = images(1, size, size, 1)
    assert shape_after(plain, x.shape[1:]) == shape_after(ceil, x.shape[1:])
    np.testing.assert_array_equal(run(plain, x), run(ceil, x))


def test_windows_of_nothing_but_padding_are_refused() -> None:
    wide: Padding = ((3, 0), (0, 0))
    with pytest.raises(ShapeError, match="padding of a 3x3 pool must be less than its window"):
        shape_after(Pool(size=(3, 3), padding=wide, count_padding=True), (8, 8, 1))
    counted = Pool(kind="avg", size=(3, 3), stride=(1, 1), padding=wide, count_padding=True)
    assert np.all(run(counted, images(1, 8, 8, 1))[:, 0] == 0)


@pytest.mark.parametrize("size", [1, 2, 4, 5, 9])
@pytest.mark.parametrize("shape", [(2, 3, 3, 6), (4, 6)])
def test_local_norm_divides_by_the_channels_around(size: int, shape: tuple[int, ...]) -> None:
    layer = LocalNorm(size=size, alpha=0.3, beta=0.6, k=1.5)
    x = images(*shape)
    expected = np.empty_like(x)
    for channel in range(x.shape[-1]):
        first = max(channel - size // 2, 0)  # one more before than behind where size is even
        around = x[..., first : channel + (size - 1) // 2 + 1]
        squares = (around**2).sum(axis=-1)
        expected[..., channel] = x[..., channel] / (1.5 + 0.3 / size * squares) ** 0.6
    np.testing.assert_allclose(run(layer, x), expected, rtol=1e-5)
