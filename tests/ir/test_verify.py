"""The verifier: every kind of damage is noticed, and the pass that did it is named."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from wootzc.ir.array import Array
from wootzc.ir.passes import PASSES, Pass, run
from wootzc.ir.plan import Block, Grammar, Plan, Rule, Windows
from wootzc.ir.space import CostLimit, Objective, Ordered, Space, Tie
from wootzc.ir.verify import VerifyError, verify

MakeSpace = Callable[..., Space]


@pytest.fixture(scope="module")
def plan(make_space: MakeSpace, paper_rows: list[list[int]]) -> Plan:
    return run(Plan(space=make_space(5, rows=paper_rows, blocks="wootz")))


def changed(array: Array | None, change: Callable[[Any], Any]) -> Array:
    assert array is not None
    values = array.values.copy()
    result = change(values)
    return Array(values if result is None else result)


def put(where: Any, value: int) -> Callable[[Any], None]:
    def change(values: Any) -> None:
        values[where] = value

    return change


DAMAGE: dict[str, tuple[str, Callable[[Plan], Plan]]] = {
    "rates": ("rise from 0.0", lambda p: replace(p, space=replace(p.space, rates=(0.3, 0.5)))),
    "choices": ("once per module", lambda p: replace(p, space=replace(p.space, choices=()))),
    "choice": (
        "no position in the rates",
        lambda p: replace(p, space=replace(p.space, choices=((9,),) * 5)),
    ),
    "module": (
        "do not exist",
        lambda p: replace(p, space=replace(p.space, constraints=(Tie(modules=(0, 7)),))),
    ),
    "tie": (
        "breaks Tie",
        lambda p: replace(p, space=replace(p.space, constraints=(Tie(modules=(0, 1)),))),
    ),
    "order": (
        "breaks Ordered",
        lambda p: replace(
            p,
            space=replace(
                p.space, constraints=(Ordered(direction="nondecreasing", modules=(3, 4)),)
            ),
        ),
    ),
    "limit": (
        "breaks CostLimit",
        lambda p: replace(
            p,
            space=replace(
                p.space, constraints=(CostLimit(metric="params", comparison="<=", value=9),)
            ),
        ),
    ),
    "dtype": (
        "not uint8",
        lambda p: replace(p, candidates=changed(p.candidates, lambda v: v.astype(np.int32))),
    ),
    "twice": (
        "stands twice",
        lambda p: replace(p, candidates=changed(p.candidates, lambda v: v[[0, 1, 2, 0]])),
    ),
    "no candidate": (
        "there is no candidate",
        lambda p: replace(p, candidates=changed(p.candidates, lambda v: v[:0])),
    ),
    "forbidden rate": (
        "may not have",
        lambda p: replace(p, space=replace(p.space, choices=((0,),) * 5)),
    ),
    "cost": (
        "not those of its pruned network",
        lambda p: replace(
            p, costs=replace(p.costs, params=changed(p.costs.params, lambda v: v + 1))
        ),
    ),
    "cost shape": (
        "must be int64",
        lambda p: replace(p, costs=replace(p.costs, macs=changed(p.costs.macs, lambda v: v[1:]))),
    ),
    "rule missing": (
        "does not exist",
        lambda p: replace(p, mined=Grammar(rules=p.mined.rules[:-1])),
    ),
    "rule cycle": (
        "circle",
        lambda p: replace(
            p,
            mined=Grammar(
                rules=(p.mined.rules[0], Rule(body=(1, 8), frequency=2), *p.mined.rules[2:])
            ),
        ),
    ),
    "rule empty": (
        "either a body or a symbol",
        lambda p: replace(p, mined=Grammar(rules=(Rule(body=(), frequency=1),))),
    ),
    "rules": (
        "do not expand to the candidates",
        lambda p: replace(
            p,
            mined=Grammar(
                rules=(p.mined.rules[0], Rule(body=(8, 5), frequency=2), *p.mined.rules[2:])
            ),
        ),
    ),
    "frequency": (
        "frequency",
        lambda p: replace(
            p,
            mined=Grammar(
                rules=(p.mined.rules[0], Rule(body=(5, 8), frequency=3), *p.mined.rules[2:])
            ),
        ),
    ),
    "window": (
        "outside of the candidates",
        lambda p: replace(p, mined=Windows(runs=Array(np.array([[4, 6, 0, 2]], np.int32)))),
    ),
    "window shape": (
        "int32 [runs, 4]",
        lambda p: replace(p, mined=Windows(runs=Array(np.zeros((2, 3), np.int32)))),
    ),
    "block outside": (
        "lies outside",
        lambda p: replace(p, blocks=(*p.blocks, Block(start=4, rates=(1, 1)))),
    ),
    "block twice": ("a block stands twice", lambda p: replace(p, blocks=p.blocks + p.blocks[:1])),
    "block idle": (
        "prunes nothing",
        lambda p: replace(p, blocks=(*p.blocks, Block(start=0, rates=(0, 0)))),
    ),
    "vector shape": (
        "must be int32",
        lambda p: replace(p, composition=changed(p.composition, lambda v: v[:, 1:])),
    ),
    "vector block": (
        "does not exist",
        lambda p: replace(p, composition=changed(p.composition, put((0, 0), 99))),
    ),
    "vector rate": (
        "at another rate",
        lambda p: replace(p, composition=changed(p.composition, put((2, 0), 0))),
    ),
    "vector cut": (
        "cut off",
        lambda p: replace(p, composition=changed(p.composition, put((0, 4), -1))),
    ),
    "exploration twice": (
        "distinct int32",
        lambda p: replace(p, exploration_order=changed(p.exploration_order, lambda v: v[[0, 0]])),
    ),
    "exploration empty": (
        "is empty",
        lambda p: replace(p, exploration_order=changed(p.exploration_order, lambda v: v[:0])),
    ),
    "exploration outside": (
        "do not exist",
        lambda p: replace(p, exploration_order=changed(p.exploration_order, put(0, 9))),
    ),
    "exploration limit": (
        "breaks CostLimit",
        lambda p: replace(
            p,
            space=replace(
                p.space,
                objective=Objective(limits=(CostLimit(metric="macs", comparison="<=", value=1),)),
            ),
        ),
    ),
    "training twice": ("distinct blocks", lambda p: replace(p, training_order=(0, 0))),
    "training short": ("exactly the blocks", lambda p: replace(p, training_order=(0, 1))),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_noticed(plan: Plan, kind: str) -> None:
    message, damage = DAMAGE[kind]
    verify(plan)
    with pytest.raises(VerifyError) as caught:
        verify(damage(plan), after="some-pass", since=plan)
    assert message in str(caught.value)
    assert "after the pass `some-pass`" in str(caught.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """A pass with a bug."""

    name: ClassVar[str] = "twice"

    def __call__(self, plan: Plan) -> Plan:
        return replace(plan, candidates=changed(plan.candidates, lambda v: v[[0, 0]]))


def test_the_runner_names_the_pass_at_fault(make_space: MakeSpace) -> None:
    passes: tuple[Pass, ...] = (PASSES[0], Twice(), PASSES[1])
    with pytest.raises(VerifyError, match="after the pass `twice`: a candidate stands twice"):
        run(Plan(space=make_space(2)), passes)
