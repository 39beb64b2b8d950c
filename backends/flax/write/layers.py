"""Layers as Flax NNX source: what `__init__` makes of each, and what `__call__` does."""

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import assert_never

from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import Shape, overhang, padding_of, resolved_padding, shape_after
from wootzc.ir.layers.signature import operator_of

WIDTH = 96  # of a line

# What neither JAX nor Flax has: by layer, its name in the file, and its text.
HELPERS: dict[type[ir.Layer], tuple[str, str]] = {
    ir.LocalNorm: (
        "local_norm",
        '''def local_norm(x, size, alpha, beta, k):
    """Every channel divided by a power of the squares of `size` channels around it."""
    channels = np.arange(x.shape[-1])
    distance = channels[:, None] - channels
    around = (-(size // 2) <= distance) & (distance <= (size - 1) // 2)
    squares = jnp.matmul(x * x, around.astype(np.float32), precision="highest")
    return x / (k + alpha / size * squares) ** beta''',
    ),
    ir.PRelu: (
        "PRelu",
        '''class PRelu(nnx.Module):
    """x, or below zero the channel's own slope times x."""

    def __init__(self, channels):
        self.slope = nnx.Param(jnp.full(channels, 0.25))

    def __call__(self, x):
        return jnp.where(x >= 0, x, self.slope[...] * x)''',
    ),
}


# Constructors


def constructors(body: ir.Body, shape: Shape) -> Iterator[tuple[str, str]]:
    """Attribute and constructor of every layer that carries weights."""
    for path, layer, entering in ir.walk_shapes(body, shape):
        if isinstance(layer, ir.Learned):
            yield _name(layer, path), _constructor(layer, entering)


def _constructor(layer: ir.Learned, shape: Shape) -> str:
    match layer:
        case ir.Conv() | ir.DepthwiseConv():
            return _convolution(layer, shape)
        case ir.Norm(epsilon=epsilon, momentum=momentum):
            return (
                f"nnx.BatchNorm({shape[-1]}, use_running_average=True, "
                f"momentum={momentum}, epsilon={epsilon}, rngs=rngs)"
            )
        case ir.Dense(width=width, bias=bias):
            extra = "" if bias else ", use_bias=False"
            return f"nnx.Linear({shape[-1]}, {width}{extra}, rngs=rngs)"
        case ir.GroupNorm(groups=groups, epsilon=epsilon, pixelwise=pixelwise):
            norm = f"LayerNorm({shape[-1]}" if pixelwise else f"GroupNorm({shape[-1]}, {groups}"
            return f"nnx.{norm}, epsilon={epsilon}, use_fast_variance=False, rngs=rngs)"
        case ir.PRelu():
            return f"PRelu({shape[-1]})"
        case _:
            assert_never(layer)


def assigned(target: str, call: str, width: int = WIDTH) -> Iterator[str]:
    """`target = call`, its arguments on lines of their own where it is too long."""
    if len(target) + len(call) + 3 <= width:
        yield f"{target} = {call}"
        return
    function, _, arguments = call.partition("(")
    indent = target[: len(target) - len(target.lstrip())]
    yield f"{target} = {function}("
    yield from (f"{indent}    {line}" for line in wrap(arguments[:-1], width - len(indent) - 4))
    yield f"{indent})"


def _convolution(layer: ir.Conv | ir.DepthwiseConv, shape: Shape) -> str:
    channels = shape[-1]
    if isinstance(layer, ir.Conv):
        width, groups = layer.width, layer.groups
    else:
        width = groups = channels
    options = [f"{channels}, {width}, {layer.kernel}"]
    if layer.stride != (1, 1):
        options.append(f"strides={layer.stride}")
    if layer.padding != "same":
        options.append(f"padding={_padding(layer.padding)}")
    if layer.dilation != (1, 1):
        options.append(f"kernel_dilation={layer.dilation}")
    if groups > 1:
        options.append(f"feature_group_count={groups}")
    if not layer.bias:
        options.append("use_bias=False")
    return f"nnx.Conv({', '.join(options)}, rngs=rngs)"


def _name(layer: ir.Layer, path: str) -> str:
    """`conv_0_1_2`: the kind of a layer, without underscores, and its path."""
    return f"{operator_of(layer).name.replace('_', '')}_{path.replace('.', '_')}"


def _padding(padding: ir.Padding) -> str:
    return repr(padding.upper() if isinstance(padding, str) else padding)


# Statements


def statements(body: ir.Body, shape: Shape, prefix: str, given: str, result: str) -> Iterator[str]:
    """Lines that turn variable `given` into variable `result`; none where the body is empty."""
    for index, layer in enumerate(body):
        yield from _statement(layer, shape, f"{prefix}{index}", given, result)
        given = result
        shape = shape_after(layer, shape)


def _statement(layer: ir.Layer, shape: Shape, path: str, x: str, result: str) -> Iterator[str]:
    if isinstance(layer, ir.Learned):
        yield f"{result} = self.{_name(layer, path)}({x})"
        return
    match layer:
        case ir.LocalNorm(size=size, alpha=alpha, beta=beta, k=k):
            yield f"{result} = local_norm({x}, size={size}, alpha={alpha}, beta={beta}, k={k})"
        case ir.Activation(kind=kind, slope=slope):
            yield f"{result} = {_activation(kind, slope, x)}"
        case ir.Pool():
            yield from _pool(layer, shape, x, result)
        case ir.GlobalPool(kind=kind, keep_dims=keep):
            extra = ", keepdims=True" if keep else ""
            yield f"{result} = {x}.{'max' if kind == 'max' else 'mean'}(axis=(1, 2){extra})"
        case ir.Dropout(rate=rate):
            yield f"{result} = {x}  # in training: dropout of {rate}"
        case ir.Flatten():
            yield f"{result} = {x}.reshape(len({x}), -1)"
        case ir.Branch(arms=arms):
            names = [f"{result}_{i}" if arm else x for i, arm in enumerate(arms)]
            for number, (arm, name) in enumerate(zip(arms, names, strict=True)):
                yield from statements(arm, shape, f"{path}.{number}.", x, name)
            yield from _joined(layer, names, result)
        case _:
            assert_never(layer)


def _activation(kind: ir.ActivationKind, slope: float, x: str) -> str:
    match kind:
        case "leaky_relu":
            return f"jax.nn.leaky_relu({x}, {slope})"
        case "gelu":
            return f"jax.nn.gelu({x}, approximate=False)"
        case "gelu_tanh":
            return f"jax.nn.gelu({x}, approximate=True)"
        case (
            "relu" | "relu6" | "elu" | "swish" | "hard_swish" | "sigmoid" | "hard_sigmoid" | "tanh"
        ):
            return f"jax.nn.{kind}({x})"
        case _:
            assert_never(kind)


def _pool(pool: ir.Pool, shape: Shape, x: str, result: str) -> Iterator[str]:
    image = shape[0], shape[1]
    below, beside = overhang(pool, image)
    padding = padding_of(pool, image) if below or beside else pool.padding
    extra = ""
    if pool.kind == "avg":
        extra = ", count_include_pad=False"
        if pool.count_padding and (below or beside):
            counted = resolved_padding(pool.padding, image, pool.size, pool.stride)
            if counted != ((0, 0), (0, 0)):  # zeros that count as pixels do
                yield f"{result} = jnp.pad({x}, {((0, 0), *counted, (0, 0))})"
                x = result
            padding = (0, below), (0, beside)
        elif pool.count_padding:
            extra = ""
    call = f"nnx.{pool.kind}_pool({x}, {pool.size}, {pool.stride}, {_padding(padding)}{extra})"
    yield from assigned(result, call, WIDTH - 8)


def _joined(branch: ir.Branch, names: Iterable[str], result: str) -> Iterator[str]:
    """A statement; what its brackets hold stands on lines of its own where it is too long."""
    match branch.join:
        case "add":
            left, inner, right = "", " + ".join(names), ""
        case "concat":
            left, inner, right = "jnp.concatenate([", ", ".join(names), "], axis=-1)"
        case "scale":
            left, inner, right = "", " * ".join(names), ""
        case _:
            assert_never(branch.join)
    room = WIDTH - 8  # the indent of a method
    line = f"{result} = {left}{inner}{right}"
    if len(line) <= room:
        yield line
        return
    yield f"{result} = {left or '('}"
    yield from (f"    {line}" for line in wrap(inner, room - 4))
    yield right or ")"
