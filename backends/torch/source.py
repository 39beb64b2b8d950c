"""A network as a plain PyTorch file that a stranger can read, run and train on without wootzc."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.python_source.classes import (
    SegmentClass,
    classes_of,
    network_class,
    segment_class,
)  # fmt: skip
from wootzc.backends.python_source.expressions import WIDTH, Call, laid_out
from wootzc.backends.python_source.text import filled, quoted
from wootzc.backends.torch import source_text as text
from wootzc.backends.torch.layers import AVERAGE, TORCH
from wootzc.ir.layers.shapes import shape_text
from wootzc.ir.net.network import Network

NORMALIZING = (  # lines of `__init__`, and of `forward`
    (
        '        self.register_buffer("mean", MEAN.clone(), persistent=False)',
        '        self.register_buffer("std", STD.clone(), persistent=False)',
    ),
    ("        x = (x - self.mean) / self.std",),
)


def model_source(
    network: Network,
    classes: Sequence[str],
    mean: NDArray[Any],  # [channels], subtracted from raw values
    std: NDArray[Any],  # [channels], what is left is divided by it
    *,
    with_normalization: bool = False,  # as the network's first step; else `predict` does it
) -> str:
    """The text of `model.py`: finds `weights.safetensors` beside itself. As ruff formats it."""
    made = classes_of(network, TORCH)
    constants = [
        f"INPUT = {network.input}  # height, width, channels",
        *_strings("CLASSES", classes),
        *_floats("MEAN", mean),
        *_floats("STD", std),
        *("", ""),
    ]
    body = []
    if any(_averages(one) for one in made.distinct()):
        body += [text.AVERAGE, "", ""]
    for one in made.distinct():
        body += [*segment_class(one), "", ""]
    init, call = NORMALIZING if with_normalization else ((), ())
    body += [*network_class(network, made, init, call), "", ""]
    header = text.HEADER.format(
        name=network.name,
        input=shape_text(network.input),
        normalization=text.INSIDE if with_normalization else text.BEFORE,
        functional=text.FUNCTIONAL if any(" F." in line or "(F." in line for line in body) else "",
    )
    x = "x" if with_normalization else "(x - MEAN) / STD"
    loader = text.LOADER.replace("net(X)", f"net({x})")
    return "\n".join([header, *constants, *body, loader, text.FOOTER])


def _averages(one: SegmentClass) -> bool:
    head = f"{AVERAGE}("
    return any(isinstance(e, Call) and e.head == head for _, e in one.body.statements)


# Constants


def _strings(name: str, values: Sequence[str]) -> Iterator[str]:
    """A tuple. Where it is long, many stand on a line, and the formatter keeps off."""
    items = [quoted(value) for value in values]
    line = f"{name} = ({', '.join(items)}{',' if len(items) == 1 else ''})"
    if len(line) <= WIDTH:
        yield line
        return
    yield "# fmt: off"
    yield f"{name} = ("
    yield from filled(items, WIDTH)
    yield ")"
    yield "# fmt: on"


def _floats(name: str, values: NDArray[Any]) -> Iterator[str]:
    """One a channel, to broadcast; the shortest digits that give each float32 back."""
    digits = tuple(str(value) for value in np.asarray(values, np.float32))
    call = Call("torch.tensor(", (Call("[", digits, "]"),), ").reshape(-1, 1, 1)")
    yield from laid_out(f"{name} = ", call)
