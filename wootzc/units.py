"""Numbers for people: counts, percentages, durations."""

import math
import re


def count(number: float) -> str:
    """1,234 up to five digits; then 123 k, 1.23 M, 4.56 G, T, P."""
    if number < 100_000:
        return f"{number:,.0f}"
    for limit, divisor, unit in (
        (1e6, 1e3, "k"), (1e9, 1e6, "M"), (1e12, 1e9, "G"), (1e15, 1e12, "T"),
    ):  # fmt: skip
        if number < 0.9995 * limit:  # what is more would be rounded to 1e+03
            return f"{number / divisor:.3g} {unit}"
    return f"{number / 1e15:,.3g} P"


def large(number: int) -> str:
    """1,234,567 below ten thousand million; then 7.4 × 10^19, also beyond what floats hold."""
    if number < 10**10:
        return f"{number:,}"
    power = int(math.log10(number))
    power -= 10**power > number  # the logarithm of 9.99… × 10^19 may have been rounded up
    tenths = (number + 10 ** (power - 1) // 2) // 10 ** (power - 1)  # halves rounded up
    if tenths == 100:
        tenths, power = 10, power + 1
    return f"{tenths // 10}.{tenths % 10} × 10^{power}"


def bytes_text(size: int) -> str:
    """512 bytes, 12.3 kB, 1.2 MB, 4.6 GB: in thousands."""
    for divisor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= divisor:
            return f"{size / divisor:.1f} {unit}"
    return f"{size} bytes"


def milliseconds_text(nanoseconds: float) -> str:
    """12.3 ms; 254 ns where it is less than a microsecond."""
    if 0 < abs(nanoseconds) < 1000:
        return f"{nanoseconds:.0f} ns"
    return f"{nanoseconds / 1e6:.3g} ms"


def bytes_of(text: str) -> int:
    """500M, 4G, 1.5 GB, 2048: what `bytes_text` says, in thousands. Raises `ValueError`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kKMGT]?)B?", text.strip())
    if match is None:
        raise ValueError(text)
    thousands = " KMGT".index(match[2].upper() or " ")
    return round(float(match[1]) * 1e3**thousands)


def percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f} %"


def rate_text(rate: float | tuple[float | tuple[float, ...], float, float]) -> str:
    """50%; of a module whose ends are cut too: inside, of what enters, of what leaves.

    A module of which nothing is left inside is skipped. 30%+50%: of each group inside.
    """
    if not isinstance(rate, tuple):
        return "skip" if rate == 1 else f"{100 * rate:.4g}%"
    inside, *ends = rate
    text = "+".join(map(rate_text, inside)) if isinstance(inside, tuple) else rate_text(inside)
    entering, leaving = map(rate_text, ends)
    return f"{text}, {entering} in, {leaving} out" if any(ends) else text


def seconds_text(seconds: float) -> str:
    """3.2 s, 4 min 05 s, 2 h 07 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
