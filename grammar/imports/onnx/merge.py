"""Drafts → layers. Multiplications and additions of constants go into their neighbours.

Before: conv(3x3, 8); × [8 numbers]; + [8 numbers]
After:  conv(3x3, 8, bias = true) with other weights
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from wootzc.grammar.imports.onnx.context import Affine, Draft, Pick
from wootzc.grammar.imports.onnx.source import Array
from wootzc.ir.graph import Refused
from wootzc.ir.layers import Conv, Dense, DepthwiseConv, Norm

Drafts = dict[str, Draft]


def merged(drafts: Mapping[str, Draft], output: str) -> tuple[Drafts, str]:
    """The drafts that `output` needs, without an `Affine` or a `Pick`, and what `output` is now."""
    live = _needed(drafts, output)
    for name in list(live):
        draft = live[name] if name in live else None
        if draft is None or not isinstance(draft.operation, Affine):
            continue
        consumers = [d for d in live.values() if name in d.inputs]
        if _absorbed_before(live, draft, draft.operation, output):
            output = draft.inputs[0] if output == name else output
        elif name == output or not _absorbed_behind(live, draft, draft.operation, consumers):
            live[name] = _as_layer(draft, draft.operation)
    for draft in live.values():
        if isinstance(draft.operation, Pick):
            raise draft.operation.refusal
    return live, output


def _needed(drafts: Mapping[str, Draft], output: str) -> Drafts:
    wanted, needed = {output}, []
    for draft in reversed(list(drafts.values())):
        if draft.name in wanted:
            wanted |= set(draft.inputs)
            needed.append(draft)
    return {draft.name: draft for draft in reversed(needed)}


def _absorbed_before(live: Drafts, draft: Draft, affine: Affine, output: str) -> bool:
    """Whether the layer before took it in: it can if nothing else reads what it makes."""
    maker = live.get(draft.inputs[0])
    if maker is None or maker.name == output:
        return False
    if any(maker.name in d.inputs for d in live.values() if d is not draft):
        return False
    weights = dict(maker.weights)
    operation: Any = maker.operation
    match operation:
        case Conv() | DepthwiseConv() | Dense():
            weights["kernel"] = weights["kernel"] * affine.scale
            _add_bias(weights, affine.scale, affine.shift)
            operation = replace(operation, bias="bias" in weights)
        case Norm():
            weights["scale"] = weights["scale"] * affine.scale
            weights["bias"] = weights["bias"] * affine.scale + affine.shift
        case _:
            return False
    live[maker.name] = replace(maker, operation=operation, weights=weights)
    _bypass(live, draft)
    return True


def _add_bias(weights: dict[str, Array], scale: Array | float, shift: Array) -> None:
    if "bias" in weights or shift.any():
        weights["bias"] = weights.get("bias", 0.0) * scale + shift


def _absorbed_behind(live: Drafts, draft: Draft, affine: Affine, consumers: list[Draft]) -> bool:
    """Whether all layers behind took it in. What they pad with must stay zero."""
    changed = [_with(affine, consumer) for consumer in consumers]
    if not changed or None in changed:
        return False
    live |= {d.name: d for d in changed if d is not None}
    _bypass(live, draft)
    return True


def _with(affine: Affine, consumer: Draft) -> Draft | None:
    """A layer that does what it did behind `affine`; None where there is none."""
    weights = dict(consumer.weights)
    operation: Any = consumer.operation
    scale, shift = affine.scale, affine.shift
    match operation:
        case Affine():
            both = Affine(
                scale=scale * operation.scale, shift=shift * operation.scale + operation.shift
            )
            return replace(consumer, operation=both)
        case Dense():
            kernel = weights["kernel"]  # [in, out]
            extra = shift @ kernel
            weights["kernel"] = kernel * scale[:, None]
        case Conv(padding=padding, kernel=size) if _unpadded(padding, size) or not shift.any():
            kernel = weights["kernel"]  # [kh, kw, in // groups, out]
            by_group = (operation.groups, -1)
            each = operation.width // operation.groups
            factors = np.repeat(scale.reshape(by_group), each, axis=0).T  # [in // groups, out]
            added = np.repeat(shift.reshape(by_group), each, axis=0).T
            extra = (kernel * added).sum(axis=(0, 1, 2))
            weights["kernel"] = kernel * factors
        case DepthwiseConv(padding=padding, kernel=size) if (
            _unpadded(padding, size) or not shift.any()
        ):
            kernel = weights["kernel"]  # [kh, kw, 1, channels]
            extra = (kernel * shift).sum(axis=(0, 1, 2))
            weights["kernel"] = kernel * scale
        case _:
            return None
    _add_bias(weights, 1.0, extra)
    return replace(consumer, operation=replace(operation, bias="bias" in weights), weights=weights)


def _unpadded(padding: Any, size: tuple[int, int]) -> bool:
    return padding == "valid" or (padding == "same" and size == (1, 1))


def _bypass(live: Drafts, draft: Draft) -> None:
    """Take a draft out: who read it reads what it read."""
    del live[draft.name]
    for name, other in live.items():
        if draft.name in other.inputs:
            inputs = tuple(draft.inputs[0] if i == draft.name else i for i in other.inputs)
            live[name] = replace(other, inputs=inputs)


def _as_layer(draft: Draft, affine: Affine) -> Draft:
    if len(draft.shape) != 3:
        raise Refused(
            f'node "{draft.name}" multiplies a vector by constants or adds them, '
            "and no layer beside it can take them in"
        )
    biased = bool(affine.shift.any())
    weights = {"kernel": affine.scale[None, None, None]} | (
        {"bias": affine.shift} if biased else {}
    )
    layer = DepthwiseConv(kernel=(1, 1), bias=biased)
    return replace(draft, operation=layer, weights=weights)
