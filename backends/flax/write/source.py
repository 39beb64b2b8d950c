"""A network as a plain Flax NNX file that a stranger can read, run and build on without wootzc."""

import keyword
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from flax import nnx
from numpy.typing import NDArray

from wootzc.backends.flax.write.layers import HELPERS, WIDTH, assigned, constructors, statements
from wootzc.backends.flax.write.source_text import FOOTER, HEADER, LOADER
from wootzc.backends.python_text import class_name, documented, filled, quoted
from wootzc.ir.layers import Body, Shape, shape_text, walk
from wootzc.ir.net.network import Module, Network, segment_shapes

# What the generated file calls its own.
TAKEN = frozenset({"Net", "Path", "HERE", "INPUT", "CLASSES", "MEAN", "STD"}) | {
    name for name, _ in HELPERS.values()
}


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
    kinds = {type(layer) for body, _ in made for _, layer in walk(body)}
    for kind, (_, helper) in HELPERS.items():
        if kind in kinds:
            lines += ["", "", helper]
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
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        definition = segment.definition if isinstance(segment, Module) else ""
        if (segment.body, shape) not in found:
            taken = {*TAKEN, *(name for name, _ in found.values())}
            found[segment.body, shape] = class_name(definition or segment.name, taken), []
        found[segment.body, shape][1].append(segment.name)
    return found


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
    yield from documented(f"{', '.join(users)}: input {shape_text(shape)}.", WIDTH)
    yield ""
    layers = list(constructors(body, shape))
    if layers:
        yield "    def __init__(self, rngs: nnx.Rngs):"
        for attribute, call in layers:
            yield from assigned(f"        self.{attribute}", call)
    else:
        yield "    def __init__(self, rngs: nnx.Rngs):"
        yield "        pass  # nothing to learn here"
    yield ""
    yield "    def __call__(self, x):"
    yield from (f"        {line}" for line in statements(body, shape, "", "x", "x"))
    yield "        return x"


# Constants


def _strings(name: str, values: Sequence[str]) -> Iterator[str]:
    yield f"{name} = ("
    yield from filled(map(quoted, values), WIDTH)
    yield ")"


def _floats(name: str, values: NDArray[Any], comment: str = "") -> Iterator[str]:
    """An array of float32; the shortest digits that give each value back exactly."""
    digits = [str(value) for value in np.asarray(values, np.float32)]
    line = f"{name} = np.array([{', '.join(digits)}], np.float32){comment}"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"{name} = np.array(  {comment.strip()}".rstrip()
    yield "    ["
    yield from (f"    {line}" for line in filled(digits, WIDTH))
    yield "    ],"
    yield "    np.float32,"
    yield ")"
