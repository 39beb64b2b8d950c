"""docs/language.md and docs/diagnostics.md say what the code does."""

import re
from pathlib import Path

import pytest

from wootzc.diagnostics import render
from wootzc.grammar import analyze, format_text
from wootzc.grammar.check.arguments import Parameter, signature
from wootzc.grammar.check.operators import OPERATORS
from wootzc.grammar.lower.recipe import DEFAULTS
from wootzc.grammar.space.rates import CRITERIA
from wootzc.ir.space.recipe import OPTIMIZERS, SCHEDULES

ROOT = Path(__file__).parents[2]
LANGUAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
LAYERS = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```wz ?(\w*)\n(.*?)^```$", LANGUAGE + LAYERS, re.MULTILINE | re.DOTALL)

NETWORK = """
module basic(width) { conv(3x3, width); norm; relu; conv(3x3, width); norm; relu }
network example {
  input(32x32x3)
  basic(32) as a[1..3]
  basic(64) as b[1..3]
  global_pool; dense(10)
}
"""
# What a fragment of a space is completed with, where it lacks it.
DEFAULT_STATEMENTS = {
    "data": 'data "digits.npz"',
    "rates": "rates { 0, 30%, 50%, 70% }",
    "prune": "prune * by l1",
    "minimize|maximize": "minimize params",
    "subject": "subject to accuracy >= 80%",
}


def completed(kind: str, text: str) -> str:
    if kind == "network":
        return f"network example {{\ninput(32x32x3)\n{text}\n}}\n"
    if kind == "space":
        missing = [
            statement
            for word, statement in DEFAULT_STATEMENTS.items()
            if not re.search(rf"^({word})\b", text, re.MULTILINE)
        ]
        body = "\n".join([text, *missing])
        return f"{NETWORK}space example over example {{\n{body}\n}}\n"
    return text


@pytest.mark.parametrize(("kind", "text"), EXAMPLES, ids=[t[:24] for _, t in EXAMPLES])
def test_examples_are_right(kind: str, text: str) -> None:
    source = completed(kind, text)
    analysis = analyze(source)
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    assert analysis.networks or analysis.spaces
    format_text(source)


def test_there_are_examples_of_every_kind() -> None:
    kinds = [kind for kind, _ in EXAMPLES]
    assert {kinds.count(k) > 2 for k in ("", "space")} == {True}
    assert kinds.count("network") == 2


@pytest.mark.parametrize("name", OPERATORS)
def test_every_layer_is_in_the_reference_as_it_is_called(name: str) -> None:
    parameters: tuple[Parameter, ...] = OPERATORS[name].parameters
    if name in ("max_pool", "avg_pool"):
        assert f"`{name}(" in LAYERS
    else:
        assert f"`{signature(name, parameters) if parameters else name}`" in LAYERS


@pytest.mark.parametrize("name", [*OPTIMIZERS, *SCHEDULES, *CRITERIA])
def test_every_word_is_in_the_reference(name: str) -> None:
    assert re.search(rf"\b{name}\b", LANGUAGE)


def test_default_lengths_and_schedules_are_in_the_reference() -> None:
    stages = [DEFAULTS["teacher"], DEFAULTS["pretrain"], DEFAULTS["finetune"]]
    teacher, pretrain, finetune = stages
    assert row("epochs") == [
        f"{teacher.epochs:g}, of at least {teacher.least} steps",
        "",
        f"{finetune.epochs:g}, of {finetune.least} to {finetune.most} steps",
    ]
    assert row("steps") == ["", str(pretrain.steps), ""]
    assert row("schedule") == [f"`{recipe.schedule.name}`" for recipe in stages]
    assert [recipe.patience for recipe in stages] == [None, None, None]


def row(setting: str) -> list[str]:
    """What the table of settings says of teacher, pretrain and finetune."""
    line = next(line for line in LANGUAGE.splitlines() if line.startswith(f"| `{setting}`"))
    return [cell.strip() for cell in line.split("|")[2:5]]


def codes_raised() -> dict[str, list[str]]:
    """Codes in the sources, with the files they are in. Docstrings show a few as examples."""
    found: dict[str, list[str]] = {}
    for folder in ("grammar", "ir", "backends", "wootzc"):
        for path in (ROOT / folder).rglob("*.py"):
            if not path.is_relative_to(ROOT / "wootzc" / "diagnostics.py"):
                for code in re.findall(r'"(WZ\d{3})"', path.read_text(encoding="utf-8")):
                    found.setdefault(code, []).append(str(path.relative_to(ROOT)))
    return found


def test_every_code_is_explained_and_every_explained_code_exists() -> None:
    text = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (WZ\d{3}) \|", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    raised = codes_raised()
    assert {c: f for c, f in raised.items() if c not in listed} == {}
    assert set(listed) <= set(raised)
