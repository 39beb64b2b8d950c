"""Arguments as other tools have them: by other names, or where a layer of its own is meant."""

from typing import get_args

from wootzc.diagnostics import Advice, Span
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import source_text
from wootzc.ir.layers import ActivationKind

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
    end = text.find(")", last.end) + 1
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
    end = report.sources.get(last.file, "").find(")", last.end) + 1
    at = Span(last.file, name.span.end, end)
    return Advice(f"it is written `{name.text}` alone", "", at=at)
