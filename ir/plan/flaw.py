"""What is wrong with a plan, and in which of its nodes."""

from typing import NamedTuple

from wootzc.ir.plan.places import Place


class Problem(NamedTuple):
    """`at`: fields and positions from the plan down to the node, field or row at fault."""

    message: str
    at: Place = ()

    def __str__(self) -> str:
        return self.message
