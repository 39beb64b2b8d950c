"""What a pass is."""

from typing import ClassVar, Protocol, TypeVar, cast

from wootzc.diagnostics import fail
from wootzc.ir.plan import Complete, Plan, parts_of

Stage = TypeVar("Stage", bound=Plan)

# What the fields of a plan are called, and which pass fills them in.
MAKERS = {
    "candidates": ("candidates", "expand-space"),
    "costs": ("costs", "estimate-cost"),
    "mined": ("mined rules", "mine-subsequences{method=sequitur}"),
    "blocks": ("blocks", "select-blocks"),
    "composition": ("composite vectors", "compose"),
    "training_order": ("training order", "order"),
    "exploration_order": ("exploration order", "order"),
}


class Pass(Protocol):
    """A frozen dataclass from plan to plan; its fields are its options."""

    name: ClassVar[str]  # as in "expand-space"

    def __call__(self, plan: Plan) -> Plan: ...


def having(plan: Plan, stage: type[Stage], wanted_by: str) -> Stage:
    """The plan, whose parts of this stage are all there. Raises `WootzError` where one is not."""
    for part in parts_of(stage):
        if getattr(plan, part) is None:
            what, maker = MAKERS[part]
            raise fail(
                "WZ088",
                f"`{wanted_by}` needs the plan's {what}, which no pass has filled in",
                f"put `{maker}` before it",
            )
    return cast(Stage, plan)


def complete(plan: Plan) -> Complete:
    """A plan that is through the default passes. Raises `WootzError`."""
    return having(plan, Complete, "a build")
