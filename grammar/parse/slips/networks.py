"""Slips in modules and networks."""

import re

from wootzc.grammar.check.operators import BUILT_IN, OPERATORS
from wootzc.grammar.parse.slips.row import Match, Slip
from wootzc.grammar.zoo import zoo_names


def _numbered(match: Match) -> str:
    """`a1, a2, a3` → `a[1..3]`."""
    found = re.findall(r"([A-Za-z_]\w*?)(\d+)\b", match["names"])
    numbers = [int(number) for _, number in found]
    if len({base for base, _ in found}) != 1 or numbers != [*range(numbers[0], numbers[-1] + 1)]:
        return match["names"]
    return f"{found[0][0]}[{numbers[0]}..{numbers[-1]}]"


def with_semicolons(match: Match) -> str:
    """Commas outside of parentheses → semicolons."""
    return re.sub(r"\s*,(?![^()\[\]]*[)\]])\s*", "; ", match[0])


def _spaced(match: Match) -> str:
    """`3xsizex3` → `3 x size x 3`."""
    return " x ".join(match["sizes"].split("x"))


def _given(match: Match) -> str:
    """`stride two` → `stride = 2`; nothing where both may be values themselves."""
    value, name = match["b"], match["a"]
    defined = r"\b(?:let\s+{0}\b|(?:module|network)\s+\w+\s*\([^)]*\b{0}\b)"
    values = [bool(re.search(defined.format(word), match.string)) for word in (name, value)]
    if value in _COUNTS:
        return f"{name} = {_COUNTS.index(value) + 1}"
    if name not in _ARGUMENTS or value in _ARGUMENTS or all(values):
        return match[0]
    return f"{name} = {value}"


def _drawn_in(match: Match) -> str:
    """`conv(3x3, 16) stride 2` → `conv(3x3, 16, stride = 2)`."""
    words = re.findall(r"\w+%?", match["more"])
    values = [str(_COUNTS.index(w) + 1) if w in _COUNTS else w for w in words[1::2]]
    given = [f"{name} = {value}" for name, value in zip(words[::2], values, strict=True)]
    return ", ".join([match["call"], *given] if match["call"][-1] != "(" else given) + ")"


_ARGUMENTS = {p.name for o in OPERATORS.values() for p in o.parameters}
_COUNTS = ("one", "two", "three", "four", "five", "six", "seven", "eight")
_SPACES = "sizes that are calculated have spaces around each `x`"
_TWO_DOTS = "a range is written with two dots"
_THEN = "the values of several modules follow each other with `then`"
_NUMBERS = "the numbers of several modules are a range"


def _named(match: Match) -> str:
    """`x = conv(3x3, 16)`: layers have no names, modules have theirs behind them."""
    layer = match["call"].split("(")[0] in BUILT_IN
    return match["call"] if layer else f"{match['call']} as {match['name']}"


def _without_values(match: Match) -> str:
    """`%1 = conv(%0, 3x3)` → `conv(3x3)`, `x = Conv2D(16, 3)(x)` → `Conv2D(16, 3)`."""
    if match["v"][0] != "%" and ")(" not in match["call"] and f"({match['v']})" not in match[0]:
        return match[0]
    name = re.escape(match["v"])
    call = re.sub(rf"\({name}\)$", "", match["call"]) if "%" not in name else match["call"]
    return re.sub(r"\(\s*%\w+(?:\s*,\s*%\w+)*\s*,?\s*", "(", call).replace("()", "")


def _zoo(match: Match) -> str:
    """`over resnet-18` → `over resnet18`, where that is a network of the zoo."""
    joined = [f"{match['a']}{join}{match['b']}".lower() for join in ("", "_")]
    known = next((name for name in joined if name in zoo_names()), None)
    return f"over {known}" if known else match[0]


NETWORKS = (
    Slip(r"module (?P<a><NAME>) ?\(", None, "a module with parameters stands outside of networks",
         within="body", code="WZ020", help="move it to the top of the file: "
         "`module NAME(width) { … }`; the network calls it, as in `NAME(16) as a1`"),
    Slip(r"(?P<v>%\w+|<NAME>) ?= ?(?P<call>[A-Za-z][\w.]*\((?:[^()\n]|\([^()\n]*\))*\)"
         r"(?:\(\w+(?: ?, ?\w+)*\))?)(?: ?:[^\n;{}]*)?(?=\s*[\n;}])",
         _without_values, "what leaves a layer has no name: the next one is fed by it",
         within="body"),
    Slip(r"over (?P<a>[A-Za-z]\w*)-(?P<b>\w+)", _zoo, "a name has letters, digits and `_`",
         within="file", code="WZ022"),
    Slip(r"return\b[^\n;{}]*", "", "what the last layer gives is what leaves", within="body",
         help="leave out `{old}`"),
    Slip(r"let (?:mut|const|var|static|final) (?P<a><NAME>) ?(?:: ?<NAME> ?)?= ?",
         r"let \g<a> = ", "a constant begins with `let`", within="file", safe=True),
    Slip(r"(?:func(?:\.func)?|graph|define) @(?P<a><NAME>) ?\([^()\n]*\)(?: ?->[^\n{]*)?(?=\s*\{)",
         r"network \g<a>", "what is pruned is called a network", within="file"),
    # ---- names
    Slip(r"(?P<base>\w*[A-Za-z_*?])\[ ?(?P<a>\d+) ?(?::|\.{3,}|\.\.=|-|–|…|;|to|~) ?(?P<b>\d+) ?\]",
         r"\g<base>[\g<a>..\g<b>]", _TWO_DOTS, safe=True),
    Slip(r"(?P<base>\w*[A-Za-z_])[({] ?(?P<a>\d+) ?(?:\.\.+|:|-) ?(?P<b>\d+) ?[)}]",
         r"\g<base>[\g<a>..\g<b>]", "the numbers of several modules stand in square brackets",
         safe=True),
    Slip(r"(?P<base>\w*[A-Za-z_])\[ ?(?P<a>\d+) ?,(?: ?\d+ ?,)* ?(?P<b>\d+) ?\]",
         r"\g<base>[\g<a>..\g<b>]", _NUMBERS),
    Slip(r"as (?P<base>\w*[A-Za-z_])\[ ?(?P<a>\d+) ?\]", r"as \g<base>[1..\g<a>]", _NUMBERS,
         within="body range", help="write `{new}`; a single one has no brackets"),
    Slip(r"(?P<base>\w*[A-Za-z_])\[ ?(?P<a>\d+) ?\]", r"\g<base>\g<a>",
         "one module is named without brackets", safe=True, within="space range",
         help="write `{new}`; several are a range: `a[1..3]`"),
    Slip(r"as (?P<at>(?P<base>[A-Za-z_]\w*?)(?P<a>\d+) ?(?:\.\.+|:|-|–"
         r"|to) ?(?P=base)?(?P<b>\d+))\b",
         r"\g<base>[\g<a>..\g<b>]", _NUMBERS, safe=True),
    Slip(r"as (?P<at>(?P<names><NAME>(?: ?, ?<NAME>)+))", _numbered, _NUMBERS, safe=True),
    Slip(r"as (?P<at>[\[(] ?(?P<names><NAME>(?: ?, ?<NAME>)+) ?[\])])", _numbered, _NUMBERS,
         safe=True, within="body range call"),
    Slip(r"as (?P<name><NAME>(?:\[[^\]\n]*\])?) (?P<call><NAME>(?:\([^()\n]*\))?)(?=\s*[;}\n])",
         r"\g<call> as \g<name>", "a module gets its name behind it", within="body", safe=True),
    Slip(r'as (?P<at>"(?P<name><NAME>)")', r"\g<name>", "names stand without quotes", safe=True),
    Slip(r"(?<!\w)(?P<name><NAME>) ?(?::?=|:) ?(?P<call><NAME>(?:\([^()\n]*\))?)", _named,
         "a module gets its name with `as`, behind it", within="body", safe=True),
    Slip(r"(?P<call><NAME>(?:\([^()\n]*\))?) ?(?:named|called|name|:|->|=>|AS|As) ?\"?"
         r"(?P<name>[A-Za-z_]*\d+(?:\[[^\]\n]*\])?|<NAME>\[[^\]\n]*\])\"?(?=\s*[;\n}])",
         r"\g<call> as \g<name>", "a module gets its name with `as`", within="body", safe=True),
    Slip(r"(?P<a>\b<NAME>\d) ?(?::|\.{3,}|-|–|…|->|to\b|~) ?(?P<b><NAME>\d)", r"\g<a>..\g<b>",
         "modules that follow each other are written with two dots", within="space call",
         safe=True),
    Slip(r"as (?P<at>(?P<a><NAME>)(?:-| )(?P<b>\d+))\b", r"\g<a>\g<b>",
         "a name has letters, digits and `_`, and no spaces", within="body", safe=True),
    Slip(r"as (?P<at>(?P<b>\d+)(?P<a><NAME>))\b", r"\g<a>\g<b>", "a name begins with a letter",
         within="body", safe=True, code="WZ005"),
    Slip(r"\b(?:nn|F|tf|keras|layers|torch|nnx|flax|linen)\.(?:\w+\.)*(?=\w)", "",
         "layers are named without `{old}`", within="body", safe=True, code="WZ005",
         help="leave it out"),
    Slip(r"(?P<a>\b(?:module|network|space|let)) (?P<b>[A-Za-z]\w*)-(?P<c>\w+)",
         r"\g<a> \g<b>_\g<c>",
         "a name has letters, digits and `_`", within="file"),
    Slip(r"\b(?:module|network|space|over) (?P<at>[\"'](?P<a><NAME>)[\"'])", r"\g<a>",
         "names stand without quotes", within="file", safe=True),
    Slip(r"\[ ?range ?\( ?(?P<a>\d+) ?, ?(?P<b>\d+) ?\) ?\]",
         lambda m: f"[{m['a']}..{int(m['b']) - 1}]", _TWO_DOTS, within="range body call"),
    Slip(r"\[ ?\d* ?\.\. ?\d* ?\]", None, "a range has both its ends", within="range",
         help="as in `a[1..3]`"),
    Slip(r"\b(?:for|repeat|loop|while|foreach)\b[^\n]*", None, "there are no loops", within="body",
         help="several modules are a range, as in `basic(16) as a[1..3]`"),
    Slip(r"\bif\b[^\n{]*\{ ?(?P<a>[^{}\n]*[^{}\s]) ?\} ?else ?\{[^{}\n]*\}", r"\g<a>",
         "there are no conditions", within="body",
         help="write `{new}`, or what holds here; what varies is a parameter"),
    Slip(r"\b(?:if|elif|else|when|unless|switch)\b[^\n]*", None, "there are no conditions",
         within="body",
         help="what varies is a parameter; `{ shortcut_if_fits }` adds the input where it fits"),
    Slip(r"\b(?:if|when|unless|switch) ?\([^\n]*", None, "there are no conditions",
         within="call", help="what varies is a parameter"),
    Slip(r"(?P<a>[\w%]+)(?: ?, ?then | else | otherwise | and then | ?[-=]> ?)(?P<b>\d[\w.%]*)",
         r"\g<a> then \g<b>", _THEN, within="call"),
    Slip(r"= ?(?P<at>then )", "", "`then` stands between values", within="call",
         help="leave it out, or write both values: `stride = 2 then 1`"),
    Slip(r"[(,=] ?(?P<at>\{ ?(?P<a>\w+) ?\})", r"\g<a>", "names stand without braces",
         within="call body settings", safe=True),
    Slip(r"(?P<at> then) ?(?=[,)])", "", "a value follows `then`", within="call",
         help="leave it out, or write both values: `stride = 2 then 1`"),
    Slip(r"<NAME>(?:\([^()\n]*\))? then [^\n]*", None, "`then` stands between values",
         within="body", help="as in `basic(32, stride = 2 then 1) as b[1..2]`"),
    Slip(r"(?P<call>\b<NAME>\([^()\n]*)\)(?P<more>(?:(?: ?[,.] ?| )"
         rf"(?:{'|'.join(sorted(_ARGUMENTS))})"
         r"(?: ?[=:(] ?| )\w+%?\)?)+)(?=\s*[;}\n])", _drawn_in,
         "arguments stand in parentheses", within="body"),
    Slip(r"\)(?P<at>(?:\.[A-Za-z_]\w*(?:\([^()\n]*\))?)+)",
         lambda m: re.sub(r"\.([A-Za-z_]\w*)(?:\(\))?", r"; \1", m["at"]),
         "layers follow each other on lines of their own, or after `;`", within="body",
         safe=True),
    Slip(r"auxiliary(?P<at> (?P<n><NUM>))(?= ?\{)", r"(\g<n>)", "arguments stand in parentheses",
         within="body", safe=True),
    Slip(r"\b(?P<at>aux|aux_head|auxiliary_head|side_head|aux_classifier|early_exit)"
         r" ?(?:\([^()\n]*\))? ?\{\s*", "auxiliary", "a second head is called `auxiliary`",
         within="body"),
    Slip(r"(?:^|[\n;{}]) ?(?P<at>(?:nn\.)?[Ii]dentity(?:\(\))?)(?=\s*[;}\n])", "{ }",
         "an empty arm passes its input on", within="body"),
    Slip(r"(?P<at>[+&|]\s*)(?=\{)", "", "arms follow one another", within="body", safe=True,
         help="leave out `{old}`"),
    Slip(r"(?:^|[{};\n]) ?(?P<at><NAME> ?[:=]? ?)(?=\{)", "", "arms have no names",
         within="body", help="leave out `{old}`"),
    Slip(r"modules ?[:=]? ?(?:by ?)?\{[^\n]*", None, "each module from a file has a name",
         within="body", help='as in `module m1 { "layer1/*" }`, one for each'),
    Slip(r"(?<!\w)(?P<a><NAME>)(?P<c>\([^()\n]*\))?(?: ?[*×] ?| x )(?P<n>\d+)",
         r"\g<a>\g<c> as \g<a>[1..\g<n>]", "several modules are a range", within="body"),
    Slip(r" as <NAME>(?:\[[^\[\]\n]*\])?(?P<at> as <NAME>(?:\[[^\[\]\n]*\])?)", "",
         "a module has one name", within="body", help="leave out `{old}`"),
    Slip(r" as (?P<at><NAME>(?:[./]\w+)+)(?!\w)", lambda m: re.sub("[./]", "_", m["at"]),
         "a name has letters, digits and `_`, and no dots", within="body", safe=True),
    Slip(r"(?<!\w)(?P<t><NAME>\[\d+ ?\.\. ?\d+\]) ?:?= ?(?P<a><NAME>(?:\([^()\n]*\))?)",
         r"\g<a> as \g<t>", "modules have their names behind them", within="body range",
         safe=True),
    Slip(r"(?P<at>\[(?P<a>\w+) ?\.\. ?(?P<b>\w+) ?\.\. ?\w+ ?\])", r"[\g<a>..\g<b>]",
         "a range has a first and a last number", within="range"),
    Slip(r"over (?P<a><NAME>) ?\[(?P<b>[^\[\]\n]*)\]", r"over \g<a>(\g<b>)",
         "arguments stand in parentheses", within="file range", safe=True),
    Slip(r"(?<!\w)(?P<n>\d+) ?[*×x] ?(?P<a><NAME>)(?P<c>\([^()\n]*\))?",
         r"\g<a>\g<c> as \g<a>[1..\g<n>]", "several modules are a range", within="body"),
    Slip(r"<NAME>(?:\([^()\n]*\))? ?\+ ?<NAME>[^\n;{}]*", None, "a sum is a branch", within="body",
         help="as in `add { { conv(3x3, 16); norm } { } }`: an empty arm passes its input on"),
    # ---- sizes and calculations
    Slip(r"(?<=[\w)])(?P<at> ?(?P<sizes>(?:x\d+)+))(?!\w)", _spaced, _SPACES, safe=True,
         within="call"),
    Slip(r"(?<!\w)(?P<sizes>\d+(?:x\w+)+)", _spaced, _SPACES, within="call", code="WZ005"),
    Slip(r"\[(?P<list>[^\[\]\n]*)\](?=[^;{}\n]*\) ?as \w+\[)",
         lambda m: " then ".join(re.split(r"\s*,\s*", m["list"].strip())),
         _THEN, within="call range"),
    Slip(r"(?P<at>//)[^\n]*\)\s*\S*", "/", "`//` begins a comment: division is a single `/`",
         within="call", safe=True),
    Slip(r"(?P<at>\*\*|\^|//|%|<<|>>)", None,
         "calculations know `+`, `-`, `*`, `/` and a few functions, but not `{old}`",
         within="call", help="work it out, or give the result as a parameter of the module"),
    # ---- arguments
    Slip(r"\b(?:int|float|str|bool|tuple|const|let|var) (?=<NAME>)", "", "parameters have no types",
         within="call", safe=True, help="leave out `{old}`"),
    Slip(r"(?P<a><NAME>) ?: ?(?:int|float|str|bool|tuple)\b", r"\g<a>", "parameters have no types",
         within="call", safe=True),
    Slip(r"(?<!\w)(?P<a>\w+) ?(?::=|==|:) ?(?P<b>[\w.%]+)", r"\g<a> = \g<b>",
         "an argument is given with `=`", safe=True, within="call"),
    Slip(r"(?P<at>\([^(){}\n]*\))", lambda m: re.sub(r"\s*;\s*", ", ", m["at"]),
         "arguments are separated by commas", safe=True, within="call"),
    Slip(r"(?<!\w)(?P<a><NAME>) (?P<b>\d[\w.%]*|true|false)\b", r"\g<a> = \g<b>",
         "an argument is given with `=`", within="call", safe=True),
    Slip(r"(?<!\w)(?P<a><NAME>) (?P<b>(?!(?:x|then|step)\b)<NAME>)(?=\s*[,)])", _given,
         "an argument is given with `=`", within="call"),
    Slip(r"(?<!\w)(?P<a>[\w.%\"]+) (?P<b>(?!(?:x|then|step)\b)[\w.\"]+)", r"\g<a>, \g<b>",
         "arguments are separated by commas", within="call", safe=True),
    Slip(r"(?<!\w)(?P<name><NAME>) ?\[(?P<value>[^\[\]\n]*)\]", r"\g<name>(\g<value>)",
         "arguments stand in parentheses", within="body range", safe=True),
    Slip(r"(?<!\w)(?P<name>(?!(?:add|concat|scale)\b)<NAME>) ?\{(?P<value>[^{}\n]*)\}",
         r"\g<name>(\g<value>)", "arguments stand in parentheses", within="body", safe=True),
    Slip(r"(?<!\w)(?P<name><NAME>) ?[=:]? ?(?P<value>(?:\d[\dx]*|\"[^\"\n]*\")(?: ?, ?[\w=]+)*)"
         r"(?=\s*[;}\n])", r"\g<name>(\g<value>)", "arguments stand in parentheses", within="body",
         safe=True),
    Slip(r"(?<!\w)(?P<name><NAME>) (?P<value>\d[\dx]*(?: \d[\dx]*)+)(?=\s*[;}\n])",
         lambda m: f"{m['name']}({', '.join(m['value'].split())})",
         "arguments stand in parentheses", within="body", safe=True),
    Slip(r"\b(?P<name>dense|dropout|conv|depthwise|max_pool|avg_pool|shortcut|input) "
         r"(?P<value><NAME>)(?=\s*[;}\n])", r"\g<name>(\g<value>)",
         "arguments stand in parentheses",
         within="body", safe=True),
    # ---- statements of a body
    Slip(r"(?<=[\w)\]])(?P<at>\.)(?=\s*[;}\n])", "", "a statement ends without a dot",
         within="body space settings", safe=True, help="leave it out"),
    Slip(r"(?<=[\w)])(?P<at> (?P<b>[A-Za-z_]+(?:\d+|\[\d+ ?\.\. ?\d+\])))(?=\s*[;}\n])",
         r" as \g<b>", "a module gets its name with `as`", within="body range"),
    Slip(r"(?<=[\w)\]])(?P<at> (?P<b>(?!as\b)<NAME>))", r"; \g<b>",
         "`{old}` must begin a new statement or be removed", within="body", code="WZ006", safe=True,
         help="end the statement before it with a new line or `;`"),
    Slip(r"[^;{}\n]*,[^;{}\n]*[^;{}\s]", with_semicolons,
         "statements are separated by `;` or a new line", safe=True, within="body"),
    Slip(r"[^;{}\n]*(?:->|=>|→|\|>|>>|\||&)[^;{}\n]*[^\s;{}]",
         lambda m: re.sub(r"\s*(?:->|=>|→|\|>|>>|\||&)\s*", "; ", m[0]),
         "layers follow each other on lines of their own, or after `;`",
         safe=True, within="body"),
    Slip(r"\n ?(?P<at>[A-Za-z_][^\n{}]*[^\s{}])", r"{ \g<at> }",
         "each arm of a branch needs braces of its own", within="body"),
    Slip(r"(?:add|concat|scale) ?\{(?P<at>[^{}\n]*[^\s{}]) ?\}", r" {\g<at> } { }",
         "each arm of a branch needs braces of its own", within="body",
         help="write `{new}`: the empty arm passes its input on"),
)  # fmt: skip
