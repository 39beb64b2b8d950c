"""Slips of characters and numbers, wherever they stand."""

from wootzc.grammar.parse.slips.row import Match, Slip

_TIME = {"s": "seconds", "m": "minutes", "h": "hours"}
_SCALE = {"K": "k", "m": "M", "g": "G", "B": "G"}


def _quoted(match: Match) -> str:
    return f'"{match["a"] if match["a"] is not None else match["b"]}"'


def _size(match: Match) -> str:
    return "x".join(part for part in (match["a"], match["b"], match["c"]) if part)


def _scaled(match: Match) -> str:
    return match["number"] + _SCALE.get(match["unit"], match["unit"])


def _time(match: Match) -> str:
    return f"{match['number']} {_TIME[match['unit'][0]]}"


CHARACTERS = (
    Slip(r"""[\u201c\u201d\u201e\xab"](?P<a>[^\u201c\u201d\u201e\xab\xbb"\n]*)[\u201c\u201d\xbb"]"""
         r"""|['\u2018\u2019\u201a`](?P<b>[^'\u2018\u2019`\n]*)['\u2018\u2019`]""", _quoted,
         "a text stands in straight double quotes", safe=True, code="WZ005"),
    Slip(r"(?<!\w)(?P<a>\d+) ?[x×X*] ?(?P<b>\d+)(?: ?[x×X*] ?(?P<c>\d+))?(?!\w)", _size,
         "a size is written with an x, without spaces", safe=True, code="WZ005"),
    Slip(r"(?<!\w)[([] ?(?P<a>\d+) ?, ?(?P<b>\d+) ?(?:, ?(?P<c>\d+) ?)?[)\]]"
         r"(?![^;{}\n]*\) ?as \w+\[)", _size,
         "a size is written with an x", safe=True, within="call range"),
    Slip(r"\x22{3}(?P<rest>[^\n\x22]*)\x22{3}", r"//\g<rest>", "a comment begins with `//`"),
    Slip(r'"(?P<n><NUM>)"', r"\g<n>", "a number stands without quotes", safe=True),
    Slip(r"(?:^|(?<=\n)) ?--+(?P<rest>[^\n]*)", r"//\g<rest>", "a comment begins with `//`",
         safe=True),
    Slip(r"<!--(?P<rest>.*?)-->", r"/*\g<rest>*/", "a comment stands between `/*` and `*/`",
         safe=True),
    Slip(r"\$\{? ?(?P<a><NAME>) ?\}?", r"\g<a>", "a name stands without `$`", safe=True,
         code="WZ005"),
    Slip(r"%(?P<n>\d[\d.]*)", r"\g<n>%", "a percent sign follows its number", safe=True,
         code="WZ005"),
    Slip(r"(?<!\w)(?P<a>\d{1,2}) ?(?:\^|\*\*) ?(?P<b>\d)(?!\w)",
         lambda m: str(int(m["a"]) ** int(m["b"])),
         "numbers are written out", safe=True, code="WZ005", within="settings space list"),
    Slip(r"# ?define (?P<a><NAME>) (?P<b>[\w.%\"]+)", r"let \g<a> = \g<b>",
         "a constant begins with `let`", within="file", safe=True),
    Slip(r"#(?! ?include\b)#*(?P<rest>[^\n]*)", r"//\g<rest>", "a comment begins with `//`",
         safe=True, code="WZ005"),
    Slip(r"(?P<a>\b\w+) % (?P<b>\w+)", None, "calculations know `+`, `-`, `*` and `/`, but not `%`",
         within="call", help="work it out, or give the result as a parameter of the module"),
    Slip(r"(?P<number>\d[\d_.]*)(?: %| ?(?:percent|pct)\b)", r"\g<number>%",
         "a percent sign follows its number without a space", safe=True, code="WZ005"),
    Slip(r"%%+", "%", "one percent sign is enough", safe=True, code="WZ005"),
    Slip(r"(?<![\w.])(?P<n>\d[\d.]*)(?P<a>points?|pp|candidates?|images?|steps|epochs)\b",
         r"\g<n> \g<a>", "a unit stands behind a space", safe=True, code="WZ005"),
    Slip(r"≥=", ">=", "limits are written with `<=` or `>=`", safe=True, code="WZ005"),
    Slip(r"≤=", "<=", "limits are written with `<=` or `>=`", safe=True, code="WZ005"),
    Slip(r"[<>=≤≥] ?(?P<at>(?P<a>\d+),(?P<b>\d{1,2}))(?![\d,])", r"\g<a>.\g<b>",
         "a decimal point is a dot", within="space"),
    Slip(r"[<>=≤≥] ?(?P<at>\d{1,3}(?: \d{3})+)(?!\d)", lambda m: m["at"].replace(" ", "_"),
         "spaces do not group digits, `_` does", within="space", safe=True),
    Slip(r"(?<![\w,])\d{1,3}(?:,\d{3})+(?![\d,])", lambda m: m[0].replace(",", "_"),
         "commas do not group digits, `_` does", safe=True),
    Slip(r"(?<![\w.])(?<![<>=≤≥]\x20)(?P<number>\d[\d_.]*) ?"
         r"(?P<unit>s|secs?|seconds|m|mins?|minutes|h|hrs?|hours)\b",
         _time, "a unit of time is a word, after a space", within="space", code="WZ005",
         safe=True),
    Slip(r"(?<![\w.])(?P<number>\d[\d_.]*) ?(?P<unit>[KkMmGgB])\b", _scaled,
         "thousands, millions and milliards are `k`, `M` and `G`, without a space", code="WZ005"),
    Slip(r"(?<![\w.])(?P<whole>\d+),(?P<part>\d+)(?= ?(?:%|points?\b))", r"\g<whole>.\g<part>",
         "decimals are written with a point", safe=True),
)  # fmt: skip
