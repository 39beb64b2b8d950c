"""docs/models.md lists what is supported: it is what the code supports, and no less."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wootzc.grammar import analyze
from wootzc.grammar.imports.onnx.curves import BINARY, UNARY
from wootzc.grammar.imports.onnx.trace import HANDLERS
from wootzc.grammar.imports.prototxt.kinds import JOINS, KINDS
from wootzc.grammar.imports.prototxt.wires import ENDS
from wootzc.grammar.space.width_rules import KINDS as KEPT
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.layers.shapes import shape_text
from wootzc.ir.net.cost import network_cost
from wootzc.networks import zoo
from wootzc.units import count

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
LAYERS = (Path(__file__).parents[2] / "docs" / "layers.md").read_text(encoding="utf-8")
FENCED = re.MULTILINE | re.DOTALL
WORDS = {"PROD", "SUM", "group"}  # of the table of Caffe's types, and no types


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/models.md has no section {title}"
    return found[1]


def named(title: str, begins: str) -> set[str]:
    """The words in backticks in the first column of a section's table."""
    table = section(title).partition(f"{begins}\n")[2].split("\n\n")[0]
    return {word for line in table.splitlines()[1:]
            for word in re.findall(r"`(\w+)`", line.split(" | ")[0])}  # fmt: skip


def test_all_types_of_caffe_that_are_known_are_listed() -> None:
    types = {*KINDS, *JOINS, *ENDS, "Axpy", "Split", "Silence", "Accuracy"}
    listed = named("Caffe prototxt", "| types | become |")
    assert types - {"ConvolutionDepthwise", "DepthwiseConvolution"} == listed - WORDS
    assert "`DepthwiseConvolution` and `ConvolutionDepthwise`" in section("Caffe prototxt")


def test_all_operators_of_onnx_that_are_known_are_listed() -> None:
    rows = LAYERS.partition("| layer | read from ONNX |")[2].splitlines()[2:]
    read = {word for row in rows for word in re.findall(r"`([A-Z]\w+)`", row.split(" | ")[1])}
    listed = read | named("ONNX", "| operators | become |")
    arithmetic = set(BINARY) | set(UNARY)
    assert set(HANDLERS) - arithmetic <= listed | {"CastLike"}
    assert listed <= set(HANDLERS)


@pytest.mark.parametrize("name", zoo_names())
def test_the_zoo_costs_what_the_table_says(name: str) -> None:
    network = zoo(name)
    cost = network_cost(network)
    row = f"| `{name}` | {shape_text(network.input)} | {cost.params:,} | {count(cost.macs)} |"
    assert f"{row} {len(network.modules)} |" in section("The zoo")


def test_the_zoo_is_listed_whole() -> None:
    assert re.findall(r"^\| `(\w+)` \|", section("The zoo"), re.MULTILINE) == list(zoo_names())


def test_the_example_of_rates_is_what_explain_says(tmp_path: Path) -> None:
    (source,) = re.findall(r"^```wz\n(.*?)^```$", section("What a rate means"), FENCED)
    (shown,) = re.findall(r"^```text\n(.*?)^```$", section("What a rate means"), FENCED)
    shutil.copy(Path(__file__).parent / "prototxt" / "resnet50.prototxt", tmp_path)
    (tmp_path / "a.wz").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "wootzc.cli", "explain", "a.wz", "module", "res3b"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, shown), done.stderr


def test_ways_to_find_modules_are_those_of_the_language() -> None:
    """The files are not there; all else is right."""
    (source,) = re.findall(r"^```wz\n(.*?)^```$", section("Modules"), FENCED)
    assert {d.code for d in analyze(source).diagnostics} == {"WZ091"}


def test_kinds_that_can_be_kept_are_listed() -> None:
    text = section("What stays whole")
    assert all(f"`{kind}`" in text for kind in KEPT)
