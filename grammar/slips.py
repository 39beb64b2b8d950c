"""Slips that show in the text around the place where the parser stopped, each with its repair.

One row a slip: what the text looks like, what to write instead, what to say. A row is proposed only
where the parser gets past the place once it is followed (syntax_errors.py tries), so patterns may
be generous. `{old}` and `{new}` in a message are the text and its replacement.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from wootzc.grammar.statements import KEYWORDS

Match: TypeAlias = re.Match[str]


class Slip(NamedTuple):
    pattern: str  # what is replaced is its group `at`, or all of it
    instead: str | Callable[[Match], str]  # a template as of `re.Match.expand`
    message: str
    safe: bool = False
    within: str = "file body space settings list call range"  # contexts that it may stand in
    code: str = "WZ001"
    help: str = "write `{new}`"


def _all(pattern: str, new: str) -> Callable[[Match], str]:
    return lambda match: re.sub(pattern, new, match[0])


def _listed(match: Match) -> str:
    return ", ".join(re.split(r"\s*[;,\s]\s*", match["list"].strip(" \n;,")))


def _quoted(match: Match) -> str:
    return f'"{match["text"]}"'


def _thousands(match: Match) -> str:
    return match[0].replace(",", "_")


def _capital(match: Match) -> str:
    return match["number"] + {"K": "k", "m": "M", "g": "G", "B": "G"}.get(
        match["unit"], match["unit"]
    )


_TIME = {"s": "seconds", "m": "minutes", "h": "hours"}


def _time(match: Match) -> str:
    return f"{match['number']} {_TIME[match['unit'][0]]}"


def _numbered(match: Match) -> str:
    """`a1, a2, a3` → `a[1..3]`."""
    names = re.findall(r"([A-Za-z_]\w*?)(\d+)\b", match["names"])
    return f"{names[0][0]}[{names[0][1]}..{names[-1][1]}]" if names else match["names"]


_COMPARED = {
    "is": ">=", "at least": ">=", "above": ">=", "over": ">=", "more than": ">=", "is at least":
    ">=", "at most": "<=", "below": "<=", "under": "<=", "less than": "<=", "is at most": "<=",
    "up to": "<=",
}  # fmt: skip


def _compared(match: Match) -> str:
    word = re.sub(r"\s+", " ", match["at"].strip())
    if word in _COMPARED and word != "is":
        return _COMPARED[word]
    return ">=" if match["metric"].startswith("acc") else "<="


_WORDS = "|".join(sorted((re.escape(w) for w in _COMPARED), key=len, reverse=True))
_NAME = r"[A-Za-z_]\w*"
_NUMBER = r"\d[\d_.]*[%kMG]?"
_STATEMENT = "|".join(KEYWORDS)
_CRITERIA = "l1|l2|bn_scale|geometric_median|taylor|random"
_STAGES = "teacher|pretrain|finetune|polish|augment"

SLIPS = (
    # ---- characters
    Slip(r"""[“”„«"](?P<text>[^“”„«»"\n]*)[“”»"]|['‘’‚`](?P<text2>[^'‘’`\n]*)['‘’`]""",
         lambda m: f'"{m["text"] if m["text"] is not None else m["text2"]}"',
         "texts stand in straight double quotes", safe=True, code="WZ005"),
    Slip(r"(?<!\w)(?P<a>\d+)\s*[x×X*]\s*(?P<b>\d+)(?:\s*[x×X*]\s*(?P<c>\d+))?(?!\w)",
         lambda m: "x".join(part for part in (m["a"], m["b"], m["c"]) if part),
         "a size is written with an x, without spaces", safe=True),
    Slip(r"[([]\s*(?P<a>\d+)\s*,\s*(?P<b>\d+)\s*(?:,\s*(?P<c>\d+)\s*)?[)\]]",
         lambda m: "x".join(part for part in (m["a"], m["b"], m["c"]) if part),
         "a size is written with an x", safe=True, within="call"),
    Slip(r"\#+(?P<rest>[^\n]*)", r"//\g<rest>", "a comment begins with `//`", safe=True,
         code="WZ005"),
    Slip(r"(?P<number>\d[\d_.]*)(?:\s+%|\s*(?:percent|pct)\b)", r"\g<number>%",
         "a percent sign follows its number without a space", safe=True, code="WZ005"),
    Slip(r"[–−—]", "-", "a minus sign is a plain `-`", safe=True, code="WZ005"),
    Slip(r"[≧⩾⇒]", ">=", "limits are written with `<=` or `>=`", safe=True, code="WZ005"),
    Slip(r"[≦⩽]", "<=", "limits are written with `<=` or `>=`", safe=True, code="WZ005"),
    Slip(r"\d{1,3}(?:,\d{3})+(?!\d)", _thousands, "commas do not group digits", safe=True),
    Slip(r"(?P<number>\d[\d_.]*)\s*(?P<unit>s|sec|secs|seconds|m|min|mins|minutes|h|hr|hrs|hours)\b",
         _time, "there is a unit of time in words, after a space", within="space", code="WZ005",
         safe=True),
    Slip(r"(?P<number>\d[\d_.]*)\s*(?P<unit>[KkMmGgB])\b", _capital,
         "thousands, millions and milliards are `k`, `M` and `G`, without a space", code="WZ005"),
    # ---- ranges
    Slip(r"(?P<base>\w*[A-Za-z_*?])\[\s*(?P<a>\d+)\s*(?::|\.{3,}|\.\.=|-|–|…|to|~)\s*(?P<b>\d+)\s*\]",
         r"\g<base>[\g<a>..\g<b>]", "a range is written with two dots", safe=True),
    Slip(r"(?P<base>\w*[A-Za-z_])[({]\s*(?P<a>\d+)\s*(?:\.\.+|:|-)\s*(?P<b>\d+)\s*[)}]",
         r"\g<base>[\g<a>..\g<b>]", "the numbers of several modules stand in square brackets",
         safe=True),
    Slip(r"(?P<base>\w*[A-Za-z_])\[\s*(?P<a>\d+)\s*,(?:\s*\d+\s*,)*\s*(?P<b>\d+)\s*\]",
         r"\g<base>[\g<a>..\g<b>]", "the numbers of several modules are a range"),
    Slip(r"(?P<base>\w*[A-Za-z_])\[\s*(?P<a>\d+)\s*\]",
         r"\g<base>\g<a>", "one module is named without brackets; several are a range, `a[1..3]`"),
    Slip(r"as\s+(?P<at>(?P<base>[A-Za-z_]\w*?)(?P<a>\d+)\s*(?:\.\.+|:|-|–|to)\s*(?P=base)?(?P<b>\d+))\b",
         r"\g<base>[\g<a>..\g<b>]", "the numbers of several modules are a range", safe=True),
    Slip(r"as\s+(?P<at>(?P<names>[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)+))", _numbered,
         "the names of several modules are a range of numbers"),
    Slip(r"(?P<a>[A-Za-z_]\w*)\s*(?::|\.{3,}|-|–|…|->|to\b|~)\s*(?P<b>[A-Za-z_]\w*)",
         r"\g<a>..\g<b>", "modules that follow each other are written with two dots",
         within="space call"),
    # ---- separators
    Slip(r"[^;{}\n]*,[^;{}\n]*", _all(r",(?![^()\[\]]*[)\]])\s*", "; "),
         "statements are separated by `;` or a new line", safe=True, within="body settings space"),
    Slip(r"(?P<at>\([^(){}\n]*\))", _all(r"\s*;\s*", ", "), "arguments are separated by commas",
         safe=True, within="call"),
    Slip(r"(?:->|=>|→|\|>|>>|\|)", ";", "layers follow each other on lines of their own, or after `;`",
         safe=True, within="body"),
    Slip(r"(?:rates|\brates\b[^{\n]*)\s*(?P<at>[\[(]\s*(?P<list>[^\])\n]*)[\])])",
         lambda m: f"{{ {_listed(m)} }}", "a list of rates stands in braces", safe=True,
         within="space call range"),
    Slip(r"rates\s+(?P<at>(?P<list>%s(?:[\s,]+%s)*))" % (_NUMBER, _NUMBER),
         lambda m: f"{{ {_listed(m)} }}", "a list of rates stands in braces", safe=True,
         within="space"),
    Slip(r"\{(?P<at>\s*(?P<list>[^{}\[\]]*?)\s*)\}", lambda m: f" {_listed(m)} ",
         "rates are separated by commas", safe=True, within="list", help="write `{{{new}}}`"),
    Slip(r"\[(?P<at>(?P<list>[^\[\]]*))\]", _listed, "rates are separated by commas", safe=True,
         within="range", help="write `[{new}]`"),
    Slip(r"(?:prune|keep|tie)\s+(?P<at>(?P<list>[\w*?.\[\]]+(?:(?:\s*;\s*|\s+(?:and\s+)?)"
         r"(?!by\b|rates\b|using\b|with\b)[\w*?.\[\]]+)+))",
         lambda m: re.sub(r"\s*(?:;|\s+and\s+|\s)\s*", ", ", m["at"]),
         "patterns are separated by commas", safe=True, within="space"),
    # ---- what stands for `=`, `:` and the like
    Slip(r"(?P<a>\w+)\s*:=?\s*(?P<b>[\w.%]+)", r"\g<a> = \g<b>", "an argument is given with `=`",
         safe=True, within="call"),
    Slip(r"(?P<a>\w+)\s*(?:==|:=)\s*(?P<b>[\w.%]+)", r"\g<a> = \g<b>",
         "an argument is given with one `=`", safe=True, within="call"),
    Slip(r"(?P<a>[A-Za-z_]\w*)\s+(?P<b>\d[\w.%]*|true|false)", r"\g<a> = \g<b>",
         "an argument is given with `=`", within="call"),
    Slip(r"(?P<a>[\w.%\"]+)\s+(?P<b>[\w.\"]+)", r"\g<a>, \g<b>", "arguments are separated by commas",
         within="call", safe=True),
    Slip(r"(?P<a>\w+)\s*(?::=|:|=)\s*(?P<b>\{)", r"\g<a> \g<b>", "braces follow the name directly",
         safe=True, help="leave out what stands between them"),
    Slip(r"(?P<a>\w+)\s*(?:\+=|:=|=|:)\s*(?P<b>[^\n;{}]+)", r"\g<a> \g<b>",
         "a value follows its name without `=` or `:`", safe=True, within="settings space list file"),
    # ---- limits
    Slip(r"=\s*>|>\s+=|≥=|>==", ">=", "limits are written with `<=` or `>=`", safe=True,
         within="space"),
    Slip(r"=\s*<|<\s+=|≤=|<==", "<=", "limits are written with `<=` or `>=`", safe=True,
         within="space"),
    Slip(r"(?P<metric>\w+)\s*(?P<at>=|!=|==|\b(?:%s)\b)" % _WORDS, _compared,
         "limits are written with `<=` or `>=`", within="space"),
    Slip(r"(?P<at>\bteacher\s*\+)\s*[\d.]", "teacher -", "a limit can't be above the teacher",
         within="space"),
    Slip(r"\bteacher\s+(?P<at>minus|less)\b", "-", "a distance below the teacher is written with `-`",
         within="space", safe=True),
    Slip(r"\(\s*(?P<text>teacher[^()\n]*?)\s*\)", r"\g<text>",
         "a limit stands without parentheses", within="space call", safe=True),
    Slip(r"\bteacher\s*\*\s*(?:0?\.\d+|\d+%)",
         lambda m: f"teacher - {_points_lost(m[0])} points",
         "a limit is a distance from the teacher, in points of accuracy", within="space"),
    Slip(r"subject(?=\s+(?!to\b)\w)|subject_to|subject-to|subjected\s+to|st\b|s\.t\.|such\s+that",
         "subject to", "a limit begins with `subject to`", within="space", safe=True),
    Slip(r"(?P<a>\w+)\s+(?P<b>\d[\d.]*%?)\s+(?P<c>confidence)|with\s+(?P<d>\d[\d.]*%?)(?:\s+confidence)?",
         lambda m: f"with confidence {m['b'] or m['d']}",
         "how sure a limit is to hold follows it as `with confidence`", within="space"),
    # ---- on one line
    Slip(r"(?P<a>[^\s;{}]+)[^\S\n]*\n\s*(?P<b>[^\s;{}/][^\s;{}]*)", r"\g<a> \g<b>",
         "a statement stands on one line", safe=True, within="space settings body file",
         help="write `{new}` on one line"),
    # ---- statements of a space
    Slip(r"(?P<a>prune|keep|tie)\s+(?:all|everything|every|modules)\b", r"\g<a> *",
         "all modules are written `*`", within="space"),
    Slip(r"prune\s+(?P<what>[\w*?.,\s]+?)\s+(?:except|but|without|excluding|not|save)\s+(?:for\s+)?"
         r"(?P<kept>[\w*?.,\[\] ]+)",
         r"prune \g<what>; keep \g<kept>", "what is not to be pruned has a statement of its own",
         within="space", safe=True),
    Slip(r"(?P<a>prune|keep|tie|minimize|maximize|budget|sample|propose|explore|blocks|precision|seed"
         r"|certify)\s*[({\[]\s*(?P<b>[^(){}\[\]\n]+?)\s*[)}\]]", r"\g<a> \g<b>",
         "what `{word}` says follows it without brackets", within="space call list settings range",
         safe=True),
    Slip(r"multiple\s*(?:of\s*)?[(=]?\s*(?P<n>\d+)\s*\)?", r"multiple of \g<n>",
         "what is left of a layer's filters is a multiple of a number", within="space", safe=True),
    Slip(r'(?P<at>"(?P<text>[\w*?.\[\]]+)")', r"\g<text>", "names stand without quotes",
         within="space body settings", safe=True),
    Slip(r"(?P<a>[\w*?\]]+)\s+(?:using|with|via|criterion|by\s+criterion|by)\s*[:=]?\s*(?P<b>%s)\b"
         % _CRITERIA, r"\g<a> by \g<b>", "a criterion follows `by`", within="space", safe=True),
    Slip(r"(?P<a>[\w*?\]]+)[\s,]+(?P<b>%s)\b" % _CRITERIA, r"\g<a> by \g<b>",
         "a criterion follows `by`", within="space", safe=True),
    Slip(r"(?P<a>prune[^{}\n]*?\S)\s*(?:at|to|with|=)?\s*\{", r"\g<a> rates {",
         "the rates of some modules follow `rates`", within="space list", safe=True),
    Slip(r"(?P<a>prune[^{}\n]*?\S)\s+(?:at|to|with|by|rate|rates)\s+(?P<b>[\d.]+%?)",
         r"\g<a> rates { \g<b> }", "the rates of some modules follow `rates`", within="space",
         safe=True),
    Slip(r"(?P<a>tie\s+[\w*?]+)\s*(?:=|==|&|\+|and|with|to)\s*(?P<b>[\w*?]+)", r"\g<a>, \g<b>",
         "modules that are tied are separated by commas", within="space", safe=True),
    Slip(r"(?P<module>[A-Za-z_*?][\w*?]*)(?:/|\.|->|::)[\w*?.\[\]/]+", r"\g<module>",
         "only modules have rates, not the layers in them", within="space"),
    Slip(r"(?P<a>where\s+\w+)(?:\s*[\[{]\s*|[^\S\n]+)(?P<b>[\w*?., ]+?)\s*[\]}]?(?=\s*[;\n])",
         r"\g<a>(\g<b>)", "modules in order stand in parentheses", within="space list range",
         safe=True),
    Slip(r"data\s*(?:from\s+|\(\s*)(?P<text>\"[^\"\n]*\")\s*\)?", r"data \g<text>",
         "the path follows `data` directly", within="space", safe=True),
    Slip(r"data\s+(?P<kind>folder|zip|npz|parquet)\s+(?P<text>\"[^\"\n]*\")",
         r"data \g<kind>(\g<text>)", "the path of a kind of data stands in parentheses",
         within="space", safe=True),
    Slip(r"(?:data|from|include|folder\s*\(|zip\s*\(|npz\s*\(|parquet\s*\()\s*"
         r"(?P<at>(?P<text>[\w./~\\-]*[./][\w./~\\-]*|[\w-]+))", _quoted,
         "a path stands in quotes", safe=True, code="WZ001"),
    Slip(r"(?:teacher|configs)\s+(?P<at>(?P<text>\"[^\"\n]*\"))", r"from \g<text>",
         "a file follows `from`", within="space", safe=True),
    Slip(r"configs\s*(?P<at>(?P<text>\[[^\n{}]*\]))", r"{ \g<text> }",
         "candidates stand in braces", within="space range", safe=True),
    Slip(r"(?P<a>sample\s+\d[\d_]*[kM]?)\s*(?:,|with|using|;)\s*(?P<b>seed|stratified)", r"\g<a> \g<b>",
         "options of `sample` follow it directly", within="space", safe=True),
    Slip(r"(?P<a>sample|propose|budget)\s+(?:of\s+)?(?P<b>seed\s+\d+|stratified\s+by\s+\w+)\s+(?P<c>\d\S*)",
         r"\g<a> \g<c> \g<b>", "how many comes first", within="space", safe=True),
    Slip(r"budget\s+(?:of\s+)?(?P<b>candidates|minutes|hours|seconds)\s+(?P<c>\d\S*)",
         r"budget \g<c> \g<b>", "how much comes first", within="space", safe=True),
    Slip(r"until\s+(?:saving\s*)?(?:[=>:]=?|is|below|under|<)?\s*(?P<n>\d[\d.]*%?)",
         r"until saving < \g<n>", "`until` says below which saving the search ends", within="space"),
    Slip(r"(?P<a>(?:seed|sample|propose|budget|of|steps|batch|certify|until\s+saving\s*<)\s+"
         r"(?:\d+\s+)?(?:seed\s+)?)-\s*(?P<n>\d[\d.]*%?)", r"\g<a>\g<n>",
         "`{word}` is a number that is not negative", within="space"),
    Slip(r"-\s*(?P<n>\d[\d.]*%?)", r"\g<n>",
         "a rate is the fraction of filters that is removed, from 0 to below 1", within="list range",
         code="WZ041"),
    # ---- settings
    Slip(r"(?P<a>[A-Za-z_]\w*\s+[^\s;{}]+)\s+(?P<b>[A-Za-z_]\w*[\s(]\s*[^;{}\n]+)", r"\g<a>; \g<b>",
         "`{name}` must begin a new statement or be removed", within="settings", safe=True,
         code="WZ006"),
    Slip(r"(?P<a>[A-Za-z_]\w*\s+[\w.%]+)\s+(?P<at>[\w.%]+)", "",
         "this setting has one value, and `{old}` is another", within="settings",
         help="remove `{old}`"),
    # ---- headers
    Slip(r"space\s+(?P<a>\w+)\s*(?:of|for|on|in|from|:|=|->|extends|with|network)\s*(?P<b>\w+)",
         r"space \g<a> over \g<b>", "a space says which network it is `over`", within="file",
         safe=True),
    Slip(r"space\s+(?P<a>\w+)\s*\(\s*(?P<b>\w+)\s*\)", r"space \g<a> over \g<b>",
         "a space says which network it is `over`", within="file call", safe=True),
    Slip(r"(?P<a>module\s+\w+)\s+(?P<b>[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*(?=\{)",
         r"\g<a>(\g<b>) ", "the parameters of a module stand in parentheses", within="file",
         safe=True),
    Slip(r"(?P<a>\w+)\s*(?:=|:=|:|->|is)\s*(?=\{)", r"\g<a> ", "a block opens with `{` after its name",
         safe=True, help="leave out what stands between them"),
    Slip(r"(?:def|class|function|fn|block|component)\s+(?P<a>\w+)", r"module \g<a>",
         "blocks of layers are called modules", within="file"),
    Slip(r"(?:model|net|graph|architecture)\s+(?P<a>\w+)", r"network \g<a>",
         "what is pruned is called a network", within="file"),
    Slip(r"(?:import|use|require|from)\s+(?P<a>\"[^\"\n]*\")", r"include \g<a>",
         "another file is included", within="file", safe=True),
    # ---- bodies
    Slip(r"(?P<name>[A-Za-z_]\w*)\s*=\s*(?P<call>[A-Za-z_]\w*(?:\([^()\n]*\))?)",
         r"\g<call> as \g<name>", "a module gets its name with `as`, behind it", within="body",
         safe=True),
    Slip(r"(?P<call>[A-Za-z_]\w*(?:\([^()\n]*\))?)\s+(?:named|called|name|:|->|=>)\s*\"?(?P<name>[A-Za-z_]\w*"
         r"(?:\[[^\]\n]*\])?)\"?", r"\g<call> as \g<name>", "a module gets its name with `as`",
         within="body", safe=True),
    Slip(r"(?P<name>[A-Za-z_]\w*)\s*[=:]?\s*(?P<value>\d[\dx]*(?:\s*,\s*[\w= ]+)*)(?=\s*[;}\n])",
         r"\g<name>(\g<value>)", "arguments stand in parentheses", within="body", safe=True),
    Slip(r"(?P<name>[A-Za-z_]\w*)\s*[\[](?P<value>[^\[\]\n]*)[\]]", r"\g<name>(\g<value>)",
         "arguments stand in parentheses", within="body range", safe=True),
)  # fmt: skip


def _points_lost(text: str) -> str:
    """`teacher * 0.99` → "1"."""
    number = text.split("*")[1].strip()
    share = float(number.rstrip("%")) / 100 if number.endswith("%") else float(number)
    return f"{100 * (1 - share):.6g}"


class Found(NamedTuple):
    """A slip at a place of a text."""

    slip: Slip
    start: int
    end: int
    instead: str
    match: Match


def slips_at(text: str, position: int, context: str) -> Iterator[Found]:
    """The slips that the text around a position may be, in the table's order."""
    low = text.rfind("\n", 0, position) + 1
    while low and not text[low:position].strip():  # the error is what follows a line's end
        position = len(text[:low].rstrip())
        low = text.rfind("\n", 0, position) + 1
    high = text.find("\n", text.find("\n", position) + 1) if "\n" in text[position:] else -1
    high = len(text) if high < 0 else high
    for slip in SLIPS:
        if context not in slip.within.split():
            continue
        for match in re.finditer(slip.pattern, text[low:high]):
            start, end = match.span("at" if "at" in match.groupdict() else 0)
            start, end = start + low, end + low
            if not match.start() + low <= position <= match.end() + low:
                continue
            instead = slip.instead(match) if callable(slip.instead) else match.expand(slip.instead)
            if instead != text[start:end]:
                yield Found(slip, start, end, instead, match)


_TOKENS = re.compile(r"//[^\n]*|/\*[\s\S]*?\*/|\"[^\"\n]*\"|[{}()\[\];\n]")
_WORD = re.compile(r"\s*([A-Za-z_]\w*)?")


def context_at(text: str, position: int) -> str:
    """What is written at a position: "file", "body", "space", "settings", "list", "call"…"""
    stack: list[str] = []
    statement = 0  # where the one begins that is being read
    for match in _TOKENS.finditer(text, 0, position):
        token = match[0]
        if token == "{":
            word = _WORD.match(text, statement)
            stack.append(_context_of(word[1] if word else None, stack))
        elif token in "([":
            stack.append("call" if token == "(" else "range")
            continue
        elif token in ")]}" and stack:
            stack.pop()
            if token != "}":
                continue
        elif token not in (";", "\n"):
            continue
        if not (stack and stack[-1] in ("call", "range")):
            statement = match.end()
    return stack[-1] if stack else "file"


def _context_of(word: str | None, stack: list[str]) -> str:
    """The context in braces that a statement opens which begins with `word`."""
    match word:
        case "module" | "network":
            return "body"
        case "space":
            return "space"
        case "rates" | "prune" | "configs":
            return "list"
        case "data" | "augment" | "teacher" | "pretrain" | "finetune" | "polish":
            return "settings" if stack[-1:] != ["body"] else "body"
        case _:
            return "settings" if stack and stack[-1] in ("space", "settings") else "body"
