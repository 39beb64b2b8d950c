"""Where the parts of a plan stand, in it and in its `.wzir` text, and what is wrong with one."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from wootzc.diagnostics import Span

Place: TypeAlias = tuple[str | int, ...]  # ("space", "network", "segments", 2, "body", 0), say


class Problem(NamedTuple):
    """`at`: fields and positions from the plan down to the node, field or row at fault."""

    message: str
    at: Place = ()

    def __str__(self) -> str:
        return self.message


class Places:
    """Lines of nodes, fields and rows, counted from 1; `span` gives the stretch of a line, from the
    field of a name on.
    """

    def __init__(self, span: Callable[[int, str], Span]) -> None:
        self._span = span
        self._lines: dict[Place, tuple[int, str]] = {}

    def put(self, at: Place, line: int, name: str = "") -> None:
        self._lines[at] = line, name

    def of(self, at: Place) -> Span:
        """The place of a part, or of the closest part around it."""
        while at and at not in self._lines:
            at = at[:-1]
        return self._span(*self._lines.get(at, (1, "")))
