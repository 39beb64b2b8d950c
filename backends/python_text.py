"""What generated Python files have in common, whichever library they use."""

import keyword
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from textwrap import wrap


def class_name(base: str, taken: Collection[str]) -> str:
    """`res_block` → "ResBlock", numbered where that is taken."""
    joined = "".join(part[:1].upper() + part[1:] for part in base.split("_"))
    if not joined.isidentifier() or keyword.iskeyword(joined):
        joined = f"Segment{joined}"
    return joined if joined not in taken else unused(joined, taken)


def unused(name: str, taken: Collection[str]) -> str:
    """The name with the first number behind it, from 2 on, that makes it a new one."""
    return next(new for i in count(2) if (new := f"{name}_{i}") not in taken)


def documented(words: str, width: int) -> Iterator[str]:
    """The docstring of a class, in lines of at most `width` characters."""
    lines = wrap(words, width - 10)
    if len(lines) == 1:
        yield f'    """{words}"""'
        return
    yield f'    """{lines[0]}'
    yield from (f"    {line}" for line in lines[1:])
    yield '    """'


def quoted(value: str) -> str:
    """A Python literal in double quotes unless that takes more escapes."""
    literal = repr(value)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in literal else literal


def filled(items: Iterable[str], width: int) -> Iterator[str]:
    """Items with commas, as many a line as fit."""
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > width and line.strip():
            yield line
            line = "   "
        line += f" {item},"
    if line.strip():
        yield line
