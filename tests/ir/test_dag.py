"""Pictures of plans, on golden files: `.expect` beside a `.wzir` of `dag/`."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from wootzc.diagnostics import WootzError
from wootzc.ir.passes import parse_pipeline, run
from wootzc.ir.passes.dag import graph_of, to_dot, to_mermaid
from wootzc.ir.plan import Plan
from wootzc.ir.space import Sample, Space
from wootzc.ir.text import parse_plan

MakeSpace = Callable[..., Space]
CASES = Path(__file__).parent / "dag"


@pytest.mark.parametrize("path", sorted(CASES.glob("*.wzir")), ids=lambda path: path.stem)
def test_golden(path: Path, expect: Callable[[Path, str], None]) -> None:
    text = path.read_text(encoding="utf-8")
    plan = run(parse_plan(text), parse_pipeline(text.splitlines()[0].removeprefix("# -p ")))
    expect(path, f"{to_dot(plan)}\n{to_mermaid(plan)}")


@pytest.mark.parametrize("blocks", ["none", "modules", "wootz", "maximal"])
def test_edges_join_nodes_that_are_there(make_space: MakeSpace, blocks: str) -> None:
    plan = run(Plan(space=make_space(4, selection=Sample(count=12), blocks=blocks)))
    graph = graph_of(plan)
    names = {node.name for node in graph.nodes}
    assert len(names) == len(graph.nodes)
    assert {end for edge in graph.edges for end in edge[:2]} <= names
    assert sum(node.is_block for node in graph.nodes) == len(plan.blocks or ())
    assert to_dot(plan).count(" -> ") == to_mermaid(plan).count(" -->") == len(graph.edges)


def test_names_are_escaped(make_space: MakeSpace) -> None:
    plan = run(Plan(space=make_space(2, name='a "b" \\c')))
    assert r'digraph "a \"b\" \\c" {' in to_dot(plan)
    assert "a #quot;b#quot;" in to_mermaid(plan)
    assert not re.search(r'\["[^"]*"[^\]]', to_mermaid(plan))


def test_blocks_without_composition_count_the_candidates_they_match(make_space: MakeSpace) -> None:
    space = make_space(2, rows=[[1, 0], [1, 1], [0, 1]])
    plan = run(Plan(space=space), parse_pipeline("expand-space,select-blocks"))
    assert [label for _, _, label in graph_of(plan).edges] == ["2", "2"]


def test_a_plan_without_candidates_has_no_picture(make_space: MakeSpace) -> None:
    with pytest.raises(WootzError):
        to_dot(Plan(space=make_space(2)))
