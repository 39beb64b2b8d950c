"""A network as a plain Flax NNX file that a stranger can read, run and build on without wootzc."""

import keyword
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from textwrap import wrap
from typing import Any, assert_never

import numpy as np
from flax import nnx
from numpy.typing import NDArray

from wootzc.backends.flax.write.source_text import FOOTER, HEADER, LOADER, LOCAL_NORM, PRELU
from wootzc.ir.layers import (
    Activation,
    ActivationKind,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    Layer,
    LocalNorm,
    Norm,
    Padding,
    Pool,
    PRelu,
    walk,
    walk_shapes,
)  # fmt: skip
from wootzc.ir.layers.shapes import (
    Shape,
    overhang,
    padding_of,
    resolved_padding,
    shape_after,
    shape_text,
)  # fmt: skip
from wootzc.ir.layers.signature import operator_of
from wootzc.ir.net.network import Module, Network, segment_shapes

WIDTH = 96  # of a line


def model_source(
    network: Network,
    classes: Sequence[str],
    mean: NDArray[Any],  # [channels], subtracted from raw values
    std: NDArray[Any],  # [channels], what is left is divided by it
) -> str:
    """The text of `model.py`: finds `weights.safetensors` and `example.npz` beside itself."""
    made = _classes(network)
    attributes = _attributes(segment.name for segment in network.segments)
    lines = [
        HEADER.format(name=network.name, input=shape_text(network.input)),
        f"INPUT = {network.input}  # height, width, channels",
        *_strings("CLASSES", classes),
        *_floats("MEAN", mean, "  # per channel: input = (raw value - MEAN) / STD"),
        *_floats("STD", std),
    ]
    for kind, helper in ((LocalNorm, LOCAL_NORM), (PRelu, PRELU)):
        if any(isinstance(layer, kind) for body, _ in made for _, layer in walk(body)):
            lines += ["", "", helper.rstrip()]
    for (body, shape), (name, users) in made.items():
        lines += ["", "", *_class(name, users, body, shape)]
    lines += ["", "", "class Net(nnx.Module):"]
    lines += [f'    """{network.name}: {len(network.segments)} segments, one after the other."""']
    lines += ["", "    def __init__(self, rngs: nnx.Rngs):"]
    pieces = list(zip(network.segments, segment_shapes(network), strict=False))
    for segment, shape in pieces:
        lines.append(
            f"        self.{attributes[segment.name]} = {made[segment.body, shape][0]}(rngs)"
        )
    lines += ["", "    def __call__(self, x):  # [batch, height, width, channels] -> logits"]
    lines += [f"        x = self.{attributes[segment.name]}(x)" for segment, _ in pieces]
    lines += ["        return x", "", ""]
    renamed = {name: attribute for name, attribute in attributes.items() if name != attribute}
    attribute = f"{renamed}.get(segment, segment)" if renamed else "segment"
    lines += [LOADER.replace("ATTRIBUTE", attribute), "", FOOTER]
    return "\n".join(lines)


def _classes(network: Network) -> dict[tuple[Body, Shape], tuple[str, list[str]]]:
    """One class for all segments of one shape: its name and the segments that use it."""
    found: dict[tuple[Body, Shape], tuple[str, list[str]]] = {}
    taken = {"Net", "PRelu", "Path", "HERE", "INPUT", "CLASSES", "MEAN", "STD"}
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        definition = segment.definition if isinstance(segment, Module) else ""
        base = _camel(definition or segment.name)
        if (segment.body, shape) not in found:
            name = (
                base
                if base not in taken
                else next(f"{base}_{i}" for i in count(2) if f"{base}_{i}" not in taken)
            )
            taken.add(name)
            found[segment.body, shape] = name, []
        found[segment.body, shape][1].append(segment.name)
    return found


def _camel(name: str) -> str:
    joined = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return joined if joined.isidentifier() and not keyword.iskeyword(joined) else f"Segment{joined}"


def _attributes(segments: Iterable[str]) -> dict[str, str]:
    """An attribute for every segment: its name, unless Python or nnx uses it already.

    With `_` in front Python may mean something, or give it another name.
    """
    names = list(segments)
    taken, found = set(names), {}
    for name in names:
        own = f"segment{name}" if name.startswith("_") else name
        while (own != name and own in taken) or keyword.iskeyword(own) or hasattr(nnx.Module, own):
            own += "_"
        taken.add(own)
        found[name] = own
    return found


def _class(name: str, users: list[str], body: Body, shape: Shape) -> Iterator[str]:
    yield f"class {name}(nnx.Module):"
    yield from _documented(f"{', '.join(users)}: input {shape_text(shape)}.")
    yield ""
    layers = list(_layers(body, shape))
    if layers:
        yield "    def __init__(self, rngs: nnx.Rngs):"
        for attribute, call in layers:
            yield from _assigned(f"        self.{attribute}", call)
    else:
        yield "    def __init__(self, rngs: nnx.Rngs):"
        yield "        pass  # nothing to learn here"
    yield ""
    yield "    def __call__(self, x):"
    yield from (f"        {line}" for line in _statements(body, shape, "", "x", "x"))
    yield "        return x"


def _documented(text: str) -> Iterator[str]:
    lines = wrap(text, WIDTH - 10)
    if len(lines) == 1:
        yield f'    """{text}"""'
        return
    yield f'    """{lines[0]}'
    yield from (f"    {line}" for line in lines[1:])
    yield '    """'


# Constructors


def _layers(body: Body, shape: Shape) -> Iterator[tuple[str, str]]:
    """Attribute and constructor of every layer that carries weights."""
    for path, layer, entering in walk_shapes(body, shape):
        if layer.arrays():
            yield _name(layer, path), _constructor(layer, entering)


def _constructor(layer: Layer, shape: Shape) -> str:
    match layer:
        case Conv() | DepthwiseConv():
            return _convolution(layer, shape)
        case Norm(epsilon=epsilon, momentum=momentum):
            return (
                f"nnx.BatchNorm({shape[-1]}, use_running_average=True, "
                f"momentum={momentum}, epsilon={epsilon}, rngs=rngs)"
            )
        case Dense(width=width, bias=bias):
            extra = "" if bias else ", use_bias=False"
            return f"nnx.Linear({shape[-1]}, {width}{extra}, rngs=rngs)"
        case GroupNorm(groups=groups, epsilon=epsilon, pixelwise=pixelwise):
            norm = f"LayerNorm({shape[-1]}" if pixelwise else f"GroupNorm({shape[-1]}, {groups}"
            return f"nnx.{norm}, epsilon={epsilon}, use_fast_variance=False, rngs=rngs)"
        case PRelu():
            return f"PRelu({shape[-1]})"
        case LocalNorm() | Activation() | Pool() | GlobalPool() | Dropout() | Flatten() | Branch():
            raise AssertionError(f"{type(layer).__name__} carries no weights")
        case _:
            assert_never(layer)


def _assigned(target: str, call: str, width: int = WIDTH) -> Iterator[str]:
    """`target = call`, its arguments on lines of their own where it is too long."""
    if len(target) + len(call) + 3 <= width:
        yield f"{target} = {call}"
        return
    function, _, arguments = call.partition("(")
    indent = target[: len(target) - len(target.lstrip())]
    yield f"{target} = {function}("
    yield from (f"{indent}    {line}" for line in wrap(arguments[:-1], width - len(indent) - 4))
    yield f"{indent})"


def _convolution(layer: Conv | DepthwiseConv, shape: Shape) -> str:
    channels = shape[-1]
    if isinstance(layer, Conv):
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


def _name(layer: Layer, path: str) -> str:
    """`conv_0_1_2`: the kind of a layer, without underscores, and its path."""
    return f"{operator_of(layer).name.replace('_', '')}_{path.replace('.', '_')}"


def _padding(padding: Padding) -> str:
    return repr(padding.upper() if isinstance(padding, str) else padding)


# Statements


def _statements(body: Body, shape: Shape, prefix: str, given: str, result: str) -> Iterator[str]:
    """Lines that turn variable `given` into variable `result`; none where the body is empty."""
    for index, layer in enumerate(body):
        yield from _statement(layer, shape, f"{prefix}{index}", given, result)
        given = result
        shape = shape_after(layer, shape)


def _statement(layer: Layer, shape: Shape, path: str, x: str, result: str) -> Iterator[str]:
    match layer:
        case Conv() | DepthwiseConv() | Dense() | Norm() | GroupNorm() | PRelu():
            yield f"{result} = self.{_name(layer, path)}({x})"
        case LocalNorm(size=size, alpha=alpha, beta=beta, k=k):
            yield f"{result} = local_norm({x}, size={size}, alpha={alpha}, beta={beta}, k={k})"
        case Activation(kind=kind, slope=slope):
            yield f"{result} = {_activation(kind, slope, x)}"
        case Pool():
            yield from _pool(layer, shape, x, result)
        case GlobalPool(kind=kind, keep_dims=keep):
            extra = ", keepdims=True" if keep else ""
            yield f"{result} = {x}.{'max' if kind == 'max' else 'mean'}(axis=(1, 2){extra})"
        case Dropout(rate=rate):
            yield f"{result} = {x}  # in training: dropout of {rate}"
        case Flatten():
            yield f"{result} = {x}.reshape(len({x}), -1)"
        case Branch(arms=arms):
            names = [f"{result}_{i}" if arm else x for i, arm in enumerate(arms)]
            for number, (arm, name) in enumerate(zip(arms, names, strict=True)):
                yield from _statements(arm, shape, f"{path}.{number}.", x, name)
            yield from _joined(layer, names, result)
        case _:
            assert_never(layer)


def _activation(kind: ActivationKind, slope: float, x: str) -> str:
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


def _pool(pool: Pool, shape: Shape, x: str, result: str) -> Iterator[str]:
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
    yield from _assigned(result, call, WIDTH - 8)


def _joined(branch: Branch, names: Iterable[str], result: str) -> Iterator[str]:
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


# Constants


def _strings(name: str, values: Sequence[str]) -> Iterator[str]:
    yield f"{name} = ("
    yield from _filled([_quoted(value) for value in values])
    yield ")"


def _quoted(text: str) -> str:
    """A Python literal in double quotes where that is possible."""
    literal = repr(text)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in literal else literal


def _floats(name: str, values: NDArray[Any], comment: str = "") -> Iterator[str]:
    """An array of float32; the shortest digits that give each value back exactly."""
    digits = [str(value) for value in np.asarray(values, np.float32)]
    line = f"{name} = np.array([{', '.join(digits)}], np.float32){comment}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{name} = np.array(  {comment.strip()}".rstrip()
    yield "    ["
    yield from (f"    {line}" for line in _filled(digits))
    yield "    ],"
    yield "    np.float32,"
    yield ")"


def _filled(items: Iterable[str]) -> Iterator[str]:
    """Items with commas, as many a line as fit."""
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > WIDTH and line.strip():
            yield line
            line = "   "
        line += f" {item},"
    if line.strip():
        yield line
