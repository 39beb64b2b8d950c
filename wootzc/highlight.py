"""A Pygments lexer: `.wz` files and blocks of documentation in colour."""

from typing import ClassVar

from pygments.lexer import RegexLexer, bygroups, words
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Whitespace,
)  # fmt: skip

from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.values import FUNCTIONS
from wootzc.grammar.syntax.keywords import keywords


class WootzLexer(RegexLexer):  # type: ignore[misc]
    """`pygmentize -l wootzc`; found by its entry point."""

    name = "wootzc"
    aliases: ClassVar[list[str]] = ["wootzc", "wz"]
    filenames: ClassVar[list[str]] = ["*.wz"]
    tokens: ClassVar[dict[str, list[object]]] = {
        "root": [
            (r"\s+", Whitespace),
            (r"//[^\n]*", Comment.Single),
            (r"/\*[\s\S]*?\*/", Comment.Multiline),
            (r'"[^"\n]*"', String.Double),
            (
                r"(module|network|space)(\s+)([A-Za-z_]\w*)",
                bygroups(Keyword, Whitespace, Name.Class),
            ),
            (r"\d+(x\d+)+\b", Number),
            (r"(\d[\d_]*(\.(?!\.)\d[\d_]*)?|\.\d[\d_]*)([eE][+-]?\d+)?(%|[kMG]\b)?", Number),
            (words([w for each in keywords().values() for w in each], r"\b", r"\b"), Keyword),
            (words(BUILT_IN, r"\b", r"\b"), Name.Builtin),
            (words(FUNCTIONS, r"\b", r"(?=\s*\()"), Name.Builtin),
            (r"channels\b", Name.Builtin.Pseudo),
            (r"[A-Za-z_]\w*(?=\s*\()", Name.Function),
            (r"[A-Za-z_*?][\w*?]*", Name),
            (r"\.\.|[<>]=?|==|≤|≥|[-+*/=]", Operator),
            (r"[{}()\[\],;]", Punctuation),
        ]
    }
