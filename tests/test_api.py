"""docs/api.md is what the docstrings say, and everything public has one."""

import importlib
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType

import pytest

import wootzc
from wootzc.diagnostics import WootzError

DOCS = Path(__file__).parents[1] / "docs"


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_api", DOCS / "make_api.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date() -> None:
    text = maker().api_text()
    assert text == (DOCS / "api.md").read_text(encoding="utf-8"), "run: python docs/make_api.py"


def test_signatures_say_what_holds() -> None:
    """Names lose their modules, numbers keep their digits, and spans are nobody's business."""
    text = maker().api_text()
    assert "momentum: float = 0.9)" in text
    assert "rows: NDArray[Any]" in text and "ndarray[" not in text
    assert "numpy." not in text.replace("numpy.org", "") and "end=0" not in text


def test_everything_public_is_described() -> None:
    bare = [
        f"{module}.{name}"
        for module, names in maker().PUBLIC.items()
        for name in names
        if inspect.isfunction(value := getattr(importlib.import_module(module), name))
        and not inspect.getdoc(value)
    ]
    assert bare == []


def test_a_path_given_as_text_is_told() -> None:
    with pytest.raises(WootzError, match="pass a path"):
        wootzc.compile("samples/digits.wz")
