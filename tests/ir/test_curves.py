"""Activations told by their values: every kind as JAX computes it, and what is close to one."""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest

from wootzc.backends.flax.net.layer_functions import ACTIVATIONS
from wootzc.ir.layers import Activation, ActivationKind
from wootzc.ir.layers.curves import GRID, KNOWN, ONE, ZERO, activation, straight


def test_the_named_points() -> None:
    assert (GRID[ZERO], GRID[ONE], GRID[2 * ZERO - ONE]) == (0, 1, -1)
    assert {*KNOWN, "leaky_relu"} == set(get_args(ActivationKind))


@pytest.mark.parametrize("kind", KNOWN)
def test_what_jax_computes_is_recognised(kind: Any) -> None:
    found = activation(np.asarray(ACTIVATIONS[kind](GRID.astype(np.float32))))
    assert found == Activation(kind=kind)


def test_no_two_kinds_are_alike() -> None:
    for kind, curve in KNOWN.items():
        assert activation(curve) == Activation(kind=kind)


@pytest.mark.parametrize("slope", [-1.0, 0.01, 0.2, 0.25, 3.0])
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_slopes_below_zero(slope: float, precision: Any) -> None:
    points = GRID.astype(precision)
    found = activation(np.where(points > 0, points, points * precision(np.float32(slope))))
    assert found == Activation(kind="leaky_relu", slope=slope)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.clip(x, 0, 1e5),
        lambda x: np.clip(x, 0, 1e11),
        lambda x: np.clip(x, -2000, 2000),
        lambda x: np.clip(x, 0, 6.001),
        lambda x: np.where(x > 0, x, np.clip(0.1 * x, -1e10, 0)),
        lambda x: x * KNOWN["sigmoid"] ** 1.001,
        lambda x: x,
        lambda x: np.full_like(x, np.nan),
    ],
)
def test_what_is_only_close_is_none(function: Callable[[Any], Any]) -> None:
    assert activation(function(GRID)) is None


def test_straight_lines() -> None:
    assert straight(GRID) == (1, 0)
    assert straight(3 * GRID - 2) == (3, -2)
    assert straight(np.clip(GRID, -2000, 2000)) is None
    assert straight(np.clip(GRID, -1e10, 1e10), 1e-5) is None
    single = GRID.astype(np.float32) * np.float32(0.3) + np.float32(0.1)
    assert straight(single) is None
    assert straight(single, 1e-5) == pytest.approx((0.3, 0.1))
