"""Arms of a branch that do not end alike: which one is to be changed, and how."""

from collections.abc import Container, Iterator, Sequence

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.operators import ALIASES, BUILT_IN, FITTING, JOINS
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import argument_text, source_text
from wootzc.grammar.syntax.near_misses import either, meant, nearest
from wootzc.ir.layers.shapes import Shape, shape_text

_STRIDED = ("conv", "depthwise", "shortcut", "max_pool", "avg_pool")
_WIDE = {"conv": 1, "shortcut": 0, "dense": 0}  # layer → position of its width


def mismatch(
    branch: syntax.Branches, ends: Sequence[Shape], entering: Shape
) -> tuple[str, str] | None:
    """What to say, and to advise, of arms that end in the shapes `ends`; None where this is not
    their mistake.
    """
    join = branch.name.text
    if join == "scale" or len(ends) != len(branch.arms) or len({len(end) for end in ends}) > 1:
        return None
    if len({end[:-1] for end in ends}) > 1:  # height and width
        odd = max(range(len(ends)), key=lambda arm: ends[arm][:-1])  # it lacks a stride
        help = _stride_help(branch, ends, odd)
    elif join == "add" and len({end[-1] for end in ends}) > 1:
        odd = _odd(branch, ends, entering)
        help = _width_help(branch, ends, odd)
    else:
        return None
    each = either([f"arm {n} in {shape_text(end)}" for n, end in enumerate(ends, 1)], "and")
    return f"the arms of `{join}` end in different shapes: {each}", help


def _odd(branch: syntax.Branches, ends: Sequence[Shape], entering: Shape) -> int:
    """The arm whose channels are to be changed: the one that passes its input on, or the last."""
    passing = [n for n, arm in enumerate(branch.arms) if not arm.statements]
    if passing:
        return passing[0]
    kept = [n for n, end in enumerate(ends) if end[-1] == entering[-1]]
    return kept[-1] if len(kept) == 1 else len(ends) - 1


def _stride_help(branch: syntax.Branches, ends: Sequence[Shape], odd: int) -> str:
    calls = (c for n, arm in enumerate(branch.arms) if n != odd for c in _calls(arm))
    strides = (source_text(s) for c in calls if (s := _argument(c, "stride")) is not None)
    small = min(ends, key=lambda end: end[:-1])
    ratio = ends[odd][0] // small[0] if small[0] else 0
    stride = next(strides, str(max(2, ratio)))
    arm = branch.arms[odd]
    if not arm.statements:
        width = _last_width(branch, odd) or str(small[-1])
        return write(
            f"{{ shortcut({width}, stride = {stride}) }}", f" as arm {odd + 1}", at=arm.span
        )
    for call in _calls(arm):
        if call.name.text in _STRIDED and _argument(call, "stride") is None:
            more, given = f"stride = {stride}", ", ".join(map(argument_text, call.arguments or ()))
            last = (call.arguments or (call.name,))[-1].span.end
            return Advice(
                f"give arm {odd + 1} its stride: `{call.name.text}({given}, {more})`",
                f", {more}" if call.arguments else f"({more})", at=Span(call.span.file, last, last),
            )  # fmt: skip
    return f"give arm {odd + 1} a stride of {ratio}, or the others none"


def _width_help(branch: syntax.Branches, ends: Sequence[Shape], odd: int) -> str:
    arm = branch.arms[odd]
    wanted = _last_width(branch, odd) or str(next(e for n, e in enumerate(ends) if n != odd)[-1])
    if not arm.statements:
        return write(f"{{ shortcut({wanted}) }}", f" as arm {odd + 1}", at=arm.span)
    for call in reversed(list(_calls(arm))):
        if (width := _argument(call, "width", _WIDE.get(call.name.text))) is not None:
            return Advice(
                f"give arm {odd + 1} as many channels: `{wanted}` instead of "
                f"`{source_text(width)}`", wanted, at=width.span,
            )  # fmt: skip
    return f"end arm {odd + 1} with conv(1x1, {wanted})"


def _calls(arm: syntax.Block) -> Iterator[syntax.Call]:
    return (s for s in arm.statements if isinstance(s, syntax.Call))


def _argument(
    call: syntax.Call, name: str, position: int | None = None
) -> syntax.Expression | None:
    """What a call says by name, or without one at a position."""
    arguments = call.arguments or ()
    named = (a.value for a in arguments if a.name is not None and a.name.text == name)
    if (value := next(named, None)) is not None:
        return value
    if position is None or position >= len(arguments) or arguments[position].name is not None:
        return None
    return arguments[position].value


def _last_width(branch: syntax.Branches, odd: int) -> str | None:
    """The width that another arm ends with, as it is written there."""
    for n, arm in enumerate(branch.arms):
        if n == odd:
            continue
        for call in reversed(list(_calls(arm))):
            if (width := _argument(call, "width", _WIDE.get(call.name.text))) is not None:
                return source_text(width)
    return None


def is_branch(branch: syntax.Branches, modules: Container[str], report: Report) -> bool:
    """Whether its name, arguments and number of arms are those of a branch."""
    name = branch.name
    if name.text not in JOINS:
        known = name.text in BUILT_IN or name.text in modules
        near = ALIASES.get(name.text) or nearest(name.text, JOINS)
        report.error(
            name.span, "WZ027" if known else "WZ010",
            f"`{name.text}` takes no arms in braces" if known
            else f"there is no branch `{name.text}`",
            meant(near) if near in JOINS and not known
            else "arms belong to add, concat and scale",
        )  # fmt: skip
        return False
    if branch.arguments:
        report.error(
            name.span, "WZ013", f"`{name.text}` takes no arguments",
            Advice(
                f"leave them out, as in `{name.text} {{ {{ … }} {{ … }} }}`", "",
                at=Span(name.span.file, name.span.end, branch.arguments[-1].span.end + 1),
            ),
        )  # fmt: skip
    least = 2
    if len(branch.arms) < least or (name.text == "scale" and len(branch.arms) != least):
        wanted = "exactly two arms" if name.text == "scale" else "at least two arms"
        report.error(
            name.span, "WZ027", f"`{name.text}` needs {wanted}, not {len(branch.arms)}",
            "an arm is layers in braces; `{ }` passes its input on",
        )  # fmt: skip
        return False
    return True


def is_fitting(arm: syntax.Block) -> bool:
    """Whether an arm is `{ shortcut_if_fits }`."""
    match arm.statements:
        case (syntax.Call(name=syntax.Name(text=text), arguments=None, target=None),):
            return text == FITTING
        case _:
            return False
