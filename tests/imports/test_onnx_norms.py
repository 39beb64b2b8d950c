"""Norms of groups, of each pixel's channels, and slopes by channel, as ONNX files have them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import Graph, Refused

Model = Callable[..., onnx.ModelProto]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.5, 2, shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


SPELT = [
    ("Reshape", "x apart", "a", {}),
    ("InstanceNormalization", "a scale bias", "n", {"epsilon": 0.1}),
    ("Reshape", "n back", "b", {}),
    ("Mul", "b each", "y", {}),
]
SPELT_CONSTANTS = {
    "apart": ints(0, 2, -1), "back": ints(2, 4, 8, 8), "scale": numbers(2), "bias": numbers(2),
    "each": numbers(4, 1, 1),
}  # fmt: skip


def by_hand(square: str, *axes: int) -> list[Any]:
    """A norm as torch's exporter writes it before opset 17, or a model of its own."""
    over = {"axes": axes}
    return [
        ("ReduceMean", "x", "m", over),
        ("Sub", "x m", "d", {}),
        (square, "d two" if square == "Pow" else "d d", "q", {}),
        ("ReduceMean", "q", "v", over),
        ("Add", "v e", "p", {}),
        ("Sqrt", "p", "r", {}),
        ("Div", "d r", "n", {}),
        ("Mul", "n s", "k", {}),
        ("Add", "k s", "y", {}),
    ]


def with_var(*axes: int) -> list[Any]:
    """The same as `torch.var` is exported: its variance has a shape to go to."""
    before, after = by_hand("Mul", *axes)[:4], by_hand("Mul", *axes)[5:]
    return [*before, ("Reshape", "v kept", "w", {}), ("Add", "w e", "p", {}), *after]


BY_HAND = {"two": np.float32(2), "e": np.float32(0.1)}


@pytest.mark.parametrize(
    ("steps", "constants", "opset", "reads"),
    [
        (
            [("GroupNormalization", "x s b", "y", {"num_groups": 2, "epsilon": 0.1})],
            {"s": numbers(4), "b": numbers(4)}, 21, "GroupNorm",
        ),
        (
            [("GroupNormalization", "x s b", "y", {"num_groups": 2, "epsilon": 0.1})],
            {"s": numbers(2), "b": numbers(2)}, 18, "GroupNorm",
        ),
        (SPELT, SPELT_CONSTANTS, 17, "GroupNorm"),
        (
            [("Transpose", "x", "t", {"perm": [0, 2, 3, 1]}),
             ("LayerNormalization", "t s b", "n", {"epsilon": 0.1}),
             ("Transpose", "n", "y", {"perm": [0, 3, 1, 2]})],
            {"s": numbers(4), "b": numbers(4)}, 17, "GroupNorm",
        ),
        (
            [("GlobalAveragePool", "x", "g", {}), ("Flatten", "g", "f", {}),
             ("LayerNormalization", "f s", "y", {})],
            {"s": numbers(4)}, 17, "avg GroupNorm",
        ),
        ([("PRelu", "x a", "y", {})], {"a": numbers(4, 1, 1)}, 17, "PRelu"),
        (by_hand("Pow", 1), BY_HAND | {"s": numbers(4, 1, 1)}, 13, "GroupNorm"),
        (by_hand("Mul", -3), BY_HAND | {"s": numbers(4, 1, 1)}, 17, "GroupNorm"),
        (by_hand("Mul", 1, 2, 3), BY_HAND | {"s": numbers(4, 1, 1)}, 17, "GroupNorm"),
        (
            with_var(1), BY_HAND | {"s": numbers(4, 1, 1), "kept": ints(2, 1, 8, 8)}, 17,
            "GroupNorm",
        ),
    ],
    ids=[
        "group norm", "factors a group", "spelt out", "of pixels", "of a vector", "slopes",
        "by hand", "by hand, from behind",
        "by hand, of all", "by hand, with var",
    ],
)  # fmt: skip
def test_they_are_read(
    steps: list[Any],
    constants: Mapping[str, Any],
    opset: int,
    reads: str,
    onnx_model: Model,
    agrees: Callable[..., Graph],
    kinds: Callable[[Graph], str],
) -> None:
    model = onnx_model(steps, constants, dims=(2, 4, 8, 8), opset=opset)
    assert kinds(agrees(model)) == reads


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"back": ints(2, 8, 4, 8), "each": numbers(8, 1, 1)}, "no groups of channels"),
        ({"apart": ints(1, 2, -1)}, "no groups of channels"),
        ({"apart": ints(0, 3, -1), "scale": numbers(3)}, "groups|does not fit"),
    ],
)
def test_what_only_looks_like_groups_is_refused(
    changed: Mapping[str, Any], message: str, onnx_model: Model, tmp_path: Path
) -> None:
    good = onnx_model(SPELT, SPELT_CONSTANTS, dims=(2, 4, 8, 8), opset=17)
    for name, value in changed.items():
        tensor = next(one for one in good.graph.initializer if one.name == name)
        tensor.CopyFrom(onnx.numpy_helper.from_array(value, name))
    onnx.save(good, tmp_path / "net.onnx")
    with pytest.raises(Refused, match=message):
        read_graph(str(tmp_path / "net.onnx"))


SCALED = [  # d · (k · r) in the place of d / r
    ("Constant", "", "k", {"value": onnx.numpy_helper.from_array(np.array(3, np.float32))}),
    ("Mul", "k r", "c", {}),
    ("Mul", "d c", "y", {}),
]


@pytest.mark.parametrize(
    ("steps", "constants", "message"),
    [
        ([*by_hand("Pow", 1)[:6], *SCALED], {}, "ReduceMean"),
        (by_hand("Pow", 2), {}, "more than the channels of each pixel"),
        (by_hand("Pow", 2, 3), {}, r"is a Div: it normalises the pixels of each channel, as inst"),
        (
            [("ReduceMean", "x", "m", {"axes": [2, 3]}), ("Sub", "x m", "y", {})],
            {},
            "is a Sub: it takes one number a channel from an image, as a norm over the pixels",
        ),
        (with_var(2), {"kept": ints(2, 4, 8, 1)}, "the variance another shape"),
        (by_hand("Pow", 1), {"two": np.float32(3)}, "something else than a standard deviation"),
        (
            [one if one[2] != "v" else (*one[:3], {"axes": [2]}) for one in by_hand("Pow", 1)],
            {},
            "something else than a standard deviation",
        ),
    ],
    ids=[
        "times a constant",
        "over rows",
        "over pixels",
        "a mean taken away",
        "var turned",
        "cubes",
        "two axes",
    ],
)
def test_what_only_looks_like_a_norm_is_refused(
    steps: list[Any], constants: Mapping[str, Any], message: str, onnx_model: Model, tmp_path: Path
) -> None:
    given = BY_HAND | {"s": numbers(4, 1, 1)} | dict(constants)
    onnx.save(onnx_model(steps, given, dims=(2, 4, 8, 8)), tmp_path / "net.onnx")
    with pytest.raises(Refused, match=message):
        read_graph(str(tmp_path / "net.onnx"))
