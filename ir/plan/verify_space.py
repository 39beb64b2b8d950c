"""What must hold of a space and its network; the first of the checks in verify.py."""

import math
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from wootzc.ir.layers import Body, Branch, Layer
from wootzc.ir.layers.maxima import MAX_COST
from wootzc.ir.layers.shapes import Shape, ShapeError, shape_after, shape_text
from wootzc.ir.layers.signature import flaws
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import Module, Network, Seam, module_shapes
from wootzc.ir.net.rate import parts, rising, triple
from wootzc.ir.net.skip import can_be_skipped, is_skipped
from wootzc.ir.net.trunk import trunks, with_seams
from wootzc.ir.plan.places import Place, Problem
from wootzc.ir.plan.plan import Plan
from wootzc.ir.plan.verify_recipes import recipe_problems
from wootzc.ir.space import (
    AccuracyLimit,
    Listed,
    Ordered,
    Proposed,
    RateLimit,
    Sample,
    Space,
    Tie,
)

SPACE: Place = ("space",)
NETWORK: Place = ("space", "network")


def space_problems(plan: Plan) -> Iterator[Problem]:
    """What is wrong with the space of a plan, before any pass has looked at it."""
    space, modules = plan.space, len(plan.space.network.modules)
    if space.rates[:1] != (0.0,) or list(space.rates) != sorted(set(space.rates), key=rising):
        yield Problem("the rates do not rise from 0.0", (*SPACE, "rates"))
    ends = (part for rate in space.rates for part in triple(rate)[1:])
    left = (rate for rate in space.rates if not is_skipped(rate))
    inside = (part for rate in left for part in parts(rate, "inside"))
    if any(not 0 <= part < 1 for part in (*inside, *ends)):
        yield Problem("a rate is no fraction from 0 to below 1", (*SPACE, "rates"))
    if len(space.rates) > 256:
        yield Problem("more than 256 rates do not fit into uint8", (*SPACE, "rates"))
    for given in ("choices", "criteria"):
        if (count := len(getattr(space, given))) != modules:
            yield Problem(
                f"{given} must be given once per module: there are {count} for {modules} modules",
                (*SPACE, given),
            )
    for module, choice in enumerate(space.choices):
        known = module < modules  # else it was told
        if strange := [rate for rate in choice if not 0 <= rate < len(space.rates)]:
            yield Problem(
                f"module {module} may have rate {strange[0]}, and there are {len(space.rates)}, "
                "from 0 on",
                (*SPACE, "choices"),
            )
        elif (
            known
            and not can_be_skipped(space.network.modules[module])
            and any(is_skipped(space.rates[position]) for position in choice)
        ):
            yield Problem(f"module {module} cannot be left out", (*SPACE, "choices"))
        elif not choice:
            yield Problem(f"module {module} may have no rate at all", (*SPACE, "choices"))
        elif list(choice) != sorted(set(choice)):
            yield Problem(f"the choices of module {module} do not rise", (*SPACE, "choices"))
    yield from _network(space.network)
    yield from _insides(space)
    yield from _selected(space, modules)
    yield from _search(space)
    yield from recipe_problems(space)
    for number, constraint in enumerate(space.constraints):
        if not isinstance(constraint, Tie | Ordered | RateLimit):
            continue
        at: Place = (*SPACE, "constraints", number)
        if not set(constraint.modules) <= set(range(modules)):
            yield Problem(f"this speaks of modules that do not exist: there are {modules}", at)
        if len(constraint.sides) not in (0, len(constraint.modules)):
            yield Problem("this must say a side for each module, or for none", at)


def _insides(space: Space) -> Iterator[Problem]:
    """Rates of groups: as many as a module that may have them has groups inside."""
    apart = {p for p, rate in enumerate(space.rates) if len(parts(rate, "inside")) > 1}
    if not apart:
        return
    with suppress(ShapeError):  # else it was told
        modules = module_shapes(space.network)
        for number, (own, choice) in enumerate(zip(modules, space.choices, strict=False)):
            coupling = couple_module(*own)
            inner = sum(group.place is not None for group in coupling.groups)
            if any(len(parts(space.rates[p], "inside")) != inner for p in apart & {*choice}):
                message = f"module {number} has {inner} groups inside, and a rate is of others"
                yield Problem(message, (*SPACE, "choices"))


def _selected(space: Space, modules: int) -> Iterator[Problem]:
    at: Place = (*SPACE, "selection")
    match space.selection:
        case Listed(rows=rows):
            yield from _listed(rows.values, space, modules, (*at, "rows"))
        case Sample(count=count) if count < 1:
            yield Problem("a sample must have at least one candidate", at)
        case Proposed(count=count) if count < 1:
            yield Problem("at least one candidate must be proposed", at)
        case _:
            pass


def _listed(rows: Any, space: Space, modules: int, at: Place) -> Iterator[Problem]:
    """`rows`: rate positions [candidates, modules]."""
    if rows.ndim != 2 or rows.shape[1] != modules:
        yield Problem("listed candidates must have one rate for each module", at)
        return
    seen: dict[bytes, int] = {}
    for number, row in enumerate(np.ascontiguousarray(rows)):
        first = seen.setdefault(row.tobytes(), number)
        if first != number:
            yield Problem(f"listed candidate {number} stands twice: it is {first}", (*at, number))
    for module, choice in enumerate(space.choices[:modules]):
        for number in np.flatnonzero(~np.isin(rows[:, module], choice)).tolist():
            yield Problem(
                f"listed candidate {number} has module {module} at rate {rows[number, module]}, "
                f"which it may not have: its choices are {choice}",
                (*at, number),
            )


def _search(space: Space) -> Iterator[Problem]:
    if space.explore != "predicted":
        if isinstance(space.selection, Proposed):
            yield Problem("only a predicted search can propose candidates", (*SPACE, "selection"))
        if space.certify is not None:
            yield Problem("only a predicted search can be certified", (*SPACE, "certify"))
    if not 0 < space.until < 1:
        yield Problem(f"{space.until} is no saving between 0 and 1", (*SPACE, "until"))
    for number, accuracy in enumerate(space.objective.limits):
        if isinstance(accuracy, AccuracyLimit) and accuracy.confidence is not None:
            if not 0.5 < accuracy.confidence < 1:
                yield Problem(
                    f"{accuracy.confidence} is no confidence between 0.5 and 1",
                    (*SPACE, "objective", "limits", number),
                )
    if space.certify is not None and not 0.5 < space.certify < 1:
        yield Problem(f"{space.certify} is no confidence between 0.5 and 1", (*SPACE, "certify"))
    for limit in (space.budget.candidates, space.budget.seconds):
        if limit is not None and not 0 < limit < math.inf:
            yield Problem(f"a budget of {limit} allows nothing", (*SPACE, "budget"))


def _network(network: Network) -> Iterator[Problem]:
    if len(network.input) not in (1, 3) or min(network.input) < 1:
        yield Problem("an input is (height, width, channels), or (channels,)", (*NETWORK, "input"))
        return
    shapes: list[Shape] = [network.input]
    for number, segment in enumerate(network.segments):
        at: Place = (*NETWORK, "segments", number)
        after = yield from _through(segment.body, shapes[-1], at, "of the network")
        if after is None:
            return
        shapes.append(after)
    if max(network_cost(network)) > MAX_COST:
        yield Problem("the network has more parameters or MACs than can be counted", NETWORK)
    yield from _names(network)
    yield from _heads(network, shapes)
    if any(module.entering or module.leaving for module in network.modules):
        yield from _seams(network)


def _seams(network: Network) -> Iterator[Problem]:
    """What leaves a segment is what enters the next, and no more than there is."""
    parts = [
        (s.entering, s.leaving) if isinstance(s, Module) else ((), ()) for s in network.segments
    ]
    for number, ((_, leaving), (entering, _)) in enumerate(pairwise([((), ()), *parts, ((), ())])):
        if leaving != entering:
            yield Problem(
                "what is said of the channels that leave a segment is not what is said of those "
                "that enter the next", (*NETWORK, "segments", max(number - 1, 0)),
            )  # fmt: skip
            return
    told = {t.name for t in trunks(network) for m in network.modules for s in m.leaving
            if s.group in t.groups and not s.whole}  # fmt: skip
    expected = with_seams(network, told)
    for number, (one, other) in enumerate(zip(network.segments, expected.segments, strict=True)):
        if isinstance(one, Module) and isinstance(other, Module):
            if _coupled(one.leaving) != _coupled(other.leaving):
                yield Problem(
                    "the channels that leave a module are not coupled as it says",
                    (*NETWORK, "segments", number),
                )


def _coupled(seams: tuple[Seam, ...]) -> list[Seam]:
    """Without what a space may choose: the rule of their widths, and by what they are judged."""
    return [replace(seam, multiple=1, criterion="l1") for seam in seams]


def _names(network: Network) -> Iterator[Problem]:
    seen: set[str] = set()
    for group in ("segments", "auxiliaries"):
        for number, part in enumerate(getattr(network, group)):
            if part.name in seen:
                yield Problem(
                    "two segments or auxiliary heads of the network have one name: "
                    f"{part.name!r}", (*NETWORK, group, number),
                )  # fmt: skip
            seen.add(part.name)


def _heads(network: Network, shapes: list[Shape]) -> Iterator[Problem]:
    """`shapes`: what enters every segment, and last what leaves the network."""
    for number, head in enumerate(network.auxiliaries):
        at: Place = (*NETWORK, "auxiliaries", number)
        if not 0 <= head.after < len(network.segments):
            yield Problem("an auxiliary head reads a segment that does not exist", at)
            continue
        if not 0 <= head.weight < math.inf:
            yield Problem(f"the auxiliary head {head.name} weighs {head.weight}", at)
        what, leaving = f"of the auxiliary head {head.name}", shapes[-1]
        after = yield from _through(head.body, shapes[head.after + 1], at, what)
        if after is not None and (len(after) != 1 or after != leaving):
            yield Problem(
                f"the auxiliary head {head.name} ends in {shape_text(after)}, "
                f"the network in {shape_text(leaving)}", at,
            )  # fmt: skip


def _through(
    body: Body, shape: Shape, at: Place, what: str
) -> Generator[Problem, None, Shape | None]:
    """Gives the shape that leaves a body, None where a layer does not fit."""
    for number, layer in enumerate(body):
        here: Place = (*at, "body", number)
        found = [*_values(layer, here)]
        yield from found
        if found:
            return None
        try:
            shape = shape_after(layer, shape)
        except ShapeError as error:
            yield Problem(f"a layer {what} does not fit: {error}", here)
            return None
    return shape


def _values(layer: Layer, at: Place) -> Iterator[Problem]:
    """What the layer's page says that its values cannot be, in its arms too."""
    yield from (Problem(f"{type(layer).__name__} {flaw}", at) for flaw in flaws(layer))
    if isinstance(layer, Branch):
        for number, arm in enumerate(layer.arms):
            for position, inner in enumerate(arm):
                yield from _values(inner, (*at, "arms", number, position))
