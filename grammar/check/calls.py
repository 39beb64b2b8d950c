"""What is wrong with the call of a layer or a module, where its arguments are not."""

from collections.abc import Container, Iterable

from wootzc.diagnostics import Advice, Span
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import FLAGS
from wootzc.grammar.check.operators import ALIASES, BUILT_IN, JOINS
from wootzc.grammar.check.other_layers import translated
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import FUNCTIONS, arguments_text, source_text
from wootzc.grammar.syntax.near_misses import meant, nearest
from wootzc.ir.layers.shapes import ShapeError

# Words that arguments know by themselves; no constants can have their names.
WORDS = (*FLAGS, *FUNCTIONS, "same", "valid", "avg", "auto", "channels")

# What other tools have as layers, and why it is none here.
NEEDLESS = {
    "softmax": "a network ends in scores, and the loss does the rest",
    "log_softmax": "a network ends in scores, and the loss does the rest",
    "identity": "an empty arm, `{ }`, passes its input on",
    "pass": "an empty arm, `{ }`, passes its input on",
    "return": "what the last layer gives is what leaves",
    "output": "what the last layer gives is what leaves",
}
_CHAINS = ("sequential", "chain", "compose", "stack")  # of layers, in other tools


def in_order(call: syntax.Call, modules: Container[str]) -> list[str] | None:
    """`relu(conv(3x3, 16))` as the layers that were meant, the first first; None where it is one.

    A function such as `max` is no layer. What a branch is given are its arms; a word that is no
    layer stands for the input.
    """
    calls = [isinstance(given.value, syntax.Invoke) for given in call.arguments or ()]
    joins = call.name.text in JOINS
    if not any(calls if joins else calls[:1]):
        return None

    def flat(name: str, arguments: tuple[syntax.Argument, ...] | None) -> list[str]:
        match arguments:
            case (syntax.Argument(value=syntax.Invoke(name=inner) as first), *rest) if (
                inner.text in BUILT_IN or inner.text in modules
            ) and inner.text not in FUNCTIONS:
                more = arguments_text(tuple(rest)) if rest else ""
                return [*flat(inner.text, first.arguments), name + more]
            case _:
                return [name + arguments_text(arguments)]

    def arm(given: syntax.Argument) -> str | None:
        match given:
            case syntax.Argument(name=None, value=syntax.Invoke(name=name) as inner) if (
                name.text not in FUNCTIONS
            ):
                return f"{{ {'; '.join(flat(name.text, inner.arguments))} }}"
            case syntax.Argument(name=None, value=syntax.Word(text=text)):
                return f"{{ {text} }}" if text in BUILT_IN or text in modules else "{ }"
            case _:
                return None

    if joins:
        arms = [arm(given) for given in call.arguments or ()]
        return None if None in arms else [f"{call.name.text} {{ {' '.join(filter(None, arms))} }}"]
    if call.name.text.lower() in _CHAINS and call.name.text not in modules:
        return [source_text(argument.value) for argument in call.arguments or ()]
    found = flat(call.name.text, call.arguments)
    return found if len(found) > 1 else None


def known_words(arguments: Iterable[syntax.Argument], known: Iterable[str], report: Report) -> bool:
    """Whether all words that a module is given mean something; others are reported."""
    names = {*known, *WORDS}
    unknown = [
        argument.value
        for argument in arguments
        if isinstance(argument.value, syntax.Word) and argument.value.text not in names
    ]
    for word in unknown:
        near = nearest(word.text, known)
        report.error(
            word.span, "WZ316", f"nothing is called `{word.text}` here",
            meant(near) if near
            else "it is a parameter of what it stands in, or a constant: "
            f"`let {word.text} = …` at the top",
        )  # fmt: skip
    return not unknown


def report_unknown(
    call: syntax.Call,
    known: Iterable[str],
    networks: Container[str],
    incomplete: bool,
    report: Report,
) -> str | None:
    """Report a call of what is no layer or module; gives what was likely meant.

    `incomplete`: definitions may be missing, so that it may be one.
    """
    text, likely = call.name.text, None
    near = ALIASES.get(text.lower()) or nearest(text, known)
    code, message = "WZ010", f"there is no layer or module `{text}`"
    if (help := translated(call, report)) is not None:
        pass
    elif text.lower() == "output" and call.arguments:
        message, help = f"there is no layer `{text}`", meant("dense")
    elif text.lower() in NEEDLESS:
        message = f"there is no layer `{text}`"
        help = Advice(f"remove it: {NEEDLESS[text.lower()]}", "", at=call.span)
    elif text == "input":
        code, message = "WZ031", "`input` stands once, as the first statement of a network"
        help = "move it to the top of its network; into a module goes what leaves the one before"
    elif text in JOINS:
        code, message = "WZ027", f"`{text}` needs arms in braces"
        help = f"as in `{text} {{ {{ … }} {{ … }} }}`; `{{ }}` passes its input on"
    elif text in networks:
        message = f"`{text}` is a network, and no layer or module"
        help = "make a module of what both have: networks are not called"
    elif near is not None:
        likely, help = near, meant(near)
    elif incomplete:
        return None
    else:
        help = f"define it: module {text}() {{ … }}; docs/language.md lists the layers"
    report.error(call.name.span, code, message, help)
    return likely


def shape_help(error: ShapeError, name: str, span: Span) -> str | None:
    """The way out of a shape that a layer cannot take."""
    text = str(error)
    if name == "add":
        return "bring the arms to one shape, as in { shortcut(width, stride = stride) }"
    if "vector enters" in text:
        return "it stands after global_pool, flatten or dense; move it before them"
    if "put global_pool" in text:
        return Advice(
            "write `global_pool` before it, which averages each channel, or `flatten`, which keeps "
            "every pixel", "global_pool; ", at=Span(span.file, span.start, span.start),
        )  # fmt: skip
    if "groups" in text:
        return "choose a number of groups that divides both numbers of channels"
    if "window" in text:
        return "use a smaller window, padding = same, or fewer strides before it"
    return None
