"""Arguments as other tools have them: by other names, in another order, or where a layer of its own
is meant.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import source_text
from wootzc.grammar.syntax.marks import behind
from wootzc.ir.layers import ActivationKind
from wootzc.ir.layers.shapes import Shape

ELSEWHERE = {
    **dict.fromkeys(("filters", "channels", "out_channels", "features", "out_features", "units",
                     "planes", "neurons", "outputs", "out", "num_filters"), ("width",)),
    **dict.fromkeys(("kernel_size", "ksize", "k", "filter_size", "window", "kernel_shape",
                     "pool_size", "window_shape"), ("kernel", "size")),
    "strides": ("stride",), "pad": ("padding",), "pads": ("padding",), "eps": ("epsilon",),
    "p": ("rate",), "prob": ("rate",), "num_groups": ("groups",),
    "use_bias": ("bias",), "negative_slope": ("slope",), "alpha": ("slope",),
}  # fmt: skip
_ACTIVATION = ("activation", "act", "nonlinearity", "activation_fn", "act_layer")
ACTIVATIONS: tuple[str, ...] = get_args(ActivationKind)
_NORM = ("bn", "norm", "batch_norm", "norm_layer", "use_bn", "batchnorm", "normalizer_fn")
_NONE = ("false", "none", "linear", "identity")
_LARGE = 11  # larger kernels are rare, and channels that enter are mostly more
_COUNTED = 1 << 20  # channels, at most, that a number is taken to be
_SIDES = (1, 3, 5, 7)  # that kernels usually have


def of_its_own(arguments: tuple[syntax.Argument, ...], position: int, report: Report) -> str | None:
    """Advice on `conv(3x3, 16, activation = relu)`: an activation is a layer of its own."""
    argument, last = arguments[position], arguments[-1].span
    key = argument.name.text.lower() if argument.name is not None else ""
    if not position or not isinstance(argument.value, syntax.Word | syntax.Text):
        return None
    layer = source_text(argument.value).strip('"').lower()
    if key in _NORM:
        layer = layer if layer in _NONE else "norm"
    elif key not in _ACTIVATION and (key or layer not in ("softmax", *ACTIVATIONS)):
        return None
    text = report.sources.get(last.file, "")
    end = behind(")", text, last.end)
    more = "" if "softmax" in layer or layer in _NONE else f"; {layer}"
    rest = text[argument.span.end : end]
    what = "a norm" if key in _NORM else "an activation"
    return Advice(
        f"leave it out: {what} is a layer of its own, `{layer}` behind this one" if more
        else "leave it out: a network ends in scores, and the loss does the rest"
        if "softmax" in layer else "leave it out",
        rest + more, at=Span(last.file, arguments[position - 1].span.end, end),
    )  # fmt: skip


def alone(name: syntax.Name, last: Span, report: Report) -> str:
    """Advice on `relu(1)`."""
    end = behind(")", report.sources.get(last.file, ""), last.end)
    at = Span(last.file, name.span.end, end)
    return Advice(f"it is written `{name.text}` alone", "", at=at)


class Habit(NamedTuple):
    """What was understood, and what was likely meant."""

    code: str
    message: str
    help: str


def habit_of(call: syntax.Call, fields: Mapping[str, Any], entering: Shape) -> Habit | None:
    """What to say of a call whose numbers mean something else elsewhere; `fields`: what they do."""
    given = [a for a in call.arguments or () if a.name is None]
    if call.name.text == "conv" and len(given) >= 2:
        return _of_conv(call, given, fields, entering[-1])
    epsilon = float(fields.get("epsilon", 0))
    if 2 <= epsilon < _COUNTED and epsilon.is_integer() and call.arguments:
        return _of_epsilon(call, call.arguments, epsilon)
    return None


def _of_conv(
    call: syntax.Call, given: Sequence[syntax.Argument], fields: Mapping[str, Any], entering: int
) -> Habit | None:
    """Channels in and out before the kernel, as in PyTorch; the width before it, as in Keras; or
    sides apart.
    """
    texts = [source_text(argument.value) for argument in given[:3]]
    if not isinstance(given[0].value, syntax.Number | syntax.Word):
        return None
    (kernel, _), (stride, _), width = fields["kernel"], fields["stride"], fields["width"]
    in_and_out = kernel == entering and (kernel > _LARGE or (stride > 1 and stride % 2))
    written = all(isinstance(a.value, syntax.Number) for a in given[:3]) and len(given) > 2
    if len(given) > 2 and (in_and_out or (written and stride > kernel)):
        side, out = (texts[0], texts[2]) if kernel == width and not in_and_out else texts[:0:-1]
        count = 3
        told = f"this is a kernel of {kernel}, a width of {width} and a stride of {stride}"
    elif width in _SIDES and kernel > max(width, 7):
        side, out = texts[1], texts[0]
        count = 2
        told = f"this is a kernel of {kernel} and a width of {width}"
    else:
        return None
    at = Span(call.span.file, given[0].span.start, given[count - 1].span.end)
    new = f"{_square(side)}, {out}"
    patches = f"{_square(texts[0])}, {texts[1]}, stride = {texts[-1]}"
    meant = f"did you mean `conv({new})`?"
    if count == 3 and kernel == stride:
        meant += f" For patches, write `conv({patches})`"
    return Habit("WZ318", told, Advice(meant, new, at=at))


def _square(side: str) -> str:
    return f"{side}x{side}" if side.isdecimal() else side


def _of_epsilon(call: syntax.Call, arguments: tuple[syntax.Argument, ...], epsilon: float) -> Habit:
    """`norm(64)`: how many channels enter is known."""
    groups = source_text(arguments[0].value) if call.name.text == "group_norm" else None
    plain = len(arguments) == (1 if groups is None else 2)
    new = call.name.text if groups is None else f"{call.name.text}({groups})"
    return Habit(
        "WZ332", f"this is an epsilon of {epsilon:g}, which hides the variance that it is added to",
        write(new, ": how many channels enter is known", at=call.span) if plain
        else "how many channels enter is known; epsilons are far below 1",
    )  # fmt: skip
