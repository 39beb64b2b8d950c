"""Pipelines as text, and how passes of others come in."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints
from typing import Any, ClassVar

import pytest

from wootzc.diagnostics import WootzError
from wootzc.ir.passes import (
    PASSES,
    Compose,
    ExpandSpace,
    MineSubsequences,
    Order,
    Pass,
    SelectBlocks,
    available,
    inserted,
    parse_pipeline,
    pipeline_text,
    remaining,
    replaced,
    run,
)
from wootzc.ir.plan import Plan
from wootzc.ir.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Strict:
    """A pass with an option that has no default."""

    least: int
    loud: bool = False
    share: float = 0.5
    name: ClassVar[str] = "strict"

    def __call__(self, plan: Plan) -> Plan:
        return plan


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry(EntryPoint):
        def load(self) -> Any:
            return Strict

    entries = EntryPoints([Entry("strict", "some.package:Strict", "wootzc.passes")])
    monkeypatch.setattr("importlib.metadata.entry_points", entries.select)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("expand-space", (ExpandSpace(),)),
        (
            "expand-space,mine-subsequences{method=sequitur},order",
            (ExpandSpace(), MineSubsequences(method="sequitur"), Order()),
        ),
        ("expand-space{limit=10, bands=3}", (ExpandSpace(limit=10, bands=3),)),
        ("compose,mine-subsequences{most=7}", (Compose(), MineSubsequences(most=7))),
        ("select-blocks{method=none}", (SelectBlocks(method="none"),)),
    ],
)
def test_text_and_passes_are_inverse(text: str, passes: tuple[Pass, ...]) -> None:
    assert parse_pipeline(text) == passes
    assert pipeline_text(passes) == text


def test_blanks_do_not_matter() -> None:
    text = " expand-space { limit = 10  bands=3 } , mine-subsequences{method=None} "
    assert parse_pipeline(text) == (ExpandSpace(limit=10, bands=3), MineSubsequences())


def test_the_default_pipeline_has_a_text() -> None:
    assert parse_pipeline(pipeline_text(PASSES)) == PASSES


@pytest.mark.parametrize(
    ("text", "marked", "code", "message"),
    [
        ("expand-spaces", "expand-spaces", "WZ085", "did you mean `expand-space`?"),
        ("quux", "quux", "WZ085", "there are: compose, estimate-cost, expand-space"),
        ("compose{limit=3}", "limit=3", "WZ086", "`compose` has no option `limit`"),
        ("expand-space{limits=3}", "limits=3", "WZ086", "did you mean `limit`?"),
        ("expand-space{limit=many}", "limit=many", "WZ086", "expected an integer, not 'many'"),
        (
            "mine-subsequences{method=sequitor}",
            "method=sequitor",
            "WZ086",
            "expected one of 'sequitur', 'windows' or None, not 'sequitor'",
        ),
        ("expand-space{limit}", "limit", "WZ087", "`limit` is no `option=value`"),
        ("", "", "WZ087", "expected a pass here"),
        ("compose,", "", "WZ087", "expected a pass here"),
        ("compose order", "o", "WZ087", "expected `,` or the end here"),
        ("compose{", "{", "WZ087", "expected `,` or the end here"),
        ("strict", "", "WZ086", "`strict` needs its option `least`"),
        ("strict{least=1,loud=1}", "loud=1", "WZ086", "expected True or False, not 1"),
    ],
)
@pytest.mark.usefixtures("plugged")
def test_mistakes(text: str, marked: str, code: str, message: str) -> None:
    with pytest.raises(WootzError) as caught:
        parse_pipeline(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert message in f"{diagnostic.message} {diagnostic.help}"
    assert text[diagnostic.span.start : diagnostic.span.end] == marked


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(WootzError) as caught:
        parse_pipeline("quux,expand-space{limit=x, band=3},corder")
    assert [d.code for d in caught.value.diagnostics] == ["WZ085", "WZ086", "WZ086", "WZ085"]


@pytest.mark.usefixtures("plugged")
def test_passes_of_other_packages_are_found() -> None:
    assert available()["strict"] is Strict
    assert available()["order"] is Order
    assert parse_pipeline("strict{least=3, share=1}") == (Strict(least=3, share=1.0),)


def test_what_others_register_wrong_is_told_and_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entries = EntryPoints(
        [
            EntryPoint("gone", "nowhere.at_all:Gone", "wootzc.passes"),
            EntryPoint("number", "math:pi", "wootzc.passes"),
            EntryPoint("ours", "wootzc.ir.passes:Order", "wootzc.passes"),
        ]
    )
    monkeypatch.setattr("importlib.metadata.entry_points", entries.select)
    assert parse_pipeline("expand-space,order") == (ExpandSpace(), Order())
    with pytest.warns(UserWarning) as told:
        assert "gone" not in available()
    assert [str(one.message) for one in told] == [
        "the pass `gone` can't be used: ModuleNotFoundError: No module named 'nowhere'",
        "the pass `number` can't be used: math:pi is no dataclass with a `name`",
    ]
    with pytest.raises(WootzError, match="`gone` can't be used: ModuleNotFoundError"):
        parse_pipeline("expand-space,gone")


@pytest.mark.parametrize(
    "passes", ["expand-space", (ExpandSpace,), ("expand-space",), (lambda plan: plan,)]
)
def test_names_and_classes_are_no_passes(make_space: Callable[..., Space], passes: Any) -> None:
    with pytest.raises(TypeError, match=r"is no pass; parse_pipeline\(text\) reads passes"):
        run(Plan(space=make_space(2)), passes)


def test_replacing_and_inserting() -> None:
    passes: tuple[Pass, ...] = (ExpandSpace(), Compose(), Order())
    assert replaced(passes, ExpandSpace(limit=1)) == (ExpandSpace(limit=1), Compose(), Order())
    extra = Strict(least=1)
    assert inserted(passes, extra) == (*passes, extra)
    assert inserted(passes, extra, before="compose") == (passes[0], extra, *passes[1:])
    assert inserted(passes, extra, after="compose") == (*passes[:2], extra, passes[2])
    with pytest.raises(KeyError, match="strict"):
        replaced(passes, extra)
    with pytest.raises(KeyError, match="select-blocks"):
        inserted(passes, extra, before="select-blocks")


AGAIN = [
    "expand-space{bands=3}",
    "expand-space{bands=3},estimate-cost,select-blocks{method=maximal},compose,order",
    "select-blocks{method=none}",
    "select-blocks{method=maximal},compose,order",
    "estimate-cost,compose",
]


@pytest.mark.parametrize("text", AGAIN)
def test_a_pass_lets_go_of_what_others_made_of_its_part(make_space: Any, text: str) -> None:
    plan = run(Plan(space=make_space(5)))
    again = run(plan, parse_pipeline(text))  # verified after each
    whole = run(again, remaining(again))
    assert whole.exploration_order is not None and whole.training_order is not None


def test_what_remains_is_what_is_not_filled_in(make_space: Any) -> None:
    plan = Plan(space=make_space(5))
    assert remaining(plan) == PASSES
    for count in range(len(PASSES) + 1):
        assert remaining(run(plan, PASSES[:count])) == PASSES[count:]
    without = (ExpandSpace(), *PASSES[1:2], SelectBlocks(method="modules"))
    assert remaining(run(plan, without)) == (Compose(), Order())
