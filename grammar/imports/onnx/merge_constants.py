"""Drafts → layers. Multiplications and additions of constants go into their neighbours.

Before: conv(3x3, 8); × [8 numbers]; + [8 numbers]
After:  conv(3x3, 8, bias = true) with other weights
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from wootzc.grammar.imports.onnx.source_graph import Array
from wootzc.grammar.imports.onnx.tracing import Affine, Draft, Pick
from wootzc.ir.graph import Refused
from wootzc.ir.graph.graph import leading_to
from wootzc.ir.layers import Conv, Dense, DepthwiseConv

Drafts = dict[str, Draft]


def merged(drafts: Mapping[str, Draft], output: str) -> tuple[Drafts, str]:
    """The drafts that `output` needs, without an `Affine` or a `Pick`, and what `output` is now."""
    needed = leading_to([output], {name: draft.inputs for name, draft in drafts.items()})
    live = {name: draft for name, draft in drafts.items() if name in needed}
    merging = _Merging(live, output)
    for draft in list(merging.live.values()):
        if isinstance(draft.operation, Affine):
            with _damage(draft.name):
                merging.merge(draft.name)
    for draft in merging.live.values():
        if isinstance(draft.operation, Pick):
            raise draft.operation.refusal
    return merging.live, merging.output


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Constants and weights of a file can be at odds in more ways than can be listed."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        raise Refused(f'node "{name}" does not fit the layers beside it: {error}') from error


class _Merging:
    """The drafts that are left, and who reads each of them."""

    def __init__(self, live: Drafts, output: str):
        self.live, self.output = live, output
        self.readers: dict[str, dict[str, None]] = {}  # names, in order
        for draft in live.values():
            self._reads(draft)

    def merge(self, name: str) -> None:
        """Take an affine into its neighbours; where none can, it becomes a layer."""
        draft = self.live[name]
        affine = draft.operation
        assert isinstance(affine, Affine)
        if self._absorbed_before(draft, affine):
            self.output = draft.inputs[0] if self.output == name else self.output
        elif name == self.output or not self._absorbed_behind(draft, affine):
            self.live[name] = _as_layer(draft, affine)

    def _absorbed_before(self, draft: Draft, affine: Affine) -> bool:
        """Whether the layer before took it in: it can if nothing else reads what it makes."""
        maker = self.live.get(draft.inputs[0])
        if maker is None or maker.name == self.output or len(self.readers[maker.name]) > 1:
            return False
        changed = _before(affine, maker)
        if changed is None:
            return False
        self.live[maker.name] = changed
        self._bypass(draft)
        return True

    def _absorbed_behind(self, draft: Draft, affine: Affine) -> bool:
        """Whether all layers behind took it in. What they pad with must stay zero."""
        changed = [_with(affine, self.live[name]) for name in self.readers[draft.name]]
        if None in changed:
            return False
        self.live |= {d.name: d for d in changed if d is not None}
        self._bypass(draft)
        return True

    def _bypass(self, draft: Draft) -> None:
        """Take a draft out: who read it reads what it read."""
        (source,) = draft.inputs
        del self.live[draft.name]
        del self.readers[source][draft.name]
        for name in self.readers.pop(draft.name, {}):
            reader = self.live[name]
            inputs = tuple(source if i == draft.name else i for i in reader.inputs)
            self.live[name] = replace(reader, inputs=inputs)
            self._reads(self.live[name])

    def _reads(self, draft: Draft) -> None:
        for name in draft.inputs:
            self.readers.setdefault(name, {})[draft.name] = None


def _before(affine: Affine, maker: Draft) -> Draft | None:
    """A layer that does what it did with `affine` behind it; None where there is none."""
    weights = dict(maker.weights)
    operation: Any = maker.operation
    match operation:
        case Conv() | DepthwiseConv() | Dense():
            weights["kernel"] = weights["kernel"] * affine.scale
            _add_bias(weights, affine.scale, affine.shift)
            operation = replace(operation, bias="bias" in weights)
        case _ if "scale" in weights and ("bias" in weights or not affine.shift.any()):
            weights["scale"] = weights["scale"] * affine.scale  # with these it ends
            if "bias" in weights:
                weights["bias"] = weights["bias"] * affine.scale + affine.shift
        case _:
            return None
    return replace(maker, operation=operation, weights=weights)


def _add_bias(weights: dict[str, Array], scale: Array | float, shift: Array) -> None:
    if "bias" in weights or shift.any():
        weights["bias"] = weights.get("bias", 0.0) * scale + shift


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
