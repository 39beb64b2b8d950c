"""Slips in headers and constants, and in what a file takes in."""

import re

from wootzc.grammar.parse.slips.row import Match, Slip


def _over_or_from(match: Match) -> str:
    """`space a: b`: from `b` where that is a space, else over it."""
    is_space = re.search(rf"\bspace\s+{match['b']}\b", match.string)
    return f"space {match['a']} {'from' if is_space else 'over'} {match['b']}"


def _let(match: Match) -> str:
    """Nothing for what has a value already."""
    known = re.search(rf"\blet\s+{match['a']}\b", match.string)
    return match["at"] if known else f"let {match['a']} = "


def _over(match: Match) -> str:
    """`space s {` with the network that the file has."""
    network = re.search(r"\bnetwork\s+(\w+)", match.string)
    return f"space {match['a']} over {network[1]} " if network else match[0]


def _include(match: Match) -> str:
    """`from "x.wz" import a` → `include "x.wz"`, `import parts.blocks` → `"parts/blocks.wz"`."""
    if match["a"]:
        return f"include {match['a']}"
    path = match["b"] or re.sub(r"\.(?!wz$)|::", "/", match["c"])
    return f'include "{path if path.endswith(".wz") else f"{path}.wz"}"'


HEADERS = (
    Slip(r"(?P<a>let <NAME>) ?(?:: ?<NAME> ?=|:=|->|<-|==|\bis\b|\bbe\b|:) ?", r"\g<a> = ",
         "a constant gets its value by `=`", within="file", safe=True),
    Slip(r"let ?\{[^\n]*", None, "each constant has a statement of its own", within="file",
         help="as in `let size = 32`"),
    Slip(r"let <NAME> ?=(?=\s*(?:\n|$))", None, "a constant has a value", within="file",
         help="as in `let size = 32`"),
    Slip(r"let (?P<at>(?P<b>\d+)(?P<a>[A-Za-z_]\w*))", r"\g<a>\g<b>", "a name begins with a letter",
         within="file", code="WZ005"),
    Slip(r"(?P<a>(?:module|network|space) [^\n;{}]*?)(?P<at> ?;)(?=\s*\{)", "",
         "braces follow the name directly", within="file", safe=True, help="leave out the `;`"),
    Slip(r"space \w+ from \w+ ?(?:,|and|&|\+)[^\n{]*", None, "a space builds on one other",
         within="file", help="let that one build on the next"),
    Slip(r"space \w+ over \w+ ?(?:,|and|&|\+)[^\n{]*", None, "a space is over one network",
         within="file", help="write another space for the other network, `from` this one"),
    Slip(r"module \w+ from[^\n{]*", None, "modules do not build on each other", within="file",
         help="call it: as in `module wider(width) { basic(width * 2) }`"),
    Slip(r"\b(?:const|constant|var|val|define|set|static|final|def) (?P<a><NAME>) ?"
         r"(?::?= ?|(?=\d))", r"let \g<a> = ", "a constant begins with `let`", within="file"),
    Slip(r"(?:^|[\n;]) ?(?P<at>(?P<a><NAME>) ?:?= ?)(?=[\w(])", _let,
         "a constant begins with `let`", within="file"),
    Slip(r"(?:^|[\n;]) ?(?P<at><NAME> ?[-+*/]?= ?[\w(][^\n;]*)", None, "a constant keeps its value",
         within="file", help="give the new value a name of its own, with `let`"),
    Slip(r"let [^\n]*?(?P<at> ?, ?(?:let )?)(?=<NAME> ?=)", "; let ",
         "each constant has a statement of its own", within="file", safe=True),
    Slip(r"let <NAME> ?= ?[\[{][^\n]*", None,
         "a constant is a number, a size or a name, and no list", within="file list range body",
         help="write the list where it is used, with constants in it: `rates { 0, half }`"),
    Slip(r"let <NAME> ?= ?<NUM>(?P<at> (?!x\b)<NAME>)", "", "a constant has no unit",
         within="file",
         help="leave out `{old}`: a unit stands where the constant is used"),
    Slip(r"space (?P<a>\w+) from (?P<b>\w+) over (?P<n>\w+(?:\([^()\n]*\))?)",
         r"space \g<a> over \g<n> from \g<b>", "a network comes before the space that is built on",
         within="file", safe=True),
    Slip(r"space \w+ from \w+(?P<at> ?)(?=\n|;|$)", " { }",
         "what is to be another than in the space before stands in braces", within="file",
         help="write `{new}`, with what is to be another in it"),
    Slip(r"(?P<a>network <NAME>) ?(?:=|:|is|in|at)? ?(?P<b>\"[^\"\n]*\")", r"\g<a> from \g<b>",
         "a network is read `from` a file", within="file", safe=True),
    Slip(r"(?:import|load|use) (?P<b>\"[^\"\n]*\.(?:onnx|prototxt)\")(?: as (?P<a>\w+))?",
         lambda m: f"network {m['a'] or 'net'} from {m['b']}", "a network is read `from` a file",
         within="file", safe=True),
    Slip(r"(?:import|from) (?:torch|torchvision|torch_pruning|timm|nni|numpy|keras|tensorflow|jax"
         r"|flax|optax|onnx|os|sys|math|typing|pathlib|wootzc)\b[^\n]*", "",
         "nothing of Python is used here", within="file", help="leave it out"),
    Slip(r"(?:import|from|use|using|require|load|[#@] ?(?:include|import)) ?(?:(?P<a>\"[^\"\n]*\")"
         r"|<(?P<b>[^>\n]*)>|(?<=\x20)(?P<c>\w+(?:(?:\.|::|/)\w+)*))"
         r"(?: (?:import|include|use|using|as)\b[^\n;]*)?", _include,
         "another file is included, with all that it defines", within="file", safe=True),
    Slip(r"space over (?P<b>\w+)", r"space small over \g<b>", "a space has a name", within="file"),
    Slip(r"space (?P<a>\w+) ?(?=\{)", _over, "a space says which network it is over",
         within="file"),
    Slip(r"(?:search|study|sweep|experiment|job|prune|searchspace) (?P<a>\w+) over",
         r"space \g<a> over",
         "what is searched is called a space", within="file", safe=True),
    Slip(r"space (?P<a>\w+) (?:extends|inherits|like|based on) (?P<b>\w+)",
         r"space \g<a> from \g<b>", "a space builds on another `from` it", within="file"),
    Slip(r"space (?P<a>\w+) ?(?:of|for|on|in|:|=|->|with|network|across) ?(?P<b>\w+)",
         _over_or_from, "a space says which network it is `over`, or which space `from`",
         within="file"),
    Slip(r"space (?P<a>\w+) ?\( ?(?P<b>\w+) ?\)", _over_or_from,
         "a space says which network it is `over`, or which space `from`", within="file call"),
    Slip(r"(?P<a>(?:module|network) \w+) (?P<b><NAME>(?: ?= ?\w+)?(?: ?, ?<NAME>(?: ?= ?"
         r"\w+)?)*) ?(?=\{)",
         r"\g<a>(\g<b>) ", "parameters stand in parentheses", within="file", safe=True),
    Slip(r"\b(?:def|class|function|fn|block|component|layer) (?P<a>\w+)", r"module \g<a>",
         "a group of layers is called a module", within="file"),
    Slip(r"\b(?:model|net|graph|architecture|backbone) (?P<a>\w+)", r"network \g<a>",
         "what is pruned is called a network", within="file"),
    Slip(r"(?<!\w)(?P<a>[\w)]+) ?(?:=|:=|:|->|is) ?(?=\{)", r"\g<a> ",
         "braces follow the name directly", safe=True,
         help="leave out what stands between them"),
)  # fmt: skip
