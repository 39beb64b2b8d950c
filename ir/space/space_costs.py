"""The costs that a space goes by: counted from its network, or measured and given."""

from collections.abc import Iterable
from dataclasses import replace
from math import ceil, floor
from typing import Any

from wootzc.diagnostics import WootzError, fail
from wootzc.ir.net.cost_tables import VariantCosts, variant_costs
from wootzc.ir.net.metrics import MEASURED, METRICS, CostName, costs, counts
from wootzc.ir.space.space import AccuracyLimit, Constraint, CostLimit, Measured, Sample, Space


def space_costs(space: Space) -> VariantCosts:
    """A table a cost. Raises `WootzError` where the space goes by one that is not measured yet."""
    for metric in unmeasured(space):
        raise not_measured(space, metric)
    counted = variant_costs(space.network, space.rates, space.quantize)
    own = space.measured
    if own is None:
        return counted
    return VariantCosts(
        tables={**counted.tables, own.metric: own.variants.values},
        fixed={**counted.fixed, own.metric: own.full},
    )


def not_measured(space: Space, metric: CostName) -> WootzError:
    return fail(
        "WZ307",
        f"this space goes by {metric}, which is not measured yet",
        "`wootzc build`, `plan` and `explain` measure it"
        if metric in MEASURED
        else "nothing here can measure it: with_measured(space, Measured(…)) gives its table",
        space.span,
    )


def cost_names(space: Space) -> list[CostName]:
    """Those that `space_costs` has a table of, in order."""
    own = space.measured
    return [*counts(), *([] if own is None else [own.metric])]


def goes_by(space: Space) -> set[str]:
    """The metrics that the space speaks of."""
    limits = (*space.constraints, *space.objective.limits)
    named = {space.objective.target, *(lm.metric for lm in limits if isinstance(lm, CostLimit))}
    if isinstance(space.selection, Sample) and space.selection.stratified:
        named.add(space.selection.stratified)
    return named


def unmeasured(space: Space) -> list[CostName]:
    """Measured costs that the space speaks of, and has no table of."""
    named = goes_by(space)
    if space.measured is not None:
        named.discard(space.measured.metric)
    return [name for name in METRICS if METRICS[name].known == "measured" and name in named]


def without_unmeasured(space: Space) -> Space:
    """The space as far as it is known before anything is measured."""
    missing = unmeasured(space)
    if not missing:
        return space
    objective, selection = space.objective, space.selection
    if isinstance(selection, Sample) and selection.stratified in missing:
        selection = replace(selection, stratified=None)
    return replace(
        space,
        selection=selection,
        constraints=tuple(_known(space.constraints, missing)),
        objective=replace(
            objective,
            target=next(iter(costs())) if objective.target in missing else objective.target,
            limits=tuple(_known(objective.limits, missing)),
        ),
    )


def _known(limits: Iterable[Constraint | AccuracyLimit], missing: list[CostName]) -> Iterable[Any]:
    return (lm for lm in limits if not isinstance(lm, CostLimit) or lm.metric not in missing)


def with_measured(space: Space, measured: Measured) -> Space:
    """The space with this table; shares of the full network become limits in whole units."""

    def resolved(limit: Any) -> Any:
        if not isinstance(limit, CostLimit) or limit.metric != measured.metric:
            return limit
        if limit.share is None:
            return limit
        value = limit.share * measured.full
        whole = floor(value) if limit.comparison == "<=" else ceil(value)
        return replace(limit, value=whole, share=None)

    return replace(
        space,
        measured=measured,
        constraints=tuple(map(resolved, space.constraints)),
        objective=replace(space.objective, limits=tuple(map(resolved, space.objective.limits))),
    )
