"""Arguments as other tools have them: by other names, or where a layer of its own is meant."""

from wootzc.diagnostics import Advice, Span
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import source_text

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


def of_its_own(arguments: tuple[syntax.Argument, ...], position: int, report: Report) -> str | None:
    """Advice on `conv(3x3, 16, activation = relu)`: an activation is a layer of its own."""
    argument, last = arguments[position], arguments[-1].span
    if argument.name is None or argument.name.text.lower() not in _ACTIVATION or not position:
        return None
    if not isinstance(argument.value, syntax.Word | syntax.Text):
        return None
    layer = source_text(argument.value).strip('"').lower()
    text = report.sources.get(last.file, "")
    end = text.find(")", last.end) + 1
    more = "" if "softmax" in layer or layer in ("linear", "none") else f"; {layer}"
    rest = text[argument.span.end : end]
    return Advice(
        f"leave it out: an activation is a layer of its own, `{layer}` behind this one" if more
        else "leave it out: a network ends in scores, and the loss does the rest",
        rest + more, at=Span(last.file, arguments[position - 1].span.end, end),
    )  # fmt: skip


def alone(name: syntax.Name, last: Span, report: Report) -> str:
    """Advice on `relu(1)`."""
    end = report.sources.get(last.file, "").find(")", last.end) + 1
    at = Span(last.file, name.span.end, end)
    return Advice(f"it is written `{name.text}` alone", "", at=at)
