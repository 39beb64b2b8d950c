"""A network as a plain PyTorch file that a stranger can read, run and train on without wootzc."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.python_text import documented, filled, quoted
from wootzc.backends.torch import source_text as text
from wootzc.backends.torch.classes import Classes, SegmentClass, classes_of
from wootzc.backends.torch.layers import AVERAGE, pixel_by_pixel
from wootzc.backends.torch.source_expressions import WIDTH, Call, laid_out
from wootzc.ir.layers.shapes import shape_text
from wootzc.ir.net.network import Network


def model_source(
    network: Network,
    classes: Sequence[str],
    mean: NDArray[Any],  # [channels], subtracted from raw values
    std: NDArray[Any],  # [channels], what is left is divided by it
    *,
    with_normalization: bool = False,  # as the network's first step; else `predict` does it
) -> str:
    """The text of `model.py`: finds `weights.safetensors` beside itself. As ruff formats it."""
    made = classes_of(network)
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
        body += [*_segment_class(one), "", ""]
    body += [*_network_class(network, made, with_normalization), "", ""]
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


def _segment_class(one: SegmentClass) -> Iterator[str]:
    yield f"class {one.name}(nn.Module):"
    yield from documented(f"{', '.join(one.segments)}: input {shape_text(one.shape)}.", WIDTH)
    yield ""
    if one.body.learned:
        yield "    def __init__(self):"
        yield "        super().__init__()"
        for learned in one.body.learned:
            yield from laid_out(f"        self.{learned.attribute} = ", learned.made)
        yield ""
    yield "    def forward(self, x):"
    for target, expression in one.body.statements:
        yield from laid_out(f"        {target} = ", expression)
    yield "        return x"


def _network_class(network: Network, made: Classes, with_normalization: bool) -> Iterator[str]:
    yield "class Net(nn.Module):"
    yield from documented(f"{network.name}: {len(made.of)} segments, one after the other.", WIDTH)
    yield ""
    yield "    def __init__(self):"
    yield "        super().__init__()"
    if with_normalization:
        yield '        self.register_buffer("mean", MEAN.clone(), persistent=False)'
        yield '        self.register_buffer("std", STD.clone(), persistent=False)'
    for segment, one in made.of.items():
        yield f"        self.{made.attributes[segment]} = {one.name}()"
    yield ""
    yield "    def forward(self, x):  # [batch, channels, height, width] -> logits"
    if with_normalization:
        yield "        x = (x - self.mean) / self.std"
    for segment in made.of:
        yield f"        x = self.{made.attributes[segment]}(x)"
    if made.order is not None:
        for target, expression in pixel_by_pixel("x", made.order, "x"):
            yield from laid_out(f"        {target} = ", expression)
    yield "        return x"


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
