"""Numbers for people: counts, percentages, durations."""


def count(number: float) -> str:
    """1,234 up to five digits; then 123 k, 1.23 M, 4.56 G, T, P."""
    if number < 100_000:
        return f"{number:,.0f}"
    for limit, divisor, unit in (
        (1e6, 1e3, "k"), (1e9, 1e6, "M"), (1e12, 1e9, "G"), (1e15, 1e12, "T"),
    ):  # fmt: skip
        if number < limit:
            return f"{number / divisor:.3g} {unit}"
    return f"{number / 1e15:,.3g} P"


def bytes_text(size: int) -> str:
    """512 bytes, 12.3 kB, 1.2 MB, 4.6 GB: in thousands."""
    for divisor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= divisor:
            return f"{size / divisor:.1f} {unit}"
    return f"{size} bytes"


def percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f} %"


def rate_text(rate: float) -> str:
    return f"{100 * rate:.4g}%"


def seconds_text(seconds: float) -> str:
    """3.2 s, 4 min 05 s, 2 h 07 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
