"""Slips in the statements of a space, but for its rates."""

import re

from wootzc.grammar.parse.slips.row import Match, Slip


def _settings(match: Match) -> str:
    """`augment: flip, crop(4)` → `augment { flip; crop(4) }`."""
    inner = re.sub(r"\s*,(?![^()]*\))\s*", "; ", match["inner"].strip())
    inner = re.sub(r"\s*=(?![^()]*\))\s*", " ", inner)
    return f"{match['name']} {{ {inner} }}"


def _patterns(match: Match) -> str:
    bare = re.sub(r"\bthe\s+(?=\w)", "", match["at"])
    return re.sub(r"\s*;\s*|\s+(?:and|or|&|\+)\s+|(?<!,)\s+", ", ", bare)


def _except(match: Match) -> str:
    """`m*, !m1, m3` → `m*, m3 except m1`."""
    found = re.findall(r"(!?)([\w*?.\[\]]+)", match["list"])
    named, without = ([name for bang, name in found if bool(bang) is out] for out in (False, True))
    return f"{match['a']}{', '.join(named)} except {', '.join(without)}"


def _in_finetune(match: Match) -> str:
    """Nothing where the space has a `finetune` already: it would be a second."""
    stated = re.search(r"\bfinetune\b", match.string)
    share = re.sub(r"^distill\s+(?:from\s+)?teacher$", "distill 0.5", match["at"].strip())
    return match["at"] if stated else f"finetune {{ {share} }}"


def _module_with_dots(match: Match) -> str:
    """`keep a.b` → `keep a_b`, where a module is called so, or was until it was repaired."""
    name = match["at"]
    joined = re.sub("[./]", "_", name)
    stem = re.sub(r"\d+$", "", joined)
    named = rf"\bas\s+(?:{re.escape(name)}|{joined}|{stem}\[)"
    return joined if re.search(named, match.string) else name


def _ordered(match: Match) -> str:
    """`where a1 <= a2 <= a3` → `where nondecreasing(a1, a2, a3)`; nothing where signs differ."""
    signs = set(re.findall("[<>]", match["list"]))
    names = re.split(r"\s*[<>]=?\s*", match["list"])
    order = "nondecreasing" if signs == {"<"} else "nonincreasing"
    return f"where {order}({', '.join(names)})" if len(signs) == 1 else match[0]


_FOLLOWS = "what `{word}` says follows it directly"


def _called(match: Match) -> str:
    """`optimizer sgd { lr 0.1; momentum 0.9 }` → `optimizer sgd(lr = 0.1, momentum = 0.9)`."""
    given = re.split(r"\s*[;,]\s*", match["inner"].strip())
    named = [re.sub(r"^(\w+)[ =:]+", r"\1 = ", one) for one in given]
    return f"{match['a']}({', '.join(named)})"


def _stage(match: Match) -> str:
    unit = match["unit"] or ("steps" if match["s"] == "pretrain" else "epochs")
    return f"{match['s']} {{ {unit.rstrip('s')}s {match['n']} }}"


SPACES = (
    Slip(r"(?:^|\n) ?(?P<at>[-*•] )(?=[a-z_]+\b)", "", "statements have no dashes",
         within="space settings body", safe=True, help="leave out `{old}`"),
    Slip(r"(?:quantize|precision|blocks|explore|seed|sample|propose|budget|multiple of) \w+"
         r"(?P<at> ?\{[^{}\n]*\})", "", "`{word}` has no settings", within="space settings",
         help="leave out `{old}`"),
    # ---- patterns
    Slip(r"\bkeep (?P<at>(?:not|all but|everything but) )(?=<GLOB>)", "* except ",
         "what is left out follows `except`", within="space"),
    Slip(r"\btie \( ?(?P<a>[^()\n]*?) ?\) ?,? ?\( ?(?P<b>[^()\n]*?) ?\)",
         r"tie \g<a>; tie \g<b>", "modules that are tied are a statement of their own",
         within="space call"),
    Slip(r"\bprune [^\n;{}]*?by <CRITERION>(?P<at> ?, ?)(?=<GLOB>(?: ?, ?<GLOB>)* by )", "; prune ",
         "modules of another criterion are a statement of their own", within="space", safe=True),
    Slip(r"where (?P<at>rate\( ?(?P<a><NAME>) ?\)) ?[<>]=? ?(?=[\d.])", r"\g<a>",
         "the rate of a module is called by its name", within="space call", safe=True),
    Slip(r"\b(?P<a>prune|narrow|skip|keep|tie) ?[:=] ?['\"](?P<b>[\w*?.,\[\]\x20]+)['\"]",
         r"\g<a> \g<b>", "what `{word}` says follows it directly, without quotes", within="space",
         safe=True),
    Slip(r"(?:prune|skip|keep|narrow|tie) [^\n;{}]*?"
         r"(?P<at> (?:if|when|unless|until) [^\n;{}]*[^\s;{}])", "",
         "there are no conditions: what goes is what the search finds", within="space",
         help="leave out `{old}`"),
    Slip(r"\bskip <GLOB>(?P<at> <NUM>)", "", "`skip` leaves modules out whole", within="space",
         help="leave out `{old}`"),
    Slip(r"\bprune !(?P<a><GLOB>(?: ?, ?!?<GLOB>)*)",
         lambda m: f"keep {m['a'].replace('!', '')}", "modules that stay whole are kept",
         within="space"),
    Slip(r"\b(?P<w>skip|narrow|tie) !(?P<a><GLOB>)", r"\g<w> * except \g<a>",
         "what is left out follows `except`", within="space"),
    Slip(r"\b(?P<a>(?:prune|skip|narrow|tie) )(?P<list><GLOB>(?: ?, ?<GLOB>)*(?: ?,? ?!<GLOB>"
         r"(?: ?, ?<GLOB>)*)+)", _except, "what is left out follows `except`", within="space",
         safe=True),
    Slip(r"(?:^|[\n;{]) ?(?P<at>(?:if|when|unless|else|elif|for|while|repeat|switch|try)\b[^\n]*)",
         None, "there are no conditions or loops", within="space",
         help="what is searched for is said by `minimize` or `maximize`, and by limits"),
    Slip(r"\boptimizer ?[:=]? ?(?P<at>(?:\w+\.)+(?P<a>[A-Za-z]\w*))", lambda m: m["a"].lower(),
         "an optimizer has its own name alone", within="settings", safe=True),
    Slip(r"(?:^|[\n;{]) ?(?P<at>(?:export|convert|deploy|report|verify)\b[^\n;{}]*)", None,
         "what is done with a result is no part of the file", within="space",
         help="as in `wootzc export build/NAME --to onnx`, once it is built"),
    Slip(r"\bbudget (?P<at>half an hour|an hour|one hour|a minute|one minute)(?! ?\w)",
         lambda m: {"half an hour": "30 minutes", "a minute": "1 minutes",
                    "one minute": "1 minutes"}.get(m["at"], "60 minutes"),
         "a budget of time is a number with its unit", within="space", safe=True),
    Slip(r"\b(?P<w>skip|keep|narrow) (?:\d+ of|at most \d+ of|up to \d+ of) (?P<p><GLOB>)",
         r"\g<w> \g<p>", "how many of them is what the search finds", within="space"),
    Slip(r"\btie [^\n;{}]*?(?P<at> ?, ?<NUM>)", "", "`tie` gives modules one rate, whichever it is",
         within="space", help="leave out `{old}`; which rates there are is said by `prune`"),
    Slip(r"\bkeep <NUM>[^\n;{}]*", None, "`keep` names modules, which then stay whole",
         within="space", help="how much may go is said by `rates { 0, 30%, 50% }`"),
    Slip(r"\bkeep (?P<k>conv|depthwise|grouped|dense|add|concat|scale) ?\([^()\n]*\)",
         r"keep \g<k>", "a kind of layer is named without arguments", within="space call"),
    Slip(r"skip [^{}\n]*?[\w*?\]](?P<at> rates? ?\{[^{}\n]*\})", "",
         "`skip` leaves modules out whole, beside the rates that they have", within="space list",
         help="leave out `{old}`; rates of their own are said by `prune`"),
    Slip(r"(?P<a>(?:prune|keep|tie) [^{}\n]*?except [^{}\n]*?[\w*?\]]) ?,? ?(?:except|and|&|but)"
         r" (?P<b><GLOB>)", r"\g<a>, \g<b>", "patterns are separated by commas", within="space",
         safe=True),
    Slip(r"\( ?(?:excluding|except|without|not|but) (?P<k>[^()\n]*?) ?\)", r"except \g<k>",
         "what is left out follows `except`", within="space", safe=True),
    Slip(r"(?:no|not|never|dont|do not) prune ", "keep ", "modules that stay whole are kept",
         within="space", safe=True),
    Slip(r"(?P<a>prune [^{}\n]*?) (?P<by>by \w+) (?P<e>except [\w*?.,\[\]\x20]*[\w*?\]])",
         r"\g<a> \g<e> \g<by>", "`except` comes before `by`", within="space", safe=True),
    Slip(r"(?P<a>prune [^{}\n]*?) (?P<r>rates ?\{[^{}\n]*\}) (?P<by>by \w+)",
         r"\g<a> \g<by> \g<r>", "`by` comes before `rates`", within="space", safe=True),
    Slip(r"except ?[{(\[] ?(?P<a>[^{}()\n]*?) ?[)}\]]", r"except \g<a>",
         "what is left out follows `except` directly", within="space list call range", safe=True),
    Slip(r"(?P<a>(?:prune|keep|tie) [^{}\n]*?[\w*?\]]) ?(?:,? ?!=?|- |\\|,? ?~) ?(?P<b><GLOB>)",
         r"\g<a> except \g<b>", "what is left out follows `except`", within="space", safe=True),
    Slip(r"(?:^|[;\n]) ?(?P<at>(?:criterion|importance|method|score|by)[ :=]*<CRITERION>)"
         .replace("[ :=]", r"[\x20:=]"), None,
         "a criterion stands behind the modules that it is for", within="space",
         help="as in `prune a*, b* by l1`"),
    Slip(r"prune (?P<what>[\w*?.,\[\]\x20]+?) ?,? (?:except|but|without|excluding|not"
         r"|save)(?: for)? "
         r"(?P<kept>[\w*?.,\[\]\x20]+)",
         r"prune \g<what> except \g<kept>", "what is left out follows `except`",
         within="space", safe=True),
    Slip(r"(?:prune|keep|tie) (?P<at>except )", "* except ",
         "what is left out follows `except`, behind all that is named", within="space"),
    Slip(r"(?P<a>[\w*?\]]+) (?:using|with|via|criterion|by criterion|by"
         r"|from) ?[:=]? ?(?P<b><CRITERION>)",
         r"\g<a> by \g<b>", "a criterion follows `by`", within="space", safe=True),
    Slip(r"\b(?:prune|narrow) (?P<at>)(?:by|rates)\b[^\S\n]*\S*", "* ",
         "what is pruned comes first, `*` for all modules", within="space",
         help="write `{new}` before it"),
    Slip(r"by (?P<at>(?P<c>[lL][12])[-\x20]norms?)\b", lambda m: m["c"].lower(),
         "this criterion is called by its number alone", within="space", safe=True),
    Slip(r"(?<![\w*?\]])(?P<a>(?!by\b)[\w*?\]]+)(?: ?, ?| )(?P<b><CRITERION>)", r"\g<a> by \g<b>",
         "a criterion follows `by`", within="space", safe=True),
    Slip(r"(?P<a>\b[A-Za-z_]\w*)\.\*", r"\g<a>*", "`*` stands for any letters, without a dot",
         within="space call", safe=True),
    Slip(r"\b(?:prune|keep|tie|skip|where) [^\n]*?(?P<at><NAME>(?:[./]\w+)+)", _module_with_dots,
         "a name has letters, digits and `_`, and no dots", within="space call", safe=True),
    Slip(r"\b(?:prune|keep|tie|where) [^\n]*?(?P<at>(?P<module>[A-Za-z_*?][\w*?]*)(?:/|\.(?!\.)"
         r"|->|::)[\w*?.\[\]/]+)",
         r"\g<module>",
         "only modules have rates, not the layers in them", within="space"),
    Slip(r"(?:prune|keep|tie) (?P<at><GLOB>(?:(?: ?; ?| and | & | \+ | ?, ?| )(?!(?:by|except"
         r"|rates?|and|with|using|at|to)\b)<GLOB>)+)",
         _patterns, "patterns are separated by commas", safe=True, within="space"),
    Slip(r"(?P<a>tie [\w*?]+) ?(?:==?|&|\+|and|with|to) ?(?P<b>[\w*?]+)", r"\g<a>, \g<b>",
         "modules that are tied are separated by commas", within="space", safe=True),
    Slip(r"where rate\( ?(?P<a><NAME>) ?\) ?(?P<c>[<>])=? ?rate\( ?(?P<b><NAME>) ?\)",
         lambda m: f"where non{'de' if m['c'] == '<' else 'in'}creasing({m['a']}, {m['b']})",
         "the rates of modules are compared as an order", within="space call"),
    Slip(r"where (?!(?:params|macs|size|memory|latency|accuracy)\b)(?P<a>\w+) ?(?P<c>[<>])=? ?"
         r"(?P<b>(?!teacher)[A-Za-z_]\w*)",
         lambda m: f"where non{'de' if m['c'] == '<' else 'in'}creasing({m['a']}, {m['b']})",
         "the rates of modules are compared as an order", within="space"),
    Slip(r"where (?P<list><NAME>(?: ?(?P<c>[<>])=? ?<NAME>){2,})", _ordered,
         "the rates of modules are compared as an order", within="space"),
    Slip(r"explore (?P<at>(?:the )?(?P<w>smallest|cheapest|largest|biggest)(?: one| ones)?"
         r" (?:first|to \w+))", lambda m: "ascending" if m["w"] in ("smallest", "cheapest")
         else "descending", "the order of a search is one word", within="space", safe=True),
    Slip(r"betas? ?= ?[(\[] ?(?P<a><NUM>) ?, ?(?P<b><NUM>) ?[)\]]", r"b1 = \g<a>, b2 = \g<b>",
         "each option has one value", within="call range settings", safe=True),
    Slip(r"(?:^|[;\n{]) ?(?P<at>(?P<a>nondecreasing|nonincreasing))(?= ?\()", r"where \g<a>",
         "an order of modules begins with `where`", within="space", safe=True),
    Slip(r"(?P<a>where \w+)(?: ?[\[{] ?| )(?P<b>[\w*?.,\x20]+?) ?[\]}]?(?=\s*[;\n])",
         r"\g<a>(\g<b>)",
         "modules in order stand in parentheses", within="space list range", safe=True),
    Slip(r"(?P<a>where) ?\( ?(?P<b>[^()\n]*(?:\([^()\n]*\))?) ?\)", r"\g<a> \g<b>", _FOLLOWS,
         within="space call", safe=True),
    Slip(r'(?P<at>"(?P<text>[\w*?.\[\]]+)")', r"\g<text>", "names stand without quotes",
         within="space settings call", safe=True),
    # ---- settings
    Slip(r"(?:^|[\n;{]) ?(?P<at>(?P<a>fine|pre)[-\x20](?:tun(?:e|ing)|train(?:ing)?))(?= ?[{\n])",
         lambda m: {"fine": "finetune", "pre": "pretrain"}[m["a"]],
         "the name of a stage is one word", within="space", safe=True),
    Slip(r"split ?[=:]? ?\d+%? ?[/:,] ?(?P<b>\d+)%?", r"validation \g<b>%",
         "a part of the images is given by what it is for", within="settings"),
    Slip(r"(?P<s>teacher|pretrain|finetune|polish) ?(?P<b>\{[^{}\n]*\}) from"
         r" (?P<o>\w+|\"[^\"\n]*\")",
         r"\g<s> from \g<o> \g<b>", "`from` stands before the braces", within="space", safe=True),
    Slip(r"(?P<s>teacher|pretrain|finetune|polish) (?P<n>\d[\w.]*)(?: (?P<unit>epochs?|steps?))?",
         _stage, "settings stand in braces", within="space"),
    Slip(r"teacher (?:off|none|no|false)\b", None, "every search has a teacher", within="space",
         help='it is trained, `teacher { epochs 30 }`, or read, `teacher from "x.safetensors"`'),
    Slip(r"(?P<a>(?:optimizer|schedule) <NAME>) ?\{ ?(?P<inner>[^{}\n]*?) ?\}", _called,
         "options stand in parentheses", within="settings", safe=True),
    Slip(r"<NAME> <NUM>(?: ?(?:,|\.\.|-|or) ?<NUM>)+", None, "a setting has one value",
         within="settings", help="what is tried are the rates of modules, not settings"),
    Slip(r"(?P<a>mean|std) ?\[(?P<b>[^\[\]\n]*)\]", r"\g<a>(\g<b>)",
         "several numbers stand in parentheses", within="settings", safe=True),
    Slip(r"(?P<a>pretrain|finetune|polish) ?[:=]? ?(?:like|as|extends)? ?"
         r"(?P<b>teacher|pretrain|finetune|polish) ?(?=[\n;{])", r"\g<a> from \g<b> ",
         "a stage builds on another `from` it", within="space", safe=True),
    Slip(r"distill (?P<a><NUM>) ?(?:,|at|temperature)? ?(?P<b><NUM>)",
         r"distill \g<a>; temperature \g<b>", "`temperature` is a setting of its own",
         within="settings"),
    Slip(r"(?P<name>augment|teacher|pretrain|finetune"
         r"|polish) ?:? ?[(\[](?P<inner>.*)[)\]](?= ?[;\n])",
         _settings, "settings stand in braces", safe=True, within="space call range"),
    Slip(r"(?P<name>augment|teacher|pretrain|finetune|polish) ?[:=]? (?P<inner>[^\n{}]+)(?=\n)",
         _settings, "settings stand in braces", safe=True, within="space call"),
    Slip(r"(?P<at>\b(?:steps|epochs|batch|optimizer|schedule|weight_decay|clip|patience"
         r"|distill|temperature"
         r"|reconstruct) [^\n;{}]*[^\s;{}])", _in_finetune,
         "`{word}` is a setting of training, and stands in its braces", within="space"),
    Slip(r"\b(?:steps|epochs|batch|optimizer|schedule|weight_decay|clip|patience|distill"
         r"|temperature|reconstruct) [^\n;{}]*[^\s;{}]", None,
         "`{word}` is a setting of training, and stands in its braces", within="space",
         help="move it into those it is for: `teacher { {old} }`, `finetune { {old} }`"),
    # ---- the rest
    Slip(r"budget (?P<n><NUM>) ?(?:gpu|GPU|cpu|CPU|device|machine|wall|wallclock)[-_\x20]?"
         r"(?P<u>seconds?|minutes?|hours?)\b", r"budget \g<n> \g<u>",
         "a budget of time is one of the build, on whatever it runs", within="space"),
    Slip(r"sample <NUM>(?P<at> (?:random|randomly|at random|uniformly|candidates|configs))\b", "",
         "`sample` draws candidates at random", within="space", safe=True,
         help="leave out `{old}`"),
    Slip(r"budget (?P<h>\d+)(?::| ?h(?:ours?)? ?)(?P<m>\d\d?)(?::\d\d| ?m(?:in\w*)?\b)?"
         r"(?: ?(?:hours?|h))?",
         lambda m: f"budget {60 * int(m['h']) + int(m['m'])} minutes",
         "a budget of time is one number", within="space", safe=True),
    Slip(r"(?P<a>sample <NUM>(?: seed \d+)?) by (?P<b>params|macs)", r"\g<a> stratified by \g<b>",
         "an even spread over a cost is `stratified by` it", within="space", safe=True),
    Slip(r"sample ?\( ?(?P<n><NUM>) ?, ?seed ?[=:]? ?(?P<seed>\d+) ?\)",
         r"sample \g<n> seed \g<seed>", "what `{word}` says follows it without brackets",
         within="space call", safe=True),
    Slip(r"sample(?P<at> )(?:seed|stratified) ?", " 500 ",
         "`sample` needs to know how many candidates to take",
         within="space", help="write how many after it, as in `sample 500 seed 1`"),
    Slip(r"budget (?P<a>\S+ \w+) ?(?:and|or|,)? ?(?P<b>\d\S* \w+)", r"budget \g<a>; budget \g<b>",
         "a budget of time and one of candidates are two statements", within="space", safe=True),
    Slip(r"(?P<a>certify) (?:yes|true|on)", r"\g<a>",
         "`certify` stands alone, or with a confidence",
         within="space", safe=True),
    Slip(r"(?P<at>\b(?:the|a|an) )", "", "this word means nothing here", within="space", safe=True,
         help="leave out `{old}`"),
    Slip(r"(?P<a>sample <NUM>) ?(?:,|with|using|;|and) ?(?P<b>seed|stratified)", r"\g<a> \g<b>",
         "options of `sample` follow it directly", within="space", safe=True),
    Slip(r"(?P<a>sample|propose|budget) (?:of )?(?P<b>seed \d+|stratified by \w+) (?P<c>\d\S*)",
         r"\g<a> \g<c> \g<b>", "how many comes first", within="space", safe=True),
    Slip(r"budget (?:of )?(?P<b>candidates|minutes|hours|seconds) (?P<c>\d\S*)",
         r"budget \g<c> \g<b>", "how much comes first", within="space", safe=True),
    Slip(r"until (?:saving )?(?:[=>:]=?|is|below|under|<)? ?(?P<n>\d[\d.]*%?)",
         r"until saving < \g<n>", "`until` says below which saving the search ends",
         within="space"),
    Slip(r"multiple ?(?:of )?[(=:]? ?(?P<n>\d+) ?\)?|multiples of (?P<m>\d+)",
         lambda m: f"multiple of {m['n'] or m['m']}",
         "what is left of a layer's filters is a multiple of a number", within="space call",
         safe=True),
    Slip(r"(?P<a>\b(?:prune|keep|tie|minimize|maximize|budget|sample|propose|explore|blocks"
         r"|precision"
         r"|seed|certify)) ?[({\[] ?(?P<b>[^(){}\[\]\n]+?) ?[)}\]]", r"\g<a> \g<b>",
         "what `{word}` says follows it without brackets", safe=True,
         within="space call list settings range"),
)  # fmt: skip
