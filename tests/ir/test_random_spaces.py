"""Spaces with all that can be said at once, narrow, skip, tie, each, orders: by brute force."""

import random
from itertools import pairwise, product

import numpy as np
import pytest

from wootzc.grammar import analyze
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate, parts, triple
from wootzc.ir.space import Constraint, CostLimit, Ordered, RateLimit, Space, compared, tried_within
from wootzc.ir.space.space_costs import space_costs

BODIES = (
    "add { { conv(3x3, 4); norm; relu; conv(3x3, 6); norm } { } }; relu",
    "add { { conv(1x1, 4); relu; depthwise(3x3); norm; conv(3x3, 2); conv(1x1, 6) } { } }; relu",
    "conv(1x1, 8); relu; conv(3x3, 8, groups = 2); norm; relu; conv(1x1, 6); norm; relu",
    "add { { conv(3x3, 4); relu; conv(3x3, 6) } { conv(1x1, 6); norm } }; relu",
)


def space_of(draw: random.Random) -> Space | None:
    """None where nothing is left, which the language refuses."""
    modules = [f"module {name} {{ {draw.choice(BODIES)} }}" for name in "abc"]
    what = draw.sample(["a", "b", "c", "t1"], 3)
    metrics = draw.sample(["params", "macs", "memory", "size"], 2)
    said = (
        f"prune a rates {{ 0, 30%, 60% }}{draw.choice(['', ' each'])}",
        "prune b, c rates { 0, 50% }",
        "narrow t* rates { 0, 50% }",
        draw.choice(["skip *", "keep c"]),
        draw.choice([f"tie {what[0]}, {what[1]}", f"where nondecreasing({', '.join(what)})", ""]),
        draw.choice([f"where {what[2]} <= 50%", ""]),
        *(f"where {name} {draw.choice(['<=', '>='])} {draw.choice([60, 80])}%" for name in metrics),
    )
    text = (
        "network n { input(8x8x1); conv(3x3, 6); norm; relu\n" + "\n".join(modules) + "\n"
        "global_pool; dense(3) }\n"
        'space s over n { data "x.npz"; teacher { steps 10 }; multiple of 1; all\n'
        + "\n".join(said)
        + "\nminimize params; subject to accuracy >= 50% }\n"
    )
    found = analyze(text)
    wrong = {one.code for one in found.diagnostics if one.severity == "error"}
    assert wrong <= {"WZ047", "WZ055", "WZ265", "WZ273"}, found.diagnostics
    return None if wrong else found.spaces[0]


def kept(constraint: Constraint, space: Space, row: tuple[int, ...]) -> bool:
    """By what a constraint says."""
    rates = [space.rates[position] for position in row]
    if isinstance(constraint, CostLimit):
        table = space_costs(space).total(constraint.metric, np.array([row]))
        return bool(constraint.holds(int(table[0])))
    sides = [parts(rates[module], side) for module, side in compared(constraint)]
    match constraint:
        case RateLimit():
            return all(constraint.holds(part) for own in sides for part in own)
        case Ordered(direction=direction):
            keys = [(max(own), sum(own) / len(own), own) for own in sides]
            return keys == sorted(keys, reverse=direction == "nonincreasing")
        case _:
            return len({*sides}) == 1


def fits(rates: list[Rate]) -> bool:
    return all(triple(a)[2] == triple(b)[1] for a, b in pairwise(rates))


@pytest.mark.parametrize("seed", range(12))
def test_a_space_holds_what_is_left_of_all_combinations(seed: int) -> None:
    space = space_of(random.Random(seed))
    if space is None:
        return
    rows = [row for row in product(*space.choices) if fits([space.rates[p] for p in row])]
    for constraint in tried_within(space):
        rows = [row for row in rows if kept(constraint, space, row)]
    held = holds(space, space_costs(space), tried_within(space))
    assert held.count == len(rows) and held.rows().tolist() == [[*row] for row in rows]
    assert rows, "the language would have refused it"
    row = rows[len(rows) // 2]
    exact = network_costs(prune_network(space.network, tuple(space.rates[p] for p in row)))
    for metric, cost in exact.items():
        every = space_costs(space).total(metric, np.array(rows))
        assert held.range(metric) == (every.min(), every.max())
        assert every[len(rows) // 2] == cost
