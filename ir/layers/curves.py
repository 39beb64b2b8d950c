"""Functions of one number, told by their values at some points: which activation one is, or line.

However a file or a model spells an activation, its values at the same points are the same. Files
hold constants such as 1/6 to five digits, and may compute in single precision: what differs by less
than `RTOL` and `ATOL` counts as the same. A bound beyond the farthest points, 1e12 from zero,
counts as none.
"""

from math import erf
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.layers import Activation, ActivationKind

Curve: TypeAlias = NDArray[Any]  # a function's values at `GRID`

_FAR = (20.0, 100.0, 1e3, 1e4, 1e6, 1e9, 1e12)
# Dense where activations bend, and far out, where those that are cut off differ.
GRID: Curve = np.array([*np.linspace(-12, 12, 193), *_FAR, *(-x for x in _FAR)])
ZERO, ONE = 96, 104  # where the grid is 0 and 1

RTOL, ATOL = 3e-5, 3e-6

vector_erf = np.vectorize(erf, otypes=[float])


def sigmoid(x: Curve) -> Curve:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def hard_sigmoid(x: Curve, slope: float = 1 / 6, offset: float = 0.5) -> Curve:
    """A straight line between 0 and 1; the defaults are those of PyTorch and MobileNetV3."""
    return np.asarray(np.clip(slope * x + offset, 0, 1))


def gelu(x: Curve) -> Curve:
    return np.asarray(0.5 * x * (1 + vector_erf(x / 2**0.5)))


def gelu_tanh(x: Curve) -> Curve:
    return np.asarray(0.5 * x * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))))


def elu(x: Curve, alpha: float = 1.0) -> Curve:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


KNOWN: dict[ActivationKind, Curve] = {  # all but leaky_relu, which may have any slope
    "relu": np.maximum(GRID, 0),
    "relu6": np.clip(GRID, 0, 6),
    "elu": elu(GRID),
    "gelu": gelu(GRID),
    "gelu_tanh": gelu_tanh(GRID),
    "swish": GRID * sigmoid(GRID),
    "hard_swish": GRID * hard_sigmoid(GRID),
    "sigmoid": sigmoid(GRID),
    "hard_sigmoid": hard_sigmoid(GRID),
    "tanh": np.tanh(GRID),
}
_PLACES = (ZERO, ONE, 2 * ZERO - ONE)  # 0, 1 and -1
_VALUES = {kind: tuple(curve.item(place) for place in _PLACES) for kind, curve in KNOWN.items()}


def activation(curve: Curve) -> Activation | None:
    """The activation that does this to `GRID`, if there is one."""
    zero, one, minus = (curve.item(place) for place in _PLACES)
    for kind, values in _VALUES.items():  # few numbers tell most apart: files have 100,000 curves
        likely = all(map(_close, (zero, one, minus), values))
        if likely and _near(curve, KNOWN[kind], RTOL, ATOL).all():
            return Activation(kind=kind)
    if not (_close(zero, 0) and _close(one, 1)):
        return None
    # As single precision writes it: 0.2, not 0.20000000298.
    slope = float(str(np.float32(-minus)))
    if not np.isfinite(slope) or np.isclose(slope, 1):
        return None
    leaky = _near(curve, np.where(GRID > 0, GRID, slope * GRID), RTOL, ATOL)
    return Activation(kind="leaky_relu", slope=slope) if leaky.all() else None


def straight(curve: Curve, tolerance: float = 1e-9) -> tuple[float, float] | None:
    """(a, b), where the curve is that of a x + b. Single precision needs a `tolerance` of 1e-5."""
    b = float(curve[ZERO])
    a = float(curve[ONE]) - b
    with np.errstate(all="ignore"):
        line = a * GRID + b
    return (a, b) if _near(curve, line, tolerance, tolerance).all() else None


def _close(value: float, other: float) -> bool:
    return abs(value - other) <= ATOL + RTOL * abs(other)


def _near(curve: Curve, others: Curve, rtol: float, atol: float) -> NDArray[np.bool_]:
    """Where curves agree. What is not finite agrees with nothing: `isclose` is slow to ask."""
    with np.errstate(all="ignore"):
        near: NDArray[np.bool_] = np.abs(curve - others) <= atol + rtol * np.abs(others)
    return near
