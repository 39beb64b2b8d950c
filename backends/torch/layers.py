"""Layers as PyTorch: what `__init__` makes of each, and what `forward` does."""

from collections.abc import Iterator
from typing import assert_never

from wootzc.backends.python_source.classes import Library, Statement
from wootzc.backends.python_source.expressions import WIDTH, Call, Expression
from wootzc.backends.torch.taken import TAKEN_ATTRIBUTES
from wootzc.backends.weights.channels_first import NO_PADS, Pads, channels_first
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import Shape, overhang, padding_of, resolved_padding

AVERAGE = "average"  # the helper that some averages need: `text.AVERAGE`


def pixel_by_pixel(x: str, order: Shape, result: str) -> Iterator[Statement]:
    """Statements that bring a vector into our order."""
    yield result, f"{x}.unflatten(1, {channels_first(order)})"
    yield result, f"{result}.permute(0, 2, 3, 1).flatten(1)"


# Constructors


def _made(layer: ir.Learned, shape: Shape) -> Call:
    match layer:
        case ir.Conv():
            return _convolution(layer, layer.width, layer.groups, shape)
        case ir.DepthwiseConv():
            return _convolution(layer, shape[-1], shape[-1], shape)
        case ir.Norm(epsilon=epsilon, momentum=momentum):
            options = [str(shape[-1])]
            if epsilon != 1e-5:
                options.append(f"eps={epsilon}")
            if momentum != 0.9:  # PyTorch weighs the new value
                options.append(f"momentum={round(1 - momentum, 10)}")
            return Call(f"nn.BatchNorm{len(shape) - 1 or 1}d(", tuple(options))
        case ir.Dense(width=width, bias=bias):  # of a 1x1 image: a 1x1 convolution
            options = [str(shape[-1]), str(width), *(["1"] if len(shape) == 3 else [])]
            options += [] if bias else ["bias=False"]
            head = "nn.Conv2d(" if len(shape) == 3 else "nn.Linear("
            return Call(head, tuple(options))
        case ir.GroupNorm(groups=groups, epsilon=epsilon, pixelwise=pixelwise):
            options = [str(shape[-1])] if pixelwise else [str(groups), str(shape[-1])]
            options += [] if epsilon == 1e-5 else [f"eps={epsilon}"]
            return Call("nn.LayerNorm(" if pixelwise else "nn.GroupNorm(", tuple(options))
        case ir.PRelu():
            return Call("nn.PReLU(", (str(shape[-1]),))
        case _:
            assert_never(layer)


def _convolution(layer: ir.Conv | ir.DepthwiseConv, width: int, groups: int, shape: Shape) -> Call:
    options = [str(shape[-1]), str(width), _pair(layer.kernel)]
    if layer.stride != (1, 1):
        options.append(f"stride={_pair(layer.stride)}")
    pads = padding_of(layer, (shape[0], shape[1]))
    if pads != NO_PADS and (padding := _symmetric(pads)):
        options.append(f"padding={_pair(padding)}")
    if layer.dilation != (1, 1):
        options.append(f"dilation={_pair(layer.dilation)}")
    if groups > 1:
        options.append(f"groups={groups}")
    if not layer.bias:
        options.append("bias=False")
    return Call("nn.Conv2d(", tuple(options))


def _pair(pair: ir.Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else str(pair)


def _symmetric(pads: Pads) -> ir.Pair | None:
    """What PyTorch's own padding can be: as much on both sides."""
    (top, bottom), (left, right) = pads
    return (top, left) if top == bottom and left == right else None


# Statements


def _steps(
    layer: ir.Layer, shape: Shape, x: str, result: str, attribute: str
) -> Iterator[Expression]:
    match layer:
        case ir.Conv() | ir.DepthwiseConv():
            pads = padding_of(layer, (shape[0], shape[1]))
            if _symmetric(pads) is None:
                yield _padded(x, pads)
                x = result
            yield f"self.{attribute}({x})"
        case ir.GroupNorm(pixelwise=True) if len(shape) == 3:  # PyTorch's goes along the last axis
            yield f"{x}.permute(0, 2, 3, 1)"
            yield f"self.{attribute}({result}).permute(0, 3, 1, 2)"
        case ir.Dense() | ir.GroupNorm() | ir.Norm() | ir.PRelu():
            yield f"self.{attribute}({x})"
        case ir.LocalNorm():
            yield from _local_norm(layer, shape, x, result)
        case ir.Activation():
            yield _activation(layer, x)
        case ir.Pool():
            yield from _pool(layer, shape, x, result)
        case ir.GlobalPool(kind=kind, keep_dims=keep):
            extra = ", keepdim=True" if keep else ""
            yield f"{x}.{'amax' if kind == 'max' else 'mean'}(dim=(2, 3){extra})"
        case ir.Dropout(rate=rate):
            yield f"F.dropout({x}, {rate}, self.training)"
        case ir.Flatten():
            yield f"{x}.flatten(1)"
        case ir.Branch():
            raise AssertionError("its arms are walked one by one")
        case _:
            assert_never(layer)


def _padded(x: str, pads: Pads, value: str = "") -> Call:
    return Call("F.pad(", (x, _sides(pads), *([f"value={value}"] if value else [])))


def _sides(pads: Pads) -> str:
    """PyTorch's order, the last axis first."""
    (top, bottom), (left, right) = pads
    return f"({left}, {right}, {top}, {bottom})"


def _local_norm(layer: ir.LocalNorm, shape: Shape, x: str, result: str) -> Iterator[Expression]:
    """PyTorch's needs an axis behind the channels."""
    vector = len(shape) == 1
    if vector:
        yield f"{x}.unsqueeze(2)"
        x = result
    options = f"alpha={layer.alpha}", f"beta={layer.beta}", f"k={layer.k}"
    yield Call("F.local_response_norm(", (x, str(layer.size), *options))
    if vector:
        yield f"{result}.squeeze(2)"


def _activation(layer: ir.Activation, x: str) -> str:
    match layer.kind:
        case "relu" | "relu6" | "elu" | "gelu":
            return f"F.{layer.kind}({x})"
        case "leaky_relu":
            return f"F.leaky_relu({x}, {layer.slope})"
        case "gelu_tanh":
            return f'F.gelu({x}, approximate="tanh")'
        case "swish":
            return f"F.silu({x})"
        case "hard_swish":
            return f"F.hardswish({x})"
        case "hard_sigmoid":
            return f"F.hardsigmoid({x})"
        case "sigmoid" | "tanh":
            return f"torch.{layer.kind}({x})"
        case _:
            assert_never(layer.kind)


def _pool(layer: ir.Pool, shape: Shape, x: str, result: str) -> Iterator[Expression]:
    """PyTorch's own padding is symmetric, and at most half a window."""
    image = shape[0], shape[1]
    said = resolved_padding(layer.padding, image, layer.size, layer.stride)
    own = _symmetric(said)
    window = [_pair(layer.size), f"stride={_pair(layer.stride)}"]
    if own and own[0] <= layer.size[0] // 2 and own[1] <= layer.size[1] // 2:
        if said != NO_PADS:
            window.append(f"padding={_pair(own)}")
        if layer.ceil:
            window.append("ceil_mode=True")
        if layer.kind == "avg" and said != NO_PADS and not layer.count_padding:
            window.append("count_include_pad=False")
        yield Call(f"F.{layer.kind}_pool2d(", (x, *window))
    elif layer.kind == "max":
        yield _padded(x, padding_of(layer, image), 'float("-inf")')
        yield Call("F.max_pool2d(", (result, *window))
    else:
        below, beside = overhang(layer, image)
        counted, ignored = said, ((0, below), (0, beside))
        if not layer.count_padding:
            counted, ignored = NO_PADS, padding_of(layer, image)
        pads = f"counted={_sides(counted)}", f"ignored={_sides(ignored)}"
        yield Call(f"{AVERAGE}(", (x, *window, *pads))


TORCH = Library(
    width=WIDTH,
    base="nn.Module",
    init=("    def __init__(self):", "        super().__init__()"),
    call="forward",
    axes="batch, channels, height, width",
    concat=("torch.cat(", "dim=1"),
    classes=frozenset({"F"}),
    attributes=TAKEN_ATTRIBUTES,
    made=_made,
    steps=_steps,
    pixel_by_pixel=pixel_by_pixel,
)
