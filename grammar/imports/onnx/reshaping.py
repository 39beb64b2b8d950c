"""Operators that move numbers about: reshapes, transpositions, padding, slices."""

from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from wootzc.grammar.imports.onnx.source_graph import FLOATS, Operator
from wootzc.grammar.imports.onnx.tensors import (
    MOVES_BATCH,
    NO_PADS,
    PIXELS_APART,
    SPLITS,
    Tensor,
    gathered,
    letters,
    reshaped,
    target_dims,
    transposed,
)
from wootzc.grammar.imports.onnx.tracing import Context, Pick, made, usable
from wootzc.ir.graph import Refused
from wootzc.ir.layers import Conv, Dropout, Pool

APART = (
    "it takes channels apart, and wootzc's layers read all of them",
    "a convolution for each part says the same",
)

LOWEST = -1e30  # stands for -inf in files of finite numbers
MOST_CHANNELS = 1 << 13  # that padding may make
CONTIGUOUS = "export it with a contiguous example, `x.contiguous()`, or with `dynamo=False`"


def identity(operator: Operator, context: Context) -> Tensor:
    return context.tensor(operator)


def cast(operator: Operator, context: Context) -> Tensor:
    """`Cast` between floats. Raises a refusal for any other type."""
    if operator.kind == "Cast" and operator.attributes["to"] not in FLOATS:
        raise operator.refused(
            "it rounds to whole numbers or truth values",
            "quantised networks cannot be pruned: export the one that was trained",
        )
    return context.tensor(operator)


def dropout(operator: Operator, context: Context) -> Tensor:
    """`Dropout`; nothing where its ratio is 0."""
    tensor = context.tensor(operator)
    rate = round(context.number(operator, "ratio", 1, 0.5), 6)
    if rate == 0:
        return tensor
    return made(
        tensor, context.layer(operator, Dropout(rate=rate), tensor), positive=tensor.positive
    )


def reshape(operator: Operator, context: Context) -> Tensor:
    """`Reshape`. Raises a refusal where its shape is unknown or tears axes of ours apart."""
    tensor = context.tensor(operator)
    target = context.integers(operator, "shape", 1)
    if target is None:
        raise operator.refused("it does not say which shape it makes")
    copies = not operator.attributes.get("allowzero", 0)
    return _with_dims(operator, tensor, target_dims(tensor, target, zero_copies=copies))


def flatten(operator: Operator, context: Context) -> Tensor:
    tensor = context.tensor(operator)
    axis = int(operator.attributes.get("axis", 1))
    dims = tensor.dims
    axis = axis if axis >= 0 else axis + len(dims)
    return _with_dims(operator, tensor, [prod(dims[:axis]), prod(dims[axis:])])


def squeeze(operator: Operator, context: Context) -> Tensor:
    """`Squeeze`. Raises a refusal where an axis is longer than 1."""
    tensor = context.tensor(operator)
    axes = context.integers(operator, "axes", 1)
    rank = len(tensor.layout)
    gone = {a % rank for a in axes} if axes else {a for a in range(1, rank) if tensor.dims[a] == 1}
    if any(tensor.dims[axis] != 1 for axis in gone):
        raise operator.refused("it drops an axis that is longer than 1")
    dims = [size for axis, size in enumerate(tensor.dims) if axis not in gone]
    return _with_dims(operator, tensor, dims)


def unsqueeze(operator: Operator, context: Context) -> Tensor:
    tensor = context.tensor(operator)
    axes = context.integers(operator, "axes", 1) or []
    rank = len(tensor.layout) + len(axes)
    new = {axis % rank for axis in axes}
    sizes = iter(tensor.dims)
    dims = [1 if axis in new else next(sizes) for axis in range(rank)]
    return _with_dims(operator, tensor, dims)


def _with_dims(operator: Operator, tensor: Tensor, dims: list[int]) -> Tensor:
    if tuple(dims) == tensor.dims:
        return tensor
    if tensor.pads != NO_PADS:
        usable(tensor)
    before_after = " → ".join("x".join(map(str, some)) for some in (tensor.dims, dims))
    try:
        after = reshaped(tensor, dims)
    except ValueError as error:
        why, help = str(error), None
        if why == SPLITS and len(tensor.layout) == 2 and len(dims) == 4:
            why, help = "it makes an image of a vector, as decoders do", "wootzc prunes classifiers"
        elif why == SPLITS:
            help = "a 1x1 convolution mixes channels too, and can be pruned"
        elif why == PIXELS_APART:
            help = "a convolution whose stride is its kernel reads the same pixels"
        raise operator.refused(f"{before_after}: {why}", help) from None
    return _apart(tensor, after, operator.refused(f"{before_after}: {MOVES_BATCH}"))


def _apart(before: Tensor, after: Tensor, refusal: Refused) -> Tensor:
    """No layer may read a tensor whose images lie in one axis with their numbers.

    `refusal` says so, until another reshape takes them apart.
    """
    merged = [tensor.layout[:1] != ("N",) for tensor in (before, after)]
    if merged == [False, True]:
        usable(before)
        return replace(after, refusal=refusal, lines={})
    if merged == [True, False]:
        if after.node is None and after.refusal:
            raise after.refusal
        return replace(after, refusal=None, lines={})
    return after


def transpose(operator: Operator, context: Context) -> Tensor:
    tensor = context.tensor(operator)
    order = operator.attributes.get("perm", range(len(tensor.layout))[::-1])
    return transposed(tensor, [int(axis) for axis in order])


def expand(operator: Operator, context: Context) -> Tensor:
    """`Expand` of one number a channel, for a product with an image; or to the size there is.

    Raises a refusal where it repeats anything else.
    """
    tensor = context.tensor(operator)
    target = context.integers(operator, "shape", 1) or []
    wide = np.broadcast_shapes(tensor.dims, target)
    if wide == tensor.dims:
        return tensor
    refusal = operator.refused(
        "it repeats what enters",
        "wootzc reads it where an image is multiplied by one number a channel, and nothing else",
    )
    usable(tensor)
    if len(wide) != len(tensor.dims) or wide[0] != tensor.dims[0] or tensor.image[:2] != (1, 1):
        raise refusal
    readers = {"Cast", "CastLike", "Identity", "Mul"}
    return replace(tensor, repeated=wide, refusal=refusal, readers=readers, lines={})


def pad(operator: Operator, context: Context) -> Tensor:
    """Zeros around the image, which the next layer takes in, or channels of zeros.

    What is below all numbers goes into a max pool, whose own padding is that.
    """
    tensor = context.tensor(operator)
    given = operator.attributes
    value = context.number(operator, "value", 2, 0)
    if given.get("mode", "constant") != "constant" or not (value == 0 or value <= LOWEST):
        raise operator.refused(
            "wootzc pads with zeros, nothing else", "train the network with zeros as its padding"
        )
    pads = context.integers(operator, "pads", 1) or []
    rank = len(tensor.layout)
    axes = context.constant(operator, 3)
    which = range(rank) if axes is None else [int(axis) % rank for axis in axes.ravel()]
    if len(pads) != 2 * len(which):
        raise operator.refused("its pads do not fit the axes of what enters")
    half = len(which)
    sides = {axis: (pads[i], pads[i + half]) for i, axis in enumerate(which)}
    wanted = {tensor.layout[axis]: both for axis, both in sides.items() if any(both)}
    if not wanted:
        return tensor
    if not set(wanted) <= set("CHW") or min(min(both) for both in wanted.values()) < 0:
        raise operator.refused("wootzc adds zeros around an image, nothing else")
    usable(tensor)
    if "C" in wanted and value != 0:
        raise operator.refused("wootzc adds channels of zeros, nothing else")
    if "C" in wanted:
        tensor = _more_channels(operator, context, tensor, *wanted.pop("C"))
    if not wanted:
        return tensor
    refusal = operator.refused(
        "the layer behind it does not take in its zeros",
        "padding goes before a convolution, an average pool, or a max pool of what is not negative",
    )
    if value != 0:
        refusal = operator.refused(
            "it pads with less than any number, and no max pool follows at once",
            "train the network with zeros as its padding",
        )
    around = wanted.get("H", (0, 0)), wanted.get("W", (0, 0))
    readers = {"MaxPool", "Identity"} if value != 0 else ()
    return replace(tensor, pads=around, refusal=refusal, readers=readers, lines={})


def _more_channels(
    operator: Operator, context: Context, tensor: Tensor, before: int, after: int
) -> Tensor:
    """Channels of zeros, as the shortcuts of He et al. 2015 (option A): a 1x1 convolution."""
    channels = tensor.image[2]
    width = before + channels + after
    if width > MOST_CHANNELS or tensor.flat:  # its kernel has channels * width numbers
        raise operator.refused(f"it makes {width} channels")
    kernel = np.zeros((channels, width))
    kernel[range(channels), range(before, before + channels)] = 1
    context.notes.append(
        f'a 1x1 convolution stands for the channels of zeros that node "{operator.name}" adds'
    )
    layout = tuple("C" if i == 1 else name for i, name in enumerate(tensor.layout))
    return _mixed(operator, context, tensor, kernel, layout)


def _mixed(
    operator: Operator,
    context: Context,
    tensor: Tensor,
    kernel: NDArray[np.float64],  # [channels, new channels]
    layout: tuple[str, ...],
) -> Tensor:
    """New channels of those there are: a 1x1 convolution."""
    conv = Conv(width=kernel.shape[1], kernel=(1, 1))
    draft = context.layer(operator, conv, tensor, kernel=kernel[None, None])
    return made(tensor, draft, image=draft.shape, layout=layout, positive=tensor.positive)


def slice_(operator: Operator, context: Context) -> Tensor:
    """Some of the channels, to be put together again, or every n-th pixel."""
    tensor = context.tensor(operator)
    starts, ends = context.integers(operator, "starts", 1), context.integers(operator, "ends", 2)
    if starts is None or ends is None:
        raise operator.refused("it does not say what it takes")
    axes = context.integers(operator, "axes", 3) or range(len(starts))
    steps = context.integers(operator, "steps", 4) or [1] * len(starts)
    usable(tensor)
    stride = {"H": 1, "W": 1}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size, letter = tensor.dims[axis], tensor.layout[axis]
        taken = range(size)[start:end:step]
        if taken == range(size):
            continue
        if letter in ("H", "W") and taken == range(0, size, step):
            stride[letter] = step
        elif letter == "C":
            tensor = _picked(operator, context, tensor, tuple(taken), tensor.layout)
        else:
            raise operator.refused("it cuts a piece out of the image")
    if set(stride.values()) == {1}:
        return tensor
    if tensor.flat:
        raise operator.refused("it reads an image that was flattened before")
    layer = Pool(size=(1, 1), stride=(stride["H"], stride["W"]))
    draft = context.layer(operator, layer, tensor)
    layout = tuple(letters(a, draft.shape)[0] if a in "HWC" and a else a for a in tensor.layout)
    return made(tensor, draft, image=draft.shape, layout=layout, positive=tensor.positive)


def gather(operator: Operator, context: Context) -> Tensor:
    """`Gather` of channels, or of an axis of one. Raises a refusal for some pixels or images."""
    tensor, indices = context.tensor(operator), context.needed(operator, 1)
    axis = int(operator.attributes.get("axis", 0)) % len(tensor.layout)
    layout = gathered(tensor, axis, indices)
    if layout is not None and (layout[:1] == ("N",) or "N" in tensor.layout[axis]):
        refusal = operator.refused(MOVES_BATCH, CONTIGUOUS)
        return _apart(tensor, replace(tensor, layout=layout), refusal)
    if "N" in tensor.layout[axis] and len(tensor.layout[axis]) > 1:
        raise operator.refused("it puts numbers in another order", CONTIGUOUS)
    if tensor.layout[axis] != "C" or indices.ndim > 1:
        raise operator.refused("it takes some of the pixels or images, and wootzc keeps all")
    usable(tensor)
    channels = tuple(range(tensor.image[2])[int(i)] for i in indices.ravel())
    layout = (*tensor.layout[:axis], *["C"] * indices.ndim, *tensor.layout[axis + 1 :])
    return _picked(operator, context, tensor, channels, layout)


def _picked(
    operator: Operator,
    context: Context,
    tensor: Tensor,
    channels: tuple[int, ...],
    layout: tuple[str, ...],
) -> Tensor:
    if tensor.flat or not channels:
        raise operator.refused("it takes a vector apart, or leaves nothing of it")
    if sorted(channels) == list(range(tensor.image[2])):
        kernel = np.eye(len(channels))[:, channels]  # another order, as from RGB to BGR
        return _mixed(operator, context, tensor, kernel, layout)
    refusal = operator.refused(*APART)
    image = (*tensor.image[:2], len(channels))
    pick = Pick(channels=channels, refusal=refusal)
    draft = context.add(operator.name, pick, (usable(tensor),), image)
    single = tuple("" if a == "C" and len(channels) == 1 else a for a in layout)
    return made(tensor, draft, image=image, layout=single, positive=tensor.positive)


HANDLERS = {
    "Cast": cast,
    "CastLike": cast,
    "Dropout": dropout,
    "Expand": expand,
    "Flatten": flatten,
    "Gather": gather,
    "Identity": identity,
    "Pad": pad,
    "Reshape": reshape,
    "Slice": slice_,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
