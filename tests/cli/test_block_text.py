"""`wootzc explain block`: what it says is what the cost model says."""

import re
from pathlib import Path

import pytest

from wootzc.builder import Store
from wootzc.cli.explain_text import explain_text
from wootzc.cli.options import calibrated
from wootzc.cli.plan_text import plan_figures, plan_text
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.ir.plan import Complete

DIGITS = Path(__file__).parent.parent.parent / "samples" / "digits.wz"
COSTLY = f"""
include "{DIGITS}"
space costly over digits_net {{
  data "{DIGITS.parent / "digits.npz"}" {{ validation 20%; test 20% }}
  teacher {{ steps 600 }}
  rates {{ 50%, 70%, 85%, 94% }}
  multiple of 1
  where nondecreasing(a1..a3)
  sample 40 stratified by params seed 2
  finetune {{ steps 2000 }}  // so that long blocks pay
  blocks optimal
  minimize params
  subject to accuracy >= teacher - 2 points
}}
"""


@pytest.fixture(scope="module")
def plan() -> Complete:
    return compile(COSTLY)


def seconds(text: str) -> float:
    """`4 min 05 s` → 245."""
    units = {"h": 3600.0, "min": 60.0, "s": 1.0}
    return sum(float(n) * units[u] for n, u in re.findall(r"([\d.]+) (h|min|s)\b", text))


def test_blocks_are_named_with_or_without_a_letter(plan: Complete) -> None:
    assert explain_text(plan, ("block", "3")) == explain_text(plan, ("block", "b3"))
    with pytest.raises(WootzError, match="numbered 0 to"):
        explain_text(plan, ("block", "b999"))


def test_every_chosen_block_is_better_than_the_next_best(plan: Complete) -> None:
    assert plan.blocks is not None and plan.selection is not None
    for number in range(len(plan.blocks)):
        text = explain_text(plan, ("block", str(number)))
        totals = re.search(r"everything takes (.*) with it, (.*) without it", text)
        instead = re.search(r"in its place: (.*?), with", text)
        assert totals and instead, text
        chosen, without, other = map(seconds, (totals[1], totals[2], instead[1]))
        assert abs(chosen - plan.selection.value) <= 1
        assert chosen <= other <= without


def test_a_long_block_says_what_would_be_in_its_place(plan: Complete) -> None:
    assert plan.blocks is not None
    number = max(range(len(plan.blocks)), key=lambda k: len(plan.blocks[k].rates))
    assert len(plan.blocks[number].rates) > 1
    text = explain_text(plan, ("block", str(number)))
    assert re.search(r"in its place: .*, with \w+\(\d+%\)", text)
    assert "optim" in text.splitlines()[-1]


@pytest.mark.parametrize("method", ["modules", "wootz", "maximal"])
def test_other_methods_are_weighed_too(method: str) -> None:
    text = explain_text(compile(DIGITS, overrides={"blocks": method}), ("block", "0"))
    assert "to pre-train, spares" in text and "next best" not in text


def test_the_cost_model_is_calibrated_only_from_a_store_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(WootzError, match="WZ099"):
        calibrated(tmp_path)
    assert calibrated(None) is None
    Store(tmp_path)
    with pytest.raises(WootzError, match="too few"):
        calibrated(tmp_path)


def test_plans_say_how_good_the_choice_is(plan: Complete) -> None:
    assert plan.selection is not None
    figures = plan_figures(plan)
    assert figures["blocks"]["predicted_seconds"]["value"] == plan.selection.value
    assert "predicted to train in" in plan_text(figures)
    modules = plan_figures(compile(DIGITS))
    assert modules["blocks"]["predicted_seconds"] is None
    assert "predicted to train in" not in plan_text(modules)
