"""Syntax errors in words: frequent mistakes by example, the rest by what was expected."""

import re
from typing import NamedTuple

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from wootzc.diagnostics import Diagnostic, Span
from wootzc.grammar.brackets import end_of_code_before, open_bracket
from wootzc.grammar.names import either, nearest


class Mistake(NamedTuple):
    """What to say where the parser stops as it stops in one of the examples."""

    message: str  # {found} is the text at which the parser stopped, {before} the word before it
    help: str  # likewise
    examples: tuple[str, ...]
    code: str = "WZ001"
    at_before: bool = False  # it is the word before that is out of place


def _space(*statements: str) -> tuple[str, ...]:
    return tuple(f"space s over n {{ {statement} }}" for statement in statements)


def _body(*statements: str) -> tuple[str, ...]:
    return tuple(f"module m {{ {statement} }}" for statement in statements)


MISTAKES = (
    Mistake(
        "settings are written without `=`",
        "leave out the `=`: `{before} …`",
        _space(
            "teacher { steps = 600 }", "seed = 1", "minimize = params", "data = x", "rates = {}",
            "blocks = wootz", "explore = all", "sample = 5", "teacher = x", "finetune = {}",
            "augment = {}", "certify = 95%", "budget = 10", "precision = x", "propose = 5",
        ),
    ),
    Mistake(
        "`{before}` must begin a new statement or be removed",
        "end the statement before it with a new line or `;`",
        _space(*(f"teacher {{ steps 600 batch {rest} }}" for rest in ("64", "sgd", "3x3", '"x"')),
               *(f"teacher {{ steps 600 crop{rest} }}" for rest in ("(4)", " -1"))),
        code="WZ006",
        at_before=True,
    ),
    Mistake(
        "each arm of a branch needs braces of its own",
        "write `add { { conv(3x3, 16); norm } { } }`; an empty arm passes its input on",
        _body(
            "add { conv(3x3, 1) }", "add {\n norm }", "add(1) { norm }",
            *(f"add {{ {arm}{space}norm }}"
              for arm in ("{ }", "{\n}", *(f"{{{a}{x}{b}}}" for a in ("", "\n") for b in ("", "\n")
                                           for x in ("a", "a; a", "a; a; a")))
              for space in (" ", "\n")),
        ),
    ),
    Mistake(
        "arguments stand in parentheses, but {found} follows the name",
        "write `{before}(…)`, as in `conv(3x3, 16)`",
        _body("conv 3x3", "conv 3", 'conv "x"', "a; conv 3x3", "a; conv 3", "conv = 3"),
    ),
    Mistake(
        "there is no comma before {found}",
        "separate arguments by commas: `conv(3x3, 16, stride = 2)`",
        _body("conv(3x3 16)", "conv(16 3x3)", "conv(3x3 a)", 'conv(1 "a")', "conv(a b)",
              "conv(a 1)", "conv(a = 1 b)", "conv(a = b c)"),
    ),
    Mistake(
        "there is no comma before {found}",
        "separate rates by commas: `rates { 0, 30%, 50% }`",
        _space("rates { 0 1 }", "rates { 0\n1 }", "rates { 0; 1 }", "configs { [0 1] }",
               "configs { [0, 1 1] }", "rates { 0, 1 1 }"),
    ),
    Mistake(
        "a list of rates stands in braces, but {found} follows `rates`",
        "write `rates { 0, 30%, 50% }`",
        _space("rates 0", "rates [0]", "rates (0)", "prune a rates 0", "prune a rates [0]"),
    ),
    Mistake(
        "there is no comma before {found}",
        "separate patterns by commas: `prune a*, b* by l1`",
        _space("prune a* b*", "keep a b", "tie a b", "keep a, b c", "keep a..b c", "keep a*b d"),
    ),
    Mistake(
        "`sample` needs to know how many candidates to take",
        "write `sample 500 seed 1`",
        _space("sample seed 1", "sample stratified by params", "sample all", "sample by x",
               "sample", "sample\n"),
    ),
    Mistake(
        "`propose` needs to know how many candidates to propose",
        "write `propose 500`",
        _space("propose all", "propose", "propose\n"),
    ),
    Mistake(
        "`budget` needs to know how much",
        "write `budget 10 candidates` or `budget 30 minutes`",
        _space("budget candidates 10", "budget all", "budget", "budget\n", "budget -1"),
    ),
    Mistake(
        "a limit begins with `subject to`",
        "write `subject to accuracy >= teacher - 1.0 points`",
        _space("subject accuracy >= 1", "subject params", "subject 1"),
    ),
    Mistake(
        "a space says which network it is about",
        "write `space NAME over NETWORK { … }`",
        ("space s { seed 1 }", "space s of n { seed 1 }", "space s = n", "space s(n) { }"),
    ),
    Mistake(
        "what is left of a layer's filters is a multiple of a number",
        "write `multiple of 8`",
        _space("multiple 8", "multiple = 8", "multiple(8)"),
    ),
    Mistake(
        "a network from a file names its layers in quotes",
        "write `module m1 { \"layer1.0.*\" }`, with the names that the file gives its layers",
        tuple(f'network n from "x" {{ module m {{ {inside} }} }}'
              for inside in ("a", "a*", "a(1)", "*", "conv(3x3, 16)")),
    ),
    Mistake(
        "a network from a file has no layers of its own",
        "in these braces stand `input(224x224x3)`, `modules by names` and `module m1 { \"…\" }`",
        ('network n from "x" { add { } }', 'network n from "x" { add { { } { } } }',
         'network n from "x" { auxiliary { norm } }',
         'network n from "x" { auxiliary(1) { norm } }'),
    ),
    Mistake(
        "a path stands in quotes",
        'write `data "digits.npz"`, `teacher from "weights.safetensors"`, `include "parts.wz"`',
        (*_space("data digits", "data digits\n", "data digits; all", "data digits.npz",
                 "data ./x", "data /x", "teacher from x", "teacher from ./x", "teacher from /x",
                 "configs from x", "configs from /x",
                 "data folder(x)", "data folder(/x)"),
         "include x", "include ./x", "include /x",
         "network n from x", "network n from ./x", "network n from /x"),
    ),
    Mistake(
        "the numbers of several modules are a range",
        "write `basic(16) as a[1..3]` for a1, a2 and a3",
        _body("m as a[3]", "m as a[1, 2]", "m as a[]", "m as a1..a3", "m as a*"),
    ),
    Mistake(
        "modules in order stand in parentheses",
        "write `where nondecreasing(a1..b3)`",
        _space("where nondecreasing a1", "where nondecreasing a*", "where nondecreasing {"),
    ),
    Mistake(
        "candidates stand in braces",
        "write `configs { [0, 30%] [50%, 50%] }`, or `configs from \"candidates.csv\"`",
        _space("configs [0]", "configs 0", 'configs "x.csv"'),
    ),
    Mistake(
        "a parameter list holds names only",
        "write `module basic(width, stride = 1) { … }`",
        ("module m(16) { }", "module m(3x3) { }", "module m(a, 16) { }", 'module m("a") { }'),
    ),
    Mistake(
        "a percent sign follows its number without a space, and nothing follows it",
        "write `30%`",
        _space("rates { 30 % }", "rates { 30 %, 1 }"),
    ),
    Mistake(
        "layers follow each other on lines of their own; there are no arrows",
        "write one layer a line, or `conv(3x3, 16); norm; relu`",
        _body(*(f"{layer} -> relu" for layer in (
            "norm", "conv()", "conv(1)", "conv(1, 2)", "conv(1, 2, 3)", "m as a", "m as a[1..2]",
            "add { }", "add { {} }", "add { {} {} }", "add { {} {} {} }",
        ))),
    ),
)  # fmt: skip

CHARACTERS = {
    "“": 'use straight quotes: "…"',
    "”": 'use straight quotes: "…"',
    "'": 'use double quotes: "…"',
    "\u2018": 'use double quotes: "…"',
    "\u2019": 'use double quotes: "…"',
    "×": "write an x: 3x3",
    "#": "a comment begins with //",
    "%": "a percent sign follows its number without a space: 30%",
    "–": "use a plain minus sign: -",
    "−": "use a plain minus sign: -",
    "…": "`…` stands for something that you write yourself",
    "\\": 'paths stand in double quotes: "a/b"',
}

_READABLE = {
    "NAME": "a name",
    "PATTERN": "a module or a pattern such as `a*`",
    "NUMBER": "a number",
    "SHAPE": "a size such as `3x3`",
    "STRING": 'a text in quotes, "…"',
    "COMPARISON": "`<=` or `>=`",
    "STAGE": "`pretrain` or `finetune`",
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
_WORD_BEFORE = re.compile(r"\w+(?=\W*$)")
_OPERATORS = ("PLUS", "MINUS", "STAR", "SLASH")  # possible nearly everywhere, rarely meant


def explain(parser: Lark, text: str, path: str, error: UnexpectedInput) -> Diagnostic:
    """The one diagnostic for a syntax error."""
    match error:
        case UnexpectedCharacters():
            return _explain_character(text, path, error)
        case UnexpectedToken():
            return _explain_token(parser, text, path, error)
        case _:
            raise error


def _explain_character(text: str, path: str, error: UnexpectedCharacters) -> Diagnostic:
    start = error.pos_in_stream or 0
    end = start + 1
    if text[start] == ".":  # a file name without quotes: all of it, "digits.npz"
        while start and (text[start - 1].isalnum() or text[start - 1] in "_-./"):
            start -= 1
    while text[start].isalnum() and end < len(text) and (text[end].isalnum() or text[end] in "._"):
        end += 1
    found = text[start:end]
    if found[0].isdigit():
        help = "numbers look like 16, 0.3, 30%, 1_000_000 or 10M; sizes like 3x3"
        return Diagnostic(Span(path, start, end), "WZ005", f"`{found}` is not a number", help)
    if "." in found:
        help = 'a path or file name stands in quotes: "…"'
        return Diagnostic(Span(path, start, end), "WZ005", f"`{found}` is not a name", help)
    shown = found if found.isprintable() else f"U+{ord(found):04X}"
    help = CHARACTERS.get(found, "remove it; names use letters a-z, digits and _")
    message = f"`{shown}` means nothing here"
    return Diagnostic(Span(path, start, end), "WZ005", message, help)


def _explain_token(parser: Lark, text: str, path: str, error: UnexpectedToken) -> Diagnostic:
    token = error.token
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
    if token.type in ("RPAR", "RSQB") and bracket is None:
        help = f"remove it, or open a `{'(' if token == ')' else '['}` before it"
        return Diagnostic(span, "WZ003", f"this {found} closes nothing", help)
    if (mistake := _by_example(parser, error)) is not None:
        word = _WORD_BEFORE.search(text, 0, before)
        words = {"found": found, "before": word[0] if word else "…"}
        if word and (cut_off or mistake.at_before):
            span = Span(path, *word.span())
        help = _filled(mistake.help, words)
        return Diagnostic(span, mistake.code, _filled(mistake.message, words), help)
    if not begins_statement and (cut_off or "\n" in between):
        span = Span(path, before - 1, before)
        return Diagnostic(span, "WZ001", f"this ends too early: {_expected(accepted)} must follow")
    if (
        not begins_statement
        and "_SEP" in accepted
        and token.type in ("NAME", "PATTERN", "LBRACE", "STAGE", *_KEYWORDS)
    ):
        return Diagnostic(
            span, "WZ006", f"{found} must begin a new statement or be removed",
            "end the statement before it with a new line or `;`",
        )  # fmt: skip
    keywords = [_KEYWORDS[t] for t in accepted if t in _KEYWORDS]
    keywords += ["pretrain", "finetune"] if "STAGE" in accepted else []
    if keywords and token.type in ("NAME", "PATTERN", *_KEYWORDS):
        return _unknown_statement(span, str(token), sorted(keywords))
    return Diagnostic(span, "WZ001", f"{found} does not fit here: expected {_expected(accepted)}")


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
    near = nearest(word, keywords)
    if near is None:
        hints = {"epochs": "finetune { steps 400 }", "constraint": "subject to", "goal": "minimize"}
        listing = f"possible here: {', '.join(keywords)}"
        near_text = f"write `{hints[word]}`" if word in hints else listing
    else:
        near_text = f"did you mean `{near}`?"
    return Diagnostic(span, "WZ002", f"there is no `{word}` here", near_text)


class _Keywords(dict[str, str]):
    """Terminal name → the keyword: `_DATA` → data."""


_KEYWORDS = _Keywords(
    (f"_{word.upper()}", word)
    for word in (
        "include module network space over as auxiliary modules from by to data augment teacher "
        "rates prune keep multiple of tie where all sample stratified seed configs propose "
        "minimize maximize subject blocks explore certify budget precision"
    ).split()
)


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


def _by_example(parser: Lark, error: UnexpectedToken) -> Mistake | None:
    """Lark's match_examples, by the parser's state and the kind of token it stopped at."""
    kinds: dict[str, set[str]] = {}

    def parse(text: str) -> Tree[Token]:
        try:
            return parser.parse(text, start="file")
        except UnexpectedInput as mistaken:
            _compare_by_position(mistaken)
            kinds.setdefault(text, set()).add(_kind(mistaken))
            raise

    _compare_by_position(error)
    mistake: Mistake | None = error.match_examples(
        parse,
        {mistake: mistake.examples for mistake in MISTAKES},
        token_type_match_fallback=True,
        use_accepts=False,
    )
    if mistake is None:
        return None
    fits = any(_kind(error) in kinds.get(example, ()) for example in mistake.examples)
    return mistake if fits else None


def _compare_by_position(error: UnexpectedInput) -> None:
    """Compare the parser's state alone, not the depth of its stack: context is no matter."""
    error.state = getattr(error.state, "position", error.state)


def _kind(error: UnexpectedInput) -> str:
    if not isinstance(error, UnexpectedToken):
        return "character"
    token: Token = error.token
    return "word" if token.type in ("NAME", "PATTERN") or token.isidentifier() else token.type
