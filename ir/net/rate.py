"""Rates of a module: what part of its channels goes.

A number is the fraction of the filters inside of it that is removed; what enters and what leaves
stays whole. Where channels between modules go too, a rate is a triple: (inside, entering, leaving).
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Triple: TypeAlias = tuple[float, float, float]
Rate: TypeAlias = float | Triple
Side: TypeAlias = Literal["inside", "entering", "leaving"]  # where a module's channels are


def triple(rate: Rate) -> Triple:
    """What is removed inside, of what enters, of what leaves."""
    return rate if isinstance(rate, tuple) else (rate, 0.0, 0.0)


def rate_of(inside: float, entering: float = 0.0, leaving: float = 0.0) -> Rate:
    """The shortest way to say so."""
    return (inside, entering, leaving) if entering or leaving else inside


def removed(rate: Rate, side: Side) -> float:
    """The fraction of channels that a rate removes on one side."""
    return triple(rate)[("inside", "entering", "leaving").index(side)]


def short(rate: Rate) -> str:
    """0.5; of a triple 0.5/0.25/0."""
    return "/".join(f"{part:.4g}" for part in (rate if isinstance(rate, tuple) else (rate,)))


def ranks(rates: Sequence[Rate], side: Side) -> NDArray[np.int16]:
    """[rates]: what each removes on a side, as a number that can be compared with other sides'."""
    every = sorted({part for rate in rates for part in triple(rate)})
    return np.array([every.index(removed(rate, side)) for rate in rates], dtype=np.int16)
