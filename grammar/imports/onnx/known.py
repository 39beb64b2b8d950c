"""What can be told of an ONNX graph before any operator is read: attention, whose weights."""

from collections.abc import Iterator

from wootzc.grammar.imports.onnx.norms import PARAMETERS_OF_NORMS
from wootzc.grammar.imports.onnx.source_graph import Operator, Source
from wootzc.grammar.syntax.near_misses import either

MATRICES = frozenset({"Conv", "Gemm", "MatMul"})  # with weights as their second input
SAME = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
PARAMETERS = {  # of ours, from the second input on
    "Conv": ("kernel", "bias"),
    "Gemm": ("kernel", "bias"),
    "MatMul": ("kernel",),
    **PARAMETERS_OF_NORMS,
}


def check_attention(source: Source) -> None:
    """Raises `Refused` at the first product of two computed tensors.

    What stands before it, splits and layer norms, would be refused as well, for reasons that
    nobody could do anything about.
    """
    computed = {source.input}
    for operator in source.operators:
        reads = [name in computed for name in operator.inputs]
        if not any(reads) or operator.kind in ("Shape", "Size"):
            continue
        product = operator.kind in ("MatMul", "Einsum") and sum(reads) > 1
        if product or operator.kind.endswith("Attention"):
            raise operator.refused(
                "it multiplies tensors that are both computed from the image, as attention does",
                "networks with attention cannot be pruned",
            )
        computed.update(filter(None, operator.outputs))


def shared_weights(source: Source) -> list[str]:
    """A note for each initializer that is the kernel of several layers."""
    users: dict[str, list[str]] = {}
    for operator, inputs in read_tensors(source):
        if operator.kind in MATRICES and len(inputs) > 1 and inputs[1]:
            users.setdefault(inputs[1], []).append(operator.name)
    return [
        f'the weights "{weights}" are shared by {_listed(names)}: here each has its own, so '
        "parameters count more than once, and training lets them differ"
        for weights, names in users.items()
        if len(names) > 1
    ]


def training_norms(source: Source) -> list[str]:
    """A note where batch norms are exported as they are in training, by each batch's statistics."""
    names = [
        operator.name
        for operator in source.operators
        if operator.kind == "BatchNormalization"
        and (operator.attributes.get("training_mode", 0) or len(operator.outputs) > 1)
    ]
    if not names:
        return []
    return [
        f'batch norms were exported in training, "{names[0]}" and {len(names) - 1} more: here they '
        "take the file's running statistics; `model.eval()` before the export makes it say so"
    ]


def parameter_sources(source: Source) -> dict[str, dict[str, str]]:
    """By operator and parameter of ours, the tensor of the file that it is read from."""
    return {
        operator.name: found
        for operator, inputs in read_tensors(source)
        if operator.kind in PARAMETERS
        and (
            found := {
                parameter: name
                for parameter, name in zip(PARAMETERS[operator.kind], inputs[1:], strict=False)
                if name
            }
        )
    }


def read_tensors(source: Source) -> Iterator[tuple[Operator, tuple[str, ...]]]:
    """The operators, and where each input is a tensor of the file, at most rearranged, its name."""
    origins = {name: name for name in source.constants}
    for operator in source.operators:
        inputs = tuple(origins.get(name, "") for name in operator.inputs)
        yield operator, inputs
        if operator.kind == "Constant":
            origins[operator.outputs[0]] = operator.outputs[0]
        elif operator.kind in SAME and inputs[0]:
            origins[operator.outputs[0]] = inputs[0]


def _listed(names: list[str]) -> str:
    return either([f'"{name}"' for name in names], "and")
