"""Layers as other tools call them, where more than the name is another."""

import re
from collections.abc import Sequence

from wootzc.diagnostics import Advice, Span
from wootzc.grammar import syntax
from wootzc.grammar.check.operators import ALIASES, OPERATORS
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import source_text

_ONE_PIXEL = ("", "1", "1x1", "1, 1")
# What networks that wootzc prunes do not have; they classify images by convolutions.
_UNKNOWN = re.compile(
    r"(?:conv_?transpose|deconv|upsampl|pixel_?shuffle|interpolate|lstm|gru|rnn|embedding"
    r"|transformer|multi_?head|attention|instance_?norm|spectral_?norm|reshape|view|permute|lambda)"
)
_KNOWN = "|".join(sorted({*OPERATORS, *ALIASES}, key=len, reverse=True)).replace("_", "")
_FUSED = re.compile(rf"(?:{_KNOWN})(?:{_KNOWN}|activation)+")


_BY_WORD = {name.replace("_", ""): known for name, known in
            {**{name: name for name in OPERATORS}, **ALIASES}.items()}  # fmt: skip


def translated(call: syntax.Call, report: Report) -> Advice | str | None:
    """Advice on a call of a layer by what it is elsewhere, with the arguments that it has there."""
    name = call.name.text.lower().replace("_", "")
    values = [source_text(argument.value) for argument in call.arguments or ()]
    given = ", ".join(values)
    if (
        name in ("linear", "fullyconnected")
        and len(values) == 2
        and given.replace(", ", "").isdigit()
    ):
        return _instead(call, f"dense({values[1]})", report)
    if call.name.text in ("Conv2D", "Convolution2D") and len(values) >= 2 and values[0].isdigit():
        return _instead(call, f"conv({', '.join([values[1], values[0], *values[2:]])})", report)
    if name.startswith("adaptive") and "pool" in name and given in _ONE_PIXEL:
        kind = "(max)" if "max" in name else ""
        return _instead(call, f"global_pool{kind}", report)
    if (parts := _parts(call.name.text)) is not None:
        first = f"{parts[0]}({given})" if given else parts[0]
        return _instead(call, "; ".join([first, *parts[1:]]), report)
    if _UNKNOWN.match(name):
        return "none does the same: docs/layers.md lists the layers"
    return None


def _parts(name: str) -> Sequence[str] | None:
    """`ConvBNReLU` → conv, norm, relu."""
    plain = name.lower().replace("_", "")
    if _FUSED.fullmatch(plain) is None:
        return None
    parts = [_BY_WORD.get(word, "relu") for word in re.findall(rf"{_KNOWN}|activation", plain)]
    return parts if parts[0] in ("conv", "depthwise") else None


def _instead(call: syntax.Call, new: str, report: Report) -> Advice:
    span, text = call.span, report.sources.get(call.span.file, "")
    end = span.end
    if call.target is not None:
        end = span.start + len(re.sub(r"\s+as\s*$", "", text[span.start : call.target.span.start]))
    return Advice(f"write `{new}`", new, at=Span(span.file, span.start, end))
