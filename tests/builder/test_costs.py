"""A build by a cost of one's own: its record is all that is said of it."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from wootzc.builder import Built, Options, build
from wootzc.builder.result.summary_text import summary_text
from wootzc.builder.screen import Screen
from wootzc.ir.layers import Body, Conv, walk
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.metrics import METRICS, Metric


def count_filters(body: Body, _shape: Shape) -> int:
    return sum(layer.width for _, layer in walk(body) if isinstance(layer, Conv))


FILTERS = Metric(
    name="filters",
    heading="filters",
    unit="filters",
    title="filters left",
    known="counted",
    count=count_filters,
)


@pytest.fixture(scope="module")
def built(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, str]:
    """A build, and what the screen said."""
    file: Path = make_space("0, 50%, 75%", "60%")
    text = file.read_text()
    file.write_text(text.replace("minimize params", "where filters <= 90%; minimize filters"))
    shown = io.StringIO()
    screen = Screen("verbose", Console(file=shown, width=200, highlight=False))
    options = Options(out=file.parent / "out", store=tmp_path_factory.mktemp("store"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METRICS, FILTERS.name, FILTERS)
        done = build(file, options, [screen])
        return done, shown.getvalue() + summary_text(done.result, "out")


def test_the_search_goes_by_it(built: tuple[Built, str]) -> None:
    summary = built[0].summary
    tried = [one["filters"] for one in summary["tried"]]
    assert tried == sorted(tried) and max(tried) <= 0.9 * summary["teacher"]["filters"]
    met = [one["filters"] for one in summary["tried"] if one["met"]]
    assert summary["best"]["filters"] == min(met)
    assert summary["objective"].startswith("minimize filters")


def test_it_is_written_down(built: tuple[Built, str]) -> None:
    done, _ = built
    best = done.summary["best"]
    manifest = json.loads((done.out / "best" / "manifest.json").read_text())
    assert manifest["filters"] == best["filters"]
    log = [json.loads(line) for line in (done.out / "log.jsonl").read_text().splitlines()]
    assert [one["filters"] for one in log if one["event"] == "best"][-1] == best["filters"]


def test_it_is_shown(built: tuple[Built, str]) -> None:
    done, shown = built
    teacher, best = (done.summary[which]["filters"] for which in ("teacher", "best"))
    assert f"({best} filters): " in shown
    assert f"  filters     {teacher} → {best}  ({best / teacher:.1%}" in shown


def test_the_report_draws_it(built: tuple[Built, str]) -> None:
    page = (built[0].out / "report.html").read_text()
    assert "<h3>Filters left</h3>" in page and "Validation accuracy against filters left" in page
    assert ".scatter:has(#cost-filters:checked):has(#range-whole:checked)" in page
