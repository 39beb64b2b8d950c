"""The verifier: every kind of damage is noticed, and the pass that did it is named."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from wootzc.diagnostics import WootzError
from wootzc.ir.array import Array
from wootzc.ir.layers import Dense, GlobalPool
from wootzc.ir.net.network import Auxiliary
from wootzc.ir.passes import PASSES, Pass, run
from wootzc.ir.plan import Block, Costs, Grammar, Plan, Rule, Windows
from wootzc.ir.plan.verify import VerifyError, verify
from wootzc.ir.space import (
    AccuracyLimit,
    Budget,
    Constraint,
    CostLimit,
    Listed,
    Objective,
    Ordered,
    Proposed,
    Sample,
    Space,
    Tie,
)

MakeSpace = Callable[..., Space]


@pytest.fixture(scope="module")
def plan(make_space: MakeSpace, paper_rows: list[list[int]]) -> Plan:
    return run(Plan(space=make_space(5, rows=paper_rows, blocks="wootz")))


Damage = Callable[[Plan], Plan]


def sure(confidence: float) -> Objective:
    return Objective(limits=(AccuracyLimit(value=0.9, confidence=confidence),))


def space(**changes: Any) -> Damage:
    return lambda plan: replace(plan, space=replace(plan.space, **changes))


def limited(constraint: Constraint) -> Damage:
    return space(constraints=(constraint,))


def array(field: str, change: Callable[[Any], Any]) -> Damage:
    """The array of that name after `change`, which gets a copy and may edit it in place."""

    def damage(plan: Plan) -> Plan:
        values = getattr(plan, field).values.copy()
        result = change(values)
        new: dict[str, Any] = {field: Array(values if result is None else result)}
        return replace(plan, **new)

    return damage


def cost(metric: str, change: Callable[[Any], Any]) -> Damage:
    def damage(plan: Plan) -> Plan:
        assert plan.costs is not None
        tables = (
            replace(one, candidates=Array(change(one.candidates.values)))
            if one.metric == metric
            else one
            for one in plan.costs.tables
        )
        return replace(plan, costs=Costs(tables=tuple(tables)))

    return damage


def rules(change: Callable[[tuple[Rule, ...]], tuple[Rule, ...]]) -> Damage:
    def damage(plan: Plan) -> Plan:
        assert isinstance(plan.mined, Grammar)
        return replace(plan, mined=Grammar(rules=change(plan.mined.rules)))

    return damage


def doubling(old: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The start is 2^64 times a symbol, by a rule for each power."""
    powers = range(len(old), len(old) + 64)
    last = Rule(body=(len(old) - 1,) * 2, frequency=1)
    start = replace(old[0], body=(len(old),))
    return (start, *old[1:], *(Rule(body=(n + 1,) * 2, frequency=1) for n in powers), last)


def rule1(body: tuple[int, ...], frequency: int) -> Damage:
    return rules(lambda old: (old[0], Rule(body=body, frequency=frequency), *old[2:]))


def windows(rows: list[list[int]]) -> Damage:
    return lambda plan: replace(plan, mined=Windows(runs=Array(np.array(rows, np.int32))))


def more_blocks(*new: Block) -> Damage:
    return lambda plan: replace(plan, blocks=(*(plan.blocks or ()), *new))


def heads(*auxiliaries: Auxiliary) -> Damage:
    def damage(plan: Plan) -> Plan:
        network = replace(plan.space.network, auxiliaries=auxiliaries)
        return replace(plan, space=replace(plan.space, network=network))

    return damage


HEAD = Auxiliary(name="aux1", after=1, weight=0.3, body=(GlobalPool(), Dense(width=3)))


def training(*order: int) -> Damage:
    return lambda plan: replace(plan, training_order=order)


def put(where: Any, value: int) -> Callable[[Any], None]:
    def change(values: Any) -> None:
        values[where] = value

    return change


def shapeless(plan: Plan) -> Plan:
    network = replace(plan.space.network, input=(7,))
    return space(network=network)(plan)


TINY = CostLimit(metric="params", comparison="<=", value=9)

DAMAGE: dict[str, tuple[str, Damage]] = {
    "rates": ("rise from 0.0", space(rates=(0.3, 0.5))),
    "choices": ("once per module", space(choices=())),
    "choice": ("may have rate 9, and there are 3", space(choices=((9,),) * 5)),
    "shape": ("layer of the network does not fit", shapeless),
    "head nowhere": ("a segment that does not exist", heads(replace(HEAD, after=7))),
    "head wide": ("ends in 4, the network in 3", heads(replace(HEAD, body=(GlobalPool(),)))),
    "head image": ("ends in 4x4x4", heads(replace(HEAD, body=()))),
    "head misfit": ("head aux1 does not fit", heads(replace(HEAD, body=(Dense(width=3),)))),
    "head weight": ("weighs -1", heads(replace(HEAD, weight=-1.0))),
    "head twice": ("have one name", heads(HEAD, HEAD)),
    "list": ("one rate for each module", space(selection=Listed(rows=Array(np.zeros((1, 4)))))),
    "sample": ("at least one", space(selection=Sample(count=0))),
    "proposal": (
        "at least one candidate must be proposed",
        space(selection=Proposed(count=0), explore="predicted"),
    ),
    "proposal unpredicted": ("only a predicted", space(selection=Proposed(count=5))),
    "certified unpredicted": ("only a predicted", space(certify=0.95)),
    "certainty": ("no confidence", space(explore="predicted", certify=1.0)),
    "coin toss": ("no confidence", space(explore="predicted", certify=0.5)),
    "nothing saved": ("no saving", space(explore="predicted", until=0.0)),
    "all saved": ("no saving", space(explore="predicted", until=1.0)),
    "limit of a coin toss": ("no confidence", space(objective=sure(0.5))),
    "certain limit": ("no confidence", space(objective=sure(1.0))),
    "no candidates": ("allows nothing", space(budget=Budget(candidates=0))),
    "no time": ("allows nothing", space(budget=Budget(seconds=0.0))),
    "all of time": ("allows nothing", space(budget=Budget(seconds=float("inf")))),
    "module": ("do not exist", limited(Tie(modules=(0, 7)))),
    "tie": ("breaks tie(0, 1)", limited(Tie(modules=(0, 1)))),
    "order": (
        "breaks ordered nondecreasing(3, 4)",
        limited(Ordered(direction="nondecreasing", modules=(3, 4))),
    ),
    "limit": ("breaks params <= 9", limited(TINY)),
    "dtype": ("not uint8", array("candidates", lambda v: v.astype(np.int32))),
    "twice": ("stands twice", array("candidates", lambda v: v[[0, 1, 2, 0]])),
    "no candidate": ("there is no candidate", array("candidates", lambda v: v[:0])),
    "forbidden rate": ("may not have", space(choices=((0,),) * 5)),
    "cost": ("by what is said of its modules", cost("params", lambda v: v + 1)),
    "cost shape": ("not int64[4]", cost("macs", lambda v: v[1:])),
    "rule missing": ("does not exist", rules(lambda old: old[:-1])),
    "rule cycle": ("contains itself", rule1((1, 8), 2)),
    "rule empty": ("either a body or a symbol", rule1((), 2)),
    "rules": ("do not expand to the candidates", rule1((8, 5), 2)),
    "rules without end": ("do not expand to the candidates", rules(doubling)),
    "frequency": ("frequency", rule1((5, 8), 3)),
    "window": ("outside of the candidates", windows([[4, 6, 0, 2]])),
    "window lonely": ("is not shared", windows([[0, 1, 0, 1]])),
    "window shape": ("int32 [runs, 4]", windows([[0, 1, 0]])),
    "block outside": (
        "of modules 4 to 5, and there are 5",
        more_blocks(Block(start=4, rates=(1, 1))),
    ),
    "block twice": ("this block stands twice", more_blocks(Block(start=0, rates=(1,)))),
    "block idle": ("prunes nothing", more_blocks(Block(start=0, rates=(0, 0)))),
    "vector shape": ("must be int32", array("composition", lambda v: v[:, 1:])),
    "vector block": ("of block 99, and there are 5", array("composition", put((0, 0), 99))),
    "vector rate": ("at another rate", array("composition", put((2, 0), 0))),
    "vector cut": ("cut off", array("composition", put((0, 4), -1))),
    "exploration twice": ("candidate 1 twice", array("exploration_order", lambda v: v[[0, 0]])),
    "exploration empty": ("is empty", array("exploration_order", lambda v: v[:0])),
    "exploration outside": ("candidate 9: there are 4", array("exploration_order", put(0, 9))),
    "exploration limit": ("breaks params <= 9", space(objective=Objective(limits=(TINY,)))),
    "training twice": ("names a block twice", training(0, 0)),
    "training short": ("block 2, which is never trained", training(0, 1)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_noticed(plan: Plan, kind: str) -> None:
    message, damage = DAMAGE[kind]
    verify(plan)
    with pytest.raises(VerifyError) as caught:
        verify(damage(plan), after="some-pass", since=plan)
    assert message in str(caught.value)
    assert "after the pass `some-pass`" in str(caught.value)


def test_the_costs_of_every_candidate_count(plan: Plan) -> None:
    def swap(values: Any) -> Any:
        assert values[0] != values[-1]
        return values[[-1, *range(1, len(values) - 1), 0]]

    swapped = cost("params", swap)(plan)
    with pytest.raises(VerifyError, match="by what is said of its modules"):
        verify(swapped)


def test_a_predicted_search_is_accepted(plan: Plan) -> None:
    search = {
        "selection": Proposed(count=4),
        "explore": "predicted",
        "certify": 0.95,
        "budget": Budget(candidates=10, seconds=0.5),
    }
    verify(space(**search)(plan))


def test_a_sound_head_is_accepted(plan: Plan) -> None:
    verify(heads(HEAD, replace(HEAD, name="aux2", after=0))(plan))


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """A pass with a bug."""

    name: ClassVar[str] = "twice"

    def __call__(self, plan: Plan) -> Plan:
        return array("candidates", lambda v: v[[0, 0]])(plan)


def test_the_runner_names_the_pass_at_fault(make_space: MakeSpace) -> None:
    passes: tuple[Pass, ...] = (PASSES[0], Twice(), PASSES[1])
    with pytest.raises(VerifyError, match="after the pass `twice`: a candidate stands twice"):
        run(Plan(space=make_space(2)), passes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gives:
    """A pass that gives something else than a plan, or a plan with something else in it."""

    what: Callable[[Plan], Any]
    name: ClassVar[str] = "gives"

    def __call__(self, plan: Plan) -> Plan:
        given: Plan = self.what(plan)
        return given


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (lambda plan: None, "what came out is NoneType, not a Plan"),
        (lambda plan: plan.space, "what came out is Space, not a Plan"),
        (
            lambda plan: replace(plan, candidates=plan.candidates.values),
            "candidates is ndarray, not an Array",
        ),
    ],
)
def test_what_a_pass_forgot_is_told(
    make_space: MakeSpace, what: Callable[[Plan], Any], told: str
) -> None:
    with pytest.raises(VerifyError, match=f"after the pass `gives`: {told}"):
        run(Plan(space=make_space(2)), (PASSES[0], Gives(what=what)))


def test_a_plan_that_starts_out_broken_is_the_users_mistake(plan: Plan) -> None:
    with pytest.raises(WootzError) as caught:
        run(shapeless(plan))
    assert caught.value.diagnostics[0].code == "WZ084"
