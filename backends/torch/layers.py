"""Layers as PyTorch: for each body what `__init__` makes, and what `forward` does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

from wootzc.backends.torch.source_expressions import Call, Expression, Sum
from wootzc.backends.weights.channels_first import (
    NO_PADS,
    Order,
    Pads,
    channels_first,
    order_after_flatten,
)  # fmt: skip
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import Shape, overhang, padding_of, resolved_padding, shape_after
from wootzc.ir.layers.signature import operator_of

AVERAGE = "average"  # the helper that some averages need: `text.AVERAGE`


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A layer that carries weights, as an attribute of its segment's class."""

    path: str  # in its segment: "0.0.2"
    attribute: str  # "conv_0_0_2"
    layer: ir.Layer
    made: Call  # the call in __init__
    shape: Shape  # that enters
    order: Order


@dataclass(slots=True)
class Written:
    """A body, written down layer by layer."""

    learned: list[Learned] = field(default_factory=list)
    statements: list[tuple[str, Expression]] = field(default_factory=list)  # target = expression
    order: Order = None  # of what leaves


def written(body: ir.Body, shape: Shape, order: Order) -> Written:
    """`shape` and `order` of what enters; forward's variable is x."""
    made = Written()
    made.order = _body(body, shape, order, "", "x", "x", made)
    return made


def pixel_by_pixel(x: str, order: Shape, result: str) -> Iterator[tuple[str, Expression]]:
    """Statements that bring a vector into our order."""
    yield result, f"{x}.unflatten(1, {channels_first(order)})"
    yield result, f"{result}.permute(0, 2, 3, 1).flatten(1)"


def _body(
    body: ir.Body, shape: Shape, order: Order, prefix: str, given: str, result: str, out: Written
) -> Order:
    """Statements that turn variable `given` into `result`; none where the body is empty."""
    for index, layer in enumerate(body):
        path = f"{prefix}{index}"
        if isinstance(layer, ir.Branch):
            order = _branch(layer, shape, order, path, given, result, out)
        else:
            if isinstance(layer, ir.Learned):
                out.learned.append(_learned(layer, shape, order, path))
            order = _statements(layer, shape, order, path, given, result, out)
        given, shape = result, shape_after(layer, shape)
    return order


def _branch(
    branch: ir.Branch, shape: Shape, order: Order, path: str, x: str, result: str, out: Written
) -> Order:
    names = [f"{result}_{i}" if arm else x for i, arm in enumerate(branch.arms)]
    orders = [
        _body(arm, shape, order, f"{path}.{i}.", x, name, out)
        for i, (arm, name) in enumerate(zip(branch.arms, names, strict=True))
    ]
    if branch.join == "concat" or len(set(orders)) > 1:
        for i, (name, one) in enumerate(zip(names, orders, strict=True)):
            if one is not None:
                names[i] = f"{result}_{i}"
                out.statements += pixel_by_pixel(name, one, names[i])
        orders = [None]
    match branch.join:
        case "add":
            joined: Expression = Sum("+", tuple(names))
        case "concat":
            joined = Call("torch.cat(", (Call("[", tuple(names), "]"), "dim=1"))
        case "scale":
            joined = Sum("*", tuple(names))
        case _:
            assert_never(branch.join)
    out.statements.append((result, joined))
    return orders[0]


# Constructors


def _learned(layer: ir.Learned, shape: Shape, order: Order, path: str) -> Learned:
    match layer:
        case ir.Conv():
            made = _convolution(layer, layer.width, layer.groups, shape)
        case ir.DepthwiseConv():
            made = _convolution(layer, shape[-1], shape[-1], shape)
        case ir.Norm(epsilon=epsilon, momentum=momentum):
            options = [str(shape[-1])]
            if epsilon != 1e-5:
                options.append(f"eps={epsilon}")
            if momentum != 0.9:  # PyTorch weighs the new value
                options.append(f"momentum={round(1 - momentum, 10)}")
            made = Call(f"nn.BatchNorm{len(shape) - 1 or 1}d(", tuple(options))
        case ir.Dense(width=width, bias=bias):  # of a 1x1 image: a 1x1 convolution
            options = [str(shape[-1]), str(width), *(["1"] if len(shape) == 3 else [])]
            options += [] if bias else ["bias=False"]
            head = "nn.Conv2d(" if len(shape) == 3 else "nn.Linear("
            made = Call(head, tuple(options))
        case ir.GroupNorm(groups=groups, epsilon=epsilon, pixelwise=pixelwise):
            options = [str(shape[-1])] if pixelwise else [str(groups), str(shape[-1])]
            options += [] if epsilon == 1e-5 else [f"eps={epsilon}"]
            made = Call("nn.LayerNorm(" if pixelwise else "nn.GroupNorm(", tuple(options))
            order = None
        case ir.PRelu():
            made = Call("nn.PReLU(", (str(shape[-1]),))
        case _:
            assert_never(layer)
    attribute = f"{operator_of(layer).name.replace('_', '')}_{path.replace('.', '_')}"
    return Learned(path=path, attribute=attribute, layer=layer, made=made, shape=shape, order=order)


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


def _statements(
    layer: ir.Layer, shape: Shape, order: Order, path: str, x: str, result: str, out: Written
) -> Order:
    """Append the layer's statements; the order of what leaves it."""

    def say(expression: Expression) -> None:
        out.statements.append((result, expression))

    match layer:
        case ir.Conv() | ir.DepthwiseConv():
            pads = padding_of(layer, (shape[0], shape[1]))
            if _symmetric(pads) is None:
                say(_padded(x, pads))
                x = result
            say(f"self.{out.learned[-1].attribute}({x})")
        case ir.Dense():
            say(f"self.{out.learned[-1].attribute}({x})")
            return None
        case ir.GroupNorm(pixelwise=pixelwise):
            if order is not None:
                out.statements += pixel_by_pixel(x, order, result)
                x = result
            attribute = out.learned[-1].attribute
            if pixelwise and len(shape) == 3:  # PyTorch's goes along the last axis
                say(f"{x}.permute(0, 2, 3, 1)")
                say(f"self.{attribute}({result}).permute(0, 3, 1, 2)")
            else:
                say(f"self.{attribute}({x})")
            return None
        case ir.Norm() | ir.PRelu():
            say(f"self.{out.learned[-1].attribute}({x})")
        case ir.LocalNorm():
            if order is not None:
                out.statements += pixel_by_pixel(x, order, result)
                x = result
            for expression in _local_norm(layer, shape, x, result):
                say(expression)
            return None
        case ir.Activation():
            say(_activation(layer, x))
        case ir.Pool():
            for expression in _pool(layer, shape, x, result):
                say(expression)
        case ir.GlobalPool(kind=kind, keep_dims=keep):
            extra = ", keepdim=True" if keep else ""
            say(f"{x}.{'amax' if kind == 'max' else 'mean'}(dim=(2, 3){extra})")
        case ir.Dropout(rate=rate):
            say(f"F.dropout({x}, {rate}, self.training)")
        case ir.Flatten():
            say(f"{x}.flatten(1)")
            return order_after_flatten(shape)
        case ir.Branch():
            raise AssertionError("its arms are walked one by one")
        case _:
            assert_never(layer)
    return order


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
