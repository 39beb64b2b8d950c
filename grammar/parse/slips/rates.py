"""Slips in the rates of a space, in its candidates and in what else is a number there."""

import re

from wootzc.grammar.check.values import decimal_of
from wootzc.grammar.parse.slips.row import Match, Slip

_RATE = r"(?:\d+(?:\.\d+)?|\.\d+)%?"


def _row(match: Match) -> str:
    """`a1 = 0, a2 = 50%` → `[0, 50%]`."""
    return f"[{', '.join(re.split(r'[=:]', one)[1].strip() for one in match['at'].split(','))}]"


def _listed(match: Match) -> str:
    return ", ".join(re.split(r"[;,\s]+(?:and\s+)?", match["list"].strip(" \t\n;,")))


def _rates(match: Match) -> str:
    return f"rates {{ {_listed(match)} }}"


def _with_none(match: Match) -> str:
    """`rates { keep, 50% }` → `rates { 0, 50% }`."""
    return re.sub(r"\b(?:keep|none|no|whole|full)\b", "0", _rates(match))


def _range_of_rates(match: Match) -> str:
    """`0-90` → `0..90% step 10%`: in tens where no step is given."""
    first, last, step = (_percent(match[name] or "10%") for name in ("a", "b", "step"))
    return f"{first}..{last} step {step}"


def _percent(rate: str) -> str:
    return rate if "%" in rate or float(rate) < 1 else f"{rate}%"


def _removed(match: Match) -> str:
    """`keep_rates { 100%, 70% }` → `rates { 0%, 30% }`."""
    kept = [decimal_of(one) for one in re.findall(_RATE, match["list"])]
    return f"rates {{ {', '.join(f'{(100 * (1 - share)).normalize():f}%' for share in kept)} }}"


def _rows(match: Match) -> str:
    """`(0, 30%) (0, 50%)` → `[0, 30%] [0, 50%]`."""
    inner = match["at"].strip()
    return f" {inner.replace('(', '[').replace(')', ']') if '(' in inner else f'[{inner}]'} "


def _in_steps(match: Match) -> str:
    """`10%, 20%, …, 70%` → `10%..70% step 10%`."""
    first, second, last = (float(_percent(match[name]).rstrip("%")) for name in "abc")
    return f"{first:g}%..{last:g}% step {second - first:g}%"


RATES = (
    Slip(r"rates ?[:=]? ?\{ ?min ?[:=]? ?(?P<a>" + _RATE + r") ?[,;]? ?max ?[:=]? ?(?P<b>" + _RATE
         + r") ?(?P<step>" + _RATE + r")?\}", lambda m: f"rates {_range_of_rates(m)}",
         "a range of rates says in which steps it goes", within="list space"),
    Slip(r"\b(?:round_to|divisor|multiple_of|channel_multiple|width_multiple|granularity) ?[=:]? ?"
         r"(?P<n>\d+)", r"multiple of \g<n>",
         "what is left of a layer's filters is a multiple of a number", within="space"),
    Slip(r"rates (?:(?:for|of|in) )?(?P<a><GLOB>) ?(?=\{)", r"prune \g<a> rates ",
         "rates of some modules stand behind these", within="space"),
    Slip(r"(?P<a>" + _RATE + r") ?, ?(?P<b>" + _RATE + r") ?,? ?(?:\.{2,}|…) ?,? ?(?P<c>" + _RATE
         + ")", _in_steps, "a range of rates says in which steps it goes", within="list"),
    Slip(r"step (?P<at>- ?(?P<n>\d[\d.]*%?))", r"\g<n>", "steps are above 0", within="space list"),
    Slip(r"prune [^\n;{}]*?\S(?P<at> (?:at least|at most|up to|no more than) <NUM>)", "",
         "how much goes of a module is what the search finds", within="space",
         help="leave out `{old}`; which rates there are is said by `rates { 0, 30%, 50% }`"),
    Slip(r"(?P<a>(?:prune|narrow) [^{}\n]*?\S) (?:(?:at|to|with|by"
         r"|using) )?(?:rates? )?(?P<list><NUM>(?:[,;\x20]+<NUM>)*)",
         lambda m: f"{m['a']} rates {{ {_listed(m)} }}", "the rates of some modules follow `rates`",
         within="space", safe=True),
    Slip(r"(?:rates |(?<=[{,\s]))(?P<at>(?P<a>" + _RATE + r") ?(?:\.\.|-|–|to|:) ?(?P<b>" + _RATE
         + r")(?: ?,? ?(?:steps?|by|every|:|in steps of) ?(?P<step>" + _RATE + "))?)",
         _range_of_rates, "a range of rates says in which steps it goes", within="space list"),
    Slip(r"rates (?P<at>(?P<a><NAME>))(?=\s*[;\n}])", r"{ \g<a> }",
         "a list of rates stands in braces", within="space", safe=True),
    Slip(r"rates ?[:=]? ?(?:linspace|arange|range)\([^()\n]*\)", None,
         "a range of rates says in which steps it goes", within="space call",
         help="as in `rates 0..90% step 10%`"),
    Slip(r"rates ?\{ ?<GLOB> ?[:=][^{}\n]*\}", None, "`rates` are those of all modules",
         within="list space", help="some have others, as in `prune a1 rates { 0, 30% }`"),
    Slip(r"configs ?\{(?P<at>[^\[\]{}\n]*)\}", _rows, "each candidate stands in `[ ]`",
         within="list call", safe=True, help="write `{new}` in the braces"),
    Slip(r"(?P<a>\d+) ?/ ?(?P<b>[1-9]\d*)", lambda m: f"{100 * int(m['a']) / int(m['b']):.6g}%",
         "a rate is a single number", safe=True, within="list range"),
    Slip(r"[\w%]+(?:\.\d+%?)? ?[*/+] ?[\w%.]+", None, "here stands a number, or the name of one",
         within="list range", help="calculate it at the top of the file: `let NAME = {old}`"),
    Slip(r"\b(?:none|no|off|zero|full|all|keep|whole)\b", "0", "no filter removed is the rate 0",
         within="list range"),
    Slip(r"rates ?[:=]? ?[\[(](?P<list>[^\])\n]*)[\])]", _rates,
         "a list of rates stands in braces", safe=True, within="space call range"),
    Slip(r"rates ?[:=]? ?(?P<list><NUM>(?:[ ,;]+<NUM>)*)".replace("[ ,;]", r"[\t,;\x20]"), _rates,
         "a list of rates stands in braces", safe=True, within="space"),
    Slip(r"rates ?[:=]? ?\{(?P<list>[^{}\[\],;]*\b(?:keep|none|no|whole|full)\b[^{}\[\],;]*)\}",
         _with_none, "no filter removed is the rate 0", within="list space"),
    Slip(r"rates ?[:=]? ?\{(?P<list>(?:[\s\d.,;%]|\band\b|[A-Za-z_]\w*(?=\s*[,;}]))*)\}", _rates,
         "rates are separated by commas", safe=True, within="list space"),
    Slip(r"prune rates (?P<r>\{[^{}\n]*\}) ?(?:of|for|from|on)? ?(?P<p><GLOB>(?: ?, ?<GLOB>)*)",
         r"prune \g<p> rates \g<r>", "the modules come first, and then their rates",
         within="space list", safe=True),
    Slip(r"\b(?:keep_rates?|keep_ratios?|keep_fractions?|width_multipliers?) ?[:=]? ?"
         r"\{(?P<list>[^{}\n]*)\}", _removed, "a rate is what is removed, not what stays",
         within="space list"),
    Slip(r"by <CRITERION>(?P<at> ?\([^()\n]*\))", "", "a criterion is a word alone",
         within="space call", help="leave out `{old}`"),
    Slip(r"(?:where|subject to) [^\n;{}]*?(?P<at> or [^\n;{}]*[^\s;{}])", "",
         "all limits hold: none stands for another", within="space", help="leave out `{old}`"),
    Slip(r"(?P<at>(?:objective|goal|target|optimize) ?[:=]? ?)(?=(?:min|max)imi[sz]e )", "",
         "what is best is said by `minimize` or `maximize` alone", within="space", safe=True,
         help="leave out `{old}`"),
    Slip(r"\b(?:split|splits|partition) ?[:=]? ?(?P<a>\d+)%? ?[/,:-] ?(?P<b>\d+)%? ?[/,:-] ?"
         r"(?P<c>\d+)%?", r"validation \g<b>%; test \g<c>%",
         "what is not for validation and test is for training", within="settings"),
    Slip(r"(?P<at>(?P<a>prune [^{}\n]*?\S) ?(?:at|to|with|=)? ?)\{", r"\g<a> rates ",
         "the rates of some modules follow `rates`", within="space list", safe=True,
         help="write `{new}` before the `{`"),
    Slip(r"\[(?P<at>(?P<list>[^\[\]\n]*))\]", _listed, "rates are separated by commas", safe=True,
         within="range", help="write `[{new}]`"),
    Slip(r"\[(?P<at>-(?P<n>\d+))(?=\.\.)", r"\g<n>", "the numbers in names begin at 0 or above",
         within="range"),
    Slip(r"- ?(?P<n>\d[\d.]*%?)", r"\g<n>",
         "a rate is the fraction of filters that is removed, from 0 to below 1",
         within="list range", code="WZ041"),
    Slip(r"\bseed (?P<at>- ?(?P<n>\d[\d.]*))", r"\g<n>", "a seed is a whole number from 0 on",
         within="space", code="WZ071"),
    Slip(r"\b(?:sample|propose|budget|of) (?P<at>- ?(?P<n>\d[\d.]*))", r"\g<n>",
         "`{word}` takes a number above 0", within="space", code="WZ071"),
    Slip(r"(?:\b(?:certify|confidence)|saving ?<|[<>]=) (?P<at>- ?(?P<n>\d[\d.]*%?[kMG]?))",
         r"\g<n>",
         "this is a number from 0 on", within="space", code="WZ071"),
    Slip(r"\bseed (?P<at>\"[^\"\n]*\")", None, "a seed is a whole number from 0 on",
         within="space", code="WZ071", help="as in `seed 1`"),
    Slip(r"\{ ?(?P<b><NUM>(?: ?, ?<NUM>)+) ?\}", r"[\g<b>]",
         "each candidate stands in square brackets", within="list", safe=True),
    Slip(r"(?<![\w.])(?P<n>\d[\d_.]*)(?P<u>[mun]?s|[kMGK]i?B|bytes|B)\b", r"\g<n> \g<u>",
         "a unit is a word, after a space", within="space", code="WZ005", safe=True),
    Slip(r"[\w%](?P<at> (?:(?:at|and|to) )?confidence(?: of)?)(?= \d)", " with confidence",
         "how sure a limit is to hold follows it as `with confidence`", within="space",
         safe=True),
    Slip(r"(?:minimize|maximize) <NAME>(?P<at> ?[-+*/] ?[^\n;{}]*[^\s;{}])", "",
         "what is best is one figure; others can be limited", within="space",
         help="leave out `{old}`; a limit is written as in `subject to macs <= 50%`"),
    Slip(r"(?:^|[\n;{]) ?(?P<at>train|training|stages|recipes?) ?\{\s*"
         r"(?:teacher|pretrain|finetune|polish)\b", None,
         "stages stand in the space itself", within="space",
         help="leave out `{old} {` and the `}` that ends it"),
    Slip(r"teacher (?P<at>pretrained|imagenet)\b", None, "a teacher's weights are in a file",
         within="space", help='as in `teacher from "weights.safetensors"`'),
    Slip(r"data ?\{[^\n]*", None, "`data` begins with its file or folder", within="space",
         help='as in `data "images.npz" { validation 20% }`'),
    Slip(r"latency on (?P<b>\"[^\"\n]*\")", r"latency on command \g<b>",
         "what measures on another device is a command", within="space", safe=True),
    Slip(r"quantize (?:to )?(?:8|eight)(?: ?-?bits?)?\b", "quantize int8",
         "numbers of eight bits are called int8", within="space"),
    Slip(r"(?:sample|explore) (?:random|randomly|uniform|uniformly) (?P<n><NUM>)", r"sample \g<n>",
         "`sample` draws candidates at random", within="space", safe=True),
    Slip(r"\{ ?(?P<at><NAME> ?[=:] ?<NUM>(?: ?, ?<NAME> ?[=:] ?<NUM>)*)", _row,
         "a candidate is a row of rates, one for each module in the network's order",
         within="list"),
)  # fmt: skip
