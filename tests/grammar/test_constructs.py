"""What builds on something else means what it stands for, written out."""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from wootzc.diagnostics import render
from wootzc.driver import analyze_file, compile
from wootzc.grammar import Analysis, analyze, format_text
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import evaluate
from wootzc.grammar.text.print_tree import print_tree
from wootzc.ir.layers import Branch, Conv
from wootzc.ir.net.network import Network
from wootzc.ir.net.rate import removed
from wootzc.ir.passes import PASSES, run
from wootzc.ir.plan import Plan
from wootzc.ir.space import All, Listed, Ordered, Space, Tie
from wootzc.ir.space.narrow import constraint_text, trunk_choices, trunk_rates
from wootzc.ir.text import parse_ir, parse_plan, print_ir, print_plan

MODULE = "module basic(width, stride = 1) { conv(3x3, width, stride = stride); conv(3x3, width) }\n"
NETWORK = MODULE + "network n { input(16x16x3); basic(64) as a[1..4]; global_pool; dense(10) }\n"
FIRST = """space first over n {
  data "x.npz" { validation 20%; test 10% }
  teacher { steps 600; batch 128; patience 3 }
  rates { 0, 50% }
  prune a1 by l2
  prune a[2..3]
  keep a4
  tie a1, a2
  where params <= 99%
  where macs >= 10%
  where macs <= 98%
  sample 2 seed 3
  minimize params
  subject to accuracy >= 80%
  subject to macs <= 97%
  budget 5 candidates
  budget 2 hours
}
"""


def good(text: str, overrides: Mapping[str, str] | None = None) -> Analysis:
    analysis = analyze(text, overrides=overrides)
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    return analysis


def network(text: str) -> Network:
    return good(text).networks[0]


def spaces(text: str, overrides: Mapping[str, str] | None = None) -> dict[str, Space]:
    return {space.name: space for space in good(text, overrides).spaces}


def value(expression: str, **scope: Any) -> Any:
    """What an expression comes to."""
    from wootzc.grammar.parse import parse

    tree = parse(f"let it = {expression}", "x").tree
    assert tree is not None
    [item] = tree.items
    report = Report()
    found = evaluate(item.value, scope, report)  # type: ignore[union-attr]
    assert not report.diagnostics
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("round(2.5)", 3), ("round(-2.5)", -2), ("round(2.4999)", 2), ("floor(2.9)", 2),
        ("ceil(2.1)", 3), ("ceil(0.1 * 30)", 3), ("floor(0.29 * 100)", 29), ("ceil(-0.5)", 0),
        ("max(1, 2.5)", 2.5), ("min(3, 2, 4)", 2), ("max(8, round(20 / 8) * 8)", 24),
        ("2 x 3 x 4", (2, 3, 4)), ("image x 3", (8, 8, 3)),
        ("(1 x 2) x image", (1, 2, 8, 8)), ("width / 2 x width", (6, 12)), ("3x3", (3, 3)),
        ("-min(1, 2) x 2", (-1, 2)),
    ],
)  # fmt: skip
def test_calculations(expression: str, expected: Any) -> None:
    found = value(expression, image=(8, 8), width=12)
    assert (found, type(found)) == (expected, type(expected))


def test_a_number_beyond_all_figures_stays_one() -> None:
    assert value("ceil(1e300)") == value("1e300") == float("inf")


def test_shortcuts_are_arms_where_they_fit_and_nowhere_else() -> None:
    """With one other arm, nothing is added where they do not fit; with two, these alone are."""
    fits = "{ shortcut_if_fits }"
    start = "network n { input(8x8x4); add { { conv(3x3, 4); norm }"
    one = network(f"{start} {fits} }} }}")
    assert one == network(f"{start} {{ }} }} }}")
    away = network(f"{start.replace('conv(3x3, 4)', 'conv(3x3, 5)')} {fits} }}; norm }}")
    assert away == network("network n { input(8x8x4); conv(3x3, 5); norm; norm }")
    two = network(f"{start} {fits} {{ conv(1x1, 4) }} }} }}")
    assert two == network(f"{start} {{ }} {{ conv(1x1, 4) }} }} }}")
    [branch] = network(
        f"network n {{ input(8x8x4); add {{ {fits} {{ conv(3x3, 5) }} {{ conv(1x1, 5) }} }} }}"
    ).segments[0].body  # fmt: skip
    assert isinstance(branch, Branch)
    assert len(branch.arms) == 2


def test_channels_are_those_that_enter_each_layer_of_each_arm() -> None:
    text = """module m(inner = channels / 2, outer = inner * 3) {
  conv(1x1, channels * 2)
  conv(1x1, inner)
  add { { conv(1x1, channels); conv(1x1, channels * 5); conv(1x1, outer) } { conv(1x1, outer) } }
}
network n { input(8x8x4); m as a; m(channels) as b }
"""
    written_out = """network n {
  input(8x8x4)
  module a {
    conv(1x1, 8); conv(1x1, 2)
    add { { conv(1x1, 2); conv(1x1, 10); conv(1x1, 6) } { conv(1x1, 6) } }
  }
  module b {
    conv(1x1, 12); conv(1x1, 6)
    add { { conv(1x1, 6); conv(1x1, 30); conv(1x1, 18) } { conv(1x1, 18) } }
  }
}
"""
    assert network(text) == network(written_out)


def test_a_parameter_called_channels_is_that_parameter() -> None:
    text = "module m(channels) { conv(1x1, channels); conv(1x1, channels) }\n"
    body = network(text + "network n { input(8x8x4); m(7) }").segments[0].body
    assert [layer.width for layer in body if isinstance(layer, Conv)] == [7, 7]


def test_layers_and_modules_come_before_parameters() -> None:
    """As in files of old: a parameter may have the name of the layer that it is for."""
    text = "module m(dropout = 0.25, basic = 3) { dropout(dropout); basic(basic) }\n"
    text += "network n { input(8x8x4); m }"
    plain = "network n { input(8x8x4); module m1 { dropout(0.25); conv(3x3, 3); conv(3x3, 3) } }"
    assert network(MODULE + text) == network(plain)


def test_a_module_may_be_within_itself_as_long_as_that_ends() -> None:
    text = "module twice(what) { what; what }\nmodule four { twice(relu); twice(tanh) }\n"
    text += "network n { input(8x8x4); twice(four) as a }"
    layers = "; ".join(["relu", "relu", "tanh", "tanh"] * 2)
    assert network(text) == network(f"network n {{ input(8x8x4); module a {{ {layers} }} }}")


def test_each_value_of_a_series_has_its_turn() -> None:
    text = MODULE + "network n { input(32x32x3); basic(8 then 16 then 32, 2 then 1) as a[3..6] }"
    lines = ["basic(8, 2) as a3", "basic(16) as a4", "basic(32) as a[5..6]"]
    written_out = MODULE + f"network n {{ input(32x32x3); {'; '.join(lines)} }}"
    assert network(text) == network(written_out)


def test_a_derived_space_is_the_same_as_one_that_says_all() -> None:
    """Each statement takes the place of those about the same, and of no other."""
    derived = """space second from first {
  data "y.npz" { test 20% }
  teacher { epochs 4 }
  prune * except a4 by bn_scale
  keep a3
  where macs <= 95%
  all
  subject to accuracy >= teacher - 1 points
  budget 3 candidates
}
"""
    full = """space second over n {
  data "y.npz" { validation 20%; test 20% }
  teacher { batch 128; patience 3; epochs 4 }
  rates { 0, 50% }
  prune a[1..3] by bn_scale
  keep a3
  tie a1, a2
  where params <= 99%
  where macs >= 10%
  where macs <= 95%
  all
  minimize params
  subject to macs <= 97%
  subject to accuracy >= teacher - 1 points
  budget 2 hours
  budget 3 candidates
}
"""
    network = NETWORK.replace("conv(3x3, width, stride = stride)",
                              "conv(3x3, width, stride = stride); norm")  # fmt: skip
    assert spaces(network + FIRST + derived)["second"] == spaces(network + full)["second"]
    assert format_text(derived) == derived


def test_spaces_build_on_spaces_that_build_on_spaces_in_any_order() -> None:
    text = "space third from second { }\nspace second from first { seed 7 }\n" + NETWORK + FIRST
    found = spaces(text)
    assert found["third"].seed == found["second"].seed == 7
    assert found["first"].seed == 0


def test_what_is_only_built_on_may_lack_data_and_goal() -> None:
    """What lacks something in the end is told of it once, by itself."""
    base = "space base over n { rates { 0, 50% }; minimize params; subject to accuracy >= 80% }\n"
    found = spaces(NETWORK + base + 'space a from base { data "x.npz" }\n')
    assert found.keys() == {"a"}
    lacking = analyze(NETWORK + base + "space a from base { }\n").diagnostics
    assert [(d.code, d.message) for d in lacking] == [("WZ075", "space `a` has no data")]
    alone = analyze(NETWORK + base).diagnostics
    assert [(d.code, d.message) for d in alone] == [("WZ075", "space `base` has no data")]


def test_another_network_takes_the_arguments_of_its_own() -> None:
    text = MODULE + "network n(w) { input(8x8x3); basic(w) as a[1..4]; global_pool; dense(10) }\n"
    text += "network o { input(8x8x1); basic(8) as a[1..4]; global_pool; dense(10) }\n"
    text += FIRST.replace("over n", "over n(w = 32)")
    text += "space b from first { }\nspace c over n(w = 16) from first { }\n"
    text += "space d over o from c { }\n"
    widths = {s.name: s.network.segments[0].body[0] for s in spaces(text).values()}
    found = {name: layer.width for name, layer in widths.items() if isinstance(layer, Conv)}
    assert found == {"first": 32, "b": 32, "c": 16, "d": 8}


def test_what_an_included_file_has_can_be_built_on(tmp_path: Path) -> None:
    (tmp_path / "base.wz").write_text("let wide = 24\n" + NETWORK + FIRST)
    main = tmp_path / "main.wz"
    main.write_text('include "base.wz"\nlet steps = wide * 2\n'
                    "space mine from first { teacher { steps steps } }\n")  # fmt: skip
    analysis = analyze_file(main)
    assert not analysis.diagnostics
    [space] = analysis.spaces
    assert (space.name, getattr(space.teacher, "steps", None)) == ("mine", 48)
    assert Path(space.data.path) == tmp_path / "x.npz"


def test_mistakes_of_a_base_are_told_once_and_where_they_stand() -> None:
    text = NETWORK + FIRST.replace("50%", "150%") + "space b from first { }\nspace c from b { }\n"
    [diagnostic] = analyze(text).diagnostics
    assert (diagnostic.code, text[diagnostic.span.start : diagnostic.span.end]) == ("WZ041", "150%")


STAGES = FIRST.replace("  rates", """  pretrain from teacher { steps 40 }
  finetune from pretrain { every 5 }
  polish off
  rates""")  # fmt: skip


def test_a_stage_takes_what_means_something_in_it() -> None:
    """Blocks have no patience; what builds on them has none either."""
    space = spaces(NETWORK + STAGES)["first"]
    stages = (space.teacher, space.pretrain, space.finetune)
    found = [[getattr(s, name) for name in ("steps", "batch", "patience")] for s in stages]
    assert found == [[600, 128, 3], [40, 128, None], [40, 128, None]]
    assert (space.finetune.every, space.finetune.clip) == (5, 1.0)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"teacher.batch": "32"}, (32, 32, 32, 40)),
        ({"pretrain.batch": "32"}, (128, 32, 32, 40)),
        ({"finetune.steps": "9"}, (128, 128, 128, 9)),
        ({"finetune": "from teacher"}, (128, 128, 128, 600)),
        ({"finetune": "{ batch 8 }"}, (128, 128, 8, 40)),
    ],
)
def test_settings_of_the_command_line_go_on_to_what_builds_on_them(
    overrides: dict[str, str], expected: tuple[int, ...]
) -> None:
    for name, text in (("first", STAGES), ("next", STAGES + "space next from first { }\n")):
        space = spaces(NETWORK + text, overrides)[name]
        batches = [getattr(s, "batch", 0) for s in (space.teacher, space.pretrain, space.finetune)]
        assert (*batches, space.finetune.steps) == expected


def test_ranges_of_rates_are_the_rates_that_a_list_would_have() -> None:
    """Exactly: 30% of a range is the number that 30% is."""
    listed = "rates { " + ", ".join(f"{i}%" for i in range(0, 100, 5)) + " }"
    text = NETWORK + FIRST.replace("  rates", "  multiple of 1\n  rates")
    [one] = good(text.replace("rates { 0, 50% }", "rates 0..95% step 5%")).spaces
    [other] = good(text.replace("rates { 0, 50% }", listed)).spaces
    [by_fractions] = good(text.replace("rates { 0, 50% }", "rates 0..0.95 step .05")).spaces
    [set_anew] = good(text, {"rates": "0..95% step 5%"}).spaces
    assert one == other == by_fractions == set_anew


def test_exceptions_may_leave_out_what_is_named_in_any_way() -> None:
    for pattern in ("* except a1, a4", "a[1..4] except a1, a[4..4]", "a2, a* except a1, a4..a4"):
        [space] = good(
            NETWORK + FIRST.replace("prune a[2..3]", f"prune {pattern} by random")
        ).spaces
        assert space.criteria == ("l2", "random", "random", "l1")


def test_constants_stand_for_words_numbers_and_sizes_in_settings() -> None:
    text = "let how = cosine\nlet rate = 1 / 8\nlet few = 3\nlet share = 25%\n" + NETWORK + FIRST
    settings = "schedule how; optimizer sgd(rate / 2, momentum = share); batch few; clip share"
    plain = "schedule cosine; optimizer sgd(0.0625, momentum = 0.25); batch 3; clip 0.25"
    found, expected = (
        spaces(text.replace("batch 128; patience 3", s))["first"] for s in (settings, plain)
    )  # fmt: skip
    assert found == expected


def test_constants_stand_wherever_a_number_does() -> None:
    numbers = {
        "half": "50%", "most": "99%", "two": "2", "three": "3", "four": "4", "five": "5",
        "floor_": "80%", "sure": "95%", "little": "1%", "many": "512",
    }  # fmt: skip
    plain = NETWORK + FIRST.replace("80%", "80% with confidence 95%").replace(
        "budget 2 hours",
        "multiple of 4\n  budget 2 hours\n  until saving < 1%\n  seed 5\n"
        "  certify 95%\n  pretrain { reconstruct 512 images }",
    )
    named = plain
    for name, number in numbers.items():
        named = re.sub(rf"(?<=[\s.\[]){number}(?!\w)", name, named)
    named = "".join(f"let {n} = {number}\n" for n, number in numbers.items()) + named
    assert not set(numbers.values()) & set(re.findall(r"\S+", named.split("network n")[1]))
    assert spaces(named) == spaces(plain)


def test_parameters_hide_constants() -> None:
    text = "let width = 5\nmodule m(width) { conv(3x3, width) }\n"
    body = network(text + "network n { input(8x8x3); m(width + 1) as a }").segments[0].body
    assert [layer.width for layer in body if isinstance(layer, Conv)] == [6]


def test_every_node_is_shown_in_the_tree() -> None:
    path = Path(__file__).parent / "format" / "constructs.wz"
    shown = print_tree(path.read_text(encoding="utf-8"), path.name)
    for node in ("Constant", "Sizes", "Series", "Invoke", "Patterns", "RateRange", "DerivedSpace"):
        assert node in shown


# narrow

RESIDUAL = """
module basic(width) {
  add { { conv(3x3, width); norm; relu; conv(3x3, width) } { } }
  relu
}
network r {
  input(16x16x3); conv(3x3, 32); norm; relu
  basic(32) as a[1..2]
  conv(1x1, 64)
  basic(64) as b1
  global_pool; dense(10)
}
"""
NARROW = """space s over r {
  data "x.npz"; teacher { steps 10 }; minimize params; subject to accuracy >= 80%
  rates { 0, 50% }
  keep a1
  STATEMENTS
}
"""


def narrowed(*statements: str) -> Space:
    (space,) = spaces(RESIDUAL + NARROW.replace("STATEMENTS", "\n".join(statements))).values()
    return space


def test_later_narrow_statements_overrule_earlier_ones() -> None:
    space = narrowed("narrow t*", "narrow t1 rates { 25%, 30%, 75% }", "where params <= 99%")
    # 30% of 32 filters leaves the multiple of 8 that 25% leaves.
    assert trunk_choices(space) == {"t1": (0.25, 0.75), "t2": (0.0, 0.25, 0.5, 0.75)}
    assert [m.name for m in space.network.modules] == [
        "plain1",
        "a1",
        "a2",
        "plain2",
        "b1",
        "plain3",
    ]
    assert [m.outside for m in space.network.modules] == [True, False, False, True, False, True]
    a1 = [space.rates[position] for position in space.choices[1]]
    assert a1 == [(0.0, 0.25, 0.25), (0.0, 0.75, 0.75)]


def test_constraints_speak_of_the_same_modules_where_plain_layers_have_ends() -> None:
    (order,) = narrowed("narrow t1", "where nondecreasing(a2, b1)").constraints
    assert isinstance(order, Ordered) and order.modules == (2, 4)


def test_what_narrow_does_not_name_stays_whole() -> None:
    space = narrowed("narrow t* except t1 rates 0..50% step 50%")
    assert trunk_choices(space) == {"t2": (0.0, 0.5)}
    assert [m.name for m in space.network.modules] == ["a1", "a2", "plain2", "b1", "plain3"]


def test_narrow_is_formatted() -> None:
    text = RESIDUAL + NARROW.replace(
        "STATEMENTS", "narrow  t1,t2   by  l2 rates {0,25 %}\nnarrow t*"
    )
    formatted = format_text(text.replace("25 %", "25%"), "x.wz")
    assert "  narrow t1, t2 by l2 rates { 0, 25% }\n  narrow t*\n" in formatted
    assert format_text(formatted, "x.wz") == formatted


def test_each_is_formatted() -> None:
    lines = "rates {0,50 %}each\nprune a2   rates 0..60% step 20%   each"
    text = RESIDUAL + NARROW.replace("  rates { 0, 50% }\n", "").replace("STATEMENTS", lines)
    formatted = format_text(text.replace("50 %", "50%"), "x.wz")
    assert "  rates { 0, 50% } each\n  prune a2 rates 0..60% step 20% each\n" in formatted.replace(
        "  keep a1\n", ""
    )
    assert format_text(formatted, "x.wz") == formatted


def test_trunks_are_kept_tied_and_ordered_as_modules_are() -> None:
    space = narrowed("narrow t*", "keep t2")
    assert trunk_choices(space) == {"t1": (0.0, 0.25, 0.5, 0.75)}
    tie, order = narrowed("narrow t*", "tie a2, t*", "where nonincreasing(t1..t2)").constraints
    assert tie == Tie(modules=(2, 0, 3), sides=("inside", "leaving", "leaving"))
    assert isinstance(order, Ordered) and (order.modules, order.sides) == ((0, 3), ("leaving",) * 2)
    uniform = narrowed("narrow t* rates { 0, 50% }", "tie a2, b1, t*")
    rows = run(Plan(space=uniform), PASSES[:1]).candidates
    assert rows is not None
    names = trunk_rates(uniform.network, [uniform.rates[p] for p in rows.values[1].tolist()])
    assert len(rows) == 2 and not rows.values[0].any() and names == {"t1": 0.5, "t2": 0.5}


def test_trunks_go_by_a_criterion() -> None:
    space = narrowed("narrow t* by l2", "narrow t2")
    seams = {s.group: s.criterion for m in space.network.modules for s in m.leaving}
    assert sorted(seams.values()) == ["l1", "l2"]
    assert parse_ir(print_ir(space.network)) == space.network


def test_a_pattern_that_names_modules_names_no_trunks() -> None:
    """`keep *` leaves the trunks, which is a space of its own."""
    space = narrowed("narrow t1", "prune *", "keep *")
    assert trunk_choices(space) == {"t1": (0.0, 0.25, 0.5, 0.75)}
    assert all(removed(rate, "inside") == 0 for rate in space.rates)
    (tie,) = narrowed("narrow t*", "tie *").constraints
    assert isinstance(tie, Tie) and (tie.modules, tie.sides) == ((1, 2, 4), ())


def test_listed_candidates_have_rates_of_trunks_and_leave_modules_out() -> None:
    space = narrowed("narrow t*", "skip b1", "configs { [0, 50%, 100%, 25%, 0] [0, 0, 0, 0, 0] }")
    assert trunk_choices(space) == {"t1": (0.0, 0.25), "t2": (0.0,)}
    assert isinstance(space.selection, Listed)
    assert [[space.rates[p] for p in row] for row in space.selection.rows.values.tolist()] == [
        [(0.0, 0.0, 0.25), (0.0, 0.25, 0.25), (0.5, 0.25, 0.25), (0.0, 0.25, 0.0), 1.0, 0.0],
        [0.0] * 6,
    ]


# skip


def test_skipping_is_a_last_rate() -> None:
    space = narrowed("skip *", "where nondecreasing(a2, b1)")
    assert space.rates == (0.0, 0.5, 1.0)
    assert space.choices == ((0,), (0, 1, 2), (0, 1, 2))  # a1 is kept
    assert [m.name for m in space.network.modules] == ["a1", "a2", "b1"]


def test_a_module_without_filters_to_lose_costs_nothing_where_it_is_left_out() -> None:
    space = compile(
        """
        module one { add { { conv(3x3, 4); norm } { } }; relu }
        network n { input(8x8x1); conv(3x3, 4); norm; relu; one as o[1..2]; global_pool; dense(4) }
        space s over n {
          data "x.npz"
          rates { 0 }
          keep o1
          skip o2
          minimize params
          subject to accuracy >= 50%
        }
        """
    )
    whole, left_out = sorted(space.costs["params"].candidates.values.tolist(), reverse=True)
    assert whole - left_out == 3 * 3 * 4 * 4 + 2 * 4


def test_rates_have_limits() -> None:
    """Of trunks, of modules, and of modules that may be left out: those have the rate 100 %."""
    space = narrowed("narrow t*", "skip *", "where t1 <= 25%", "where a2 >= 50%", "where b1 ≤ .9")
    plan = run(Plan(space=replace(space, selection=All())), PASSES[:1])
    assert plan.candidates is not None
    seen = {
        (
            trunk_rates(space.network, rates)["t1"],
            removed(rates[2], "inside"),
            removed(rates[4], "inside"),
        )
        for row in plan.candidates.values.tolist()
        for rates in [[space.rates[p] for p in row]]
    }
    assert seen == {*product((0.0, 0.25), (0.5, 1.0), (0.0, 0.5))}
    assert [constraint_text(one, space.network, short=True) for one in space.constraints] == [
        "t1 <= 25%",
        "a2 >= 50%",
        "b1 <= 90%",
    ]
    assert parse_plan(print_plan(plan)) == plan


def test_skipping_stands_beside_narrow() -> None:
    space = narrowed("narrow t2 rates { 0, 50% }", "skip b1", "narrow t2 rates { 50% }")
    assert [space.rates[position] for position in space.choices[3]] == [
        (0.0, 0.5, 0.5),
        (0.5, 0.5, 0.5),
        (1.0, 0.5, 0.5),
    ]
