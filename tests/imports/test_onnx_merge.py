"""Multiplications by constants go into their neighbours, in a time that grows with the file."""

from typing import Any

import numpy as np
import pytest

from wootzc.grammar.imports.onnx.merge_constants import merged
from wootzc.grammar.imports.onnx.tracing import Affine, Draft, Operation
from wootzc.ir.graph import INPUT, Refused
from wootzc.ir.layers import Activation, Conv, DepthwiseConv

LINES = 1_000  # of Python for each draft; 250 are run

SHAPE = (1, 1, 2)
TWICE = Affine(scale=np.array([2.0, 2.0]), shift=np.zeros(2))
POINT = Conv(width=2, kernel=(1, 1), padding="valid")


def drafts(*lines: tuple[str, Operation, str]) -> dict[str, Draft]:
    return {
        name: Draft(
            name=name, inputs=tuple(inputs.split()) or (INPUT,), operation=operation, shape=SHAPE,
            weights={"kernel": np.ones((1, 1, 2, 2))} if operation is POINT else {},
        )
        for name, operation, inputs in lines
    }  # fmt: skip


def test_an_affine_between_others_reaches_all_of_its_readers() -> None:
    """Neither activation takes one in, so that both products go into the convolutions behind."""
    live, output = merged(
        drafts(
            ("r", Activation(), ""),
            ("a", TWICE, "r"),
            ("b", TWICE, "a"),
            ("c", POINT, "b"),
            ("d", POINT, "b"),
            ("s", "add", "c d"),
            ("e", TWICE, "s"),
        ),
        "e",
    )
    assert {name: draft.inputs for name, draft in live.items()} == {
        "r": (INPUT,), "c": ("r",), "d": ("r",), "s": ("c", "d"), "e": ("s",)
    }  # fmt: skip
    assert output == "e"
    assert [live[name].weights["kernel"].max() for name in "cd"] == [4, 4]
    assert isinstance(live["e"].operation, DepthwiseConv)


def test_a_constant_that_fits_no_layer_beside_it_is_refused() -> None:
    wide = Affine(scale=np.ones(3), shift=np.zeros(3))
    with pytest.raises(Refused, match='node "a" does not fit the layers beside it'):
        merged(drafts(("c", POINT, ""), ("a", wide, "c")), "a")


def test_many_affines(worked: Any) -> None:
    """A search of all drafts for the readers of each took 10 s for 4,000 of them."""
    count = 20_000
    lines: list[tuple[str, Operation, str]] = []
    before = ""
    for number in range(count):
        lines += [
            (f"c{number}", POINT, before),
            (f"r{number}", Activation(), f"c{number}"),
            (f"m{number}", TWICE, f"r{number}"),
        ]
        before = f"m{number}"
    made = drafts(*lines)
    with worked() as work:
        live, output = merged(made, before)
    assert work.lines < LINES * count
    assert len(live) == 2 * count + 1
    assert output == before
