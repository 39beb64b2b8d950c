"""The passes on golden files, and what does not fit into a golden file."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wootzc.diagnostics import WootzError
from wootzc.ir.passes import (
    PASSES,
    Compose,
    EstimateCost,
    ExpandSpace,
    MineSubsequences,
    Order,
    Pass,
    SelectBlocks,
    complete,
    parse_pipeline,
    run,
)
from wootzc.ir.passes.base import MAKERS
from wootzc.ir.plan import Block, Complete, Grammar, Plan, parts_of
from wootzc.ir.sequence import linked_runs
from wootzc.ir.space import AccuracyLimit, CostLimit, Objective, Sample, Space
from wootzc.ir.text import parse_plan, print_plan

MakeSpace = Callable[..., Space]
CASES = Path(__file__).parent / "passes"


@pytest.mark.parametrize(
    "path", sorted(CASES.glob("*/*.wzir")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_golden(path: Path, expect: Callable[[Path, str], None]) -> None:
    """First line of a case: `# -p PASSES`. The `.expect` leaves out a space that stays."""
    text = path.read_text(encoding="utf-8")
    plan = parse_plan(text)
    assert parse_plan(print_plan(plan)) == plan
    passes = parse_pipeline(text.splitlines()[0].removeprefix("# -p "))
    try:
        result = run(plan, passes)
    except WootzError as error:
        expect(path, f"{error}\n")
        return
    assert parse_plan(print_plan(result)) == result
    printed = print_plan(result)
    if result.space == plan.space:
        printed = re.sub(r"(?s)  space.*?\n  }\n", "", printed, count=1)
    else:  # the only pass that may change it
        assert "segment-modules" in [apply.name for apply in passes]
    expect(path, printed)


def test_the_example_of_the_paper(make_space: MakeSpace, paper_rows: list[list[int]]) -> None:
    """Rules, frequencies and blocks as in paper.md; rate positions 1 and 2 are 30 % and 50 %."""
    plan = run(Plan(space=make_space(5, rows=paper_rows, blocks="wootz")))
    assert isinstance(plan.mined, Grammar)
    rules = [(rule.body, rule.frequency) for rule in plan.mined.rules if rule.symbol is None]
    symbols = [(rule.symbol, rule.frequency) for rule in plan.mined.rules if rule.symbol]
    assert rules == [
        ((1, 2, -1, 1, 3, -2, 6, 8, 2, -3, 7, 8, 3, -4), 1),
        ((5, 8), 2),
        ((9, 4), 2),
        ((10, 4), 2),
        ((11, 12), 4),
    ]
    assert symbols == [
        ((0, 1), 2),
        ((0, 2), 1),
        ((0, 0), 1),
        ((1, 1), 4),
        ((2, 1), 2),
        ((2, 2), 2),
        ((3, 2), 4),
        ((4, 0), 4),
    ]
    assert plan.blocks == (
        Block(start=0, rates=(1,)),
        Block(start=1, rates=(1,)),
        Block(start=2, rates=(1,)),
        Block(start=2, rates=(2,)),
        Block(start=3, rates=(2, 0)),
    )


def test_maximal_is_what_always_occurs_together(
    make_space: MakeSpace, paper_rows: list[list[int]]
) -> None:
    plan = run(Plan(space=make_space(5, rows=paper_rows, blocks="maximal")))
    runs = [Block(start=r.start, rates=r.values) for r in linked_runs(np.array(paper_rows))]
    assert list(plan.blocks or ()) == [block for block in runs if any(block.rates)]


def test_the_default_method_follows_the_space(make_space: MakeSpace) -> None:
    kinds = {}
    for blocks in ("none", "modules", "wootz", "maximal"):
        plan = run(Plan(space=make_space(3, selection=Sample(count=9), blocks=blocks)))
        assert plan.blocks is not None and (plan.blocks == ()) == (blocks == "none")
        kinds[blocks] = type(plan.mined).__name__
    assert kinds == {
        "none": "Windows",
        "modules": "Windows",
        "wootz": "Grammar",
        "maximal": "Windows",
    }


def test_the_network_itself_stays_a_candidate(make_space: MakeSpace) -> None:
    plan = run(Plan(space=make_space(2)))
    assert plan.candidates is not None and plan.costs is not None
    assert plan.candidates.values[0].tolist() == [0, 0]
    assert plan.costs["params"].candidates.values[0] == plan.costs["params"].full
    assert plan.costs["macs"].candidates.values[0] == plan.costs["macs"].full


def order_of(space: Space) -> list[int]:
    plan = run(Plan(space=space))
    assert plan.exploration_order is not None
    order: list[int] = plan.exploration_order.values.tolist()
    return order


@pytest.mark.parametrize(
    ("target", "explore", "rising"),
    [
        ("params", "ascending", True),
        ("params", "descending", False),
        ("macs", "predicted", True),
        ("accuracy", "predicted", False),
        ("macs", "all", True),
        ("accuracy", "all", False),
        ("accuracy", "ascending", True),
    ],
)
def test_directions(make_space: MakeSpace, target: str, explore: str, rising: bool) -> None:
    objective = Objective(
        target=target,
        limits=(
            AccuracyLimit(value=0.5),
            CostLimit(metric="params", comparison="<=", value=1_500),
        ),
    )
    plan = run(Plan(space=make_space(3, objective=objective, explore=explore)))
    assert plan.costs is not None and plan.exploration_order is not None
    ordered = plan.costs[objective.cost].candidates.values[plan.exploration_order.values]
    assert 0 < len(ordered) < 27
    assert ordered.tolist() == sorted(ordered.tolist(), reverse=not rising)
    assert plan.costs["params"].candidates.values[plan.exploration_order.values].max() <= 1_500


def test_equal_costs_keep_the_order_of_candidates(make_space: MakeSpace) -> None:
    """Two modules of one shape: which of them is pruned makes no difference in cost."""
    space = make_space(1)
    (module,) = space.network.modules
    twin = replace(module, name="m2")
    segments = (space.network.segments[0], module, twin, space.network.segments[2])
    network = type(space.network)(name="twins", input=(4, 4, 2), segments=segments)
    twins = make_space(2, rates=(0.0, 0.5), network=network)
    assert order_of(twins) == [3, 1, 2, 0]
    descending = make_space(2, rates=(0.0, 0.5), network=network, explore="descending")
    assert order_of(descending) == [0, 1, 2, 3]


def test_blocks_are_trained_as_they_are_needed(make_space: MakeSpace) -> None:
    plan = run(Plan(space=make_space(3, selection=Sample(count=5))))
    assert plan.composition is not None and plan.exploration_order is not None
    seen: dict[int, None] = {}
    for candidate in plan.exploration_order.values.tolist():
        seen |= {b: None for b in plan.composition.values[candidate].tolist() if b >= 0}
    assert plan.training_order == tuple(seen)


@pytest.mark.parametrize(
    ("apply", "lacks", "maker"),
    [
        (EstimateCost(), "candidates", "expand-space"),
        (MineSubsequences(), "candidates", "expand-space"),
        (SelectBlocks(), "candidates", "expand-space"),
        (Compose(), "candidates", "expand-space"),
        (Order(), "costs", "estimate-cost"),
    ],
)
def test_a_pass_tells_what_it_needs(
    make_space: MakeSpace, apply: Pass, lacks: str, maker: str
) -> None:
    with pytest.raises(WootzError) as caught:
        apply(Plan(space=make_space(2)))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "WZ088"
    assert lacks in diagnostic.message and maker in (diagnostic.help or "")


def test_wootz_needs_sequiturs_rules(make_space: MakeSpace) -> None:
    passes = (ExpandSpace(), MineSubsequences(method="windows"), SelectBlocks(method="wootz"))
    with pytest.raises(WootzError) as caught:
        run(Plan(space=make_space(2)), passes)
    assert caught.value.diagnostics[0].code == "WZ088"


@pytest.mark.parametrize("method", ["sequitur", "windows"])
def test_mining_stops_at_the_most_it_may_hold(make_space: MakeSpace, method: str) -> None:
    passes = parse_pipeline(f"expand-space,mine-subsequences{{method={method}, most=5}}")
    with pytest.raises(WootzError) as caught:
        run(Plan(space=make_space(3)), passes)
    assert caught.value.diagnostics[0].code == "WZ089"


def test_observers_see_every_pass(make_space: MakeSpace) -> None:
    seen: list[str] = []

    def observe(apply: Pass, plan: Plan, seconds: float) -> None:
        assert seconds >= 0
        seen.append(apply.name)

    run(Plan(space=make_space(2)), observe=observe)
    assert seen == [apply.name for apply in PASSES]


def test_a_stage_has_its_parts(make_space: MakeSpace) -> None:
    assert set(parts_of(Complete)) == {
        "candidates", "costs", "blocks", "composition", "training_order", "exploration_order",
    }  # fmt: skip
    assert {*parts_of(Complete), "mined"} == MAKERS.keys()
    plan = run(Plan(space=make_space(3)))
    assert complete(plan) is plan
    for part in parts_of(Complete):
        with pytest.raises(WootzError, match=f"put `{MAKERS[part][1]}` before it"):
            complete(replace(plan, **{part: None}))  # type: ignore[arg-type]
