"""Text → syntax tree, or every syntax error that can be told apart.

After an error the statement around it is blanked and the rest parsed again, so that one slip does
not hide the next. Files are small and the parser is fast; this is simpler than error productions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal

from lark import Lark, Token, Tree, UnexpectedInput

from wootzc.diagnostics import Diagnostic, Span
from wootzc.grammar import syntax
from wootzc.grammar.brackets import scan, statement_at, without
from wootzc.grammar.tables import load_parser
from wootzc.grammar.transform import ToSyntax

MAX_ERRORS = 20  # syntax errors in one file before parsing gives up

Start = Literal["file", "_space_statement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """`holes`: stretches of text that could not be read and are missing from `tree`."""

    tree: syntax.File | None
    diagnostics: tuple[Diagnostic, ...] = ()
    holes: tuple[Span, ...] = ()


class DropNewlines:
    """Lark's hook between lexer and parser: some newlines separate nothing.

    Those inside ( ) or [ ], and those after a comma. All others end a statement, wherever they
    stand: a statement that lacks its end must not swallow the next line. Of several, with comments
    between them, one is left.
    """

    always_accept: ClassVar[tuple[str, ...]] = ("_SEP",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        last = ""
        for token in stream:
            if token.type in ("LPAR", "LSQB"):
                depth += 1
            elif token.type in ("RPAR", "RSQB"):
                depth -= 1
            elif token.type == "_SEP" and ";" not in token and (depth > 0 or last == "COMMA"):
                continue
            if not token.type == last == "_SEP":
                last = token.type
                yield token


@cache
def parser() -> Lark:
    """Made once per process."""
    return load_parser(DropNewlines())


def parse(text: str, path: str) -> Parsed:
    """The tree of a file. `tree` is there even after errors, as long as statements can be told."""
    scanned = scan(text, path)
    diagnostics = list(scanned.diagnostics)
    if scanned.fatal:
        return Parsed(tree=None, diagnostics=tuple(diagnostics))
    holes: list[Span] = []

    def leave_out(text: str, position: int) -> str:
        start, end = statement_at(text, position)
        holes.append(Span(path, start, end))
        return without(text, start, end)

    for diagnostic in scanned.diagnostics:
        text = leave_out(text, diagnostic.span.start)
    tree: Tree[Token] | None = None
    while len(diagnostics) < MAX_ERRORS:
        try:
            tree = parser().parse(text, start="file")
        except UnexpectedInput as error:
            found = _explain(text, path, error)
            diagnostics.append(found)
            remaining = leave_out(text, found.span.start)
            if remaining == text:
                break
            text = remaining
        else:
            break
    diagnostics.sort(key=lambda d: d.span.start)
    return Parsed(
        tree=_transform(tree, path) if tree else None,
        diagnostics=tuple(diagnostics),
        holes=tuple(holes),
    )


def parse_statement(text: str, path: str) -> syntax.SpaceStatement | Diagnostic:
    """One statement of a space, as in `--set`."""
    scanned = scan(text, path)
    if scanned.diagnostics:
        return scanned.diagnostics[0]
    try:
        tree = parser().parse(text, start="_space_statement")
    except UnexpectedInput as error:
        return _explain(text, path, error)
    statement: syntax.SpaceStatement = _transform(tree, path)
    return statement


def _explain(text: str, path: str, error: UnexpectedInput) -> Diagnostic:
    from wootzc.grammar.syntax_errors import explain  # only a file with mistakes needs it

    return explain(parser(), text, path, error)


def _transform(tree: Tree[Token], path: str) -> Any:
    # A start rule is not inlined, whatever its name.
    root = tree.children[0] if tree.data == "_space_statement" else tree
    assert isinstance(root, Tree)
    return ToSyntax(path).transform(root)
