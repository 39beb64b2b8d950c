"""ONNX models on onnxruntime (extra `deploy`): how long they take, side by side.

A machine's speed drifts by more than networks differ. So all models take turns, a reading of each
a round, and are compared within the round.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import WootzError, fail
from wootzc.files import damage

Run: TypeAlias = Callable[[], object]
Clock: TypeAlias = Callable[[], float]  # seconds

READING = 1e-3  # seconds: a reading is as many runs in a row as take this long
WARM_UP = 3  # runs
LEAST_ROUNDS = 5
NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a latency is of."""

    threads: int = 1
    batch: int = 1
    provider: str = "CPUExecutionProvider"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds that a batch takes: the middle reading, and half of them lie in between."""

    median: float
    low: float
    high: float
    ratio: float  # to the first model, each reading against that of its round
    ratio_low: float
    ratio_high: float
    rounds: int


def installed() -> bool:
    return find_spec("onnxruntime") is not None


def need_installed(what: str) -> None:
    """Raises `WootzError`. `what`: "latency is measured"."""
    if not installed():
        raise fail(
            "WZ300",
            f"{what} by onnxruntime, which is not installed",
            'pip install "wootzc[deploy]"',
        )


def latencies(
    models: Sequence[tuple[str, bytes]],  # with their names, for messages
    target: Target = Target(),
    *,
    seconds: float = 1.0,  # for each model
    least: int = LEAST_ROUNDS,
) -> tuple[Latency, ...]:
    """Of each model, the first being what the others are compared with. Raises `WootzError`."""
    runs = [runner(name, content, target) for name, content in models]
    return compared(interleaved(runs, seconds=seconds, least=least))


def interleaved(
    runs: Sequence[Run],
    *,
    seconds: float,
    least: int = LEAST_ROUNDS,
    clock: Clock = time.perf_counter,
) -> NDArray[np.float64]:
    """Readings in milliseconds, [rounds, runs]: about `seconds` of each, and `least` rounds.

    Every other round goes through them backwards: what comes first gains or loses nothing by it.
    """
    repeats = []
    for run in runs:
        until = clock() + seconds
        for _ in range(WARM_UP):
            run()
            if clock() > until:  # it is slow enough to need no more
                break
        repeats.append(max(1, round(READING / max(_seconds(run, 1, clock), 1e-9))))
    until = clock() + seconds * len(runs)
    rounds: list[list[float]] = []
    while len(rounds) < least or clock() < until:
        order = range(len(runs)) if len(rounds) % 2 == 0 else range(len(runs) - 1, -1, -1)
        took = {each: _seconds(runs[each], repeats[each], clock) for each in order}
        rounds.append([1e3 * took[each] for each in range(len(runs))])
    return np.array(rounds)


def _seconds(run: Run, repeats: int, clock: Clock) -> float:
    begun = clock()
    for _ in range(repeats):
        run()
    return (clock() - begun) / repeats


def compared(readings: NDArray[np.float64]) -> tuple[Latency, ...]:
    """What readings, [rounds, models], say of each model."""
    ratios = readings / readings[:, :1]
    figures = zip(_quartiles(readings), _quartiles(ratios), strict=True)
    return tuple(
        Latency(
            median=own[1],
            low=own[0],
            high=own[2],
            ratio=ratio[1],
            ratio_low=ratio[0],
            ratio_high=ratio[2],
            rounds=len(readings),
        )
        for own, ratio in figures
    )


def _quartiles(columns: NDArray[np.float64]) -> list[list[float]]:
    quartiles: list[list[float]] = np.quantile(columns, (0.25, 0.5, 0.75), axis=0).T.tolist()
    return quartiles


def runner(name: str, content: bytes, target: Target) -> Run:
    """A call that runs the model once on random numbers. Raises `WootzError`."""
    session = opened(name, content, target)
    rng = np.random.default_rng(0)
    feeds = {one.name: _numbers(name, one, target, rng) for one in session.get_inputs()}

    def run() -> object:
        return session.run(None, feeds)

    with damage(lambda reason: _refused(name, reason)):
        run()
    return run


def opened(name: str, content: bytes, target: Target = Target()) -> Any:
    """An `onnxruntime.InferenceSession`. Raises `WootzError` where there is none to be had."""
    need_installed("latency is measured")
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if target.provider not in there:
        raise fail(
            "WZ301",
            f"this onnxruntime has no {target.provider}",
            f"those it has: {', '.join(there)}",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = target.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    with damage(lambda reason: _refused(name, reason)):
        return onnxruntime.InferenceSession(content, options, providers=[target.provider])


def _refused(name: str, reason: str) -> WootzError:
    return fail("WZ302", f"onnxruntime does not run {name}: {reason}", "export it again")


def _numbers(name: str, given: Any, target: Target, rng: np.random.Generator) -> NDArray[Any]:
    first, *sizes = given.shape or [None]
    if not all(isinstance(size, int) for size in sizes):
        raise fail(
            "WZ303",
            f'{name} leaves the size of its input "{given.name}" open: {given.shape}',
            "export it for images of one size",
        )
    if isinstance(first, int) and first != target.batch:
        raise fail(
            "WZ303",
            f"{name} takes {first} images at once, not {target.batch}",
            f"--batch {first}, or export it with an open batch",
        )
    if given.type not in NUMBERS:
        raise fail("WZ303", f'the input "{given.name}" of {name} is a {given.type}, not numbers')
    values = rng.standard_normal((target.batch, *sizes))
    return values.astype(NUMBERS[given.type])
