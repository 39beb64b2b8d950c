"""Statements where they can't stand: those of a space in a module, layers in a space, and so on."""

import re
from collections.abc import Sequence

from wootzc.diagnostics import Diagnostic, Span
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.statements import KEYWORDS
from wootzc.grammar.parse.slips import Header
from wootzc.grammar.syntax.brackets import statement_at

_WORD = re.compile(r"\s*([A-Za-z_]\w*)")
_DEFINITIONS = ("module", "network", "space", "include")
_PLACES = {
    "body": "a module or network",
    "space": "a space",
    "settings": "a block of settings",
    "file": "a file, outside of everything",
}
# Statements that no brace follows: where one does, the word is the name of an arm or the like.
_UNBRACED = frozenset({"keep", "narrow", "prune", "skip", "tie"})


def misplaced(
    text: str, path: str, position: int, headers: Sequence[Header], outer: str
) -> Diagnostic | None:
    """What to say where the statement around a syntax error belongs somewhere else.

    `headers`: the brackets around it, which stand in the context `outer`.
    """
    for header in headers:
        if header.word in _UNBRACED:
            return None
        if (where := _home(header.word, outer)) is not None:
            return _told(header.word, header.start, outer, where, path)
        outer = header.context
    start, _ = statement_at(text, position)
    word = _WORD.match(text, start)
    if word is not None and word[1] in _UNBRACED and text[word.end() :].lstrip().startswith("{"):
        return None
    where = _home(word[1], outer) if word is not None else None
    return _told(word[1], word.start(1), outer, where, path) if word and where else None


def _told(word: str, start: int, context: str, where: str, path: str) -> Diagnostic:
    return Diagnostic(
        Span(path, start, start + len(word)), "WZ220",
        f"`{word}` can't stand in {_PLACES[context]}", f"it belongs {where}: move it there",
    )  # fmt: skip


def _home(word: str, context: str) -> str | None:
    """Where statements that begin with a word belong, if not where they stand."""
    if word in KEYWORDS and context in ("body", "settings", "file"):
        return "into a space"
    if word in BUILT_IN and context in ("space", "settings", "file"):
        return "into a module or a network"
    if word in _DEFINITIONS and context in ("space", "settings"):
        return "outside of these braces"
    if word in ("space", "include", "network") and context == "body":
        return "outside of these braces"
    if word == "auxiliary" and context in ("space", "settings", "file"):
        return "into a network"
    return None
