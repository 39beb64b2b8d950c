"""What is wrong with a plan in a `.wzir` text is told at the node, field or row at fault."""

from collections.abc import Callable

import numpy as np
import pytest

from wootzc.diagnostics import WootzError, place
from wootzc.ir.array import Array
from wootzc.ir.passes import run
from wootzc.ir.plan import Plan
from wootzc.ir.space import Listed, Space
from wootzc.ir.text import print_plan
from wootzc.ir.text.sound import sound_plan

ROWS = [[0, 1], [1, 0], [1, 1]]


@pytest.fixture(scope="module")
def text(make_space: Callable[..., Space]) -> str:
    selection = Listed(rows=Array(np.array(ROWS, np.uint8)))
    return print_plan(run(Plan(space=make_space(2, selection=selection, blocks="wootz"))))


def told(text: str) -> list[tuple[str, str]]:
    """Messages, each with the line it stands at."""
    with pytest.raises(WootzError) as caught:
        sound_plan(text, "plan.wzir")
    assert all(d.code == "WZ084" and d.help for d in caught.value.diagnostics)
    lines = text.splitlines()
    found = []
    for diagnostic in caught.value.diagnostics:
        line, column = place(diagnostic.span, text)
        assert lines[line - 1][: column - 1].strip() == "", "the column is that of the node"
        found.append((diagnostic.message, lines[line - 1].strip()))
    return found


def changed(text: str, old: str, new: str, *, after: str = "") -> str:
    """`text` with the first `old` behind `after` replaced."""
    start = text.index(old, text.index(after))
    return text[:start] + new + text[start + len(old) :]


def test_a_sound_plan_is_read(text: str) -> None:
    assert print_plan(sound_plan(text)) == text


@pytest.mark.parametrize(
    ("after", "old", "new", "message", "line"),
    [
        ("listed", "1 0\n", "1 9\n", "module 1 at rate 9, which it may not have", "1 9"),
        ("listed", "1 0\n", "0 1\n", "candidate 1 stands twice: it is 0", "0 1"),
        ("candidates =", "1 0\n", "1 9\n", "module 1 at a rate that it may not have", "1 9"),
        ("candidates =", "1 1\n", "0 1\n", "a candidate stands twice", "0 1"),
        ("", "rates = (", "rates = (0.5, ", "the rates do not rise", "rates = (0.5, "),
        ("", "criteria = (", 'criteria = ("l2", ', "once per module", 'criteria = ("l2", '),
        ('module("m2"', "conv(7)", "conv(0)", "Conv has a width of 0; wootzc takes", "conv(0)"),
        (
            'module("m1"',
            "conv(4)",
            "conv(4, stride = (0, 1))",
            "has a stride of 0x1; wootzc",
            "conv(4, s",
        ),
        ("plain2", 'global_pool("avg")', "norm", "a layer of the network does not fit", "dense(3)"),
        ("", 'module("m2"', 'module("m1"', "have one name: 'm1'", 'module("m1"'),
    ],
)
def test_problems_stand_where_they_are(
    text: str, after: str, old: str, new: str, message: str, line: str
) -> None:
    if old not in text[text.index(after) :]:
        pytest.fail(f"{old!r} is not in the plan:\n{text}")
    found = told(changed(text, old, new, after=after))
    assert any(message in said and at.startswith(line) for said, at in found), found


def test_every_listed_row_at_fault_is_told(text: str) -> None:
    broken = changed(changed(text, "1 1\n", "7 1\n", after="listed"), "0 1\n", "9 1\n")
    assert [at for _, at in told(broken)][:2] == ["9 1", "7 1"]
