"""What a pass is."""

from typing import ClassVar, Protocol, TypeVar

from wootzc.diagnostics import fail
from wootzc.ir.plan import Plan

T = TypeVar("T")


class Pass(Protocol):
    """A frozen dataclass from plan to plan; its fields are its options."""

    name: ClassVar[str]  # as in "expand-space"

    def __call__(self, plan: Plan) -> Plan: ...


def needed(value: T | None, field: str, maker: str, wanted_by: str) -> T:
    """A part of the plan that an earlier pass must have filled in."""
    if value is None:
        raise fail(
            "WZ088",
            f"`{wanted_by}` needs the plan's {field}, which no pass has filled in",
            f"put `{maker}` before it",
        )
    return value
