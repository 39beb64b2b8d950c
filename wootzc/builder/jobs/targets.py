"""What latency is measured on: how networks are read on each target, and how it is called."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.onnx.runtime import (
    installed,
    interleaved,
    need_installed,
    readings,
    readings_by,
)
from wootzc.diagnostics import fail
from wootzc.ir.net.network import Network
from wootzc.ir.space import OnCommand, OnJax, OnRuntime, Space, Target

SECONDS = 0.2  # of measuring, each network
ROUNDS = 15  # of all in turn, at least


def where(space: Space) -> str:
    """What the space measures on, and where it runs: with versions, threads, batch, processor.

    Raises `WootzError` where it is not here.
    """
    on = _where(space.latency)
    return on if space.quantize == "none" else f"{on}, {space.quantize}"


def _where(target: Target) -> str:
    match target:
        case OnRuntime(batch=batch, threads=threads, provider=provider):
            need_installed("latency is measured")
            from onnxruntime import __version__

            return (
                f"onnxruntime {__version__}, {provider}, threads {threads}, batch {batch}, "
                f"{processor()}"
            )
        case OnJax(batch=batch):
            from wootzc.backends.flax.train.whole import device

            many = os.environ.get("NPROC") or str(_cores())
            return f"{device()}, threads {many}, batch {batch}, {processor()}"
        case OnCommand(command=command):
            return f"{command}, {processor()}"
        case _:
            assert_never(target)


def _cores() -> int:
    """Those that this process may run on, where the system tells."""
    told = hasattr(os, "sched_getaffinity")  # on Linux alone
    return len(os.sched_getaffinity(0)) if told else os.cpu_count() or 1


def is_measured_here(space: Space) -> bool:
    """Whether the space has a table, and what gave it would measure others beside it."""
    if space.measured is None:
        return False
    if isinstance(space.latency, OnRuntime) and not installed():
        return False
    return space.measured.on == where(space)


@dataclass(frozen=True)
class Readings:
    """Milliseconds that networks take on a target, in turns."""

    space: Space
    cache: Path  # of programs that JAX compiles
    commands: bool = True  # whether such as the space names may be run

    def of(self, networks: Sequence[Network]) -> NDArray[np.float64]:  # [rounds, networks]
        """Raises `WootzError`."""
        match self.space.latency:
            case OnRuntime() as target:
                models = [(network.name, self._file(network)) for network in networks]
                return readings(models, target, seconds=SECONDS, least=ROUNDS)
            case OnJax(batch=batch):
                from wootzc.backends.flax.device.parallel import configure
                from wootzc.backends.flax.train.whole import runner

                configure(self.cache)
                runs = {network: runner(network, batch) for network in dict.fromkeys(networks)}
                turns = [runs[network] for network in networks]
                return interleaved(turns, seconds=SECONDS, least=ROUNDS)
            case OnCommand(command=command):
                if not self.commands:
                    raise fail(
                        "WZ307",
                        "latency is not measured yet, and only `wootzc build` runs commands",
                        "build, or measure on onnxruntime",
                    )
                return readings_by(command, list(map(self._file, networks)))
            case _:
                assert_never(self.space.latency)

    def _file(self, network: Network) -> bytes:
        """An ONNX file with any weights, in the numbers that the space asks for."""
        from wootzc.backends.onnx import to_onnx
        from wootzc.backends.weights.stored import initial_weights

        model = to_onnx(network, initial_weights(network, seed=0))
        if self.space.quantize == "int8":
            from wootzc.backends.onnx.int8 import calibrated

            height, width, channels = network.input
            noise = np.random.default_rng(0).standard_normal((4, channels, height, width))
            model = calibrated(model, iter([noise.astype(np.float32)]))
        return bytes(model.SerializeToString())


def processor() -> str:
    """The name that the processor gives itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
