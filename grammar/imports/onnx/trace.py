"""An ONNX graph, operator by operator: what is known becomes constants, the rest drafts."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from wootzc.grammar.imports.onnx import (
    curves,
    elementwise,
    features,
    joins,
    norms,
    reshaping,
    windows,
)
from wootzc.grammar.imports.onnx.constants import MOST, fold
from wootzc.grammar.imports.onnx.known import check_attention, shared_weights, training_norms
from wootzc.grammar.imports.onnx.model_file import first_line
from wootzc.grammar.imports.onnx.source_graph import Operator, Source
from wootzc.grammar.imports.onnx.tensors import Tensor, letters
from wootzc.grammar.imports.onnx.tracing import Context, Draft
from wootzc.ir.graph import INPUT, OpenSize, Refused
from wootzc.ir.graph.expressible import check_input
from wootzc.ir.layers.shapes import Shape, shape_text

COLOURS = {1, 3}  # channels that images have

Handler: TypeAlias = Callable[[Operator, Context], Tensor]

HANDLERS: dict[str, Handler] = {
    **elementwise.HANDLERS,
    **features.HANDLERS,
    **joins.HANDLERS,
    **norms.HANDLERS,
    **reshaping.HANDLERS,
    **windows.HANDLERS,
}

_NORM = (
    "wootzc has batch norm, norms of groups of channels, and of the channels of each pixel",
    "train the network with one of these instead",
)
_OPTIMISED = (
    "onnxruntime's optimiser makes such nodes out of others",
    "give the file from before it was optimised",
)
_UNKNOWN = "wootzc has no layer for it", "docs/models.md lists the operators that it reads"
WHY: dict[str, tuple[str, str]] = {
    kind: (why, help)
    for kinds, why, help in (
        ("Resize Upsample ConvTranspose DepthToSpace",
         "wootzc has no layer that enlarges images", "it prunes classifiers"),
        ("If Loop Scan", "wootzc reads networks without loops or conditions",
         "exporting for one fixed input size often removes them"),
        ("LSTM GRU RNN", "wootzc has no layer that goes through a series step by step",
         "it prunes convolutional classifiers"),
        ("QuantizeLinear DequantizeLinear QLinearConv ConvInteger MatMulInteger",
         "it is quantised", "export the network before it is quantised"),
        ("ArgMax TopK NonMaxSuppression", "what it makes is no score for each class",
         "export the network without it"),
        ("Mish Selu Shrink Sin Softsign ThresholdedRelu",
         elementwise.NO_ACTIVATION, elementwise.ACTIVATIONS),
        ("LpNormalization ReduceL1 ReduceL2", "wootzc does not divide vectors by their lengths",
         "export the network without the L2 norm of its features or weights"),
        ("Tile", "it repeats numbers, which no layer of wootzc does",
         "where it makes three channels of a grey image, let that enter as it is, and the first "
         "kernel be the sum over its three"),
        ("Split", *reshaping.APART),
    )
    for kind in kinds.split()
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    input: Shape
    drafts: dict[str, Draft]  # in an order in which they can run
    output: str
    notes: Sequence[str]


def trace(source: Source, input: Shape | None) -> Traced:
    """The layers that an ONNX graph computes. Raises `Refused` for what wootzc lacks.

    `input`: height, width and channels, where the file leaves them open.
    """
    first, *others = _layouts(source)
    try:
        return _traced(source, input, first)
    except OpenSize:
        raise
    except Refused:
        for layout in others:
            with suppress(Refused):
                return _traced(source, input, layout)
        raise


def _traced(source: Source, input: Shape | None, layout: str) -> Traced:
    """`layout`: the axes of the input, one a letter."""
    shape, batch = _input_shape(source, layout, input)
    entering = Tensor(node=INPUT, image=shape, layout=letters(layout, shape), batch=batch)
    context = Context(
        constants=dict(source.constants), tensors={source.input: entering}, input=shape
    )
    check_attention(source)
    if source.whole:
        context.notes.append(
            f'the input "{source.input}" takes pixels as whole numbers, from 0 to 255 as a rule: '
            "with `mean(0); std(0.003921569)` in the braces of the data they come so"
        )
    context.notes += [*shared_weights(source), *training_norms(source)]
    operators = list(norms.with_whole_norms(source))
    uses = Counter(name for operator in operators for name in operator.inputs)
    for operator in operators:
        try:
            _step(operator, context)
            _forget(operator, context, uses)
        except Refused:
            raise
        # Attributes and shapes of a file can be at odds in more ways than can be listed.
        except Exception as error:
            raise operator.refused(f"it does not fit what enters: {first_line(error)}") from error
    output = _output(source, context)
    return Traced(input=shape, drafts=context.drafts, output=output, notes=context.notes)


def _forget(operator: Operator, context: Context, uses: Counter[str]) -> None:
    """Let go of the curves of tensors that nothing reads any more: files have thousands."""
    for name in operator.inputs:
        uses[name] -= 1
        tensor = context.tensors.get(name)
        if tensor is not None and tensor.lines and not uses[name]:
            context.tensors[name] = replace(tensor, lines={})


def _step(operator: Operator, context: Context) -> None:
    inputs = [name for name in operator.inputs if name]
    if operator.kind in ("Shape", "Size") and inputs[0] in context.tensors:
        dims = context.tensors[inputs[0]].dims
        given = operator.attributes
        part = dims[given.get("start", 0) : given.get("end", len(dims))]
        value = part if operator.kind == "Shape" else np.prod(dims)
        context.constants[operator.outputs[0]] = np.array(value, dtype=np.int64)
    elif all(name in context.constants for name in inputs):
        known = {name: context.constants[name] for name in inputs}
        made = fold(operator, known)
        context.folded += sum(value.size for value in made.values())
        context.folded -= sum(value.size for value in known.values())
        if context.folded > MOST:
            raise operator.refused(f"with those before it it makes more than {MOST:,} numbers")
        context.constants |= made
    elif operator.kind == "CastLike" and inputs[0] in context.constants:
        context.constants[operator.outputs[0]] = context.constants[inputs[0]]
    elif handler := HANDLERS.get(operator.kind):
        context.tensors[operator.outputs[0]] = handler(operator, context)
    else:
        why, help = WHY.get(operator.kind, _other(operator.kind))
        raise operator.refused(why, help)


def _other(kind: str) -> tuple[str, str | None]:
    if kind.startswith("com.microsoft."):
        return _OPTIMISED
    return _NORM if kind.endswith("Normalization") else _UNKNOWN


def _layouts(source: Source) -> tuple[str, ...]:
    """The order of the input's axes; where it can't be told for sure two, the likelier first.

    NHWC where all that reads the input first transposes it, as tf2onnx writes it, or where the
    sizes are those of an image that is grey or in colour; else NCHW.
    """
    names, through = {source.input}, {"Identity", "Cast", *curves.BINARY}
    orders = set()
    for operator in source.operators:
        if not names & set(operator.inputs):
            continue
        if operator.kind in through:
            names |= set(operator.outputs)
        else:
            order = operator.attributes.get("perm", ()) if operator.kind == "Transpose" else ()
            orders.add(tuple(order))
    if orders == {(0, 3, 1, 2)}:
        return ("NHWC",)
    if len(source.sizes) == 4 and source.sizes[3] in COLOURS and not COLOURS & {*source.sizes[1:3]}:
        return "NHWC", "NCHW"
    return ("NCHW",)


def _input_shape(source: Source, layout: str, given: Shape | None) -> tuple[Shape, int]:
    """(height, width, channels), and the batch: 1 where it is open."""
    if len(source.sizes) != 4:
        raise Refused(
            f'the input "{source.input}" has {len(source.sizes)} axes; '
            "wootzc takes images: batch, channels, height and width",
            "a series can enter as an image of one row, and its layers be convolutions of 1xk"
            if len(source.sizes) == 3
            else "it prunes classifiers of images",
        )
    sizes = dict(zip(layout, source.sizes, strict=True))
    said = [sizes[axis] for axis in "HWC"]
    example = "x".join(str(size or usual) for size, usual in zip(said, (224, 224, 3), strict=True))
    if given is None:
        if None in said:
            raise OpenSize(
                f'the file leaves the size of its input "{source.input}" open',
                f"write `input({example})` in braces behind the file's name",
            )
        given = tuple(size or 0 for size in said)
    if len(given) != 3 or any(s not in (None, g) for s, g in zip(said, given, strict=False)):
        raise Refused(
            f'input({shape_text(given)}) does not fit the input "{source.input}" of the file, '
            f"{'x'.join(str(size or 'any') for size in said)}",
            f"write `input({example})`, or leave it out",
        )
    check_input(given, f'the input "{source.input}"')
    return given, sizes["N"] or 1


def _output(source: Source, context: Context) -> str:
    tensor = context.tensors.get(source.output)
    if tensor is None:
        raise Refused(f'the output "{source.output}" does not depend on the input')
    if tensor.softmax:
        context.notes.append("the softmax at the end is left out: training adds it to the loss")
    elif tensor.refusal:
        raise tensor.refusal
    assert tensor.node is not None
    if tensor.image[:2] != (1, 1) or tensor.layout[:1] != ("N",):
        sizes = "x".join(map(str, tensor.dims))
        raise Refused(
            f'the output "{source.output}" is {sizes}, not one score for each class',
            "wootzc prunes classifiers",
        )
    if tensor.node == INPUT:
        raise Refused("the network has no layers")
    return tensor.node
