"""docs/data.md says what is true."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def test_the_page_lists_every_code() -> None:
    files = (ROOT / "backends" / "data").glob("*.py")
    raised = {code for file in files for code in re.findall(r'"(WZ\d+)"', file.read_text("utf-8"))}
    assert set(re.findall(r"^\| (WZ\d+)", PAGE, re.MULTILINE)) == raised


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(program, names)
    assert names["batch"].images.shape == (64, 8, 8, 1)  # type: ignore[attr-defined]
