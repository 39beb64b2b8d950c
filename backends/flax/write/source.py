"""A network as a plain Flax NNX file that a stranger can read, run and build on without wootzc."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.flax.write.layers import FLAX, HELPERS, WIDTH
from wootzc.backends.flax.write.source_text import FOOTER, HEADER, LOADER
from wootzc.backends.python_source.classes import classes_of, network_class, segment_class
from wootzc.backends.python_source.text import filled, quoted
from wootzc.ir.layers import shape_text, walk
from wootzc.ir.net.network import Network


def model_source(
    network: Network,
    classes: Sequence[str],
    mean: NDArray[Any],  # [channels], subtracted from raw values
    std: NDArray[Any],  # [channels], what is left is divided by it
) -> str:
    """The text of `model.py`: finds `weights.safetensors` and `example.npz` beside itself."""
    made = classes_of(network, FLAX)
    lines = [
        HEADER.format(name=network.name, input=shape_text(network.input)),
        f"INPUT = {network.input}  # height, width, channels",
        *_strings("CLASSES", classes),
        *_floats("MEAN", mean, "  # per channel: input = (raw value - MEAN) / STD"),
        *_floats("STD", std),
    ]
    kinds = {type(layer) for segment in network.segments for _, layer in walk(segment.body)}
    for kind, (_, helper) in HELPERS.items():
        if kind in kinds:
            lines += ["", "", helper]
    for one in made.distinct():
        lines += ["", "", *segment_class(one)]
    lines += ["", "", *network_class(network, made), "", ""]
    renamed = {name: attribute for name, attribute in made.attributes.items() if name != attribute}
    attribute = f"{renamed}.get(segment, segment)" if renamed else "segment"
    lines += [LOADER.replace("ATTRIBUTE", attribute), "", FOOTER]
    return "\n".join(lines)


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
