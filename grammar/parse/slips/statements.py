"""Slips that any statement with a value may have; tried after those of single statements."""

import re

from wootzc.grammar.parse.slips.networks import with_semicolons
from wootzc.grammar.parse.slips.row import Match, Slip


def _plain(match: Match) -> str:
    """`validation = 20%, test = 10%` → `validation 20%; test 10%`."""
    return re.sub(r"\s*[:=]\s*", " ", re.sub(r"\s*,\s*", "; ", match[0]))


STATEMENTS = (
    Slip(r"<NAME> ?[:=] ?[^,;{}=\n]+(?:, ?<NAME> ?[:=] ?[^,;{}=\s]+)+", _plain,
         "settings are written without `=`, and end with `;`", within="settings", safe=True),
    Slip(r"(?P<at> ?,) ?\n\s*(?:<KEYWORD>) ?\S*", "",
         "the comma at the end of a line goes on in the next one", safe=True, within="space",
         help="remove it"),
    Slip(r"(?P<at> ?,)(?=\s*[\n;}])", "", "this comma separates nothing", safe=True,
         within="space settings body", help="remove it"),
    Slip(r"(?P<a>optimizer <NAME>) \(? ?(?:lr|learning_rate|rate)? ?[=:]? ?(?P<b><NUM>)",
         r"\g<a>(\g<b>)", "the learning rate stands in parentheses", within="settings", safe=True),
    Slip(r"(?<![\w.])(?P<n><NUM>) (?P<a><NAME>)(?=\s*[\n;}])", r"\g<a> \g<n>",
         "the name of a setting comes first", within="settings", safe=True),
    Slip(r"[^;{}\n]*,[^;{}\n]*[^;{}\s]", with_semicolons,
         "statements are separated by `;` or a new line", safe=True, within="settings space"),
    Slip(r"(?<!\w)(?P<a>\w+) ?(?:::?=|[+:]?=|:) ?(?P<b>[^\n;{}]*[^\s;{}])", r"\g<a> \g<b>",
         "settings are written without `=`, and so are statements", safe=True,
         within="settings space list file body"),
    Slip(r"(?<!\w)(?P<a>\w+) ?(?:::?=|[+:]?=|:) ?(?=\{)", r"\g<a> ",
         "braces follow the name directly", safe=True, help="write `{new}` before the `{`"),
    Slip(r"(?P<a>[^\s;{}]+) ?\n\s*(?P<b>(?!(?:<KEYWORD>)\b)[^\s;{}/][^\n;{}]*)",
         r"\g<a> \g<b>",
         "a statement stands on one line", safe=True, within="space settings body",
         help="write `{new}` on one line"),
    Slip(r"(?<!\w)<NAME> [^\s;{}]+(?P<at> (?P<b><NAME>))[\s(]+\S*", r"; \g<b>",
         "`{old}` must begin a new statement or be removed", within="settings", safe=True,
         code="WZ006", help="end the statement before it with a new line or `;`"),
    Slip(r"(?<!\w)<NAME> [\w.%]+(?P<at> [\w.%]+)", "",
         "this setting has one value, and `{old}` is another",
         within="settings", help="remove `{old}`"),
)  # fmt: skip
