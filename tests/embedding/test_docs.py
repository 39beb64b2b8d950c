"""docs/embedding.md runs, what docs and samples import is public, and results are described."""

import ast
import importlib.util
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from wootzc.builder.jobs.events import NAMES, Event, JobStarted
from wootzc.builder.result.summary import Summary
from wootzc.ir.reflect import op_name

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def python_of(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_page_runs(page: dict[str, Any]) -> None:
    assert {"built_until_enough", "taken_out"} <= page.keys()


def imported(source: str) -> set[tuple[str, str]]:
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wootzc"):
            found |= {(str(node.module), name.name) for name in node.names}
    return found


def test_what_docs_and_samples_import_is_public() -> None:
    sources = [block for page in PAGES for block in python_of(page)]
    sources += [path.read_text() for path in (ROOT / "samples" / "embedding").glob("*.py")]
    used = set().union(*map(imported, sources))
    spec = importlib.util.spec_from_file_location("make_api", ROOT / "docs" / "make_api.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    public = {(module, name) for module, names in maker.PUBLIC.items() for name in names}
    assert used - public == set()


def test_results_md_names_every_figure_and_event() -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    figures, events = text.split("\n## result.json\n")[1].split("\n## What a build says\n")
    told = set(re.findall(r"`(\w+)`", figures)) | {"version"}
    assert {field.name for field in fields(Summary)} <= told
    of_log = set(re.findall(r"`([a-z_]+)`", events))
    classes = set(re.findall(r"`([A-Z]\w+)`", events))
    for kind in get_args(Event):
        name = NAMES.get(kind) or op_name(kind)
        assert kind.__name__ in classes or name in of_log, kind
    jobs = [*get_args(JobStarted.__annotations__["job"])]
    flat = {one for job in jobs for one in (get_args(job) or (job,))}
    assert {f"{job}_started" for job in flat} <= of_log
