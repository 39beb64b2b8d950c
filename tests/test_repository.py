"""What holds for the repository as a whole: packaging, light imports, README and CI in step."""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINKS = {"grammar", "ir", "backends"}


def project() -> dict[str, object]:
    loaded: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return loaded


def test_every_package_is_named_in_pyproject() -> None:
    """A package that is missing there works in the checkout and vanishes from the wheel."""
    found = {"wootzc"}
    for top in ("wootzc", *LINKS):
        prefix = "wootzc" if top == "wootzc" else f"wootzc.{top}"
        for init in (ROOT / top).rglob("__init__.py"):
            parts = init.parent.relative_to(ROOT / top).parts
            if top == "wootzc" and parts and parts[0] in LINKS:
                continue
            found.add(".".join((prefix, *parts)))
    tool = project()["tool"]
    assert isinstance(tool, dict)
    assert sorted(found) == sorted(tool["setuptools"]["packages"])


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an sdist carries no links")
def test_the_links_for_static_tools_are_there() -> None:
    assert {p.name for p in (ROOT / "wootzc").iterdir() if p.is_symlink()} == LINKS


@pytest.mark.parametrize(
    "statement",
    [
        "import wootzc",
        "import wootzc; wootzc.compile",
        "import wootzc.grammar",
        "import wootzc.ir.passes",
        "import wootzc.cli",
    ],
)
def test_light_imports_leave_jax_alone(statement: str) -> None:
    code = f"import sys; {statement}; sys.exit('jax' in sys.modules or 'flax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_readme_and_ci_run_the_same_test_command() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = (ROOT / ".ci" / "run").read_text().splitlines()
    (command,) = (line for line in commands if "make check" in line)
    assert command in readme.splitlines()


def test_every_document_link_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_no_folder_of_tests_is_left_out(pytestconfig: pytest.Config) -> None:
    """By itself pytest does not look into folders that are named like build output."""
    left_out = pytestconfig.getini("norecursedirs")
    folders = {
        part
        for file in (ROOT / "tests").rglob("test_*.py")
        for part in file.relative_to(ROOT).parts[:-1]
    }
    assert "builder" in folders and "build" in left_out
    assert not [name for name in folders for pattern in left_out if fnmatch(name, pattern)]


def test_no_test_times_anything() -> None:
    clocks = re.compile(r"\b(perf_counter|process_time)\(\)")
    for file in (ROOT / "tests").rglob("*.py"):
        if file != Path(__file__):
            assert not clocks.search(file.read_text()), f"{file.name}: count work (`worked`)"
