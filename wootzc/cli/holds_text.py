"""What a space holds before anything is taken from it: how many candidates, at which costs."""

from typing import Any

from wootzc.ir.diagram.construct import STATES
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.diagram.space_diagram import SpaceDiagram
from wootzc.ir.net.metrics import Metric, costs
from wootzc.ir.space import Space, tried_within
from wootzc.ir.space.narrow import constraint_text
from wootzc.ir.space.space_costs import space_costs, without_unmeasured
from wootzc.units import large

STEP_STATES = STATES // 4  # of a diagram that only says what is left between two constraints
STEPS = 12  # constraints that are told of one by one


def holds_figures(space: Space) -> dict[str, Any]:
    """Counts are exact where `at_least` equals `at_most`; else `candidates` is None.

    `constraints`: after each of them, in the order of the file, and after each cost limit of the
    objective, how many candidates are left; and how many there are under it `alone`. Of very many
    only the first are told of.
    """
    tables = space_costs(space)
    every = tried_within(space)
    whole = holds(space, tables)
    if not whole.diagram.count:
        return {**_count(whole), "constraints": [], "constraints_left_out": len(every)}
    steps: list[dict[str, Any]] = []
    for upto, constraint in enumerate(every[:STEPS], 1):
        last = upto == len(space.constraints)
        left = whole if last else holds(space, tables, every[:upto], STEP_STATES)
        text = constraint_text(constraint, space.network, short=True)
        goal = upto > len(space.constraints)
        figures = _count(left)
        if steps:  # bounds can be too wide, but every constraint leaves less than was there
            figures["at_most"] = min(figures["at_most"], steps[-1]["at_most"])
        alone = figures if upto == 1 else _count(holds(space, tables, [constraint], STEP_STATES))
        steps.append({"constraint": text, "goal": goal, **figures, "alone": alone})
    ranges = {metric: whole.range(metric) for metric in tables.tables}
    return {
        **_count(whole),
        **{metric: {"min": low, "max": high} for metric, (low, high) in ranges.items()},
        "constraints": steps,
        "constraints_left_out": len(every) - len(steps),
    }


def candidates_text(space: Space, states: int) -> str:
    """How many candidates a space holds, as far as so many states of a diagram can tell."""
    space = without_unmeasured(space)
    left = holds(space, space_costs(space), states=states)
    return _count_text(_count(left))


def holds_text(figures: dict[str, Any], full: dict[str, int]) -> str:
    """The figures for a person; `full`: the costs of the full network."""
    lines = [f"space       {_count_text(figures)}"]
    for name, one in costs().items():
        if name in figures:
            lines.append(f"  {one.heading:<8}  {spread(figures[name], full[name], one)}")
    for place, step in enumerate(figures["constraints"]):
        which = "of these, " if step["goal"] else ""
        alone = f"; alone, {_count_text(step['alone'])}" if place else ""
        lines.append(f"  {which}{step['constraint']} leaves {_count_text(step)}{alone}")
    if figures["constraints_left_out"]:
        lines.append(f"  … and {figures['constraints_left_out']:,} more constraints")
    return "\n".join(lines)


def spread(values: dict[str, int], full: int, cost: Metric) -> str:
    """From least to greatest, and as shares of the full network's."""
    low, high = values["min"], values["max"]
    shares = f"{low / full:.0%} … {high / full:.0%} of the full network"
    return f"{cost.text(low)} … {cost.text(high)}  ({shares})"


def _count(left: SpaceDiagram) -> dict[str, Any]:
    least, most = left.between
    return {"candidates": left.count, "at_least": least, "at_most": most}


def _count_text(figures: dict[str, Any]) -> str:
    least, most = figures["at_least"], figures["at_most"]
    if figures["candidates"] is None:
        return f"{large(least)} to {large(most)} candidates (too many states to count them exactly)"
    return f"{large(most)} candidate{'s' * (most != 1)}"
