"""Text → syntax tree by Lark's tables, in one pass, without a tree of Lark's in between.

Lark works out the tables and the terminals. Running them is the shift-reduce loop of any LALR
parser; here it makes our nodes as it reduces, and goes on after a mistake from a checkpoint before
it, not from the start.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, TypeAlias

from lark import Lark, Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.grammar import Rule
from lark.lexer import LexerThread
from lark.parsers.lalr_interactive_parser import InteractiveParser
from lark.parsers.lalr_parser_state import ParseConf, ParserState

from wootzc.grammar.syntax.draft import Draft
from wootzc.grammar.syntax.parser_tables import load_parser
from wootzc.grammar.syntax.rules import NOWHERE, Reduction, Several, reduction_of

APART = 1024  # characters between checkpoints, at least

Start: TypeAlias = Literal["file", "_space_statement"]


class DropNewlines:
    """Lark's hook between lexer and parser: some newlines separate nothing.

    Those inside ( ) or [ ], and those after a comma. All others end a statement, wherever they
    stand: a statement that lacks its end must not swallow the next line. Of several, with comments
    between them, one is left.
    """

    always_accept: ClassVar[tuple[str, ...]] = ("_SEP",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth, last = 0, ""
        for token in stream:
            depth += _DEEPER.get(token.type, 0)
            if token.type != "_SEP" or _separates(token, depth, last):
                last = token.type
                yield token


_CURSOR = "$CURSOR"  # a kind of token that may stand nowhere
_DEEPER = {"LPAR": 1, "LSQB": 1, "RPAR": -1, "RSQB": -1}


def _separates(separator: str, depth: int, last: str) -> bool:
    """`depth`: how many ( and [ are open; `last`: the kind of the token before."""
    return last != "_SEP" and (";" in separator or (depth <= 0 and last != "COMMA"))


@cache
def parser() -> Lark:
    """Lark's own, for looking at short examples. Made once per process."""
    return load_parser(DropNewlines())


@dataclass(frozen=True, slots=True)
class _Tables:
    """`actions[state][kind]` is the state to go to, or a reduction to make first; after one,
    `gotos[state][rule]` is the state to go to.
    """

    actions: Mapping[int, Mapping[str, int | Reduction]]
    gotos: Mapping[int, Mapping[str, int]]
    starts: Mapping[str, int]
    ends: Mapping[str, int]
    ignored: frozenset[str]


@cache
def _tables() -> _Tables:
    lark: Any = parser()
    table = lark.parser.parser._parse_table
    reductions: dict[Rule, Reduction] = {}

    def action(argument: Any) -> int | Reduction:
        if isinstance(argument, int):
            return argument
        if argument not in reductions:
            reductions[argument] = reduction_of(argument)
        return reductions[argument]

    return _Tables(
        {
            state: {name: action(to) for name, (_, to) in row.items() if name.isupper()}
            for state, row in table.states.items()
        },
        {
            state: {name: to for name, (_, to) in row.items() if not name.isupper()}
            for state, row in table.states.items()
        },
        table.start_states,
        table.end_states,
        frozenset(lark.lexer_conf.ignore),
    )


@dataclass(frozen=True, slots=True)
class _Scanner:
    """What may stand in a state, spaces before it. `words`: kind → texts of it that are a kind of
    their own.
    """

    match: Callable[[str, int], re.Match[str] | None]
    words: Mapping[str, Mapping[str, str]]


def _scanner_of(lexer: Any) -> _Scanner:
    [pattern] = lexer.scanner._mres
    words = {
        kind: {word.pattern.value: word.name for word in unless.scanner.terminals}
        for kind, unless in lexer.callback.items()
    }
    behind_spaces = re.compile(rf"[^\S\n]*(?:{pattern.pattern})", pattern.flags)
    return _Scanner(behind_spaces.match, words)


@cache
def _scanner(state: int) -> _Scanner:
    """That of all states together where `state` is -1."""
    lexers = _lexer()
    return _scanner_of(lexers.root_lexer if state < 0 else lexers.lexers[state])


def _lexer() -> Any:
    lark: Any = parser()
    return lark.parser.lexer.lexer


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """All that reading goes on from. `depth` and `last` as in `_separates`."""

    position: int
    depth: int
    last: str
    states: tuple[int, ...]
    values: tuple[Any, ...]
    begins: tuple[int, ...]
    ends: tuple[int, ...]


class Reading:
    """A text as it is being read; it may be repaired on the way."""

    def __init__(self, draft: Draft, start: Start = "file") -> None:
        self.draft = draft
        self.start = start
        first = _tables().starts[start]
        self._checkpoints = [_Checkpoint(0, 0, "", (first,), (), (), ())]

    def go_on(self, draft: Draft, unchanged: int) -> None:
        """With another draft, which is as this one is up to `unchanged`."""
        self.draft = draft
        # A token ends by what follows it: blanks up to a character that is none.
        while self._checkpoints[-1].position and not (
            draft.text[self._checkpoints[-1].position : unchanged].strip()
        ):
            self._checkpoints.pop()

    def tried(self, draft: Draft, unchanged: int) -> "Reading":
        """Another reading, as of `go_on`; this one stays as it is."""
        other = Reading(draft, self.start)
        other._checkpoints = [*self._checkpoints]
        other.go_on(draft, unchanged)
        return other

    def expected(self) -> set[str]:
        """Kinds of tokens that may follow the text. Raises Lark's `UnexpectedInput` as `tree`."""
        try:
            return set(self.tree(_CURSOR))
        except UnexpectedToken as error:
            if error.token.type != _CURSOR:
                raise
            return set(error.accepts)

    def tree(self, end: str = "$END") -> Any:
        """The node of the start rule. Raises Lark's `UnexpectedInput` at the first mistake.

        `end` is the kind of token that ends the text.
        """
        tables, draft, text = _tables(), self.draft, self.draft.text
        actions, gotos, end_state = tables.actions, tables.gotos, tables.ends[self.start]
        at = self._checkpoints[-1]
        states, values, begins, ends = [*at.states], [*at.values], [*at.begins], [*at.ends]
        position, depth, last = at.position, at.depth, at.last
        due = position + APART
        length = len(text)
        while True:
            if position >= due:
                due = position + APART
                self._checkpoints.append(
                    _Checkpoint(
                        position, depth, last, tuple(states), tuple(values), tuple(begins),
                        tuple(ends),
                    )
                )  # fmt: skip
            begin = position
            if position < length:
                scanner = _scanner(states[-1])
                found = scanner.match(text, position)
                if found is None:
                    raise self._character(position, states, values)
                kind, position = str(found.lastgroup), found.end()
                if kind in tables.ignored:
                    continue
                begin, token = found.start(kind), found[kind]
                if kind in scanner.words:
                    kind = scanner.words[kind].get(token, kind)
                if kind in _DEEPER:
                    depth += _DEEPER[kind]
                elif kind == "_SEP" and not _separates(token, depth, last):
                    continue
                last = kind
            else:
                kind, token = end, ""
            while True:
                action = actions[states[-1]].get(kind)
                if isinstance(action, int):
                    states.append(action)
                    values.append(token)
                    begins.append(begin)
                    ends.append(position)
                    break
                if action is None:
                    raise self._token(kind, token, begin, states, values)
                size = action.size
                if size == 1:  # its place stays
                    if action.make is not None:
                        values[-1] = action.make(draft, values[-1:], begins[-1], ends[-1])
                    state = states[-1] = gotos[states[-2]][action.origin]
                else:
                    first, final = _around(begins, ends, size)
                    taken = values[-size:] if size else []
                    value = action.make(draft, taken, first, final) if action.make else None
                    if size:
                        del states[-size:], values[-size:], begins[-size:], ends[-size:]
                    state = gotos[states[-1]][action.origin]
                    states.append(state)
                    values.append(value)
                    begins.append(first)
                    ends.append(final)
                if kind == "$END" and state == end_state:
                    [value] = values
                    return value.values[0] if isinstance(value, Several) else value

    def _character(self, position: int, states: list[int], values: list[Any]) -> UnexpectedInput:
        """What stands at a place where nothing that may stand there matches."""
        scanner = _scanner(-1)
        found = scanner.match(self.draft.text, position)
        while found is not None and found.lastgroup in _tables().ignored:
            position = found.end()
            found = scanner.match(self.draft.text, position)
        if found is not None:
            kind, text = str(found.lastgroup), found[str(found.lastgroup)]
            kind = scanner.words.get(kind, {}).get(text, kind)
            return self._token(kind, text, found.start(str(found.lastgroup)), states, values)
        return UnexpectedCharacters(self.draft.text, position, 0, 0)  # type: ignore[no-untyped-call]

    def _token(
        self, kind: str, text: str, position: int, states: list[int], values: list[Any]
    ) -> UnexpectedToken:
        lark: Any = parser()
        table = lark.parser.parser._parse_table
        thread = LexerThread.from_text(_lexer(), "")
        state = ParserState(ParseConf(table, {}, self.start), thread, states, values)
        expected = {name for name in table.states[states[-1]] if name.isupper()}
        return UnexpectedToken(  # type: ignore[no-untyped-call]
            Token(kind, text, position), expected, state=state,
            interactive_parser=InteractiveParser(lark.parser.parser.parser, state, thread),
        )  # fmt: skip


def _around(begins: list[int], ends: list[int], size: int) -> tuple[int, int]:
    """The place of the last `size` values together. Some may take up no text."""
    at, last = -size, -1
    while at < 0 and begins[at] == NOWHERE:
        at += 1
    if at >= 0:
        return NOWHERE, NOWHERE
    while ends[last] == NOWHERE:
        last -= 1
    return begins[at], ends[last]
