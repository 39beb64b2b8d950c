"""What all sides of accelerator.py share: the job, its batches, how steps are timed. NumPy only."""

import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Kind = Literal["teacher", "blocks", "finetune"]

MODULES = (3, 4, 6, 3)  # of each width, ResNet-50
LEARNING_RATE, MOMENTUM = 0.01, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    kinds: tuple[Kind, ...]
    batch: int
    side: int  # pixels
    classes: int
    rate: float  # fraction of filters removed, in pruned modules
    precision: Literal["float32", "bfloat16"]
    steps: int  # of a round
    rounds: int  # timed; one more comes before them
    strategy: str | None = None  # of wootzc's runner, where it is not to choose

    def batches(self) -> list[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        """Two batches on the host: images [batch, side, side, 3], labels [batch]."""
        rng = np.random.default_rng(0)
        shape = (self.batch, self.side, self.side, 3)
        return [
            (
                rng.standard_normal(shape, dtype=np.float32),
                rng.integers(self.classes, size=self.batch, dtype=np.int32),
            )
            for _ in range(2)
        ]

    def kept(self, width: int) -> int:
        return width - round(self.rate * width)


class Timed(NamedTuple):
    first: float  # seconds of the first round, which compiles
    best: float  # seconds a step, in the fastest of the others
    loss: float  # after the last


def timed(job: Job, run: Callable[[], float]) -> Timed:
    """`run` takes `job.steps` steps, waits for the device, and gives the last loss."""
    seconds = []
    for _ in range(job.rounds + 1):
        began = time.perf_counter()
        loss = run()
        seconds.append(time.perf_counter() - began)
    return Timed(seconds[0], min(seconds[1:]) / job.steps, loss)


def read_job() -> Job:
    given = json.loads(sys.argv[1])
    return Job(**{**given, "kinds": tuple(given["kinds"])})


def job_text(job: Job) -> str:
    return json.dumps(asdict(job))


def tell(kind: Kind, result: Timed, params: int, how: str) -> None:
    """`params`: that learn."""
    print(json.dumps({"kind": kind, "params": params, "how": how, **result._asdict()}), flush=True)


def introduce(device: str, *packages: str) -> None:
    versions = [f"{name} {version(name)}" for name in packages]
    print(
        json.dumps(
            {"device": device, "versions": [f"Python {platform.python_version()}", *versions]}
        )
    )
