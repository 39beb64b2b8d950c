"""What hover and completion say of settings is what the reference says, and nothing is left out."""

import re
from pathlib import Path

import pytest

from wootzc.grammar.check import meanings
from wootzc.grammar.check.statements import KEYWORDS
from wootzc.lsp.facts import STAGES, settings_of

LANGUAGE = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
ROWS = {
    match[1]: match[2].rpartition(" | ")[2]
    for match in re.finditer(r"^\| `(\w+)` \|(.*) \|$", LANGUAGE, re.MULTILINE)
}


def test_every_statement_and_setting_has_a_meaning() -> None:
    assert set(meanings.STATEMENTS) == set(KEYWORDS)
    known = {s.name for statement in KEYWORDS for s in settings_of(statement)}
    assert known == set(meanings.SETTINGS)


@pytest.mark.parametrize("name", [n for n in meanings.SETTINGS if n not in ("flip", "crop")])
def test_the_reference_says_the_same(name: str) -> None:
    assert ROWS[name].strip().startswith(meanings.SETTINGS[name])


def test_defaults_are_those_of_the_recipes() -> None:
    shown = {(stage, s.name): s.default for stage in STAGES for s in settings_of(stage)}
    assert shown["teacher", "optimizer"] == "sgd(0.1, momentum = 0.9)"
    assert shown["finetune", "epochs"] == "3, of 100 to 2,000 steps"
    assert shown["polish", "distill"] == "0.5"
    assert shown["pretrain", "steps"] == "200"
    assert ("pretrain", "distill") not in shown and ("teacher", "reconstruct") not in shown
