"""Slips in limits and goals of a space."""

import re

from wootzc.grammar.parse.slips.row import Match, Slip
from wootzc.ir.net.metrics import METRICS

_COMPARED = {
    "is": "", "at least": ">=", "above": ">=", "over": ">=", "more than": ">=", "at most": "<=",
    "below": "<=", "under": "<=", "less than": "<=", "up to": "<=", "of": "", "is at least": ">=",
    "is at most": "<=", "max": "<=", "min": ">=", "no more than": "<=", "no less than": ">=",
}  # fmt: skip
_WORDS = "|".join(sorted(_COMPARED, key=len, reverse=True))
_FLIPPED = {"<": ">=", ">": "<=", "≤": ">=", "≥": "<="}


def _compared(match: Match) -> str:
    word = re.sub(r"\s+", " ", match["at"].strip())
    usual = ">=" if match["metric"].startswith("acc") else "<="
    return (_COMPARED.get(word) or usual) + " " * (not match["at"].strip())


def _points_lost(match: Match) -> str:
    """`teacher * 0.99` → `teacher - 1 points`."""
    number = match["share"]
    share = float(number.rstrip("%")) / (100 if number.endswith("%") else 1)
    return f"teacher - {100 * (1 - share):.6g} points"


def _goal(match: Match) -> str:
    """`minimize params by 40%` → a limit of 60% beside it."""
    number = match["n"]
    if match["word"] == "by" and number.endswith("%"):
        number = f"{100 - float(number[:-1]):g}%"
    return f"minimize {match['m']}; subject to {match['m']} <= {number}"


def _share(match: Match) -> str:
    """`macs <= 0.8 * macs` → `80%`; nothing for a share of another cost, or of more than all."""
    number = match["n"]
    share = float(number.rstrip("%")) * (1 if number.endswith("%") else 100)
    of_another = match["whole"] in METRICS and match["whole"] != match["cost"]
    return match["at"] if of_another or share > 100 else f"{share:.6g}%"


_WHOLE = (
    r"(?:the )?(?P<whole>teacher|full|original|baseline|base|unpruned|total|"
    rf"{'|'.join(METRICS)})\b"
)
_LIMITS = "limits are written with `<=` or `>=`"

LIMITS = (
    Slip(r"(?:^|[\n;{]) ?(?P<at>(?P<m>" + "|".join(METRICS) + r")) ?(?=[<>≤≥])",
         r"subject to \g<m>", "a limit begins with `subject to`", within="space"),
    Slip(r"minimize (?P<m><NAME>) (?P<word>by|to|below|under) (?P<n><NUM>)", _goal,
         "a goal has no size: how small it has to be is a limit", within="space"),
    Slip(r"subject to ?\{ ?(?P<a>[^{};\n]*?) ?;? ?\}", r"subject to \g<a>",
         "a limit stands without braces", within="space", safe=True),
    Slip(r"accuracy within (?P<n>\d[\d.]*) ?(?:points?|pp|%)? (?:of|from|below)(?: the)? teacher",
         r"accuracy >= teacher - \g<n> points",
         "a distance below the teacher is written with `-`", within="space", safe=True),
    Slip(r"teacher ?- ?(?P<at>points? (?P<n>\d[\d.]*))", r"\g<n> points",
         "a number comes before its unit", within="space", safe=True),
    Slip(r"[<>]=? ?(?P<at>(?P<a>\d+) ?/ ?(?P<b>[1-9]\d*))",
         lambda m: f"{100 * int(m['a']) / int(m['b']):.6g}%", "a share is one number",
         within="space", safe=True),
    Slip(r"where (?P<a><NUM>) ?(?:<=?|≤) ?(?P<m><NAME>) ?(?:<=?|≤) ?(?P<b><NUM>)",
         r"where \g<m> >= \g<a>; where \g<m> <= \g<b>", "a limit has one side", within="space",
         safe=True),
    Slip(r"where (?P<m><NAME>) (?:is |in )?(?:between|from) (?P<a><NUM>) (?:and|to) (?P<b><NUM>)",
         r"where \g<m> >= \g<a>; where \g<m> <= \g<b>", "a limit has one side", within="space",
         safe=True),
    Slip(r"(?P<k>where|subject to) (?P<m><NAME>) ?(?:,|and"
         r"|&) ?(?P<n><NAME>) ?(?P<c>[<>]=?) ?(?P<a><NUM>)",
         r"\g<k> \g<m> \g<c> \g<a>; \g<k> \g<n> \g<c> \g<a>", "each limit is a statement",
         within="space", safe=True),
    Slip(r"(?P<k>where|subject to) (?P<a><NAME> ?[<>]=? ?[^,;\n&]+?) ?(?:and|,"
         r"|&&?) (?=<NAME> ?[<>])",
         r"\g<k> \g<a>; \g<k> ", "each limit is a statement", within="space", safe=True,
         help="end it with `;`, and begin the next with `where` or `subject to`"),
    Slip(r" of (?:the )?(?:full|total|original|whole|network|all)(?: <NAME>)?", "",
         "a share is one of the full network", within="space", safe=True, help="leave out `{old}`"),
    Slip(r"(?:where|to) (?!accuracy)(?P<cost><NAME>) ?[<>]=? ?"
         r"(?P<at>(?P<n>\d*\.\d+|\d+(?:\.\d+)?%) ?"
         rf"(?:\*|×|of|x) ?{_WHOLE})", _share, "a share is one of the full network",
         within="space"),
    Slip(r"accuracy (?:drop|loss|decrease|drops)(?: by)? ?(?:<=?|of"
         r"|≤)? ?(?P<n>\d[\d.]*) ?(?:%|points?|pp)?",
         r"accuracy >= teacher - \g<n> points", "a drop is limited by a distance from the teacher",
         within="space", safe=True),
    Slip(r"\b(?P<at>baseline|original|full|base|reference|unpruned)\b ?(?=[-;\n])", "teacher",
         "what the candidates are compared with is called the teacher", within="space"),
    Slip(r" ?,(?= ?with confidence)", "", "`with confidence` follows its limit directly",
         within="space", safe=True, help="leave out the comma"),
    Slip(r"= ?>|> =|>==", ">=", _LIMITS, safe=True, within="space"),
    Slip(r"= ?<|< =|<==", "<=", _LIMITS, safe=True, within="space"),
    Slip(r"(?:where|to) (?P<metric>\w+) ?(?P<at>!=|===?|=|:|\b(?:" + _WORDS + r")\b) ?(?=[\d.t])",
         _compared, _LIMITS, within="space"),
    Slip(r"(?P<at>\bteacher ?\+) ?[\d.]", "teacher -", "a limit can't be above the teacher",
         within="space"),
    Slip(r"\bteacher (?P<at>minus|less)\b", "-", "a distance below the teacher is written with `-`",
         within="space", safe=True),
    Slip(r"\( ?(?P<text>teacher[^()\n]*?) ?\)", r"\g<text>", "a limit stands without parentheses",
         within="space call", safe=True),
    Slip(r"\bteacher ?\* ?(?P<share>0?\.\d+|\d+(?:\.\d+)?%)", _points_lost,
         "a limit is a distance from the teacher, in points of accuracy", within="space"),
    Slip(r"(?P<n>\d[\d.]*) ?(?:%|points?|pp|percent)? (?:below|under|less than"
         r"|worse than)(?: the)? teacher",
         r"teacher - \g<n> points", "a distance below the teacher is written with `-`",
         within="space", safe=True),
    Slip(r"(?<!\w)(?P<n><NUM>) ?(?P<c>[<>]=?|[≤≥]) ?(?P<metric>[a-z]+)",
         lambda m: f"{m['metric']} {_FLIPPED[m['c'][0]]} {m['n']}",
         "a limit begins with what it limits", within="space", safe=True),
    Slip(r"(?:where|to) (?P<metric>\w+)(?P<at> )(?=[\d.t])", lambda m: f" {_compared(m)}", _LIMITS,
         within="space", help="write `{new}` between them"),
    Slip(r"(?P<a>minimize|maximize) (?P<b>\w+) ?(?:,|and|or|\+|&) ?\w+", r"\g<a> \g<b>",
         "what is best is one figure; others can be limited", within="space"),
    Slip(r"(?P<share>0?\.\d+|\d+(?:\.\d+)?%) ?(?:\*|of) ?(?:the )?teacher\b", _points_lost,
         "a limit is a distance from the teacher, in points of accuracy", within="space"),
    Slip(r"subject (?=(?!to\b)\w)", "subject to ", "a limit begins with `subject to`",
         within="space", safe=True),
    Slip(r"subject_to|subject-to|subjected to|st\b|s\.t\.|such that|constrain(?:ed|t)?(?: to)?\b",
         "subject to", "a limit begins with `subject to`", within="space", safe=True),
    Slip(r"(?:with|at|@)? ?(?P<b>\d[\d.]*%?) ?confidence|(?:with|at) (?P<d>\d[\d.]*%?)",
         lambda m: f" with confidence {m['b'] or m['d']}".lstrip(" " * (m[0][:1] != " ")),
         "how sure a limit is to hold follows it as `with confidence`", within="space", safe=True),
    Slip(r"where (?P<a><GLOB>) ?==? ?(?P<b>(?!teacher)[A-Za-z_*][\w*]*)", r"tie \g<a>, \g<b>",
         "modules that have one rate are tied", within="space"),
)  # fmt: skip
