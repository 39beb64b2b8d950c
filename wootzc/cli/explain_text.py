"""What `wootzc explain` prints: modules, blocks and candidates, and why they are what they are."""

import numpy as np

from wootzc.cli.block_text import block_name, block_text
from wootzc.cli.output import table
from wootzc.cli.reach_text import kept_modules, reach_text
from wootzc.cli.trunk_text import trunk_figures, trunk_text
from wootzc.diagnostics import fail
from wootzc.ir.layers import walk
from wootzc.ir.layers.shapes import shape_text
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.net.network import module_shapes
from wootzc.ir.net.prune import kept_widths
from wootzc.ir.net.rate import rate_of, triple
from wootzc.ir.net.reach import reach
from wootzc.ir.plan import Block, Complete
from wootzc.ir.space.narrow import trunk_names
from wootzc.units import rate_text


def explain_text(plan: Complete, what: tuple[str, ...]) -> str:
    """`what`: (), ("module", NAME), ("trunk", NAME), ("block", NUMBER), ("candidate", NUMBER)."""
    modules = [module.name for module in plan.space.network.modules]
    trunks = {one["name"]: one for one in trunk_figures(plan.space)}
    match what:
        case ():
            every = (_module(plan, m) for m in range(len(modules)))
            reached = reach(plan.space.network, kept_modules(plan.space))
            return "\n\n".join((*every, *map(trunk_text, trunks.values()), reach_text(reached)))
        case ("module", name) | (name,) if name in modules:
            return _module(plan, modules.index(name))
        case ("trunk", name) | (name,) if name in trunks:
            return trunk_text(trunks[name])
        case ("module" | "trunk" as kind, name):
            known = modules if kind == "module" else trunks
            raise fail("WZ135", f"there is no {kind} `{name}`", f"known: {', '.join(known)}")
        case ("block", number):
            return block_text(plan, _number(number.removeprefix("b"), len(plan.blocks), "block"))
        case ("candidate", number):
            return _candidate(plan, _number(number, len(plan.candidates), "candidate"))
        case _:
            ways = "explain module NAME, trunk NAME, block NUMBER or candidate NUMBER"
            names = f"; modules and trunks: {', '.join((*modules, *trunks))}"
            raise fail("WZ136", f"can't explain `{' '.join(what)}`", ways + names)


def _number(text: str, limit: int, what: str) -> int:
    if not text.isdecimal() or int(text) >= limit:
        known = f"they are numbered 0 to {limit - 1}" if limit else "this plan has none"
        raise fail("WZ135", f"there is no {what} `{text}`", known)
    return int(text)


def _module(plan: Complete, m: int) -> str:
    space, costs = plan.space, plan.costs
    module, shape = module_shapes(space.network)[m]
    coupling = couple_module(module, shape)
    kinds = {path: type(layer).__name__.lower() for path, layer in walk(module.body)}
    lines = [f"module {module.name}" + (f" ({module.definition})" if module.definition else "")]
    lines.append(f"  enters {shape_text(shape)}; filters go by {space.criteria[m]}")
    entering, leaving = trunk_names(space.network)
    for number, group in enumerate(coupling.groups):
        makers = ", ".join(f"{kinds[path]} {path}" for path in group.makers) or "the input"
        parts = f", equally from {group.partitions} parts" if group.partitions > 1 else ""
        state = "kept whole (enters or leaves the module)" if group.whole else f"prunable{parts}"
        if group.side != "inside" and not group.whole:
            trunk = (entering if group.side == "entering" else leaving)[m]
            state = f"{group.side}, goes by trunk {trunk}{parts}"
        together = " together" if len(group.makers) > 1 else ""
        lines.append(f"  group {number}: {group.width} channels of {makers}{together}: {state}")
    rows = []
    ends = triple(space.rates[space.choices[m][0]])[1:]
    for i in space.choices[m]:
        if triple(space.rates[i])[1:] != ends:  # its own rates, between trunks as wide as can be
            continue
        kept = [
            str(width)
            for width, group in zip(
                kept_widths(coupling, space.rates[i]), coupling.groups, strict=True
            )
            if not group.whole and group.side == "inside"
        ]
        rows.append(
            (
                rate_text(rate_of(triple(space.rates[i])[0])),
                " ".join(kept) or "-",
                *(METRICS[one.metric].text(one.variants.values[m, i]) for one in costs.tables),
            )
        )
    headings = (METRICS[one.metric].heading for one in costs.tables)
    lines.append(table(rows, ("rate", "filters kept", *headings)))
    return "\n".join(lines)


def _candidate(plan: Complete, number: int) -> str:
    full = plan.costs.full
    shares = [
        f"{METRICS[name].short(cost)} ({cost / full[name]:.1%})"
        for name, cost in plan.costs.of(number).items()
    ]
    position = np.flatnonzero(plan.exploration_order.values == number)
    place = "outside the objective's cost limits"
    if len(position):
        place = f"number {int(position[0]) + 1} of {len(plan.exploration_order):,}"
        predicted = plan.space.explore == "predicted"
        place += " by cost; scores decide what is tried" if predicted else " to be tried"
    used = [int(b) for b in dict.fromkeys(plan.composition.values[number]) if b >= 0]
    row = plan.candidates.values[number].tolist()
    lines = [
        f"candidate {number}: {block_name(plan, Block(start=0, rates=tuple(row)))}",
        f"  {', '.join(shares)}",
        f"  {place} (explore {plan.space.explore})",
        "  assembled from: " + (", ".join(f"block {b}" for b in used) or "the teacher alone"),
    ]
    return "\n".join(lines)
