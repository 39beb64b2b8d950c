"""Near misses among names, and lists for messages."""

from collections.abc import Iterable

from wootzc.diagnostics import Advice


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    longer = [c for c in by_lower if len(name) >= 3 and c.startswith(name.lower())]
    if len(longer) == 1:
        return by_lower[longer[0]]
    shorter = [c for c in by_lower if len(c) >= 4 and name.lower().startswith(c)]
    if len(shorter) == 1:
        return by_lower[shorter[0]]
    from difflib import get_close_matches  # only a file with mistakes needs it

    close = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.7)
    close = close or [c for c in by_lower if len(c) > 2 and sorted(c) == sorted(name.lower())]
    return by_lower[close[0]] if close else None


def meant(near: str) -> Advice:
    """A help line that proposes a name."""
    return Advice(f"did you mean `{near}`?", near)


def did_you_mean(name: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """A help line for an unknown name: the nearest known one, or what is known."""
    known = list(known)
    near = nearest(name, known)
    if near is not None:
        return meant(near)
    if otherwise is not None:
        return otherwise
    return f"known here: {', '.join(known)}" if known else None


def either(options: Iterable[str], word: str = "or") -> str:
    """Say "a, b or c"."""
    *most, last = options
    return f"{', '.join(most)} {word} {last}" if most else last


def quoted(names: Iterable[str], word: str = "and") -> str:
    """Say "`a`, `b` and `c`"."""
    return either([f"`{name}`" for name in names], word)
