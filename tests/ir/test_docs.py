"""What docs/ir.md and docs/passes.md show is true."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from wootzc.ir.layers import LAYERS
from wootzc.ir.passes import PASSES, available, run
from wootzc.ir.plan import Plan
from wootzc.ir.plan.verify import verify
from wootzc.ir.text import parse_plan, print_plan

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_plan_in_ir_md_is_what_the_passes_make() -> None:
    (text,) = blocks("ir.md", "wzir")
    plan = parse_plan(text)
    verify(plan)
    assert print_plan(plan) == text
    assert run(Plan(space=plan.space)) == plan


def test_ir_md_names_every_file() -> None:
    text = (ROOT / "docs" / "ir.md").read_text(encoding="utf-8").split("## Reading order")[1]
    named = set(re.findall(r"`(?:\w+/)?(\w+\.py)`", text))
    pages = {Path(inspect.getfile(layer)).name for layer in LAYERS}
    assert named | pages == {path.name for path in (ROOT / "ir").rglob("*.py")}
    assert all(f"`{apply.name.replace('-', '_')}.py`" in text for apply in PASSES)


def test_the_example_in_passes_md_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    source = blocks("passes.md", "python")
    assert len(source) == 3
    names: dict[str, object] = {"__name__": "example"}
    for block in source:
        exec(compile(block, "docs/passes.md", "exec", dont_inherit=True), names)


def test_passes_md_tells_of_every_pass_and_option() -> None:
    table = [
        line
        for line in (ROOT / "docs" / "passes.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    assert [line.split("`")[1] for line in table] == [apply.name for apply in PASSES]
    for line, apply in zip(table, PASSES, strict=True):
        for option in fields(apply):  # type: ignore[arg-type]  # passes are dataclasses
            assert f"`{option.name}=" in line
    assert {apply.name for apply in PASSES} <= set(available())
