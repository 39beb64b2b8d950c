"""What a function of one number is: its values at some points, against those of all activations.

However a model spells an activation (`jax.nn.silu(x)`, `x * jax.nn.sigmoid(x)`, `jnp.where(…)`),
its values at the same points are the same.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.flax.model import ACTIVATIONS
from wootzc.ir.layers import Activation, ActivationKind

Curve = NDArray[np.float32]  # [points]

# Dense where activations bend, sparse where they are straight; both ends for what is cut off.
POINTS: Curve = np.concatenate(
    [np.linspace(-8, 8, 257), [-1000, -100, -30, -15, 15, 30, 100, 1000]]
).astype(np.float32)
TOLERANCE = 1e-5


def is_identity(curve: Curve) -> bool:
    return _same(curve, POINTS)


def activation(curve: Curve) -> Activation | None:
    """The activation with these values."""
    for kind, values in _known().items():
        if _same(curve, values):
            return Activation(kind=kind)
    below = float(curve[POINTS == -1][0])
    leaky = np.where(POINTS > 0, POINTS, -below * POINTS)
    if -1 < below < 0 and _same(curve, leaky.astype(np.float32)):
        return Activation(kind="leaky_relu", slope=round(-below, 6))
    return None


def line(curve: Curve) -> tuple[float, float] | None:
    """(a, b) of a x + b."""
    b = float(curve[POINTS == 0][0])
    a = float(curve[POINTS == 1][0]) - b
    straight = np.isfinite(a) and _same(curve, (a * POINTS + b).astype(np.float32))
    return (a, b) if straight else None


@cache
def _known() -> dict[ActivationKind, Curve]:
    known: dict[ActivationKind, Curve] = {
        kind: np.asarray(function(POINTS)) for kind, function in ACTIVATIONS.items()
    }
    del known["leaky_relu"]  # of any slope: told apart below
    return known


def _same(curve: Curve, other: Curve) -> bool:
    if curve.shape != other.shape or curve.dtype.kind != "f":
        return False
    return bool(np.allclose(curve, other, rtol=TOLERANCE, atol=TOLERANCE))
