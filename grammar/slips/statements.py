"""Slips that any statement with a value may have; tried after those of single statements."""

from wootzc.grammar.slips.networks import with_semicolons
from wootzc.grammar.slips.row import Slip
from wootzc.grammar.statements import KEYWORDS

STATEMENTS = (
    Slip(r"[^;{}\n]*,[^;{}\n]*[^;{}\s]", with_semicolons,
         "statements are separated by `;` or a new line", safe=True, within="settings space"),
    Slip(r"(?<!\w)(?P<a>\w+) ?(?:::?=|[+:]?=|:) ?(?P<b>[^\n;{}]*[^\s;{}])", r"\g<a> \g<b>",
         "settings are written without `=`, and so are statements", safe=True,
         within="settings space list file body"),
    Slip(r"(?<!\w)(?P<a>\w+) ?(?:::?=|[+:]?=|:) ?(?=\{)", r"\g<a> ",
         "braces follow the name directly", safe=True, help="write `{new}` before the `{`"),
    Slip(r"(?P<a>[^\s;{}]+) ?\n\s*(?P<b>(?!(?:%s)\b)[^\s;{}/][^\n;{}]*)" % "|".join(KEYWORDS),
         r"\g<a> \g<b>",
         "a statement stands on one line", safe=True, within="space settings body file",
         help="write `{new}` on one line"),
    Slip(r"(?<!\w)(?P<a><NAME> [^\s;{}]+) (?=(?P<b><NAME>[\s(]))", r"\g<a>; ",
         "a setting must begin a new statement or be removed", within="settings", safe=True,
         code="WZ006", help="end the statement before it with a new line or `;`"),
    Slip(r"(?<!\w)<NAME> [\w.%]+(?P<at> [\w.%]+)", "", "this setting has one value, and `{old}` is another",
         within="settings", help="remove `{old}`"),
)  # fmt: skip
