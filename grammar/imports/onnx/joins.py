"""Operators that make one tensor of several: sums, products, concatenation."""

from dataclasses import replace

import numpy as np

from wootzc.grammar.imports.onnx.norms import TRAIN
from wootzc.grammar.imports.onnx.source_graph import Operator
from wootzc.grammar.imports.onnx.tensors import Tensor, in_our_order
from wootzc.grammar.imports.onnx.tracing import Affine, Context, Pick, made, usable
from wootzc.ir.graph import INPUT
from wootzc.ir.layers import Conv


def joined(operator: Operator, context: Context, one: Tensor, other: Tensor) -> Tensor:
    """Two features added, subtracted or multiplied; one may stand for each channel of the other."""
    match operator.kind:
        case "Add":
            return _added(operator, context, (one, other))
        case "Sub":
            usable(other)
            ones = np.ones(other.features)
            minus = context.affine(operator, other, -ones, 0 * ones)
            return _added(operator, context, (one, made(other, minus)))
        case "Mul":
            return _scaled(operator, context, one, other)
        case _:
            usable(one)
            usable(other)
            raise operator.refused(
                "it takes two tensors; wootzc adds and multiplies them, nothing else",
                "train the network with a sum in its place",
            )


def sum_of_many(operator: Operator, context: Context) -> Tensor:
    """`Sum`."""
    tensors = tuple(context.tensor(operator, i) for i in range(len(operator.inputs)))
    return tensors[0] if len(tensors) == 1 else _added(operator, context, tensors)


def _added(operator: Operator, context: Context, tensors: tuple[Tensor, ...]) -> Tensor:
    if len({t.dims for t in tensors}) > 1:
        one, *others = (t.image for t in tensors)
        if operator.kind == "Sub" and others == [(1, 1, one[2])]:
            raise operator.refused(
                "it takes one number a channel from an image, as a norm over the pixels of each "
                "channel does",
                TRAIN,
            )
        does = "subtracts" if operator.kind == "Sub" else "adds"
        raise operator.refused(f"it {does} {_sizes(tensors)}; wootzc {does} tensors of one shape")
    tensors = _alike(operator, context, tensors)
    draft = context.join(operator, "add", *tensors)
    return made(tensors[0], draft, positive=all(t.positive for t in tensors))


def _scaled(operator: Operator, context: Context, one: Tensor, other: Tensor) -> Tensor:
    if one.image[:2] == (1, 1) and (one.repeated or one.dims != other.dims):
        one, other = other, one
    if other.repeated and one.dims == other.dims and not one.repeated:
        other = replace(other, repeated=(), refusal=None, readers=())
    positive = one.positive and other.positive
    if one.dims == other.dims:
        one, other = _alike(operator, context, (one, other))
        return made(one, context.join(operator, "scale", one, other), positive=positive)
    if (
        len(one.layout) != len(other.layout)
        or other.image != (1, 1, one.image[2])
        or any(
            letters not in ("", own) for own, letters in zip(one.layout, other.layout, strict=True)
        )
    ):
        raise operator.refused(
            f"it multiplies {_sizes((one, other))}; wootzc multiplies tensors of one shape, "
            "or an image by one number a channel",
            "give each channel a number of its own, as squeeze-and-excite does",
        )
    if one.flat or other.flat:
        raise operator.refused("what it multiplies by comes from a flattened image")
    return made(one, context.join(operator, "scale", one, other), positive=positive)


def concat(operator: Operator, context: Context) -> Tensor:
    """`Concat` along channels. Raises a refusal for any other axis, or images of unlike sizes."""
    tensors = tuple(context.tensor(operator, i) for i in range(len(operator.inputs)))
    first = tensors[0]
    if len(tensors) == 1:
        return first
    axis = int(operator.attributes.get("axis", 1)) % len(first.layout)
    along = {t.layout[axis] for t in tensors}
    others = {(*t.layout[:axis], *t.layout[axis + 1 :]) for t in tensors}
    pixels = not along <= {"C", ""}
    apart = pixels and bool(set("CHW") & set("".join(sum(others, ()))))  # other axes have some too
    if apart and all("C" in axes for axes in along):
        raise operator.refused(
            f"it joins {_sizes(tensors)} along an axis that holds pixels and channels",
            "join images along their channels, or all of what was flattened",
        )
    if axis == 0 or len(others) > 1 or apart or not set("".join(along)) <= set("CHW"):
        raise operator.refused(
            f"it joins {_sizes(tensors)} along axis {axis}; wootzc joins channels, nothing else",
            "join along axis 1, which holds the channels of images",
        )
    if not pixels and len({t.image[:2] for t in tensors}) > 1:
        raise operator.refused(f"it joins {_sizes(tensors)}, which differ in height or width")
    layout = (*first.layout[:axis], "C", *first.layout[axis + 1 :])
    if pixels or any(t.flat for t in tensors):
        tensors = tuple(map(context.flattened, tensors))
    elif together := _put_together(operator, context, tensors):
        return replace(together, layout=layout)
    draft = context.join(operator, "concat", *tensors)
    image = draft.shape if len(draft.shape) == 3 else (1, 1, draft.shape[0])
    positive = all(t.positive for t in tensors)
    whole = made(tensors[0], draft, image=image, layout=layout, positive=positive)
    return _in_their_order(operator, whole, tensors, axis) if pixels else whole


def _in_their_order(
    operator: Operator, vector: Tensor, arms: tuple[Tensor, ...], axis: int
) -> Tensor:
    """A vector of flattened images; where these had their channels first only a dense layer may
    read it, whose rows can be put in our order.
    """
    order = np.arange(0)
    for arm in arms:
        numbers = np.arange(len(order), len(order) + arm.features)
        order = np.append(order, in_our_order(numbers, arm.layout[axis], arm.image))
    if np.array_equal(order, np.arange(len(order))):
        return vector
    refusal = operator.refused(
        "it joins what was flattened channels first, and no dense layer follows at once"
    )
    return replace(vector, order=order, refusal=refusal, readers={"Gemm", "Identity", "MatMul"})


def _put_together(
    operator: Operator, context: Context, tensors: tuple[Tensor, ...]
) -> Tensor | None:
    """Channels that were picked from one tensor, each scaled and shifted: one layer on all of them.

    Networks that were trained on images of other statistics begin so: torchvision's Inception.
    """
    picks = [_picked(context, usable(t)) for t in tensors]
    sources = {pick[0] for pick in picks if pick}
    if None in picks or len(sources) != 1:
        return None
    source = sources.pop()
    channels = np.concatenate([pick[1] for pick in picks if pick])
    scale = np.concatenate([pick[2] for pick in picks if pick])
    shift = np.concatenate([pick[3] for pick in picks if pick])
    shape = context.shape(source)
    whole = replace(tensors[0], node=source, image=shape, flat=False)
    if np.array_equal(channels, np.arange(shape[-1])):
        return made(whole, context.affine(operator, whole, scale, shift))
    kernel = np.zeros((1, 1, shape[-1], len(channels)))
    kernel[0, 0, channels, np.arange(len(channels))] = scale
    conv = Conv(width=len(channels), kernel=(1, 1), bias=True)
    draft = context.layer(operator, conv, whole, kernel=kernel, bias=shift)
    return made(whole, draft, image=draft.shape)


def _picked(context: Context, name: str) -> tuple[str, np.ndarray, np.ndarray, np.ndarray] | None:
    """What was picked of which node, the factor and the number added; None for another node."""
    if name == INPUT:
        return None
    draft = context.drafts[name]
    match draft.operation:
        case Pick(channels=channels):
            ones = np.ones(len(channels))
            return draft.inputs[0], np.array(channels), ones, 0 * ones
        case Affine(scale=scale, shift=shift):
            before = _picked(context, draft.inputs[0])
            return before and (*before[:2], before[2] * scale, before[3] * scale + shift)
        case _:
            return None


def _alike(operator: Operator, context: Context, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Tensors of equal sizes, all of them vectors of ours or none."""
    if len({(t.layout, t.image) for t in tensors}) > 1:
        raise operator.refused("its inputs have their axes in different order")
    if any(t.flat for t in tensors):
        return tuple(map(context.flattened, tensors))
    return tensors


def _sizes(tensors: tuple[Tensor, ...]) -> str:
    return " and ".join("x".join(map(str, t.dims)) for t in tensors)


HANDLERS = {"Concat": concat, "Sum": sum_of_many}
