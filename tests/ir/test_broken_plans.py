"""Broken plans, by meaning: what is said of each, and where.

Each is `broken/plan.wzir` with some stretches replaced; `broken/told.expect` holds all answers.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from wootzc.diagnostics import UNKNOWN, WootzError
from wootzc.ir.text import print_plan
from wootzc.ir.text.sound import sound_plan

PLAN = Path(__file__).parent / "broken" / "plan.wzir"
TEXT = PLAN.read_text(encoding="utf-8")


def _between(first: str, last: str) -> str:
    return TEXT[TEXT.index(first) : TEXT.index(last)]


# What is replaced by what, the first behind the third.
BROKEN: dict[str, tuple[tuple[str, str] | tuple[str, str, str], ...]] = {
    "row-too-short": (("    1 1 0\n", "    1 1\n", "candidates ="),),
    "row-of-words": (("    1 1 0\n", "    1 one 0\n", "candidates ="),),
    "row-missing": (("    1 1 0\n", "", "candidates ="),),
    "row-negative": (("    1 1 0\n", "    1 -1 0\n", "candidates ="),),
    "rows-with-commas": (("    1 1 0\n", "    1, 1, 0\n", "candidates ="),),
    "dtype-float": (("uint8[3, 3]", "float32[3, 3]"),),
    "dtype-int32": (("candidates = uint8[3, 3]", "candidates = int32[3, 3]"),),
    "shape-turned": (("candidates = int64[3] {", "candidates = int64[3, 1] {"),),
    "shape-huge": (("uint8[3, 3]", "uint8[3000000000, 3]"),),
    "candidate-breaks-tie": (("    1 1 0\n", "    1 0 0\n", "candidates ="),),
    "candidate-twice": (("    1 1 0\n", "    1 1 1\n", "candidates ="),),
    "rate-of-one": (("rates = (0.0, 0.5)", "rates = (0.0, 1.0)"),),
    "rate-in-percent": (("rates = (0.0, 0.5)", "rates = (0.0, 50%)"),),
    "rates-as-text": (("rates = (0.0, 0.5)", 'rates = ("0", "50%")'),),
    "rates-as-list": (("rates = (0.0, 0.5)", "rates = [0.0, 0.5]"),),
    "rates-nan": (("rates = (0.0, 0.5)", "rates = (0.0, nan)"),),
    "choice-of-no-rate": (
        ("choices = ((0, 1), (0, 1), (0, 1))", "choices = ((0, 1), (0, 2), (0, 1))"),
    ),
    "choice-empty": (("choices = ((0, 1), (0, 1), (0, 1))", "choices = ((0, 1), (), (0, 1))"),),
    "choice-falls": (("choices = ((0, 1), (0, 1), (0, 1))", "choices = ((0, 1), (1, 0), (0, 1))"),),
    "one-criterion-too-few": (('criteria = ("l1", "l1", "l1")', 'criteria = ("l1", "l1")'),),
    "criterion-unknown": (('criteria = ("l1", "l1", "l1")', 'criteria = ("l1", "hessian", "l1")'),),
    "tie-beyond": (("tie((0, 1))", "tie((0, 7))"),),
    "tie-of-one": (("tie((0, 1))", "tie((0))"),),
    "limit-of-nothing": (('cost_limit("params"', 'cost_limit("flops"'),),
    "limit-as-share": (("value = 905", "value = 0.9"),),
    "limit-sign": (('comparison = "<="', 'comparison = "<"'),),
    "accuracy-in-percent": (
        ("accuracy_limit(0.01, below_teacher = True)", "accuracy_limit(1, below_teacher = yes)"),
    ),
    "explore-unknown": (('explore = "predicted"', 'explore = "random"'),),
    "blocks-unknown": (('blocks = "wootz"', 'blocks = "woots"'),),
    "truncated": ((TEXT[TEXT.index("  composition") :], ""),),
    "truncated-in-a-row": ((TEXT[TEXT.index("0 0 -1") :], "0 0"),),
    "brace-too-many": (("  exploration_order", "  }\n  exploration_order"),),
    "brace-missing": (("    tie((0, 1))", "    tie((0, 1)) {"),),
    "costs-off": (("858 710 562", "858 711 562"),),
    "fixed-off": (('cost_table("params", fixed = 94)', 'cost_table("params", fixed = 95)'),),
    "variants-off": (("304 156\n", "304 157\n"),),
    "cost-table-missing": ((_between('    cost_table("macs"', '    cost_table("size"'), ""),),
    "cost-table-twice": (
        ('cost_table("macs", fixed = 2344)', 'cost_table("params", fixed = 2344)'),
    ),
    "symbol-out-of-range": (("symbol = (2, 1)", "symbol = (3, 1)"),),
    "symbol-of-no-rate": (("symbol = (2, 1)", "symbol = (2, 4)"),),
    "rule-of-no-rule": (("rule((3, 5), frequency = 2)", "rule((3, 50), frequency = 2)"),),
    "rule-in-a-circle": (("rule((3, 5), frequency = 2)", "rule((3, 1), frequency = 2)"),),
    "rule-frequency": (("rule((3, 5), frequency = 2)", "rule((3, 5), frequency = 3)"),),
    "rule-with-both": (
        ("rule((3, 5), frequency = 2)", "rule((3, 5), frequency = 2, symbol = (0, 0))"),
    ),
    "block-beyond": (("block(2, rates = (1,))", "block(2, rates = (1, 1))"),),
    "block-of-nothing": (("block(2, rates = (1,))", "block(2, rates = (0,))"),),
    "block-twice": (("block(2, rates = (1,))", "block(0, rates = (1, 1))"),),
    "composition-of-no-block": (("    0 0 1\n", "    0 0 5\n", "composition"),),
    "composition-cut": (("    0 0 1\n", "    0 -1 1\n", "composition"),),
    "composition-other-rate": (
        ("    -1 -1 1\n", "    -1 -1 -1\n", "composition"),
        ("    0 0 -1\n", "    0 0 1\n", "composition"),
    ),
    "order-twice": (("    2 1 0\n", "    2 1 1\n", "exploration"),),
    "order-beyond": (("    2 1 0\n", "    3 1 0\n", "exploration"),),
    "training-order-missing": (("training_order = (0, 1)", "training_order = (0,)"),),
    "training-order-beyond": (("training_order = (0, 1)", "training_order = (0, 4)"),),
    "steps-negative": (("teacher = recipe(10,", "teacher = recipe(-10,"),),
    "steps-as-word": (("teacher = recipe(10,", "teacher = recipe(ten,"),),
    "batch-zero": (("teacher = recipe(10,", "teacher = recipe(10, batch = 0,"),),
    "optimizer-unknown": (('optimizer("sgd", options', 'optimizer("sdg", options'),),
    "learning-rate-negative": (("learning_rate = 0.05", "learning_rate = -0.05"),),
    "distill-above-one": (("distill = 0.5", "distill = 5.0"),),
    "temperature-zero": (("temperature = 4.0", "temperature = 0.0"),),
    "sample-zero": (("sample(6, seed = 1)", "sample(0, seed = 1)"),),
    "sample-seed-negative": (("sample(6, seed = 1)", "sample(6, seed = -1)"),),
    "data-missing": (('    data("digits.npz")\n', ""),),
    "data-split": (('data("digits.npz")', 'data("digits.npz", validation = 0.9, test = 0.3)'),),
    "network-twice": (
        ("    tie((0, 1))", '    network("o", input = (8, 8, 1)) {\n    }\n    tie((0, 1))'),
    ),
    "activation-unknown": (('activation("relu")', 'activation("rleu")'),),
    "norm-epsilon-negative": (("            norm\n", "            norm(epsilon = -1.0)\n"),),
    "conv-without-width": (("conv(4)", "conv()"),),
    "conv-even": (("conv(4)", "conv(4, kernel = 3)"),),
    "arm-of-other-shape": (
        ("conv(4)\n            norm\n          }", "conv(5)\n            norm\n          }"),
    ),
    "input-channels-first": (("input = (8, 8, 1)", "input = (1, 8)"),),
    "layer-unknown": (("norm\n", "batch_norm\n"),),
    "wz-in-wzir": (("    tie((0, 1))", "    tie a1, a2"),),
    "tabs-and-comment": (("    tie((0, 1))", "    tie((0, 1)); prune *"),),
    "seed-float": (("    tie((0, 1))", "    seed = 1.5\n    tie((0, 1))"),),
    "field-twice": (
        ("    rates = (0.0, 0.5)\n", "    rates = (0.0, 0.5)\n    rates = (0.0, 0.7)\n"),
    ),
}


def broken(name: str) -> str:
    text = TEXT
    for old, new, *after in BROKEN[name]:
        start = text.index(old, text.index(after[0]) if after else 0)
        text = text[:start] + new + text[start + len(old) :]
    return text


def told(name: str) -> WootzError:
    with pytest.raises(WootzError) as caught:
        sound_plan(broken(name), f"{name}.wzir")
    assert all(found.span != UNKNOWN for found in caught.value.diagnostics)
    return caught.value


def test_the_plan_itself_is_sound() -> None:
    assert print_plan(sound_plan(TEXT)) == TEXT


def test_all_are_told(expect: Callable[[Path, str], None]) -> None:
    expect(PLAN.with_name("told"), "\n\n".join(str(told(name)) for name in BROKEN) + "\n")
