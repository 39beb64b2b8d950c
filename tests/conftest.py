"""Golden files: an input beside its `.expect`. WOOTZC_UPDATE_EXPECT=1 rewrites what differs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def expect() -> Callable[[Path, str], None]:
    """Compare text with the `.expect` beside `source`."""

    def compare(source: Path, actual: str) -> None:
        golden = source.with_suffix(".expect")
        if os.environ.get("WOOTZC_UPDATE_EXPECT"):
            golden.write_text(actual, encoding="utf-8")
        assert golden.exists(), f"{golden.name} is missing; run with WOOTZC_UPDATE_EXPECT=1"
        assert actual == golden.read_text(encoding="utf-8")

    return compare
