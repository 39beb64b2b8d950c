"""Statements where they can't stand: those of a space in a module, layers in a space, and so on."""

import re

from wootzc.diagnostics import Diagnostic, Span
from wootzc.grammar.brackets import statement_at
from wootzc.grammar.operators import BUILT_IN
from wootzc.grammar.statements import KEYWORDS

_WORD = re.compile(r"[A-Za-z_]\w*")
_DEFINITIONS = ("module", "network", "space", "include")
_PLACES = {
    "body": "a module or network",
    "space": "a space",
    "settings": "a block of settings",
    "file": "a file, outside of everything",
}


def misplaced(text: str, path: str, position: int, context: str) -> Diagnostic | None:
    """What to say where the statement around a syntax error belongs somewhere else."""
    if context not in _PLACES:
        return None
    start, _ = statement_at(text, position)
    word = _WORD.search(text, start)
    if word is None or text[start : word.start()].strip():
        return None
    where = _home(word[0], context)
    if where is None:
        return None
    return Diagnostic(
        Span(path, *word.span()), "WZ220",
        f"`{word[0]}` can't stand in {_PLACES[context]}", f"it belongs {where}: move it there",
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
    if word == "auxiliary" and context != "body":
        return "into a network"
    return None
