"""expand-space: the candidates of a space as one matrix."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import WootzError, fail
from wootzc.ir.array import Array
from wootzc.ir.costs import VariantCosts, variant_costs
from wootzc.ir.plan import Plan
from wootzc.ir.sampling import Sampler, band_of, fill, strata
from wootzc.ir.sequence import distinct_rows
from wootzc.ir.space import All, Cost, CostLimit, Listed, Ordered, Sample, Space, Tie
from wootzc.ir.variables import UNBOUNDED, Range, Variables, enumerate_rows, variables

Rows = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpandSpace:
    """Write down every candidate that the selection picks among those the constraints allow.

    Before: rates {0, 50%}; modules a b c; tie b, c; nondecreasing(a, b); all
    After:  candidates = uint8[3, 3] { 0 0 0; 0 1 1; 1 1 1 }

    Rows are in lexicographic order; listed ones keep the order they were given in, the first of
    equal ones staying. Up to `limit` candidates are listed and then chosen from; beyond, samples
    are drawn by counting (see ir/sampling.py). The same seed gives the same sample.
    """

    limit: int = 2_000_000  # allowed candidates that may be listed
    bands: int = 20  # bands of equal width that a stratified sample is spread over
    name: ClassVar[str] = "expand-space"

    def __call__(self, plan: Plan) -> Plan:
        space = plan.space
        costs = variant_costs(space.network, space.rates)
        problem = variables(space, costs, space.constraints)
        match space.selection:
            case Listed(rows=given):
                rows = _listed(space, problem, given.values)
            case All():
                rows = self._all(space, problem)
            case Sample() as sample:
                rows = self._sample(space, problem, sample)
            case _:
                assert_never(space.selection)
        if len(rows) == 0:
            raise _empty(space, costs, self.limit)
        return replace(plan, candidates=Array(rows))

    def _all(self, space: Space, problem: Variables) -> Rows:
        allowed = enumerate_rows(problem, self.limit)
        if allowed is None:
            raise fail(
                "WZ057",
                f"more than {self.limit:,} candidates are allowed: too many to take all",
                "take some of them, as in `sample 500 seed 1`, or add constraints",
                space.selection.span,
            )
        return allowed[:, problem.of_module]

    def _sample(self, space: Space, problem: Variables, sample: Sample) -> Rows:
        rng = np.random.default_rng(sample.seed)
        allowed = enumerate_rows(problem, self.limit)
        if allowed is None:
            chosen = self._draw(problem, sample, rng)
            if len(chosen) < sample.count and len(chosen):
                raise fail(
                    "WZ056",
                    f"found {len(chosen):,} candidates of the {sample.count:,} asked for",
                    f"ask for `sample {len(chosen)}` or loosen the constraints",
                    sample.span,
                )
        elif len(allowed) <= sample.count:
            chosen = allowed
        else:
            chosen = allowed[self._choose(problem, allowed, sample, rng)]
        return chosen[distinct_rows(chosen)][:, problem.of_module]

    def _choose(
        self, problem: Variables, allowed: Rows, sample: Sample, rng: "np.random.Generator"
    ) -> NDArray[np.int64]:
        """Positions of a sample of all allowed rows."""
        if sample.stratified is None:
            return rng.choice(len(allowed), sample.count, replace=False)
        cost = problem.total(sample.stratified, allowed)
        stratum = strata(cost, (int(cost.min()), int(cost.max())), self._bands(sample))
        members = [np.flatnonzero(stratum == s) for s in range(self._bands(sample))]
        quotas = fill(sample.count, [len(m) for m in members], rng)
        chosen = [rng.choice(m, q, replace=False) for m, q in zip(members, quotas, strict=True)]
        return np.concatenate(chosen)

    def _draw(self, problem: Variables, sample: Sample, rng: "np.random.Generator") -> Rows:
        """A sample of a space too large to list; fewer rows where no more were found."""
        metrics: list[Cost] = [sample.stratified] if sample.stratified else [*problem.limits]
        metric = (metrics or ["params"])[0]
        sampler = Sampler(problem, metric, rng)
        bounds = _within(sampler.bounds, problem.limits.get(metric, UNBOUNDED))
        bands = self._bands(sample) if sample.stratified else 1
        found = [np.zeros((0, len(problem.choices)), dtype=np.uint8)] * bands
        room = [sample.count] * bands
        while sum(map(len, found)) < min(sample.count, sum(room)):
            for band, quota in enumerate(fill(sample.count, room, rng)):
                if quota <= len(found[band]):
                    continue
                within = band_of(band, bounds, bands)
                found[band], exhausted = sampler.distinct(quota, within, found[band])
                if exhausted:
                    room[band] = len(found[band])
        return np.concatenate(found)[: sample.count]

    def _bands(self, sample: Sample) -> int:
        return max(1, min(self.bands, sample.count))


def _listed(space: Space, problem: Variables, rows: NDArray[Any]) -> Rows:
    """The given rows that are allowed, in their order, the first of equal ones."""
    good = np.ones(len(rows), dtype=bool)
    for module, variable in enumerate(problem.of_module):
        first = int(np.flatnonzero(problem.of_module == variable)[0])
        good &= np.isin(rows[:, module], space.choices[module])
        good &= rows[:, module] == rows[:, first]
    rows = rows[good].astype(np.uint8)
    rows = rows[problem.allowed(_values(problem, rows))]
    return rows[np.sort(distinct_rows(rows))]


def _within(bounds: Range, limits: Range) -> Range:
    return max(bounds[0], limits[0]), min(bounds[1], limits[1])


def _empty(space: Space, costs: VariantCosts, limit: int) -> WootzError:
    """Why nothing is left: the first constraint under which, with those before it, nothing is."""
    for count, constraint in enumerate(space.constraints):
        upto = variables(space, costs, space.constraints[: count + 1])
        rows = _candidates(space, upto, limit)
        if rows is None or len(rows):
            continue
        before = variables(space, costs, space.constraints[:count])
        others = " together with the constraints before it" if count else ""
        match constraint:
            case CostLimit(metric=metric, comparison=comparison, value=value):
                low, high = _range(before, _candidates(space, before, limit), metric)
                message = f"`{metric} {comparison} {value:,}` leaves no candidate{others}"
                help = f"{metric} of the candidates go from {low:,} to {high:,}"
            case Tie(modules=modules):
                names = ", ".join(space.network.modules[j].name for j in modules)
                message = f"`tie {names}` leaves no candidate{others}"
                help = "tied modules need a rate that all of them may have"
            case Ordered(direction=direction, modules=modules):
                names = ", ".join(space.network.modules[j].name for j in modules)
                message = f"`{direction}({names})` leaves no candidate{others}"
                help = "look at which rates these modules may have"
            case _:
                assert_never(constraint)
        return fail("WZ055", message, help, constraint.span)
    return fail(
        "WZ055",
        "the space has no candidate",
        "loosen the constraints, or list candidates that the rates of each module allow",
        space.selection.span,
    )


def _candidates(space: Space, problem: Variables, limit: int) -> Rows | None:
    """The variables' values in the candidates before sampling; None where there are too many."""
    if not isinstance(space.selection, Listed):
        return enumerate_rows(problem, limit)
    return _values(problem, _listed(space, problem, space.selection.rows.values))


def _values(problem: Variables, rows: Rows) -> Rows:
    """Of candidates, what each variable is: the rate of its first module."""
    _, firsts = np.unique(problem.of_module, return_index=True)
    return rows[:, firsts]


def _range(problem: Variables, rows: Rows | None, metric: Cost) -> Range:
    if rows is None:
        return Sampler(problem, metric, np.random.default_rng(0)).bounds
    cost = problem.total(metric, rows)
    return int(cost.min()), int(cost.max())
