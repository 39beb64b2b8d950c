"""Which candidates are tried: all | sample | configs | propose."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wootzc.diagnostics import Advice, write
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import whole_of
from wootzc.grammar.space.configs import MAX_MISTAKES, ListedRow
from wootzc.grammar.space.constraints import read_metric
from wootzc.grammar.space.prune_statement import Pruning
from wootzc.grammar.space.rates import percent
from wootzc.ir.array import Array
from wootzc.ir.net.metrics import costs
from wootzc.ir.space import Listed, Proposed, Sample

MAX_SAMPLE = 1_000_000
MAX_SEED = 2**32 - 1


def read_seed(number: syntax.Number, report: Report) -> int:
    """A seed; 0 after a mistake, told to `report`."""
    said = f"a seed is a whole number from 0 to {MAX_SEED}"
    return whole_of(number, range(MAX_SEED + 1), said, "as in `seed 1`", report) or 0


def _costs_instead() -> Advice:
    first, *others = costs()
    return write(first, "".join(f", or `{cost}`" for cost in others))


def read_sample(sample: syntax.Sample, default_seed: int, report: Report) -> Sample | None:
    """Without a seed of its own a sample follows the space's."""
    said = f"a sample is a whole number from 1 to {MAX_SAMPLE:,}"
    example = "as in `sample 500 seed 1`"
    if (count := whole_of(sample.count, range(1, MAX_SAMPLE + 1), said, example, report)) is None:
        return None
    seed = default_seed
    stratified: str | None = None
    seen: set[type] = set()
    for option in sample.options:
        if type(option) in seen:
            report.error(option.span, "WZ045", "this option of `sample` is given twice")
        seen.add(type(option))
        match option:
            case syntax.SampleSeed(number=number):
                seed = read_seed(number, report)
            case syntax.Stratified(metric=name):
                metric = read_metric(name, report)
                if metric is not None and metric.known == "trained":
                    report.error(
                        name.span, "WZ063", f"{metric.name} is known only after training",
                        _costs_instead(),
                    )  # fmt: skip
                if metric is None or metric.known == "trained":
                    return None
                stratified = metric.name
    return Sample(count=count, seed=seed, stratified=stratified, span=sample.span)


def read_proposed(propose: syntax.Propose, report: Report) -> Proposed | None:
    """`propose 500`; None after a mistake, told to `report`."""
    said = f"a whole number from 1 to {MAX_SAMPLE:,} is proposed"
    known = range(1, MAX_SAMPLE + 1)
    count = whole_of(propose.count, known, said, "as in `propose 500`", report)
    return None if count is None else Proposed(count=count, span=propose.span)


def listed(pruning: Pruning, rows: Sequence[ListedRow], span: Any, report: Report) -> Listed | None:
    """Rows as rate positions of all variables, each once; rates that one may not have are reported.

    A row has a rate for each module and each trunk that is narrowed; the others stay whole.
    """
    mistakes = 0
    rates, chosen = pruning.rates, pruning.chosen
    modules = [module.name for module in pruning.network.modules]
    columns = [*enumerate(modules), *((at, name) for name, at in pruning.trunks.items())]
    position: Mapping[float, int] = {rate: index for index, rate in enumerate(rates)}
    matrix = np.zeros((len(rows), len(chosen)), dtype=np.uint8)
    for index, row in enumerate(rows):
        for (variable, name), rate in zip(columns, row.rates, strict=True):
            if position.get(rate) in chosen[variable]:
                matrix[index, variable] = chosen[variable][position[rate]]
                continue
            mistakes += 1
            if mistakes <= MAX_MISTAKES:
                what = "module" if variable < len(modules) else "trunk"
                report.error(
                    row.span, "WZ049",
                    f"{row.place} gives {what} `{name}` the rate {percent(rate)}, "
                    f"which it may not have",
                    _allowed(name, tuple(chosen[variable]), rates),
                )  # fmt: skip
            break
    if mistakes:
        return None
    _, first = np.unique(matrix, axis=0, return_index=True)
    return Listed(rows=Array(matrix[np.sort(first)]), span=span)


def _allowed(name: str, choices: tuple[int, ...], rates: tuple[float, ...]) -> str:
    if choices == (0,):
        return f"no `prune` names `{name}`, or a `keep` does, so its rate is 0"
    return (
        f"its rates are {', '.join(percent(rates[c]) for c in choices)}; change `rates` or the row"
    )
