"""The parser, with its tables kept beside the grammar as Python keeps `.pyc` files.

Working out the tables takes some 50 ms, more than everything else that `wootzc check` does. What is
kept is plain data (marshal, not pickle) in `__pycache__`, under the grammar's whole text and Lark's
version; where it is missing, stale, unreadable or cannot be written, the tables are worked out.
"""

import marshal
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

GRAMMAR = Path(__file__).with_name("wz.lark")
STARTS = ["file", "_space_statement"]


def load_parser(
    postlex: Any = None, grammar: Path = GRAMMAR, starts: Sequence[str] = STARTS
) -> Lark:
    """A parser, of the language unless another grammar is given.

    `postlex` is Lark's hook between lexer and parser.
    """
    text = grammar.read_text(encoding="utf-8")
    kept = Path(cache_from_source(str(grammar))).with_suffix(".tables")
    tables = _read(kept, text)
    if tables is None:
        built = Lark(text, parser="lalr", start=list(starts), propagate_positions=True)
        tables = built.memo_serialize([TerminalDef, Rule])
        _write(kept, text, tables)
    data, memo = tables
    parser: Lark = Lark._load_from_dict(data, memo, postlex=postlex)  # type: ignore[no-untyped-call]
    return parser


def _read(path: Path, text: str) -> tuple[Any, Any] | None:
    """The tables kept for exactly this grammar and this Lark, if there are any."""
    try:
        version, grammar, data, memo = marshal.loads(path.read_bytes())
    except (OSError, EOFError, ValueError, TypeError):
        return None
    return (data, memo) if (version, grammar) == (lark.__version__, text) else None


def _write(path: Path, text: str, tables: tuple[Any, Any]) -> None:
    """Written aside and renamed, so that no other process reads half of it."""
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(marshal.dumps((lark.__version__, text, *tables)))
        os.replace(aside, path)
    except (OSError, ValueError):
        with suppress(OSError):
            aside.unlink()
