"""What a look at raw text finds: brackets, strings, comments, ends of statements, signs.

Those of the last texts are kept, and those of a text with one stretch replaced are worked out from
what was known before, so that a file with twenty mistakes is not looked through twenty times.
"""

import re
from bisect import bisect_left
from operator import itemgetter
from typing import NamedTuple

KEPT = 2  # texts: one, and that before a repair

TOKENS = re.compile(
    r"""(?=[/"(){}\[\];\n*+\d-]) (?:  # at other characters nothing else is tried
        (?P<comment>//[^\n]*|/\*[\s\S]*?\*/)
      | (?P<string>"[^"\n]*")
      | (?P<open>[({\[]) | (?P<close>[)}\]])
      | (?P<endless>"[^\n]*|/\*)
      | (?P<end>[;\n][;\s]*)
      | (?P<operator>[-+*/])
      | (?P<number>(?<![\w.])\d(?:[\d_.]|[eE][+-]?(?=\d)){39,}))
    """,
    re.VERBOSE,
)


class Mark(NamedTuple):
    """`kind` is the name of the group in `TOKENS`."""

    start: int
    end: int
    kind: str


_known: dict[str, list[Mark]] = {}


def marks(text: str) -> list[Mark]:
    """In order. Those who get it leave it as it is."""
    if text not in _known:
        _keep(text, [_mark(match) for match in TOKENS.finditer(text)])
    return _known[text]


def mark_at(text: str, position: int) -> int:
    """The number of the first mark from `position` on."""
    return bisect_left(marks(text), position, key=itemgetter(0))


def behind(sign: str, text: str, position: int) -> int:
    """Where the first bracket `sign` from `position` on ends that stands in no comment; 0: none."""
    found = marks(text)
    numbers = range(mark_at(text, position), len(found))
    return next((found[n].end for n in numbers if text[found[n].start] == sign), 0)


def edited(text: str, start: int, end: int, new: str) -> str:
    """The text with a stretch replaced."""
    changed = text[:start] + new + text[end:]
    old, shift = marks(text), len(new) - (end - start)
    count = bisect_left(old, start, key=itemgetter(1))  # those that end before it stay
    found = old[:count]
    later = mark_at(text, end)
    for match in TOKENS.finditer(changed, found[-1].end if found else 0):
        mark = _mark(match)
        while later < len(old) and old[later].start + shift < mark.start:
            later += 1
        if later < len(old) and _moved(old[later], shift) == mark:
            found += [_moved(mark, shift) for mark in old[later:]]
            break
        found.append(mark)
    _keep(changed, found)
    return changed


def _mark(match: re.Match[str]) -> Mark:
    return Mark(*match.span(), match.lastgroup or "")


def _moved(mark: Mark, shift: int) -> Mark:
    return Mark(mark.start + shift, mark.end + shift, mark.kind)


def _keep(text: str, found: list[Mark]) -> None:
    _known[text] = found
    while len(_known) > KEPT:
        del _known[next(iter(_known))]
