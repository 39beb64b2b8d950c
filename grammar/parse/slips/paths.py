"""Slips in what names a file: data, teachers, candidates, other sources."""

import re

from wootzc.grammar.parse.slips.row import Match, Slip

_FOLLOWS = "what `{word}` says follows it directly"
_PATH_OF = r"(?P<a>\bdata\b|\bfrom\b|\binclude\b|folder ?\(|zip ?\(|npz ?\(|parquet ?\() ?[=:]? ?"


def _quoted(match: Match) -> str:
    return f'{match["a"]}{" " * match["a"][-1].isalpha()}"{match["text"]}"'


def _of_word(match: Match) -> str:
    """`data digits` → `data "digits"`; nothing for a network of this file: none builds on it."""
    if re.search(r"\bteacher\s+$", match.string[: match.start()]):
        return f'from "{match["text"]}.safetensors"'
    known = re.search(rf"\bnetwork\s+{match['text']}\b", match.string)
    return match[0] if known else _quoted(match)


def _of_constant(match: Match) -> str:
    """`data p` after `let p = "x.npz"` → `data "x.npz"`; nothing for other names."""
    text = re.search(rf"\blet\s+{match['text']}\s*=\s*(\"[^\"\n]*\")", match.string)
    if text is None:
        return match[0]
    return f"{match['a']}{' ' * match['a'][-1].isalpha()}{text[1]}"


def _with_options(match: Match) -> str:
    """`data("x.npz", validation = 20%)` → `data "x.npz" { validation 20% }`."""
    options = re.sub(r"\s*[=:]\s*", " ", re.sub(r"\s*,\s*", "; ", match["options"]))
    return f"data {match['text']} {{ {options} }}"


PATHS = (
    Slip(r"teacher from (?:pretrain|finetune|polish)\b", None, "the teacher builds on no stage",
         within="space", help="the others may build on it: `finetune from teacher { epochs 3 }`"),
    Slip(r"data ?\{ ?(?P<a>\"[^\"\n]*\") ?\}", r"data \g<a>", _FOLLOWS, within="space", safe=True),
    Slip(r"data \"[^\"\n]*\"(?: ?,| and)? ?\"[^\"\n]*\"", None, "`data` is one file or folder",
         within="space",
         help='images to judge by are a part of it: `data "x.npz" { validation 20%; test 10% }`'),
    Slip(r"data ?(?:from |: ?|= ?|\( ?)(?P<text>\"[^\"\n]*\") ?\)?", r"data \g<text>", _FOLLOWS,
         within="space call", safe=True),
    Slip(r"data (?P<kind>folder|zip|npz|parquet) ?:? ?(?P<text>\"[^\"\n]*\")",
         r"data \g<kind>(\g<text>)", "the path of a kind of data stands in parentheses",
         within="space", safe=True),
    Slip(_PATH_OF + r"(?P<text>[\w./~\\:-]*[./\\][\w./~\\-]*)", _quoted, "a path stands in quotes",
         safe=True),
    Slip(_PATH_OF + r"(?P<text><NAME>)\b", _of_constant, "constants are numbers, not paths"),
    Slip(_PATH_OF + r"(?P<text>[\w-]+)", _of_word, "a path stands in quotes"),
    Slip(r"(?P<a>teacher|configs) (?:=|:|is|in|at)? ?(?P<text>\"[^\"\n]*\")",
         r"\g<a> from \g<text>", "a file follows `from`", within="space", safe=True),
    Slip(r"configs ?(?P<at>(?P<text>\[[^\n{}]*\]))", r"{ \g<text> }", "candidates stand in braces",
         within="space range", safe=True),
    Slip(r"data (?P<text>\"[^\"\n]*\"|\w+\(\"[^\"\n]*\"\)) ?,? (?P<inner>[a-z]+[^\n{}]*)",
         r"data \g<text> { \g<inner> }", "options of the data stand in braces",
         within="space", safe=True),
    Slip(r"data ?\( ?(?P<text>\"[^\"\n]*\") ?, ?(?P<options>[^()\n]*?) ?\)", _with_options,
         "options of the data stand in braces", within="space", safe=True),
    Slip(r"(?:^|[\n;{]) ?(?P<at>(?P<text>\"[^\"\n]*\"))", r"data \g<text>",
         "images come from `data`", within="space"),
)  # fmt: skip
