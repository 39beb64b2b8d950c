"""Norms, as one operator of an ONNX file or spelt out in several."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from wootzc.grammar.imports.onnx.source_graph import Operator, Source
from wootzc.grammar.imports.onnx.tensors import Tensor, in_our_order, letters, target_dims
from wootzc.grammar.imports.onnx.tracing import Context, made, usable
from wootzc.grammar.imports.onnx.windows import as_image, image
from wootzc.ir.layers import GroupNorm, LocalNorm, Norm

PARAMETERS_OF_NORMS = {  # of ours, from the second input on
    "BatchNormalization": ("scale", "bias", "mean", "var"),
    "LayerNormalization": ("scale", "bias"),
}
AXES = ("axes", "axes of squares", "axes again")  # of the means of a norm that is spelt out
TRAIN = "train the network with batch norm instead, or with a norm of groups of channels"
OVER = "wootzc has batch norm, norms of groups of channels, and of the channels of each pixel"


def batch_norm(operator: Operator, context: Context) -> Tensor:
    """`BatchNormalization`. Raises a refusal where its second axis holds pixels."""
    tensor = context.tensor(operator)
    scale, bias, mean, var = (context.needed(operator, i) for i in (1, 2, 3, 4))
    along = tensor.layout[1] if len(tensor.layout) > 1 else "?"
    if len(along) > 1 and "C" in along:
        tensor = context.flattened(tensor)
    elif along != letters("C", tensor.image)[0]:
        raise operator.refused("its second axis holds pixels, not channels")
    epsilon = operator.attributes.get("epsilon", 1e-5)
    if epsilon >= 0 and (var + epsilon <= 0).any():
        raise operator.refused("it divides by zero: its variance and its epsilon are none above 0")
    names = ("scale", "bias", "mean", "var")
    arrays = {
        name: in_our_order(values, along, tensor.image) if len(along) > 1 else values
        for name, values in zip(names, (scale, bias, mean, var), strict=True)
    }
    norm = Norm(
        epsilon=_short(epsilon),
        momentum=_short(operator.attributes.get("momentum", 0.9)),
    )
    return made(tensor, context.layer(operator, norm, tensor, **arrays))


def layer_norm(operator: Operator, context: Context) -> Tensor:
    """Over the channels of each pixel, wherever they stand, or over all of a vector; where it is
    spelt out also over all of an image.
    """
    tensor = context.tensor(operator)
    usable(tensor)
    rank, added = len(tensor.layout), context.constant(operator, 3)
    if added is None:
        added = np.array(operator.attributes.get("epsilon", 1e-5))
        axes = [*range(int(operator.attributes.get("axis", -1)) % rank, rank)]
        spelt = False
    else:
        operator = replace(operator, kind=operator.proto.op_type)  # as messages call it
        axes = _spelt_axes(operator, context, tensor)
        spelt = True
    epsilon = _short(added.item()) if added.size == 1 else None
    if epsilon is not None and len(axes) == 1 and _is_channels(tensor, axes[0]):
        norm = GroupNorm(groups=1, epsilon=epsilon, pixelwise=True)
        return _normalised(operator, context, tensor, norm, tensor.layout[axes[0]])
    if epsilon is not None and spelt and sorted(axes) == [1, 2, 3] and not tensor.flat:
        norm = GroupNorm(groups=1, epsilon=epsilon)
        return _normalised(operator, context, tensor, norm, letters("C", tensor.image)[0])
    if {tensor.layout[axis] for axis in axes} == {"H", "W"}:
        raise operator.refused(
            "it normalises the pixels of each channel, as instance norm does", TRAIN
        )
    raise operator.refused("it normalises more than the channels of each pixel", OVER)


def _spelt_axes(operator: Operator, context: Context, tensor: Tensor) -> list[int]:
    """What the means of a norm that was spelt out go over."""
    rank = len(tensor.layout)
    power, one = context.constant(operator, 4), context.constant(operator, 8)
    over = [
        [axis % rank for axis in context.integers(operator, name, index) or range(rank)]
        for index, name in enumerate(AXES, 5)
    ]
    known = all(value is None or np.all(value == is_) for value, is_ in ((power, 2), (one, 1)))
    if over[1:] != over[:1] * 2 or not known:
        raise operator.refused("it divides by something else than a standard deviation", OVER)
    shape = context.constant(operator, 9)
    kept = [1 if axis in over[0] else size for axis, size in enumerate(tensor.dims)]
    if shape is not None and not _is_shape(shape.ravel().tolist(), kept):
        raise operator.refused("it gives the variance another shape than the mean", OVER)
    return over[0]


def _is_shape(written: Sequence[float], dims: Sequence[int]) -> bool:
    """Whether a `Reshape` to `written` leaves these sizes."""
    pairs = zip(written, dims, strict=False)
    return len(written) == len(dims) and all(size in (0, -1, is_) for size, is_ in pairs)


def group_norm(operator: Operator, context: Context) -> Tensor:
    """Of an image, or of a vector that has its numbers in our order."""
    tensor = context.tensor(operator)
    usable(tensor)
    if len(tensor.layout) != 2 or tensor.layout[1] != "".join(letters("HWC", tensor.image)):
        tensor = image(operator, tensor)
    norm = GroupNorm(
        groups=_groups(operator, context, tensor),
        epsilon=_short(operator.attributes.get("epsilon", 1e-5)),
    )
    return _normalised(operator, context, tensor, norm, tensor.layout[1])


def _is_channels(tensor: Tensor, axis: int) -> bool:
    """Whether the axis is an image's channels, or all of a vector's numbers."""
    along = tensor.layout[axis]
    if set(along) == {letter for letter in letters("HWC", tensor.image) if letter}:
        return True
    return along == letters("C", tensor.image)[0] and not tensor.flat


def _groups(operator: Operator, context: Context, tensor: Tensor) -> int:
    """How many. A norm that was spelt out goes to [n, groups, …] and back."""
    apart, back = (context.constant(operator, i) for i in (3, 4))
    if apart is None or back is None:
        return int(operator.attributes["num_groups"])
    there, again = (
        tuple(target_dims(tensor, [int(size) for size in shape], zero_copies=True))
        for shape in (apart, back)
    )
    if again != tensor.dims or len(there) < 3 or there[0] != tensor.dims[0]:
        raise operator.refused("it normalises numbers that are no groups of channels", OVER)
    return there[1]


def _normalised(
    operator: Operator, context: Context, tensor: Tensor, norm: GroupNorm, along: str
) -> Tensor:
    """Factors and offsets go along an axis of these letters.

    Before opset 21 a GroupNormalization has one for each group.
    """
    if len(along) > 1:
        tensor = context.flattened(tensor)
    channels = tensor.features
    given = context.constant(operator, 1), context.constant(operator, 2)
    scale, bias = (
        np.full(channels, usual) if values is None else values.ravel()
        for values, usual in zip(given, (1.0, 0.0), strict=True)
    )
    if scale.size == bias.size == norm.groups < channels:
        scale, bias = (np.repeat(values, channels // norm.groups) for values in (scale, bias))
    if len(along) > 1:
        scale, bias = (in_our_order(values, along, tensor.image) for values in (scale, bias))
    return made(tensor, context.layer(operator, norm, tensor, scale=scale, bias=bias))


def local_norm(operator: Operator, context: Context) -> Tensor:
    """`LRN`. Raises a refusal for an even number of channels."""
    tensor = image(operator, context.tensor(operator))
    given = operator.attributes
    size = int(given["size"])
    if size % 2 == 0:
        raise operator.refused(f"it reads {size} channels around each; wootzc wants an odd number")
    norm = LocalNorm(
        size=size,
        alpha=_short(given.get("alpha", 1e-4)),
        beta=_short(given.get("beta", 0.75)),
        k=_short(given.get("bias", 1.0)),
    )
    return as_image(tensor, context.layer(operator, norm, tensor), positive=tensor.positive)


def _short(value: float) -> float:
    """ONNX keeps single precision: 1e-5, not 9.999999747378752e-06."""
    return float(str(np.float32(value)))


HANDLERS = {
    "BatchNormalization": batch_norm,
    "GroupNormalization": group_norm,
    "LayerNormalization": layer_norm,
    "LRN": local_norm,
}


# Spelt out


def with_whole_norms(source: Source) -> Iterator[Operator]:
    """The operators, each norm that the file spells out as one, in the place of its last part."""
    makers = {name: operator for operator in source.operators for name in operator.outputs}
    readers: dict[str, list[Operator]] = {}
    for operator in source.operators:
        for name in operator.inputs:
            readers.setdefault(name, []).append(operator)
    readers.pop(source.output, None)  # which is read outside, too
    left_out: set[str] = set()
    whole: dict[str, Operator] = {}
    for operator in source.operators:
        if (known := SPELT.get(operator.kind)) and (found := known(operator, makers, readers)):
            *parts, last, norm = found
            left_out |= {part.name for part in parts}
            whole[last.name] = norm
    for operator in source.operators:
        if operator.name not in left_out:
            yield whole.get(operator.name, operator)


def _groups_spelt(
    norm: Operator, makers: Mapping[str, Operator], readers: Mapping[str, Sequence[Operator]]
) -> tuple[Operator, ...] | None:
    """As PyTorch writes it.

    Before: Reshape to [n, groups, …]; InstanceNormalization; Reshape back
    After:  GroupNormalization, with a factor and an offset a group, and both shapes to be checked
    """
    apart, back = makers.get(norm.inputs[0]), readers.get(norm.outputs[0], [])
    kinds = [one.kind for one in (apart, *back) if one]
    if kinds != ["Reshape"] * 2 or apart is None:
        return None
    if readers.get(apart.outputs[0]) != [norm]:  # what is between them is read by them alone
        return None
    whole = replace(
        norm,
        kind="GroupNormalization",
        inputs=(apart.inputs[0], *norm.inputs[1:], apart.inputs[1], back[0].inputs[1]),
        outputs=back[0].outputs,
    )
    return apart, norm, back[0], whole


def _pixels_spelt(
    root: Operator, makers: Mapping[str, Operator], readers: Mapping[str, Sequence[Operator]]
) -> tuple[Operator, ...] | None:
    """As PyTorch writes a layer norm before opset 17, and whoever writes one by hand.

    Before: d = x - ReduceMean(x); d / Sqrt(Reshape(ReduceMean(Pow(d, 2))) + epsilon)
    After:  LayerNormalization, with epsilon, the power, the axes and the shape to be checked

    `torch.var` is exported with the `Reshape`, which then keeps every size.
    """

    def maker(name: str, *kinds: str) -> Operator | None:
        made = makers.get(name)
        return made if made is not None and made.kind in kinds else None

    plus = maker(root.inputs[0], "Add")
    ends = (plus.inputs, plus.inputs[::-1]) if plus else ()
    found = next(((m, b) for a, b in ends if (m := maker(a, "ReduceMean", "Reshape"))), None)
    if plus is None or found is None:
        return None
    kept = found[0] if found[0].kind == "Reshape" else None
    spread = maker(kept.inputs[0], "ReduceMean") if kept else found[0]
    if spread is None:
        return None
    square = maker(spread.inputs[0], "Pow", "Mul")
    apart = maker(square.inputs[0], "Sub") if square else None
    mean = maker(apart.inputs[1], "ReduceMean") if apart else None
    if not (square and apart and mean) or mean.inputs[0] != apart.inputs[0]:
        return None
    if square.kind == "Mul" and square.inputs[0] != square.inputs[1]:
        return None
    below, kind, one = root, "Div", ""
    (behind, *others) = readers.get(root.outputs[0], [root])
    divides = behind.kind == "Div" and maker(behind.inputs[0], "Constant")
    if behind.kind == "Reciprocal" or divides:  # 1 / Sqrt(…)
        below, kind, one = behind, "Mul", behind.inputs[0] if behind.kind == "Div" else ""
    (last, *others) = readers.get(below.outputs[0], [below])
    above = next((maker(n, "Sub") for n in last.inputs if n != below.outputs[0]), None)
    again = maker(above.inputs[1], "ReduceMean") if above else None
    if others or last.kind != kind or not (above and again):
        return None
    if {above.inputs[0], again.inputs[0]} != {mean.inputs[0]}:
        return None
    if kind == "Div" and last.inputs[1] != root.outputs[0]:
        return None
    means = mean, spread, again
    if not all(
        each.attributes.get("keepdims", 1) for each in means if each is not spread or not kept
    ):
        return None
    steps = (*means, apart, above, square, kept, plus, root, below)
    parts = {part.name: part for part in steps if part is not None}
    inside = {*parts, last.name}
    for name in (name for part in parts.values() for name in part.outputs):
        if name not in readers or any(reader.name not in inside for reader in readers[name]):
            return None
    power = square.inputs[1] if square.kind == "Pow" else ""
    axes = ((*each.inputs[1:], "")[0] for each in means)
    given = {name: each.attributes.get("axes") for name, each in zip(AXES, means, strict=True)}
    whole = replace(
        last,
        kind="LayerNormalization",
        inputs=(
            mean.inputs[0],
            "",
            "",
            found[1],
            power,
            *axes,
            one,
            kept.inputs[1] if kept else "",
        ),
        attributes={name: axes for name, axes in given.items() if axes is not None},
    )
    return *parts.values(), last, whole


# By the operator to begin from: the parts, the last of them last, and the norm that they are.
SPELT = {"InstanceNormalization": _groups_spelt, "Sqrt": _pixels_spelt}
