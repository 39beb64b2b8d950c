"""What must hold of a space and its network; the first of the checks in verify.py."""

import math
from collections.abc import Iterator

from wootzc.ir.cost import network_cost
from wootzc.ir.limits import MAX_COST
from wootzc.ir.network import Network, head_shapes, segment_shapes
from wootzc.ir.plan import Plan
from wootzc.ir.shapes import ShapeError, shape_after_body, shape_text
from wootzc.ir.space import AccuracyLimit, Listed, Ordered, Proposed, Sample, Space, Tie


def space_problems(plan: Plan) -> Iterator[str]:
    """What is wrong with the space of a plan, before any pass has looked at it."""
    space, modules = plan.space, len(plan.space.network.modules)
    if space.rates[:1] != (0.0,) or list(space.rates) != sorted(set(space.rates)):
        yield "the rates do not rise from 0.0"
    if any(not 0 <= rate < 1 for rate in space.rates):
        yield "a rate is no fraction from 0 to below 1"
    if len(space.rates) > 256:
        yield "more than 256 rates do not fit into uint8"
    if len(space.choices) != modules or len(space.criteria) != modules:
        yield "choices and criteria must be given once per module"
    if any(not 0 <= rate < len(space.rates) for choice in space.choices for rate in choice):
        yield "a choice is no position in the rates"
    yield from _network(space.network)
    match space.selection:
        case Listed(rows=rows):
            if rows.values.ndim != 2 or rows.values.shape[1] != modules:
                yield "listed candidates must have one rate for each module"
        case Sample(count=count) if count < 1:
            yield "a sample must have at least one candidate"
        case Proposed(count=count) if count < 1:
            yield "at least one candidate must be proposed"
        case _:
            pass
    yield from _search(space)
    for constraint in space.constraints:
        if isinstance(constraint, Tie | Ordered) and not set(constraint.modules) <= set(
            range(modules)
        ):
            yield f"{constraint} speaks of modules that do not exist"


def _search(space: Space) -> Iterator[str]:
    if space.explore != "predicted":
        if isinstance(space.selection, Proposed):
            yield "only a predicted search can propose candidates"
        if space.certify is not None:
            yield "only a predicted search can be certified"
    if not 0 < space.until < 1:
        yield f"{space.until} is no saving between 0 and 1"
    for accuracy in space.objective.limits:
        if isinstance(accuracy, AccuracyLimit) and accuracy.confidence is not None:
            if not 0.5 < accuracy.confidence < 1:
                yield f"{accuracy.confidence} is no confidence between 0.5 and 1"
    if space.certify is not None and not 0.5 < space.certify < 1:
        yield f"{space.certify} is no confidence between 0.5 and 1"
    for limit in (space.budget.candidates, space.budget.seconds):
        if limit is not None and not 0 < limit < math.inf:
            yield f"a budget of {limit} allows nothing"


def _network(network: Network) -> Iterator[str]:
    try:
        leaving = segment_shapes(network)[-1]
    except ShapeError as error:
        yield f"a layer of the network does not fit: {error}"
        return
    if max(network_cost(network)) > MAX_COST:
        yield "the network has more parameters or MACs than can be counted"
    names = [part.name for part in (*network.segments, *network.auxiliaries)]
    if len(set(names)) != len(names):
        yield "two segments or auxiliary heads of the network have one name"
    if any(not 0 <= head.after < len(network.segments) for head in network.auxiliaries):
        yield "an auxiliary head reads a segment that does not exist"
        return
    for head, shape in zip(network.auxiliaries, head_shapes(network), strict=True):
        if not 0 <= head.weight < math.inf:
            yield f"the auxiliary head {head.name} weighs {head.weight}"
        try:
            after = shape_after_body(head.body, shape)
        except ShapeError as error:
            yield f"a layer of the auxiliary head {head.name} does not fit: {error}"
            continue
        if len(after) != 1 or after != leaving:
            yield (
                f"the auxiliary head {head.name} ends in {shape_text(after)}, "
                f"the network in {shape_text(leaving)}"
            )
