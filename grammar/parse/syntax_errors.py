"""Syntax errors in words: frequent mistakes by example, the rest by what was expected."""

import re
from contextlib import suppress

from lark import Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from wootzc.diagnostics import Diagnostic, Fix, Span, diagnostic
from wootzc.grammar.check.operators import JOINS
from wootzc.grammar.check.statements import FORMS
from wootzc.grammar.parse.braces import end_of_indented, in_other_brackets, in_words
from wootzc.grammar.parse.examples import by_example
from wootzc.grammar.parse.languages import python_block
from wootzc.grammar.parse.misplaced import misplaced
from wootzc.grammar.parse.mistakes import CHARACTERS, NONE_HERE, SYNONYMS
from wootzc.grammar.parse.slips import SLIPS, Found, headers_at, slips_in
from wootzc.grammar.syntax.brackets import end_of_code_before, open_bracket, statement_at
from wootzc.grammar.syntax.draft import Draft
from wootzc.grammar.syntax.keywords import keywords
from wootzc.grammar.syntax.near_misses import either, meant, nearest
from wootzc.grammar.syntax.reader import Reading

_READABLE = {
    "NAME": "a name",
    "PATTERN": "a module or a pattern such as `a*`",
    "NUMBER": "a number",
    "SHAPE": "a size such as `3x3`",
    "STRING": 'a text in quotes, "…"',
    "COMPARISON": "`<=` or `>=`",
    "STAGE": "`pretrain`, `finetune` or `polish`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "COMMA": "`,`",
    "EQUAL": "`=`",
    "PLUS": "`+`",
    "MINUS": "`-`",
    "STAR": "`*`",
    "SLASH": "`/`",
    "_DOTS": "`..`",
    "_SEP": "a new line or `;`",
    "$END": "the end of the file",
}
_WORD = re.compile(r"[A-Za-z_]\w*")
_WRITE = "write `{new}`"
_USUAL = ("data", "teacher", "rates", "prune", "keep", "where", "minimize", "subject to")
_FILE = re.compile(r"\.(?:csv|json|npy|npz|onnx|parquet|prototxt|safetensors|wz|zip)$")
_OPERATORS = ("PLUS", "MINUS", "STAR", "SLASH")  # possible nearly everywhere, rarely meant


def explain(reading: Reading, error: UnexpectedInput) -> Diagnostic:
    """The one diagnostic for the syntax error that a reading stopped at."""
    text, path = reading.draft.text, reading.draft.path
    position = len(text) if _at_end(error) else error.pos_in_stream or 0
    headers = headers_at(text, position)
    outer = "file" if reading.start == "file" else "space"
    if (found := python_block(text, path, position)) is not None:
        return found
    if (found := misplaced(text, path, position, headers, outer)) is not None:
        return found
    if isinstance(error, UnexpectedToken):
        for special in (_of_constants, in_words, in_other_brackets):
            if (told := special(text, path, error.token)) is not None:
                return told
    for slip in slips_in(SLIPS, text, position, headers[-1].context if headers else outer):
        if slip.instead is None or _gets_past(reading, position, _fix(slip, path)):
            return _told(slip, text, path)
    match error:
        case UnexpectedCharacters():
            return _explain_character(text, path, error)
        case UnexpectedToken():
            return _explain_token(reading, error)
        case _:
            raise error


def misread(text: str, path: str, position: int) -> Diagnostic | None:
    """What to say of a statement of a space that can be read, but hardly as it was meant."""
    headers = headers_at(text, position)
    listed = bool(headers) and headers[-1].context == "list"
    for slip in slips_in(SLIPS, text, position, "list" if listed else "space"):
        if slip.instead is not None and slip.start <= position <= slip.end:
            begin = headers[-1].start if listed else statement_at(text, slip.start)[0]
            _, end = statement_at(text, begin)
            statement = text[begin : slip.start] + slip.instead + text[slip.end : end]
            with suppress(UnexpectedInput):
                Reading(Draft(statement.strip(), ""), "_space_statement").tree()
                return _told(slip, text, path)
    return None


def _fix(found: Found, path: str) -> Fix:
    return Fix(Span(path, found.start, found.end), found.instead or "", found.slip.safe)


def _at_end(error: UnexpectedInput) -> bool:
    return isinstance(error, UnexpectedToken) and error.token.type == "$END"


def _gets_past(reading: Reading, position: int, fix: Fix) -> bool:
    """Whether the parser gets past a mistake once it is repaired."""
    text, first = reading.draft.text, fix.span.start
    repaired = text[:first] + fix.replacement + text[fix.span.end :]
    behind = max(first + len(fix.replacement), position + len(repaired) - len(text))
    end = repaired.find("\n", behind + 1)  # whether it does shows in the line it is in
    upto = repaired if end < 0 else repaired[: repaired.find("\n", end + 1) + 1] or repaired
    try:
        reading.tried(Draft(upto, ""), first).tree()
    except UnexpectedInput as error:
        return _at_end(error) or (error.pos_in_stream or 0) > behind
    return True


def _told(found: Found, text: str, path: str) -> Diagnostic:
    slip, old = found.slip, text[found.start : found.end]
    first = found.start + len(old) - len(old.lstrip())
    shown = Span(path, first, first + len(old.strip())) if old.strip() else None
    span = Span(path, found.start, found.end)
    begin = max(text.rfind(c, 0, found.start) for c in "\n;{") + 1
    word = _WORD.search(text, begin)
    words = {
        "old": old.strip(),
        "new": (found.instead or "").strip(),
        "word": word[0] if word else "…",
    }
    fixes = () if found.instead is None else (_fix(found, path),)
    return Diagnostic(
        shown or span,
        slip.code,
        _filled(slip.message, words),
        _filled(slip.help if words["new"] or slip.help != _WRITE else "leave it out", words),
        fixes=fixes,
    )


def _explain_character(text: str, path: str, error: UnexpectedCharacters) -> Diagnostic:
    start = error.pos_in_stream or 0
    end = start + 1
    if text[start] == ".":  # a file name without quotes: all of it, "digits.npz"
        while start and (text[start - 1].isalnum() or text[start - 1] in "_-./"):
            start -= 1
    while text[start].isalnum() and end < len(text) and (text[end].isalnum() or text[end] in "._"):
        end += 1
    found = text[start:end]
    if found == ":" and (last := end_of_indented(text, start)) > end:
        fix = Fix(Span(path, start, last), f" {{{text[end:last]}\n}}")
        return Diagnostic(
            Span(path, start, end), "WZ003", "a block opens with `{`, not with `:`",
            "write `{` here, and `}` behind the lines that belong to it", fixes=(fix,),
        )  # fmt: skip
    if re.fullmatch(r"\d+(x\w+)+", found):
        return Diagnostic(
            Span(path, start, end), "WZ005", f"`{found}` is no size",
            "sizes that are calculated have spaces around each `x`: "
            f"{' x '.join(found.split('x'))}",
        )  # fmt: skip
    if found[0].isdigit():
        help = "numbers look like 16, 0.3, 30%, 1_000_000 or 10M; sizes like 3x3"
        return Diagnostic(Span(path, start, end), "WZ005", f"`{found}` is not a number", help)
    if "." in found:
        quoted = 'a path or file name stands in quotes: "…"'
        help = quoted if _FILE.search(found) else "names have letters, digits and `_`, and no dots"
        return Diagnostic(Span(path, start, end), "WZ005", f"`{found}` is not a name", help)
    shown = found if found.isprintable() else f"U+{ord(found):04X}"
    help = CHARACTERS.get(found, "remove it; names use letters a-z, digits and _")
    message = f"`{shown}` means nothing here"
    return Diagnostic(Span(path, start, end), "WZ005", message, help)


def _explain_token(reading: Reading, error: UnexpectedToken) -> Diagnostic:
    text, path, token = reading.draft.text, reading.draft.path, error.token
    start = len(text) if token.type == "$END" else (token.start_pos or 0)
    span = Span(path, start, max(start + len(token.rstrip()), start + 1))
    accepted = _accepted(error)
    before = end_of_code_before(text, start)
    last = text[before - 1 : before]
    between = text[before:start]
    begins_statement = last in ("", "{", "}", ";") or ("\n" in between and last != ",")
    found = "the end of the file" if token.type == "$END" else f"`{token.rstrip()}`"
    cut_off = token.type in ("_SEP", "$END", "RBRACE")
    bracket = open_bracket(text, start)
    if bracket is not None and ("\n" in text[bracket:start] or token.type == "RBRACE"):
        return _unclosed(text, path, bracket)
    around = headers_at(text, start)
    arms = bool(around) and around[-1].word in JOINS  # which follow each other without `;`
    behind_block = last == "}" and "\n" not in between and not arms and "_SEP" in accepted
    if not behind_block and (mistake := by_example(error)) is not None:
        word = _word_before(text, before)
        words = {"found": found, "before": text[slice(*word)] or "…"}
        if word[1] and cut_off:
            span = Span(path, *word)
        help = _filled(mistake.help, words)
        return Diagnostic(span, "WZ001", _filled(mistake.message, words), help)
    if not begins_statement and (cut_off or "\n" in between):
        span = Span(path, before - 1, before)
        message = f"this ends too early: {_expected(accepted)} must follow"
        return Diagnostic(span, "WZ001", message, _form(text, start, "on one line, "))
    if (
        (behind_block or not begins_statement)
        and "_SEP" in accepted
        and token.type in ("NAME", "PATTERN", "LBRACE", "STAGE", *_KEYWORDS)
    ):
        fix = Fix(Span(path, before, start), "; ", safe=True)
        return Diagnostic(
            span, "WZ006", f"{found} must begin a new statement or be removed",
            "end the statement before it with a new line or `;`",
            fixes=(fix,) if _gets_past(reading, start, fix) else (),
        )  # fmt: skip
    keywords = [_KEYWORDS[t] for t in accepted if t in _KEYWORDS]
    keywords += ["pretrain", "finetune", "polish"] if "STAGE" in accepted else []
    if keywords and token.type in ("NAME", "PATTERN", *_KEYWORDS):
        return _unknown_statement(span, str(token), sorted(keywords))
    message = f"{found} does not fit here: expected {_expected(accepted)}"
    return Diagnostic(span, "WZ001", message, _form(text, start))


def _form(text: str, position: int, how: str = "") -> str | None:
    """How the statement around a position is written."""
    start, _ = statement_at(text, max(position - 1, 0))
    word = _WORD.match(text[start:].lstrip())
    form = FORMS.get(word[0]) if word else None
    if text[:position].rstrip().endswith(" as"):
        form = "basic(16) as a[1..3]"
    return f"it is written {how}as in `{form}`" if form else None


def _of_constants(text: str, path: str, token: Token) -> Diagnostic | None:
    """`let` elsewhere than at the top."""
    start = token.start_pos or 0
    before = end_of_code_before(text, start)
    let = (start, start + 3) if token == "let" else _word_before(text, before)
    if text[slice(*let)] != "let" or token.type == "EQUAL" or "{" not in text[: let[0]]:
        return None
    return Diagnostic(
        Span(path, *let), "WZ002", "constants stand outside of modules, networks and spaces",
        "move `let …` to the top of the file",
    )  # fmt: skip


def _word_before(text: str, end: int) -> tuple[int, int]:
    """Where the last word before a place is."""
    while end and not (text[end - 1].isalnum() or text[end - 1] == "_"):
        end -= 1
    start = end
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return start, end


def _unclosed(text: str, path: str, bracket: int) -> Diagnostic:
    """A parenthesis that was opened on an earlier line, where what follows does not fit into it."""
    line = text[bracket:].split("\n", 1)[0]
    closing = ")" if text[bracket] == "(" else "]"
    comment = "; `//` begins a comment, division is a single `/`" if "//" in line else ""
    return Diagnostic(
        Span(path, bracket, bracket + 1), "WZ003",
        f"this `{text[bracket]}` is not closed where it should be",
        f"add the missing `{closing}`{comment}",
    )  # fmt: skip


def _filled(template: str, words: dict[str, str]) -> str:
    """`template` with its words; other braces in it are the language's."""
    for name, word in words.items():
        template = template.replace(f"{{{name}}}", word)
    return template


def _unknown_statement(span: Span, word: str, keywords: list[str]) -> Diagnostic:
    near = SYNONYMS.get(word.lower()) or nearest(word, keywords)
    help = f"possible here: {', '.join(keywords)}"
    if len(keywords) > 8:
        help = f"docs/language.md lists the statements: {', '.join(_USUAL)} and others"
    help = NONE_HERE.get(word.lower(), help)
    if near is not None and near.split()[0] in keywords:
        help = meant(near)
    return diagnostic(span, "WZ002", f"there is no `{word}` here", help)


_KEYWORDS = {kind: words[0] for kind, words in keywords().items() if len(words) == 1}


def _accepted(error: UnexpectedToken) -> list[str]:
    """Terminals that could really follow (the table alone would list too many)."""
    accepts = error.accepts or error.expected
    return sorted(str(terminal) for terminal in accepts)


def _expected(accepted: list[str]) -> str:
    names = [t for t in accepted if t not in _OPERATORS] or accepted
    words = [_READABLE.get(t) or f"`{_KEYWORDS.get(t, t)}`" for t in names]
    if len(words) > 7:
        words = [*words[:6], "…"]
    return either(words)
