"""How far chance alone moves an accuracy that was measured on so many images."""

import math

CONFIDENCE = 1.96  # standard errors: 95 % of the time the truth is as near


def plus_minus(error: float) -> str:
    """ " ± 1.3", in points, to stand behind an accuracy; nothing where the error is no number."""
    return f" ± {100 * error:.1f}" if math.isfinite(error) else ""


def half_width(accuracy: float, images: int) -> float:
    """The 95 % interval of an accuracy is this far to both sides, as a fraction.

    Wilson's (1927), which is no point even where every image was right. 0 without images; NaN
    where the accuracy is no number.
    """
    if images < 1:
        return 0.0
    square = CONFIDENCE**2 / images
    spread = accuracy * (1 - accuracy) / images + square / (4 * images)
    return CONFIDENCE * math.sqrt(max(spread, 0.0)) / (1 + square) if spread == spread else spread
