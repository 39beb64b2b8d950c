"""Comments and lists of a .wz file, one line or several."""

import re
import textwrap
from collections.abc import Iterator, Sequence

WIDTH = 96  # columns of a comment; inside of a space it stands two further in
NAMED = 6  # things that a list names


def comment(text: str) -> Iterator[str]:
    """Lines of a comment, none of no text. Commands, in backticks, are not broken."""
    unbroken = re.sub(r"`[^`]*`", lambda found: found[0].replace(" ", "\0"), plain(text))
    lines = textwrap.wrap(
        unbroken, WIDTH - len("// "), break_long_words=False, break_on_hyphens=False
    )
    return (f"// {line}".replace("\0", " ") for line in lines)


def aligned(*rows: tuple[str, str]) -> Iterator[str]:
    """What can be typed, and to the right of it what it does."""
    width = max(len(plain(typed)) for typed, _ in rows)
    return (f"//   {plain(typed).ljust(width)}   {what}" for typed, what in rows)


def listed(names: Sequence[str]) -> str:
    """Say "a, b, c"; of many "a, b, …, z"."""
    shown = names if len(names) <= NAMED else (*names[: NAMED - 2], "…", names[-1])
    return ", ".join(shown)


def plain(text: str) -> str:
    """Whatever a file's name holds, it stays on its line."""
    return "".join(c if c.isprintable() else "?" for c in text)
