"""What `wootzc plan` prints: the figures of a compiled space, as a dictionary and as text."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np

from wootzc.cli.holds_text import holds_figures, holds_text, spread
from wootzc.cli.output import table
from wootzc.cli.reach_text import kept_modules, reach_text
from wootzc.cli.trunk_text import trunk_figures, trunks_text
from wootzc.ir.net.metrics import METRICS, short_text
from wootzc.ir.net.rate import Rate, rate_of, triple
from wootzc.ir.net.reach import Reach, reach
from wootzc.ir.net.widths import module_widths
from wootzc.ir.plan import Complete, Costs
from wootzc.ir.plan.cost_model import TRAINING
from wootzc.ir.space import Proposed
from wootzc.ir.space.recipe import FromFile
from wootzc.units import count, rate_text, seconds_text

SHOWN = 12  # rates of a module


def plan_figures(plan: Complete) -> dict[str, Any]:
    """The figures of a plan that all default passes have filled in. MACs are of one image."""
    space, tables = plan.space, plan.costs
    tried = plan.exploration_order.values  # without those beyond the objective's cost limits
    uses = plan.composition.values[tried]
    covered = np.unique(uses[uses >= 0], return_counts=False)
    widths = module_widths(space.network, (0.0,) * len(space.network.modules))
    per_candidate = [len(np.unique(row[row >= 0])) for row in uses]
    return {
        "space": space.name,
        "network": space.network.name,
        "modules": [
            {
                "name": row.module,
                "filters": list(row.filters),
                "rates": [space.rates[i] for i in space.choices[m]],
                "criterion": space.criteria[m],
                **{f"full_{one.metric}": int(one.variants.values[m, 0]) for one in tables.tables},
                **{
                    one.metric: [int(one.variants.values[m, i]) for i in space.choices[m]]
                    for one in tables.tables
                },
            }
            for m, row in enumerate(widths)
        ],
        "trunks": trunk_figures(space),
        "full": tables.full,
        "reach": asdict(reach(space.network, kept_modules(space))),
        "holds": holds_figures(space),
        "candidates": {
            "count": len(plan.candidates),
            "proposed": isinstance(space.selection, Proposed),
            "within_cost_limits": len(plan.exploration_order),
            **{one.metric: _range(one.candidates.values[tried]) for one in tables.tables},
        },
        "blocks": {
            "method": space.blocks,
            "count": len(plan.blocks),
            "modules_per_block": float(np.mean([len(b.rates) for b in plan.blocks] or [0])),
            "per_candidate": float(np.mean(per_candidate)),
            "used": len(covered),
            "predicted_seconds": plan.selection and asdict(plan.selection),
        },
        "training_macs": _training(plan, tables),
    }


def _range(values: Any) -> dict[str, int]:
    return {"min": int(values.min()), "median": int(np.median(values)), "max": int(values.max())}


def _training(plan: Complete, costs: Costs) -> dict[str, int]:
    """Predicted MACs of training: steps × batch × three forward passes of what is trained."""
    space = plan.space
    table = costs["macs"]
    macs = table.candidates.values[plan.exploration_order.values]
    pretrain = space.pretrain.steps * space.pretrain.batch
    variant = table.variants.values
    block_macs = sum(
        int(variant[b.start + k, rate]) for b in plan.blocks for k, rate in enumerate(b.rates)
    )
    finetune = space.finetune.steps * space.finetune.batch * TRAINING
    source = space.teacher
    recipe = source.recipe if isinstance(source, FromFile) else source  # None: nothing to train
    teacher = recipe.steps * recipe.batch * TRAINING * table.full if recipe else 0
    return {
        "teacher": teacher,
        "all_blocks": pretrain * (TRAINING * block_macs + table.full),
        "one_candidate": finetune * int(np.median(macs)),
        "all_candidates": finetune * int(macs.sum()),
    }


def _rates(rates: Iterable[Rate]) -> str:
    """Those of what is inside, each once; of very many the first and the last."""
    texts = [*dict.fromkeys(rate_text(rate_of(triple(rate)[0])) for rate in rates)]
    return " ".join(texts if len(texts) <= SHOWN else [*texts[: SHOWN - 2], "…", texts[-1]])


def plan_text(figures: dict[str, Any]) -> str:
    """The figures for a person."""
    full, candidates, blocks = figures["full"], figures["candidates"], figures["blocks"]
    known = [METRICS[name] for name in full]
    notes = "; ".join(one.note for one in known if one.note)
    modules = table(
        [
            (
                module["name"],
                " ".join(map(str, module["filters"])) or "-",
                _rates(module["rates"]),
                module["criterion"],
                *(
                    f"{one.text(module[f'full_{one.name}'])} → {one.text(module[one.name][-1])}"
                    for one in known
                ),
            )
            for module in figures["modules"]
        ],
        ("module", "filters", "rates", "by", *(one.heading for one in known)),
    )
    spreads = "\n".join(
        f"  {one.heading:<8}  {spread(candidates[one.name], full[one.name], one)}" for one in known
    )
    work = figures["training_macs"]
    predicted = _predicted(blocks["predicted_seconds"])

    return f"""\
space {figures["space"]} over {figures["network"]}: \
{short_text(full)} ({notes})

{modules}{trunks_text(figures["trunks"])}

{reach_text(Reach(**figures["reach"]))}

{holds_text(figures["holds"], full)}

candidates  {candidates["count"]:,} taken, \
{candidates["within_cost_limits"]:,} within the cost limits{_proposed(candidates["proposed"])}
{spreads}

blocks      {blocks["count"]:,} ({blocks["method"]}), \
{blocks["modules_per_block"]:.1f} modules each; {blocks["per_candidate"]:.1f} to a candidate\
{predicted}

training, at most (MACs)
  teacher         {count(work["teacher"])}
  all blocks      {_cohort(work["all_blocks"])}
  one candidate   {count(work["one_candidate"])}
  all candidates  {count(work["all_candidates"])}"""


def _proposed(proposed: bool) -> str:
    """What the candidates are worth that a plan shows for `propose`."""
    if not proposed:
        return ""
    return "\n  a sample in place of those that are proposed once the scores of variants are known"


def _cohort(macs: int) -> str:
    if not macs:
        return "none: they are solved, not trained"
    return f"{count(macs)} in one cohort; those of one candidate at a time: more"


def _predicted(selection: dict[str, Any] | None) -> str:
    """How good an optimal choice of blocks is."""
    if selection is None:
        return ""
    value, without = selection["value"], selection["without"]
    gap = 1 - selection["bound"] / value if value else 0.0
    quality = "proven optimal" if selection["proven"] else f"at most {gap:.2%} above the optimum"
    return (
        f"\n  predicted to train in {seconds_text(value)}, without blocks {seconds_text(without)}: "
        f"{quality}"
    )
