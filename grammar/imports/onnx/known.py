"""What can be told of an ONNX graph before any operator is read: attention, shared weights."""

from wootzc.grammar.imports.onnx.source import Source

MATRICES = frozenset({"Conv", "Gemm", "MatMul"})  # with weights as their second input
SAME = frozenset({"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


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
    origins = {name: name for name in source.constants}
    users: dict[str, list[str]] = {}
    for operator in source.operators:
        inputs = operator.inputs
        if operator.kind == "Constant":
            origins[operator.outputs[0]] = operator.outputs[0]
        elif operator.kind in SAME and inputs[0] in origins:
            origins[operator.outputs[0]] = origins[inputs[0]]
        elif operator.kind in MATRICES and len(inputs) > 1 and inputs[1] in origins:
            users.setdefault(origins[inputs[1]], []).append(operator.name)
    return [
        f'the weights "{weights}" are shared by {_listed(names)}: here each has its own, so '
        "parameters count more than once, and training lets them differ"
        for weights, names in users.items()
        if len(names) > 1
    ]


def _listed(names: list[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
