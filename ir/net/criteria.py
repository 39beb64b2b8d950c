"""By what filters are judged: a record a criterion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Criterion: TypeAlias = Literal["l1", "l2", "bn_scale", "geometric_median", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What a criterion goes by; `aliases`: what others call it."""

    reads: Literal["kernels", "norms", "nothing"]
    aliases: tuple[str, ...] = ()


CRITERIA: Final[Mapping[Criterion, Judging]] = {
    "l1": Judging(reads="kernels", aliases=("l1_norm", "magnitude", "norm")),
    "l2": Judging(reads="kernels", aliases=("l2_norm",)),
    "bn_scale": Judging(reads="norms", aliases=("bn", "slimming")),
    "geometric_median": Judging(reads="kernels", aliases=("gm", "fpgm")),
    "random": Judging(reads="nothing"),
}
