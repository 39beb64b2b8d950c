"""Convolutions and pools: operators that move a window over an image."""

from wootzc.grammar.imports.onnx.source_graph import Array, Operator
from wootzc.grammar.imports.onnx.tensors import NO_PADS, Pads, Tensor, inner, letters, matrix_turned
from wootzc.grammar.imports.onnx.tracing import Context, Draft, made
from wootzc.ir.layers import Conv, DepthwiseConv, Layer, Padding, Pair, Pool
from wootzc.ir.layers.shapes import shape_text
from wootzc.ir.layers.windows import dilated


def image(operator: Operator, tensor: Tensor) -> Tensor:
    """The tensor, if its axes are those of an image in ONNX: batch, channels, height, width."""
    if tensor.layout != letters("NCHW", tuple(map(tensor.size, "HWC"))):
        axes = " x ".join(axis or "1" for axis in tensor.layout)
        raise operator.refused(
            f"it needs an image N x C x H x W, and {axes} enters",
            "what runs along the channels, as in ECA, can't be pruned; squeeze-and-excite can",
        )
    if tensor.flat:
        raise operator.refused("it reads an image that was flattened before")
    return tensor


def as_image(tensor: Tensor, draft: Draft, *, positive: bool = False) -> Tensor:
    """What a draft makes of an image: another image."""
    shape = draft.shape
    layout = letters("NCHW", shape)
    return made(tensor, draft, image=shape, layout=layout, pads=NO_PADS, positive=positive)


def conv(operator: Operator, context: Context) -> Tensor:
    """`Conv`, grouped and depthwise ones too. Raises a refusal unless it has two spatial axes."""
    tensor = image(operator, context.tensor(operator))
    weights = context.needed(operator, 1)  # [out, in // groups, kh, kw]
    if weights.ndim != 4:
        raise operator.refused(f"it has {weights.ndim - 2} spatial axes; wootzc has two")
    bias = context.constant(operator, 2)
    groups = int(operator.attributes.get("group", 1))
    width, channels = weights.shape[0], tensor.image[2]
    if channels != weights.shape[1] * groups:
        raise operator.refused(
            f"it reads {weights.shape[1] * groups} channels, and {channels} enter"
        )
    kernel: Pair = (weights.shape[2], weights.shape[3])
    said = tuple(operator.attributes.get("kernel_shape", kernel))
    if said != kernel:
        raise operator.refused(
            f"its kernel_shape is {shape_text(said)}, but its weights are {shape_text(kernel)}"
        )
    stride, dilation = _pair(operator, "strides"), _pair(operator, "dilations")
    window = dilated(kernel, dilation)
    padding = _named(_pads(operator, tensor, window, stride), window, stride, "same")
    layer: Layer
    if groups == channels == width > 1:
        layer = DepthwiseConv(
            kernel=kernel, stride=stride, padding=padding, dilation=dilation,
            bias=bias is not None,
        )  # fmt: skip
    else:
        layer = Conv(
            width=width, kernel=kernel, stride=stride, padding=padding, dilation=dilation,
            groups=groups, bias=bias is not None,
        )  # fmt: skip
    arrays = {"kernel": _kernel(weights)} | ({} if bias is None else {"bias": bias})
    return as_image(tensor, context.layer(operator, layer, inner(tensor), **arrays))


def _kernel(weights: Array) -> Array:
    """[out, in, kh, kw] → [kh, kw, in, out]."""
    width, *rest = weights.shape
    turned = matrix_turned(weights.reshape(width, -1))
    return turned.reshape(*rest, width).transpose(1, 2, 0, 3)


def max_pool(operator: Operator, context: Context) -> Tensor:
    """`MaxPool`. Raises a refusal where zeros of a `Pad` before it could be the greatest."""
    tensor = image(operator, context.tensor(operator))
    zeros = operator.kind not in tensor.readers
    if tensor.pads != NO_PADS and zeros and not tensor.positive and tensor.refusal:
        raise tensor.refusal  # zeros would win over what is below zero
    return _pool(operator, context, tensor, Pool(kind="max"))


def average_pool(operator: Operator, context: Context) -> Tensor:
    """`AveragePool`; zeros of a `Pad` before it count as its own, if those count."""
    tensor = image(operator, context.tensor(operator))
    counts = bool(operator.attributes.get("count_include_pad", 0))
    if tensor.pads != NO_PADS:
        own = any(operator.attributes.get("pads", ())) or _auto(operator)
        if own and not counts and tensor.refusal:
            raise tensor.refusal  # some zeros count, others do not
        counts = True
    return _pool(operator, context, tensor, Pool(kind="avg", count_padding=counts))


def _pool(operator: Operator, context: Context, tensor: Tensor, pool: Pool) -> Tensor:
    if any(d != 1 for d in operator.attributes.get("dilations", ())):
        raise operator.refused("its window is dilated; wootzc pools neighbours")
    size, stride = _pair(operator, "kernel_shape"), _pair(operator, "strides")
    padding = _named(_pads(operator, tensor, size, stride), size, stride, "valid")
    counts = pool.count_padding and padding != "valid"
    layer = Pool(
        kind=pool.kind, size=size, stride=stride, padding=padding, count_padding=counts,
        ceil=bool(operator.attributes.get("ceil_mode", 0)),
    )  # fmt: skip
    draft = context.layer(operator, layer, inner(tensor))
    return as_image(tensor, draft, positive=tensor.positive)


def _pair(operator: Operator, name: str) -> Pair:
    values = operator.attributes.get(name)
    if values is None and name != "kernel_shape":
        return 1, 1
    if values is None or len(values) != 2:
        raise operator.refused(f"its {name} are {values}; wootzc has two spatial axes")
    if min(values) < 1:
        raise operator.refused(f"its {name} are {values}, and none may be below 1")
    return int(values[0]), int(values[1])


def _auto(operator: Operator) -> str:
    auto = str(operator.attributes.get("auto_pad", "NOTSET"))
    return "" if auto in ("NOTSET", "VALID", "") else auto


def _pads(operator: Operator, tensor: Tensor, window: Pair, stride: Pair) -> Pads:
    """Its own padding in pixels, and the zeros that already are around the tensor."""
    auto = _auto(operator)
    if auto not in ("", "SAME_UPPER", "SAME_LOWER"):
        raise operator.refused(f'its auto_pad is "{auto}"')
    given = [int(p) for p in operator.attributes.get("pads") or (0, 0, 0, 0)]
    if len(given) != 4 or min(given) < 0:
        raise operator.refused(f"its pads are {given}; wootzc pads with zero or more pixels a side")
    pads = []
    for axis, size in enumerate(map(tensor.size, "HW")):
        before, after = given[axis], given[axis + 2]
        if auto:
            total = max((-(-size // stride[axis]) - 1) * stride[axis] + window[axis] - size, 0)
            before = total // 2 if auto == "SAME_UPPER" else total - total // 2
            after = total - before
        elif operator.attributes.get("auto_pad") == "VALID":
            before = after = 0
        pads.append((before + tensor.pads[axis][0], after + tensor.pads[axis][1]))
    return pads[0], pads[1]


def _named(pads: Pads, window: Pair, stride: Pair, default: Padding) -> Padding:
    """Padding by name where the name means these pixels for images of every size."""
    same = all(
        (stride[axis] == 1 or window[axis] == 1)
        and pads[axis] == ((window[axis] - 1) // 2, window[axis] // 2)
        for axis in (0, 1)
    )
    if pads == NO_PADS and (default == "valid" or not same):
        return "valid"
    return "same" if same else pads


HANDLERS = {"AveragePool": average_pool, "Conv": conv, "MaxPool": max_pool}
