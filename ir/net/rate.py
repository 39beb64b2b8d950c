"""Rates of a module: what part of its channels goes.

A number is the fraction of the filters inside of it that is removed; what enters and what leaves
stays whole. Where channels between modules go too, a rate is a triple: (inside, entering, leaving);
so it is where every group of channels inside goes by a rate of its own: inside is then one for each
of them, `Group.place`.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

Inside: TypeAlias = float | tuple[float, ...]
Triple: TypeAlias = tuple[Inside, float, float]
Rate: TypeAlias = float | Triple
Side: TypeAlias = Literal["inside", "entering", "leaving"]  # where a module's channels are
SIDES: Final[tuple[Side, ...]] = get_args(Side)


def triple(rate: Rate) -> Triple:
    """What is removed inside, of what enters, of what leaves."""
    return rate if isinstance(rate, tuple) else (rate, 0.0, 0.0)


def rate_of(inside: Inside, entering: float = 0.0, leaving: float = 0.0) -> Rate:
    """The shortest way to say so."""
    if isinstance(inside, tuple):
        if len({*inside}) > 1:
            return inside, entering, leaving
        inside = inside[0]
    return (inside, entering, leaving) if entering or leaving else inside


def parts(rate: Rate, side: Side) -> tuple[float, ...]:
    """The fractions of channels that a rate removes on one side: one, or one for each group."""
    own = triple(rate)[SIDES.index(side)]
    return own if isinstance(own, tuple) else (own,)


def removed(rate: Rate, side: Side) -> float:
    """The greatest fraction of channels that a rate removes of any group on one side."""
    return max(parts(rate, side))


def cuts_ends(rate: Rate) -> bool:
    """Whether it removes channels that enter or leave."""
    return any(triple(rate)[1:])


def rising(rate: Rate) -> tuple[object, ...]:
    """What rates are sorted by: what removes most comes last."""
    inside = parts(rate, "inside")
    return (max(inside), sum(inside) / len(inside), inside, *triple(rate)[1:])


def short(rate: Rate) -> str:
    """0.5; of a triple 0.5/0.25/0; 0.5+0.3/0/0 where groups inside have rates of their own."""
    return texts(rate, "{:.4g}")


def texts(rate: Rate, form: str) -> str:
    """The same with every number in a form."""
    shown = SIDES if isinstance(rate, tuple) else SIDES[:1]
    return "/".join("+".join(map(form.format, parts(rate, side))) for side in shown)


def ranks(rates: Sequence[Rate], side: Side) -> NDArray[np.int16]:
    """[rates]: what each removes on a side, as a number that can be compared with other sides'."""
    found = {parts(rate, one) for rate in rates for one in SIDES}
    every = sorted(found, key=lambda one: (max(one), sum(one) / len(one), one))
    return np.array([every.index(parts(rate, side)) for rate in rates], dtype=np.int16)
