"""Functions of one number in single precision, as JAX computes them; see `ir.curves`."""

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.layers import Activation, curves

Curve = NDArray[np.float32]  # [points]

POINTS: Curve = curves.GRID.astype(np.float32)
TOLERANCE = 1e-5


def is_identity(curve: Curve) -> bool:
    """Whether a curve leaves every number as it is, to `TOLERANCE`."""
    return _fits(curve) and bool(np.allclose(curve, POINTS, TOLERANCE, TOLERANCE))


def activation(curve: Curve) -> Activation | None:
    """The activation with these values."""
    return curves.activation(curve) if _fits(curve) else None


def line(curve: Curve) -> tuple[float, float] | None:
    """(a, b) of a x + b."""
    return curves.straight(curve, TOLERANCE) if _fits(curve) else None


def _fits(curve: Curve) -> bool:
    """Comparisons make curves of truth values, and constants may not go along."""
    return curve.shape == POINTS.shape and curve.dtype.kind == "f"
