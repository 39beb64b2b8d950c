"""By what filters are judged: a record a criterion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Criterion: TypeAlias = Literal[
    "l1",
    "l1_mean",
    "l2",
    "l2_mean",
    "bn_scale",
    "bn_scale_mean",
    "geometric_median",
    "taylor",
    "taylor_mean",
    "activation",
    "activation_mean",
    "entropy",
    "entropy_mean",
    "random",
]
Measure: TypeAlias = Literal[
    "l1", "l2", "bn_scale", "geometric_median", "taylor", "activation", "entropy", "random"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What a criterion goes by; `aliases`: what others call it.

    A group of channels that several layers make, or read, has a score of each. `averaged`: every
    layer's are divided by their mean first, so that each counts alike, whatever its weights are.
    """

    measure: Measure
    reads: Literal["kernels", "norms", "images", "nothing"]  # images: of training
    averaged: bool = False
    aliases: tuple[str, ...] = ()


CRITERIA: Final[Mapping[Criterion, Judging]] = {
    "l1": Judging(measure="l1", reads="kernels", aliases=("l1_norm", "magnitude", "norm")),
    "l1_mean": Judging(measure="l1", reads="kernels", averaged=True),
    "l2": Judging(measure="l2", reads="kernels", aliases=("l2_norm",)),
    "l2_mean": Judging(measure="l2", reads="kernels", averaged=True),
    "bn_scale": Judging(measure="bn_scale", reads="norms", aliases=("bn", "slimming")),
    "bn_scale_mean": Judging(measure="bn_scale", reads="norms", averaged=True),
    "geometric_median": Judging(
        measure="geometric_median", reads="kernels", aliases=("gm", "fpgm")
    ),
    "taylor": Judging(measure="taylor", reads="images", aliases=("gradient", "taylor_fo", "fo")),
    "taylor_mean": Judging(measure="taylor", reads="images", averaged=True),
    "activation": Judging(measure="activation", reads="images", aliases=("activations", "apoz")),
    "activation_mean": Judging(measure="activation", reads="images", averaged=True),
    "entropy": Judging(measure="entropy", reads="images"),
    "entropy_mean": Judging(measure="entropy", reads="images", averaged=True),
    "random": Judging(measure="random", reads="nothing"),
}


def reads_images(criterion: Criterion) -> bool:
    return CRITERIA[criterion].reads == "images"
