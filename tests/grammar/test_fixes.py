"""The fixes of every mistake, applied: the mistake is gone, and no new one came of it."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from wootzc.diagnostics import Diagnostic, Fix, Span, render
from wootzc.fixes import MAX_ROUNDS, apply_fixes
from wootzc.grammar import Analysis, analyze

CASES = Path(__file__).parent / "mistakes"
FILES = sorted(CASES.glob("*.wz"))
# What a help says that a fix can do: `write …`, `did you mean …`, and to add or
# take out what is known.
PROMISE = re.compile(
    r"(?:^|[,;:] (?:or )?)(?:write|did you mean) `([^`…]+)`|^add: (?!data)|^wrap it: |^remove it$"
    r"|^leave (?:it )?out(?! what| `[^`]*\{`)"
)


@cache
def check(text: str, path: Path) -> Analysis:
    """What is said of a file; what is said of those that it includes is theirs."""
    analysis = analyze(text, path.name)
    own = tuple(d for d in analysis.diagnostics if d.span.file == path.name)
    return replace(analysis, diagnostics=own)


def told(found: Iterable[Diagnostic]) -> Counter[tuple[str, str]]:
    """What was said, without the places and names that a fix may shift."""
    return Counter((d.code, re.sub(r"`[^`]*`|\d+", "…", d.message)) for d in found)


def errors(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    return [d for d in found if d.severity == "error"]


def fixable(analysis: Analysis) -> list[tuple[Diagnostic, Fix]]:
    return [(d, fix) for d in analysis.diagnostics for fix in d.fixes]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_fix_mends_its_mistake(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    text = path.read_text(encoding="utf-8")
    before = check(text, path)
    for diagnostic, fix in fixable(before):
        alone = Diagnostic(fix.span, diagnostic.code, diagnostic.message, fixes=(fix,))
        fixed = apply_fixes(text, path.name, [alone], unsafe=True)
        assert fixed.applied == (fix,)
        after = check(fixed.text, path)
        new = told(errors(after.diagnostics)) - told(errors(before.diagnostics))
        gone = told(before.diagnostics)[key(diagnostic)] > told(after.diagnostics)[key(diagnostic)]
        assert gone, shown(diagnostic, after)
        assert not new or uncovered(path, new), shown(diagnostic, after)


def key(diagnostic: Diagnostic) -> tuple[str, str]:
    ((only, _),) = told([diagnostic]).items()
    return only


def shown(diagnostic: Diagnostic, after: Analysis) -> str:
    return f"{diagnostic.message} ({diagnostic.help})\n{render(after.diagnostics, after.sources)}"


# What one fix uncovers: a second mistake that could not be told before it, and is none of the fix.
UNCOVERED: dict[str, tuple[str, ...]] = {
    "budget-amount": ("WZ045",),  # four budgets in one space
    "cut-off-statements": ("WZ001",),  # `prune a*,` before `keep`, which is cut off as well
    "keras-functional": ("WZ001",),  # `x = Conv2D(16, 3)(x)`: its name, then its layer
    "optimizer-keyword-rate": ("WZ073",),  # `AdamW(lr = 1e-3)`: its name, then its option
    "goals": ("WZ034", "WZ044"),  # a network that has no modules, nor scores, once it can be read
    "reconstruct": ("WZ079", "WZ195"),  # `reconstruct 9 epochs`: a second length, without a value
    "settings-on-one-line": ("WZ079",),  # `steps 600 every`
    "unclosed-parenthesis": ("WZ003",),  # three brackets that hide each other
}


def uncovered(path: Path, new: Counter[tuple[str, str]]) -> bool:
    return {code for code, _ in new} <= set(UNCOVERED.get(path.stem, ()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_fixes_together_leave_fewer_mistakes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CASES)
    text = path.read_text(encoding="utf-8")
    before = found = check(text, path).diagnostics
    for _ in range(MAX_ROUNDS):
        fixed = apply_fixes(text, path.name, found, unsafe=True)
        if not fixed.applied:
            break
        text, found = fixed.text, check(fixed.text, path).diagnostics
    assert not any(d.fixes for d in found), "fixes that never end"
    if any(d.fixes for d in before):
        assert len(errors(found)) < len(errors(before)) or len(found) < len(before)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_safe_fixes_cause_no_mistake(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CASES)
    text = path.read_text(encoding="utf-8")
    before = check(text, path)
    fixed = apply_fixes(text, path.name, before.diagnostics)
    after = check(fixed.text, path)
    new = told(errors(after.diagnostics)) - told(errors(before.diagnostics))
    assert not new or uncovered(path, new), render(after.diagnostics, after.sources)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_help_says_to_write_is_there_as_a_fix(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CASES)
    for diagnostic in check(path.read_text(encoding="utf-8"), path).diagnostics:
        promise = PROMISE.search(diagnostic.help or "")
        if promise is not None:
            replacements = [fix.replacement for fix in diagnostic.fixes]
            assert replacements, diagnostic
        if promise is not None and promise[1] and promise.start() == 0:
            assert any(promise[1] in r or r.strip() in promise[1] for r in replacements), diagnostic


def test_fixes_that_overlap_are_applied_one_at_a_time() -> None:
    spans = [Fix(_span(0, 4), "one"), Fix(_span(2, 6), "two"), Fix(_span(6, 8), "three")]
    fixed = apply_fixes("abcdefgh", "a.wz", [_with(fix) for fix in spans], unsafe=True)
    assert fixed.text == "oneefthree" and fixed.applied == (spans[0], spans[2])


def test_insertions_at_one_place_are_applied_one_at_a_time() -> None:
    fixes = [Fix(_span(3, 3), ")"), Fix(_span(3, 3), ";")]
    assert apply_fixes("abc", "a.wz", map(_with, fixes), unsafe=True).text == "abc)"


def test_guesses_and_other_files_are_left_alone() -> None:
    fixes = [Fix(_span(0, 1), "x"), Fix(_span(1, 2, "b.wz"), "y", safe=True)]
    fixed = apply_fixes("abc", "a.wz", map(_with, fixes))
    assert fixed.text == "abc" and not fixed.applied


def _span(start: int, end: int, file: str = "a.wz") -> Span:
    return Span(file, start, end)


def _with(fix: Fix) -> Diagnostic:
    return Diagnostic(fix.span, "WZ001", "wrong", fixes=(fix,))
