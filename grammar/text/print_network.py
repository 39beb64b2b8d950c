"""IR network → `.wz` text that gives it back: the inverse of checking, for what can be written."""

from collections.abc import Iterator
from itertools import pairwise

from wootzc.ir.layers import Body, Branch, Norm, shape_text
from wootzc.ir.layers.signature import operator_of
from wootzc.ir.net.network import Module, Network, module_positions

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
            # The rule of the language: no bias in front of a norm.
            call = operator_of(layer).text(layer, auto_bias=not isinstance(follower, Norm))
            yield INDENT * level + call


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
