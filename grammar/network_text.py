"""IR network → `.wz` text that gives it back: the inverse of checking, for what can be written."""

from collections.abc import Iterator
from itertools import pairwise
from typing import assert_never

from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Layer,
    LocalNorm,
    Norm,
    Padding,
    Pair,
    Pool,
)  # fmt: skip
from wootzc.ir.network import Module, Network, module_positions
from wootzc.ir.shapes import shape_text

INDENT = "  "
WIDTH = 100  # of the formatter, so that what is printed is formatted


def print_network(network: Network) -> str:
    """Every module is written out under its own name; layers between modules stand bare.

    What a space says of a network (`keep`, `multiple of`) is no part of it. Plain segments get
    their names from their order, so they must be called plain1, plain2, … and have a module
    between any two of them, as in every network that was checked.
    """
    _check_plain_names(network)
    _check_auxiliaries(network)
    lines = [f"network {network.name} {{", f"{INDENT}input({shape_text(network.input)})"]
    for number, segment in enumerate(network.segments):
        if isinstance(segment, Module):
            lines += _block(f"module {segment.name}", segment.body)
        else:
            lines += _body(segment.body, 1)
        for head in network.auxiliaries:
            if head.after == number:
                lines += _block(f"auxiliary(weight = {float(head.weight)!r})", head.body)
    return "\n".join([*lines, "}", ""])


def _block(head: str, body: Body) -> Iterator[str]:
    yield f"{INDENT}{head} {{"
    yield from _body(body, 2)
    yield f"{INDENT}}}"


def _check_auxiliaries(network: Network) -> None:
    """They are called aux1, aux2, … in order, and each stands behind a module."""
    found = [(head.name, head.after) for head in network.auxiliaries]
    after = sorted(after for _, after in found)
    in_order = [(f"aux{i}", position) for i, position in enumerate(after, 1)]
    if found != in_order or not set(after) <= set(module_positions(network)):
        raise ValueError(f"the language cannot say auxiliary heads {found}")


def _check_plain_names(network: Network) -> None:
    plain = [s.name for s in network.segments if not isinstance(s, Module)]
    adjacent = any(
        not isinstance(a, Module) and not isinstance(b, Module)
        for a, b in pairwise(network.segments)
    )
    if plain != [f"plain{i}" for i in range(1, len(plain) + 1)] or adjacent:
        raise ValueError(f"the language cannot say plain segments {', '.join(plain)}")


def _body(body: Body, level: int) -> Iterator[str]:
    for index, layer in enumerate(body):
        follower = body[index + 1] if index + 1 < len(body) else None
        if isinstance(layer, Branch):
            yield f"{INDENT * level}{layer.join} {{"
            for arm in layer.arms:
                yield from _arm(arm, level + 1)
            yield f"{INDENT * level}}}"
        else:
            yield INDENT * level + _layer(layer, follower)


def _arm(arm: Body, level: int) -> Iterator[str]:
    """An arm on one line where it fits."""
    lines = list(_body(arm, level + 1))
    flat = f"{INDENT * level}{{ {'; '.join(line.strip() for line in lines)} }}"
    if not arm:
        yield f"{INDENT * level}{{ }}"
    elif len(flat) <= WIDTH and not any(isinstance(layer, Branch) for layer in arm):
        yield flat
    else:
        yield f"{INDENT * level}{{"
        yield from lines
        yield f"{INDENT * level}}}"


def _layer(layer: Layer, follower: Layer | None) -> str:
    match layer:
        case Conv(kernel=kernel, width=width, groups=groups):
            given = [_pair(kernel, size=True), str(width), *_window(layer)]
            given += [f"groups = {groups}"] if groups != 1 else []
            return f"conv({', '.join([*given, *_bias(layer.bias, follower)])})"
        case DepthwiseConv(kernel=kernel):
            given = [_pair(kernel, size=True), *_window(layer), *_bias(layer.bias, follower)]
            return f"depthwise({', '.join(given)})"
        case Norm(epsilon=epsilon, momentum=momentum):
            usual_norm = Norm()
            return _call(
                "norm",
                _numbers(epsilon=epsilon, momentum=momentum),
                _numbers(epsilon=usual_norm.epsilon, momentum=usual_norm.momentum),
            )
        case LocalNorm(size=size, alpha=alpha, beta=beta, k=k):
            values = {"size": str(size)} | _numbers(alpha=alpha, beta=beta, k=k)
            usual = LocalNorm()
            defaults = {"size": str(usual.size)} | _numbers(
                alpha=usual.alpha, beta=usual.beta, k=usual.k
            )
            return _call("lrn", values, defaults)
        case Activation(kind="leaky_relu", slope=slope):
            return _call("leaky_relu", _numbers(slope=slope), _numbers(slope=Activation().slope))
        case Activation(kind=kind):
            return kind
        case Pool():
            return _pool(layer)
        case GlobalPool(kind=pool, keep_dims=keep):
            return _call(
                "global_pool", {"kind": pool, "keep_dims": str(keep).lower()},
                {"kind": "avg", "keep_dims": "false"},
            )  # fmt: skip
        case Dense(width=width, bias=bias):
            return f"dense({width})" if bias else f"dense({width}, bias = false)"
        case Dropout(rate=rate):
            return f"dropout({float(rate)!r})"
        case Flatten():
            return "flatten"
        case Branch():
            raise AssertionError("branches take several lines")
        case _:
            assert_never(layer)


def _pool(pool: Pool) -> str:
    given = [_pair(pool.size)]
    given += [f"stride = {_pair(pool.stride)}"] if pool.stride != pool.size else []
    given += [f"padding = {_padding(pool.padding)}"] if pool.padding != "valid" else []
    given += ["ceil = true"] if pool.ceil else []
    given += ["count_padding = true"] if pool.count_padding and pool.kind == "avg" else []
    return f"{pool.kind}_pool({', '.join(given)})"


def _numbers(**values: float) -> dict[str, str]:
    return {name: repr(float(value)) for name, value in values.items()}


def _call(name: str, values: dict[str, str], defaults: dict[str, str]) -> str:
    given = ", ".join(f"{k} = {v}" for k, v in values.items() if v != defaults[k])
    return f"{name}({given})" if given else name


def _window(layer: Conv | DepthwiseConv) -> Iterator[str]:
    if layer.stride != (1, 1):
        yield f"stride = {_pair(layer.stride)}"
    if layer.padding != "same":
        yield f"padding = {_padding(layer.padding)}"
    if layer.dilation != (1, 1):
        yield f"dilation = {_pair(layer.dilation)}"


def _bias(bias: bool, follower: Layer | None) -> list[str]:
    """Nothing where the rule of the language says the same: no bias in front of a norm."""
    by_rule = not isinstance(follower, Norm)
    return [] if bias == by_rule else [f"bias = {str(bias).lower()}"]


def _pair(pair: Pair, *, size: bool = False) -> str:
    return f"{pair[0]}x{pair[1]}" if size or pair[0] != pair[1] else str(pair[0])


def _padding(padding: Padding) -> str:
    match padding:
        case "same" | "valid":
            return padding
        case ((top, bottom), (left, right)) if top == bottom and left == right:
            return str(top) if top == left else f"{top}x{left}"
        case ((top, bottom), (left, right)):
            return f"{top}x{bottom}x{left}x{right}"
