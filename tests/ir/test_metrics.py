"""Metrics are records: nothing else picks one of them by its name."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.builder.jobs.latency import measured
from wootzc.cli.explain_text import explain_text
from wootzc.cli.plan_text import plan_figures, plan_text
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.ir.array import Array
from wootzc.ir.layers import Body, Conv, walk
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.metrics import METRICS, Metric
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import Measured
from wootzc.ir.space.space_costs import with_measured
from wootzc.ir.text import parse_plan, print_plan

ROOT = Path(__file__).parents[2]
A_PLACE = "boundary_activations.py"  # memory or disk
SOURCES = sorted(
    path
    for folder in ("wootzc", "grammar", "ir", "backends")
    for path in (ROOT / folder).rglob("*.py")
    if path != ROOT / "ir" / "net" / "metrics.py" and path.name != A_PLACE
)


def named(*nodes: ast.AST) -> set[str]:
    """Metrics that stand in an expression, as a string or as an attribute."""
    found = set()
    for node in (one for root in nodes for one in ast.walk(root)):
        match node:
            case ast.Constant(value=str(name)) | ast.Attribute(attr=name) if name in METRICS:
                found.add(name)
            case _:
                pass
    return found


def picked(tree: ast.AST) -> Iterator[int]:
    """Lines on which code chooses between metrics: comparisons, cases, tables, loops."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=left, comparators=others):
                parts = [n for one in (left, *others) for n in getattr(one, "elts", [one])]
                if {n.value for n in parts if isinstance(n, ast.Constant)} & {*METRICS}:
                    yield node.lineno
            case ast.MatchValue(value=value) if named(value):
                yield node.lineno
            case ast.IfExp(body=one, orelse=other) if named(one) and named(other) - named(one):
                yield node.lineno
            case ast.Dict(keys=keys) if len(named(*filter(None, keys))) > 1:
                yield node.lineno
            case ast.For(iter=each) | ast.comprehension(iter=each) if len(named(each)) > 1:
                yield each.lineno
            case _:
                pass


@pytest.mark.parametrize(
    "code",
    [
        'metric == "params"',
        'if metric != "macs": pass',
        'metric in ("params", "macs")',
        "costs.params if small else costs.macs",
        'match metric:\n  case "params" | "macs": pass',
        '{"params": 1, "macs": 2}[metric]',
        'for metric in ("params", "macs"): pass',
    ],
)
def test_a_choice_is_seen(code: str) -> None:
    assert list(picked(ast.parse(code)))


def test_no_code_picks_one_of_two_metrics() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line in picked(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(SOURCES) > 200 and not found


def count_filters(body: Body, _shape: Shape) -> int:
    return sum(layer.width for _, layer in walk(body) if isinstance(layer, Conv))


FILTERS = Metric(
    name="filters",
    heading="filters",
    unit="filters",
    title="filters left",
    aliases={"kernels": "every filter has one kernel for each channel"},
    known="counted",
    count=count_filters,
)

SPACE = """
network net {
  input(8x8x3)
  conv(3x3, 8)
  module a { conv(3x3, 16); relu; conv(3x3, 8) }
  module b { conv(3x3, 32); relu; conv(3x3, 8) }
  global_pool; dense(4)
}
space s over net {
  data "x.npz"
  teacher { steps 1 }
  rates { 0, 25%, 50% }
  prune *
  multiple of 1
  all
  where filters <= 90%
  minimize filters
  subject to accuracy >= 50%
  subject to filters >= 50
  pretrain { steps 1 }
  finetune { steps 1 }
  explore ascending
}
"""


@pytest.fixture
def filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cost of a user's own, for as long as a test runs."""
    monkeypatch.setitem(METRICS, FILTERS.name, FILTERS)


@pytest.mark.usefixtures("filters")
def test_a_cost_of_ones_own_is_one_record() -> None:
    plan = compile(SPACE)
    assert plan.candidates is not None and plan.costs is not None
    assert plan.exploration_order is not None
    assert plan.costs.full["filters"] == 72
    table = plan.costs["filters"]
    assert table.fixed == 8 and table.variants.values.tolist() == [[24, 20, 16], [40, 32, 24]]
    for row, cost in zip(plan.candidates.values, table.candidates.values.tolist(), strict=True):
        pruned = prune_network(plan.space.network, tuple(plan.space.rates[i] for i in row))
        assert cost == sum(count_filters(part.body, (8, 8, 8)) for part in pruned.segments) <= 64
    tried = table.candidates.values[plan.exploration_order.values].tolist()
    assert tried == sorted(tried) and min(tried) >= 50
    assert parse_plan(print_plan(plan)) == plan


@pytest.mark.usefixtures("filters")
def test_it_is_shown_as_the_others_are() -> None:
    plan = compile(SPACE)
    figures = plan_figures(plan)
    assert figures["full"]["filters"] == 72
    assert figures["holds"]["filters"] == {"min": 48, "max": 64}
    assert figures["candidates"]["filters"] == {"min": 52, "median": 58, "max": 64}
    text = plan_text(figures)
    assert "  filters   52 … 64  (72% … 89% of the full network)" in text
    assert ", 72 filters (1 MAC = 2 FLOPs)" in text
    assert "filters <= 64 leaves" in text and "filters >= 50 leaves" in text
    assert "filters" in explain_text(plan, ("module", "a")).splitlines()[-4]
    assert " filters (" in explain_text(plan, ("candidate", "0"))


def test_one_that_is_put_in_anew_is_counted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook, where a slip in its `count` was mended."""
    monkeypatch.setitem(METRICS, FILTERS.name, FILTERS)
    assert compile(SPACE).costs.full["filters"] == 72
    twice = replace(FILTERS, count=lambda body, shape: 2 * count_filters(body, shape))
    monkeypatch.setitem(METRICS, FILTERS.name, twice)
    assert compile(SPACE).costs.full["filters"] == 144


def test_what_is_no_cost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no `count` says how"):
        replace(FILTERS, count=None)
    broken: Any = lambda body, shape: count_filters(body, shape) / 3  # noqa: E731
    monkeypatch.setitem(METRICS, FILTERS.name, replace(FILTERS, count=broken))
    with pytest.raises(ValueError, match=r"filters was counted as .* costs are whole numbers"):
        compile(SPACE)


def test_one_that_only_its_owner_can_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock of ours stands in for it: the space is given its table."""
    power = replace(FILTERS, known="measured", count=None)
    monkeypatch.setitem(METRICS, FILTERS.name, power)
    text = SPACE.replace("where filters <= 90%", "where filters <= 80")
    with pytest.raises(WootzError, match=r"(?s)WZ307.*with_measured"):
        compile(text)
    space = compile(text, ()).space
    with pytest.raises(WootzError, match="WZ307"):
        measured(space, lambda: pytest.fail("no store is needed"))
    table = Array(np.array([[0, -10, -20], [0, -15, -30]]))
    given = Measured(metric="filters", on="a power meter", full=100, variants=table)
    plan = compile(with_measured(space, given))
    assert plan.costs["filters"].candidates.values.max() == 80  # of 100, 90, 85, 80, 75, …
    assert parse_plan(print_plan(plan)) == plan


@pytest.mark.usefixtures("filters")
def test_mistakes_know_it() -> None:
    for wrong, told in (
        ("minimize filter", "did you mean `filters`?"),
        ("minimize kernels", "did you mean `filters`? every filter has one kernel"),
        ("maximize filters", "filters is to be minimized, not maximized"),
        ("minimize speed", "did you mean `latency`?"),
        ("minimize beauty", "there are params, macs (multiply-accumulates of one image), "
         "size (bytes of the exported ONNX file), memory (bytes of activations at the peak, for "
         "one image), latency (time that a batch takes on the device), accuracy and filters"),
    ):  # fmt: skip
        with pytest.raises(WootzError) as raised:
            compile(SPACE.replace("minimize filters", wrong))
        assert told in str(raised.value)


def test_without_its_record_there_is_no_such_cost() -> None:
    with pytest.raises(WootzError, match="there is no metric `filters`"):
        compile(SPACE)


def test_records_are_whole() -> None:
    for name, one in METRICS.items():
        assert one.name == name and one.heading and one.unit and one.title
        assert (one.count is not None) == (one.known == "counted")
    words = [word for one in METRICS.values() for word in (one.name, *one.aliases)]
    assert len(words) == len(set(words))
