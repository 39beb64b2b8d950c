"""Trunks: what runs between modules, and spaces that cut it, against looking at every candidate."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import wootzc.ir.propose.proposer as proposer
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.layers import Activation, Body, Branch, Conv, Dense, GlobalPool, Norm
from wootzc.ir.net.cost_tables import network_costs, variant_costs
from wootzc.ir.net.coupling import couple_network
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate, rate_of, removed
from wootzc.ir.net.trunk import readers, trunks, with_seams
from wootzc.ir.passes import PASSES, run
from wootzc.ir.plan import Plan
from wootzc.ir.propose import proposals
from wootzc.ir.space import (
    Constraint,
    CostLimit,
    Objective,
    Ordered,
    RateLimit,
    Space,
    Tie,
    compared,
)
from wootzc.ir.space.equal_rates import chosen_rates
from wootzc.ir.space.narrow import narrowed, trunk_choices, trunk_rates, trunk_widths
from wootzc.ir.space.recipe import Recipe
from wootzc.ir.text import parse_plan, print_plan

MakeSpace = Callable[..., Space]

THROUGH: Body = (Conv(width=6), Norm(), Activation(), Conv(width=4), Norm())
RESIDUAL: Body = (Branch(join="add", arms=(THROUGH, ())), Activation())
WIDER: Body = (Conv(width=6), Activation(), Conv(width=8, stride=(2, 2)))
GROWTH: Body = (Branch(join="concat", arms=((), (Conv(width=5), Activation(), Conv(width=3)))),)


def chain(*bodies: Body) -> Network:
    modules = (Module(name=f"m{i}", body=body) for i, body in enumerate(bodies, 1))
    stem = Plain(name="plain1", body=(Conv(width=4), Norm(), Activation()))
    head = Plain(name="plain2", body=(GlobalPool(), Dense(width=3)))
    return Network(name="chain", input=(4, 4, 2), segments=(stem, *modules, head))


def test_what_an_identity_leads_past_is_one_trunk() -> None:
    network = chain(RESIDUAL, RESIDUAL, WIDER)
    first, second = trunks(network)
    coupling = couple_network(network)
    (group,) = (coupling.groups[g] for g in first.groups)
    assert (first.name, first.first, first.last, group.width) == ("t1", 0, 3, 4)
    assert group.makers == ("plain1/0", "m1/0.0.3", "m2/0.0.3")
    assert readers(network, first, coupling) == ["m1/0.0.0", "m2/0.0.0", "m3/0"]
    assert [coupling.groups[g].makers for g in second.groups] == [("m3/2",)]
    assert readers(network, second, coupling) == ["plain2/1"]


def test_what_stays_may_enter_in_pieces_and_go_on_beside_what_can_go() -> None:
    """The module is told nothing of what enters: to it that is one piece, to the network two."""
    grouped: Body = (Conv(width=8, kernel=(1, 1), groups=2), Conv(width=6))  # keeps both pieces
    stem = Plain(
        name="plain1", body=(Branch(join="concat", arms=((Conv(width=8),), (Conv(width=4),))),)
    )
    module = Module(name="m1", body=(Branch(join="concat", arms=((), grouped)),))
    head = Plain(name="plain2", body=(GlobalPool(), Dense(width=3)))
    network = with_seams(
        Network(name="chain", input=(4, 4, 2), segments=(stem, module, head)), ["t1"]
    )
    (told, _) = network.modules
    assert (told.entering, [seam.width for seam in told.leaving]) == ((), [8, 4, 6])
    pruned = prune_network(network, (rate_of(0, 0, 0.5), rate_of(0, 0.5, 0)))
    (branch,) = pruned.segments[1].body
    assert isinstance(branch, Branch)
    assert branch.arms[1][-1] == Conv(width=3)


def test_what_a_concatenation_adds_joins_the_trunk() -> None:
    (trunk,) = trunks(chain(GROWTH, GROWTH))
    groups = [couple_network(chain(GROWTH, GROWTH)).groups[g] for g in trunk.groups]
    assert [(g.width, g.makers) for g in groups] == [
        (4, ("plain1/0",)),
        (3, ("m1/0.1.2",)),
        (3, ("m2/0.1.2",)),
    ]


def test_inputs_and_scores_are_in_no_trunk() -> None:
    bare: Body = (Branch(join="add", arms=((Conv(width=2),), ())),)
    straight = Network(
        name="n",
        input=(4, 4, 2),
        segments=(Module(name="m1", body=bare), Module(name="m2", body=bare)),
    )
    assert trunks(straight) == ()


def test_modules_are_told_of_their_ends_and_plain_layers_stand_for_theirs() -> None:
    network = with_seams(chain(RESIDUAL, WIDER, RESIDUAL[:0] + WIDER), {"t2"})
    told = {m.name: (len(m.entering), len(m.leaving), m.outside) for m in network.modules}
    assert told == {"m1": (0, 0, False), "m2": (0, 1, False), "m3": (1, 0, False)}
    network = with_seams(chain(RESIDUAL), {"t1"})
    assert [m.name for m in network.modules if m.outside] == ["plain1", "plain2"]


def test_rates_that_do_not_fit_together_are_refused() -> None:
    network = with_seams(chain(RESIDUAL), {"t1"})
    with pytest.raises(ValueError, match="does not enter the next"):
        prune_network(network, ((0.0, 0.0, 0.5), 0.0, 0.0))


# Spaces

NARROW = {"t1": (0.0, 0.5), "t2": (0.0, 0.25, 0.5)}
BODIES = (RESIDUAL, RESIDUAL, WIDER)


def space_of(make: MakeSpace, **fields: Any) -> Space:
    made = narrowed(chain(*BODIES), (0.0, 0.3, 0.5), ((0, 1, 2),) * 3, NARROW)
    modules = len(made.network.modules)
    return make(
        modules,
        network=made.network,
        rates=made.rates,
        choices=made.choices,
        criteria=("l1",) * modules,
        **fields,
    )


@cache
def every_candidate() -> list[tuple[tuple[Rate, ...], Mapping[Any, int]]]:
    """By its variables, the rates of three modules and two trunks; and what it costs."""
    network = with_seams(chain(*BODIES), NARROW)
    found: list[tuple[tuple[Rate, ...], Mapping[Any, int]]] = []
    for a, b, c in itertools.product((0.0, 0.3, 0.5), repeat=3):
        for t, u in itertools.product(*NARROW.values()):
            rates = (
                rate_of(0.0, 0.0, t),
                rate_of(a, t, t),
                rate_of(b, t, t),
                rate_of(c, t, u),
                rate_of(0.0, u, 0.0),
            )
            found.append((rates, network_costs(prune_network(network, rates))))
    return found


def brute(space: Space, constraints: tuple[Constraint, ...]) -> dict[bytes, tuple[Rate, ...]]:
    """By the space's own positions."""
    return {
        bytes(space.rates.index(rate) for rate in rates): rates
        for rates, costs in every_candidate()
        if all(_meets(one, rates, costs) for one in constraints)
    }


def _meets(constraint: Constraint, rates: tuple[Rate, ...], costs: Mapping[Any, int]) -> bool:
    match constraint:
        case CostLimit(metric=metric, value=value, comparison=comparison):
            return costs[metric] <= value if comparison == "<=" else costs[metric] >= value
        case RateLimit(comparison=comparison, value=value):
            own = [removed(rates[m], side) for m, side in compared(constraint)]
            return all(one <= value if comparison == "<=" else one >= value for one in own)
        case Tie():
            return len({removed(rates[m], side) for m, side in compared(constraint)}) == 1
        case Ordered(direction=direction):
            own = [removed(rates[m], side) for m, side in compared(constraint)]
            return own == sorted(own, reverse=direction == "nonincreasing")


TRUNKS = ((0, "leaving"), (3, "leaving"))  # the modules that they leave first


def relation_of(places: list[tuple[int, Any]]) -> dict[str, Any]:
    modules, sides = zip(*places, strict=True)
    return {"modules": modules, "sides": () if {*sides} == {"inside"} else sides}


@st.composite
def constraint_lists(draw: st.DrawFn) -> tuple[Constraint, ...]:
    own = st.sampled_from([(1, "inside"), (2, "inside"), (3, "inside"), *TRUNKS])
    some = st.lists(own, min_size=2, max_size=3, unique=True)
    direction = st.sampled_from(["nondecreasing", "nonincreasing"])
    limit = st.builds(
        CostLimit,
        metric=st.just("params"),
        comparison=st.sampled_from(["<=", ">="]),
        value=st.integers(600, 1700),
    )
    tie = some.map(lambda places: Tie(**relation_of(places)))
    order = st.builds(
        lambda d, places: Ordered(direction=d, **relation_of(places)), direction, some
    )
    bound = st.builds(
        lambda comparison, value, places: RateLimit(
            comparison=comparison, value=value, **relation_of(places)
        ),
        st.sampled_from(["<=", ">="]),
        st.sampled_from([0.0, 0.25, 0.3, 0.4, 0.5]),
        st.lists(own, min_size=1, max_size=2, unique=True),
    )
    return tuple(draw(st.lists(st.one_of(tie, order, limit, bound), max_size=3)))


@settings(max_examples=25)
@given(constraint_lists())
def test_spaces_hold_what_looking_at_every_candidate_finds(
    make_space: MakeSpace, constraints: tuple[Constraint, ...]
) -> None:
    space = space_of(make_space, constraints=constraints)
    expected = brute(space, constraints)
    held = holds(space, variant_costs(space.network, space.rates))
    rows = held.rows()
    assert {row.tobytes() for row in rows} == {*expected} and len(rows) == len(expected)
    assert held.count == len(expected)
    every = np.array([*itertools.islice(itertools.product(*space.choices), 4000)], dtype=np.uint8)
    assert {row.tobytes() for row in every[held.contains(every)]} <= {*expected}


def test_costs_are_those_of_the_pruned_network(make_space: MakeSpace) -> None:
    space = space_of(make_space)
    costs = variant_costs(space.network, space.rates)
    for row, rates in brute(space, ()).items():
        exact = network_costs(prune_network(space.network, rates))
        candidate = np.frombuffer(row, dtype=np.uint8)[None]
        assert {name: costs.total(name, candidate)[0] for name in exact} == exact


@settings(max_examples=10)
@given(constraint_lists(), st.integers(0, 10**6))
def test_the_best_is_proposed_first(
    make_space: MakeSpace, constraints: tuple[Constraint, ...], seed: int
) -> None:
    """By integer programming and by counting alike."""
    space = space_of(make_space, constraints=constraints)
    space = replace(space, objective=Objective(target="accuracy"))
    scores: NDArray[np.float64] = np.random.default_rng(seed).uniform(
        size=(len(space.choices), len(space.rates))
    )
    costs = variant_costs(space.network, space.rates)
    every = [np.frombuffer(row, dtype=np.uint8) for row in brute(space, constraints)]
    harm = [float(scores[np.arange(len(row)), row].sum()) for row in every]
    for listed in (proposer.LISTED, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(proposer, "LISTED", listed)
            rows = proposals(space, costs, scores, 5).rows
        assert len(rows) == 0 if not every else len(rows) > 0
        if every:
            first = scores[np.arange(rows.shape[1]), rows[0]].sum()
            assert first == pytest.approx(min(harm), abs=1e-6)
            assert {row.tobytes() for row in rows} <= {row.tobytes() for row in every}


@pytest.mark.parametrize("blocks", ["modules", "wootz", "maximal", "optimal"])
def test_blocks_are_made_of_what_is_cut_alike(make_space: MakeSpace, blocks: str) -> None:
    """The passes take a candidate's rates as they are; and the text holds all of it."""
    long = Recipe(steps=500)
    space = space_of(make_space, blocks=blocks, pretrain=long, finetune=long)
    plan = run(Plan(space=space), PASSES)
    assert plan.candidates is not None and plan.composition is not None and plan.blocks
    assert len(plan.candidates) == 27 * 6
    for row, used in zip(plan.candidates.values, plan.composition.values, strict=True):
        for module, number in enumerate(used.tolist()):
            if number >= 0:
                block = plan.blocks[number]
                assert block.rates[module - block.start] == row[module]
    assert parse_plan(print_plan(plan)) == plan


def test_trunks_of_a_space_are_told_by_name(make_space: MakeSpace) -> None:
    space = space_of(make_space)
    assert trunk_choices(space) == NARROW
    rates: tuple[Rate, ...] = ((0.0, 0.0, 0.5), (0.3, 0.5, 0.5), (0.0, 0.5, 0.5), (0.0, 0.5, 0.25))
    assert trunk_rates(space.network, (*rates, (0.0, 0.25, 0.0))) == {"t1": 0.5, "t2": 0.25}
    widths = trunk_widths(space.network, (*rates, (0.0, 0.25, 0.0)))
    assert [(w.module, w.filters, w.kept) for w in widths] == [
        ("t1", (4,), (2,)),
        ("t2", (8,), (6,)),
    ]


def test_rates_that_leave_equal_widths_are_one() -> None:
    """Of trunks as of modules, unless they are compared with what tells these rates apart."""
    rates, network = (0.0, 0.3, 0.5), chain(*BODIES)  # trunks of 4 and 8 channels
    allowed = ((0, 1, 2),) * 5
    multiples = chosen_rates(network, rates, allowed, (), 4, 4)
    assert multiples[3:] == ({0: 0, 1: 0, 2: 0}, {0: 0, 1: 1, 2: 1})
    tied = chosen_rates(network, rates, allowed, (Tie(modules=(3, 4)),), 4, 4)
    assert tied[3:] == ({0: 0, 1: 1, 2: 1},) * 2
    assert chosen_rates(network, rates, allowed[:3], ()) == multiples[:3]
    limit = RateLimit(comparison=">=", value=0.5, modules=(3,))
    assert chosen_rates(network, rates, allowed, (limit,), 4, 4)[3] == {0: 0, 1: 0, 2: 2}
