"""Operators that work number by number: activations, and arithmetic with constants or tensors."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from wootzc.grammar.imports.onnx import curves
from wootzc.grammar.imports.onnx.joins import joined
from wootzc.grammar.imports.onnx.source_graph import Array, Operator
from wootzc.grammar.imports.onnx.tensors import NO_PADS, Line, Tensor, in_our_order, inner
from wootzc.grammar.imports.onnx.tracing import Context, made
from wootzc.ir.graph import Refused
from wootzc.ir.layers import PRelu
from wootzc.ir.layers.curves import GRID, ZERO, activation, straight

Lines: TypeAlias = Mapping[str, Line]

MEMORY = 12  # an activation is spelled in no more steps than that
NO_ACTIVATION = "it is none of the activations that wootzc has"
ACTIVATIONS = (
    "wootzc has relu, relu6, leaky_relu, elu, gelu, swish, hard_swish, sigmoid, hard_sigmoid, tanh"
)


def unary(operator: Operator, context: Context) -> Tensor:
    """Any function of single numbers, `Relu` for instance."""
    alpha = operator.attributes.get("alpha", 1.0) if operator.kind == "Elu" else 1.0
    why = NO_ACTIVATION if alpha == 1 else f"its alpha is {alpha:g}, and that of wootzc's elu is 1"
    function = curves.function(operator, context)
    return _moved(operator, context, context.tensor(operator), function, why)


def prelu(operator: Operator, context: Context) -> Tensor:
    """With one slope for all it is an activation like others."""
    tensor, slopes = context.tensor(operator), context.needed(operator, 1)
    if np.ptp(slopes) == 0:
        slope = float(slopes.ravel()[0])
        return _moved(operator, context, tensor, lambda x: np.where(x > 0, x, slope * x))
    _check_broadcast(operator, tensor, slopes)
    tensor, order = _channels(operator, context, tensor, slopes)
    return made(tensor, context.layer(operator, PRelu(), tensor, slope=slopes.ravel()[order]))


def binary(operator: Operator, context: Context) -> Tensor:
    """Arithmetic on two inputs, one of which may be a constant."""
    if len(operator.inputs) != 2:
        raise operator.refused(f"it has {len(operator.inputs)} inputs; wootzc reads two")
    combine = curves.BINARY[operator.kind]
    known = [context.is_constant(operator, i) for i in (0, 1)]
    if not any(known):
        return _of_two(operator, context)
    at = known.index(False)
    tensor, constant = context.tensor(operator, at), context.needed(operator, 1 - at)
    values = constant.astype(np.float64)
    _check_broadcast(operator, tensor, values)
    if np.ptp(values) == 0:
        number = float(values.ravel()[0])
        if at == 0:
            return _moved(operator, context, tensor, lambda x: combine(x, number))
        return _moved(operator, context, tensor, lambda x: combine(number, x))
    scale, shift = _straight(operator, values.ravel(), constant_first=at == 1)
    tensor, order = _channels(operator, context, tensor, values)
    return made(tensor, context.affine(operator, tensor, scale[order], shift[order]))


def _check_broadcast(operator: Operator, tensor: Tensor, values: Array) -> None:
    if np.broadcast_shapes(values.shape, tensor.dims) != tensor.dims:
        sizes = "x".join(map(str, values.shape)), "x".join(map(str, tensor.dims))
        raise operator.refused(f"its constant is {sizes[0]}, but {sizes[1]} enters")


def _straight(operator: Operator, values: Array, *, constant_first: bool) -> tuple[Array, Array]:
    """Factor and number added, for each of the constant's values."""
    one, zero = np.ones_like(values), np.zeros_like(values)
    match operator.kind:
        case "Add":
            return one, values
        case "Sub":
            return (-one, values) if constant_first else (one, -values)
        case "Mul":
            return values, zero
        case "Div" if not constant_first and values.all():
            return 1 / values, zero
        case _:
            raise operator.refused("its constant differs from channel to channel")


def _channels(
    operator: Operator, context: Context, tensor: Tensor, values: Array
) -> tuple[Tensor, Array]:
    """The tensor whose last axis the constant goes along, and in which order it does so."""
    shape = (1,) * (len(tensor.layout) - values.ndim) + values.shape
    axes = [axis for axis, size in enumerate(shape) if size > 1]
    along, every = tensor.layout[axes[0]], "".join(tensor.layout[1:])
    if len(axes) > 1 or (along != "C" and set(along) != set(every)):
        raise operator.refused("its constant differs from pixel to pixel")
    if along != "C":
        tensor = context.flattened(tensor)
    elif tensor.flat and tensor.features > values.size:
        raise operator.refused("it reads an image that was flattened before")
    return tensor, in_our_order(np.arange(values.size), along, tensor.image)


def _moved(
    operator: Operator,
    context: Context,
    tensor: Tensor,
    function: curves.Function,
    why: str = NO_ACTIVATION,
) -> Tensor:
    """What a function of single numbers makes of a tensor, as few layers as possible."""
    with np.errstate(all="ignore"):
        lines = {
            name: replace(line, curve=function(line.curve)) for name, line in _lines(tensor).items()
        }
    own = lines[tensor.node] if tensor.node is not None else None
    linear = straight(own.curve) if own else None
    if linear == (1, 0):
        return tensor
    found = _activated(operator, context, tensor, [own] if own else [], lines) or _activated(
        operator, context, tensor, reversed(lines.values()), lines
    )
    if found:
        return found
    if linear is None or (tensor.pads != NO_PADS and linear[1] != 0):
        refusal = operator.refused(why, ACTIVATIONS)
        return replace(tensor, node=None, refusal=tensor.refusal or refusal, lines=lines)
    scale, shift = (np.full(tensor.features, value) for value in linear)
    draft = context.affine(operator, inner(tensor), scale, shift)
    return made(tensor, draft, lines=lines, refusal=tensor.refusal)


def _of_two(operator: Operator, context: Context) -> Tensor:
    one, other = context.tensor(operator, 0), context.tensor(operator, 1)
    combine = curves.BINARY[operator.kind]
    lines: dict[str, Line] = {}
    if one.dims == other.dims and one.layout == other.layout:
        ones, others = _lines(one), _lines(other)
        with np.errstate(all="ignore"):
            lines = {
                name: replace(line, curve=combine(line.curve, others[name].curve))
                for name, line in ones.items()
                if name in others and line.base.pads == others[name].base.pads
            }
    found = _activated(operator, context, one, reversed(lines.values()), lines)
    if found:
        return found
    try:
        return replace(joined(operator, context, one, other), lines=lines)
    except Refused as refusal:
        if not lines:
            raise
        return replace(one, node=None, refusal=refusal, lines=lines)  # the curve may go on


def _lines(tensor: Tensor) -> dict[str, Line]:
    """The tensor as a function of each earlier one that it is one of, and of itself."""
    if tensor.softmax and tensor.refusal:
        raise tensor.refusal
    lines = dict(list(tensor.lines.items())[-MEMORY:])
    if tensor.node is not None:
        lines[tensor.node] = Line(base=replace(tensor, lines={}), curve=GRID)
    return lines


def _activated(
    operator: Operator, context: Context, tensor: Tensor, among: Iterable[Line], lines: Lines
) -> Tensor | None:
    """The first of these lines that is an activation of ours, as a layer; None without one."""
    for line in among:
        found = activation(line.curve)
        if found is None:
            continue
        base = line.base
        if base.pads != NO_PADS and base.refusal and line.curve[ZERO] != 0:
            raise base.refusal
        draft = context.layer(operator, found, inner(base))
        reached = line.curve[GRID >= 0] if base.positive else line.curve
        positive = bool((reached >= 0).all())
        return made(tensor, draft, lines=lines, positive=positive, refusal=base.refusal)
    return None


HANDLERS = {
    **dict.fromkeys(curves.UNARY, unary),
    **dict.fromkeys(curves.BINARY, binary),
    "PRelu": prelu,
}
