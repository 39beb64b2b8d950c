"""How long training takes, and how much of it blocks save. The reasons: docs/cost-model.md.

One unit of work is a pass: a module run forward once on a batch. Training is three of them, since
the backward pass computes two products for each of the forward's. A pass takes

    batch × MACs × seconds_per_mac + seconds_per_pass

and everything else is counted in passes. Pre-training a block trains its modules and needs the
teacher's activations of them; fine-tuning a candidate trains all of its modules.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import fail

TRAINING = 3  # forward passes that one training step is worth
LEAST = 4  # jobs of each kind that a calibration needs


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Seconds are those of the two cores that the defaults come from; their ratios matter.

    Where every pruned module of a candidate is in a block of n pruned modules, `saved − seam / n`
    of its fine-tuning is spared.
    """

    seconds_per_mac: float = 2e-11
    seconds_per_pass: float = 4e-4  # of one module, whatever its size: dispatch, norms, activations
    seconds_per_block: float = 0.5  # slicing, compiling, storing
    seconds_per_candidate: float = 0.5
    occupancy: float = 0.4  # share of the teacher's passes that the blocks in flight make use of
    saved: float = 1.0  # share of fine-tuning that very long blocks would spare
    seam: float = 0.5  # what of it blocks of one module lose


class Work(NamedTuple):
    """What a training job computes, in forward passes."""

    macs: float  # of all images of all steps
    passes: float  # modules run forward

    def plus(self, other: "Work") -> "Work":
        return Work(self.macs + other.macs, self.passes + other.passes)

    def times(self, factor: float) -> "Work":
        return Work(self.macs * factor, self.passes * factor)


def step_work(macs: float, modules: int, batch: int) -> Work:
    """One forward pass of a batch through some modules that have `macs` together, per image."""
    return Work(macs * batch, modules)


def seconds_of(work: Work, model: CostModel) -> float:
    return work.macs * model.seconds_per_mac + work.passes * model.seconds_per_pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One job that an earlier build ran."""

    kind: str  # "block" or "candidate"
    work: Work
    seconds: float


def calibrated(jobs: Sequence[Measured], model: CostModel = CostModel()) -> CostModel:
    """The model with its seconds fitted to measured jobs: least squares, relative, none below 0.

    What fine-tuning saves is left as it is: a build measures no candidate twice.
    """
    counts = {kind: sum(job.kind == kind for job in jobs) for kind in ("block", "candidate")}
    if min(counts.values()) < LEAST:
        raise fail(
            "WZ099",
            f"{counts['block']} blocks and {counts['candidate']} candidates were measured, too few "
            "to calibrate the cost model",
            f"build something first: {LEAST} of each are needed",
        )
    # Here, for SciPy takes longer to load than most spaces to compile.
    from scipy.optimize import nnls

    rows: NDArray[Any] = np.array(
        [[*job.work, job.kind == "block", job.kind == "candidate"] for job in jobs]
    )
    rows /= np.array([[job.seconds] for job in jobs])
    scale = np.maximum(rows.max(axis=0), 1e-300)
    found, _ = nnls(rows / scale, np.ones(len(jobs)))
    per_mac, per_pass, per_block, per_candidate = (found / scale).tolist()
    return replace(
        model,
        seconds_per_mac=per_mac,
        seconds_per_pass=per_pass,
        seconds_per_block=per_block,
        seconds_per_candidate=per_candidate,
    )
