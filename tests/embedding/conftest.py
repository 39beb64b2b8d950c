"""What docs/embedding.md shows, as a program."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "embedding.md"


@pytest.fixture(scope="session")
def page() -> dict[str, Any]:
    """What the page defines; its blocks run, one after the other."""
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "example"}
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
    return names
