"""Text → syntax tree, or every syntax error that can be told apart.

After an error it is repaired, or the statement around it blanked, and the whole parsed again, so
that one slip does not hide the next. Files are small and the parser is fast; this is simpler than
error productions.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from lark import Lark, Token, Tree, UnexpectedInput

from wootzc.diagnostics import Diagnostic, Span
from wootzc.grammar import syntax
from wootzc.grammar.brackets import scan, statement_at
from wootzc.grammar.draft import Draft
from wootzc.grammar.tables import load_parser
from wootzc.grammar.transform import ToSyntax

if TYPE_CHECKING:
    from wootzc.grammar.syntax_errors import Start

MAX_ERRORS = 20  # syntax errors in one file before parsing gives up


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
    """The tree of a file. `tree` is there even after errors, as long as statements can be told.

    Where a mistake has a fix the rest is read as if it had been made; else the statement around it
    is left out. Either way one slip hides no other and causes none.
    """
    draft = Draft(text, path)
    holes: list[Span] = []
    found: list[Diagnostic] = []
    tree: Tree[Token] | None = None
    while len(found) < MAX_ERRORS:
        looked = _look(draft)
        if isinstance(looked, Tree):
            tree = looked
            break
        found += [draft.placed(mistake) for mistake in looked.mistakes]
        if looked.fatal:
            break
        for mistake in reversed(looked.mistakes):
            if mistake.fixes:
                draft = draft.repaired(mistake.fixes[0])
                continue
            start, end = statement_at(draft.text, mistake.span.start)
            holes.append(draft.span(start, end))
            remaining = draft.without(start, end)
            if remaining.text == draft.text:
                break
            draft = remaining
        else:
            continue
        break
    found.sort(key=lambda d: d.span.start)
    return Parsed(
        tree=_transform(tree, draft) if tree else None,
        diagnostics=tuple(found),
        holes=tuple(holes),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stopped:
    """What stops reading a draft: one mistake, or those of its brackets."""

    mistakes: tuple[Diagnostic, ...]
    fatal: bool = False


def _look(draft: Draft) -> "Tree[Token] | _Stopped":
    scanned = scan(draft.text, draft.path)
    if scanned.diagnostics:
        from wootzc.grammar.bracket_repairs import repaired_brackets

        mistakes = repaired_brackets(draft.text, draft.path, scanned.diagnostics)
        fatal = scanned.fatal and not all(mistake.fixes for mistake in mistakes)
        return _Stopped(mistakes=mistakes, fatal=fatal)
    try:
        return parser().parse(draft.text, start="file")
    except UnexpectedInput as error:
        return _Stopped(mistakes=(_explain(draft.text, draft.path, error),))


def parse_statement(text: str, path: str) -> syntax.SpaceStatement | Diagnostic:
    """One statement of a space, as in `--set`."""
    scanned = scan(text, path)
    if scanned.diagnostics:
        return scanned.diagnostics[0]
    try:
        tree = parser().parse(text, start="_space_statement")
    except UnexpectedInput as error:
        return _explain(text, path, error, "_space_statement")
    statement: syntax.SpaceStatement = _transform(tree, Draft(text, path))
    return statement


def _explain(text: str, path: str, error: UnexpectedInput, start: "Start" = "file") -> Diagnostic:
    from wootzc.grammar.syntax_errors import explain  # only a file with mistakes needs it

    return explain(parser(), text, path, error, start)


def _transform(tree: Tree[Token], draft: Draft) -> Any:
    # A start rule is not inlined, whatever its name.
    root = tree.children[0] if tree.data == "_space_statement" else tree
    assert isinstance(root, Tree)
    return ToSyntax(draft).transform(root)
