"""Layers as Flax NNX source: what `__init__` makes of each, and what `__call__` does."""

from collections.abc import Iterator
from typing import assert_never

from flax import nnx

from wootzc.backends.python_source.classes import Library
from wootzc.backends.python_source.expressions import Call, Expression
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import Shape, overhang, padding_of, resolved_padding

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


def _made(layer: ir.Learned, shape: Shape) -> Call:
    channels = str(shape[-1])
    match layer:
        case ir.Conv() | ir.DepthwiseConv():
            return _convolution(layer, shape)
        case ir.Norm(epsilon=epsilon, momentum=momentum):
            options = "use_running_average=True", f"momentum={momentum}", f"epsilon={epsilon}"
            return Call("nnx.BatchNorm(", (channels, *options, "rngs=rngs"))
        case ir.Dense(width=width, bias=bias):
            extra = () if bias else ("use_bias=False",)
            return Call("nnx.Linear(", (channels, str(width), *extra, "rngs=rngs"))
        case ir.GroupNorm(groups=groups, epsilon=epsilon, pixelwise=pixelwise):
            head = "nnx.LayerNorm(" if pixelwise else "nnx.GroupNorm("
            sizes = (channels,) if pixelwise else (channels, str(groups))
            options = f"epsilon={epsilon}", "use_fast_variance=False", "rngs=rngs"
            return Call(head, (*sizes, *options))
        case ir.PRelu():
            return Call("PRelu(", (channels,))
        case _:
            assert_never(layer)


def _convolution(layer: ir.Conv | ir.DepthwiseConv, shape: Shape) -> Call:
    channels = shape[-1]
    if isinstance(layer, ir.Conv):
        width, groups = layer.width, layer.groups
    else:
        width = groups = channels
    options = [str(channels), str(width), str(layer.kernel)]
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
    return Call("nnx.Conv(", (*options, "rngs=rngs"))


def _padding(padding: ir.Padding) -> str:
    return repr(padding.upper() if isinstance(padding, str) else padding)


# Statements


def _steps(
    layer: ir.Layer, shape: Shape, x: str, result: str, attribute: str
) -> Iterator[Expression]:
    if isinstance(layer, ir.Learned):
        yield f"self.{attribute}({x})"
        return
    match layer:
        case ir.LocalNorm(size=size, alpha=alpha, beta=beta, k=k):
            yield f"local_norm({x}, size={size}, alpha={alpha}, beta={beta}, k={k})"
        case ir.Activation(kind=kind, slope=slope):
            yield _activation(kind, slope, x)
        case ir.Pool():
            yield from _pool(layer, shape, x, result)
        case ir.GlobalPool(kind=kind, keep_dims=keep):
            extra = ", keepdims=True" if keep else ""
            yield f"{x}.{'max' if kind == 'max' else 'mean'}(axis=(1, 2){extra})"
        case ir.Dropout(rate=rate):
            yield f"{x}  # in training: dropout of {rate}"
        case ir.Flatten():
            yield f"{x}.reshape(len({x}), -1)"
        case ir.Branch():
            raise AssertionError("its arms are walked one by one")
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


def _pool(pool: ir.Pool, shape: Shape, x: str, result: str) -> Iterator[Expression]:
    image = shape[0], shape[1]
    below, beside = overhang(pool, image)
    padding = padding_of(pool, image) if below or beside else pool.padding
    ignored = pool.kind == "avg"
    if pool.kind == "avg":
        if pool.count_padding and (below or beside):
            counted = resolved_padding(pool.padding, image, pool.size, pool.stride)
            if counted != ((0, 0), (0, 0)):  # zeros that count as pixels do
                yield f"jnp.pad({x}, {((0, 0), *counted, (0, 0))})"
                x = result
            padding = (0, below), (0, beside)
        elif pool.count_padding:
            ignored = False
    window = x, str(pool.size), str(pool.stride), _padding(padding)
    extra = ("count_include_pad=False",) if ignored else ()
    yield Call(f"nnx.{pool.kind}_pool(", (*window, *extra))


FLAX = Library(
    width=WIDTH,
    fill=True,
    base="nnx.Module",
    init=("    def __init__(self, rngs: nnx.Rngs):",),
    given="rngs",
    call="__call__",
    axes="batch, height, width, channels",
    concat=("jnp.concatenate(", "axis=-1"),
    classes=frozenset(name for name, _ in HELPERS.values()),
    attributes=frozenset({*dir(nnx.Module), *dir(type(nnx.Module))}),
    made=_made,
    steps=_steps,
)
