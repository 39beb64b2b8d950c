"""ONNX models on onnxruntime (extra `deploy`): how long they take, side by side.

A machine's speed drifts by more than networks differ. So all models take turns, a reading of each
a round, and are compared within the round.
"""

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import WootzError, fail
from wootzc.files import damage
from wootzc.ir.space import OnRuntime

Run: TypeAlias = Callable[[], object]
Clock: TypeAlias = Callable[[], float]  # seconds

READING = 1e-3  # seconds: a reading is as many runs in a row as take this long
WARM_UP = 3  # runs
LEAST_ROUNDS = 5
QUARTILES = (0.25, 0.5, 0.75)
DEFAULT = OnRuntime()
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
    target: OnRuntime = DEFAULT,
    *,
    seconds: float = 1.0,  # for each model
    least: int = LEAST_ROUNDS,
) -> tuple[Latency, ...]:
    """Of each model, the first being what the others are compared with. Raises `WootzError`."""
    return compared(readings(models, target, seconds=seconds, least=least))


def readings(
    models: Sequence[tuple[str, bytes]],
    target: OnRuntime,
    *,
    seconds: float,
    least: int = LEAST_ROUNDS,
) -> NDArray[np.float64]:
    """Milliseconds, [rounds, models], of models that take turns. Raises `WootzError`."""
    runs = [runner(name, content, target) for name, content in models]
    return interleaved(runs, seconds=seconds, least=least, clock=_alone(target))


def _alone(target: OnRuntime) -> Clock:
    """A clock that stands still while other programs run, where there is one: one thread's own.

    That of Windows ticks every 16 ms, longer than a reading.
    """
    by_itself = target.threads == 1 and target.provider == DEFAULT.provider and os.name == "posix"
    return time.thread_time if by_itself else time.perf_counter


def interleaved(
    runs: Sequence[Run],
    *,
    seconds: float,
    least: int = LEAST_ROUNDS,
    clock: Clock = time.perf_counter,
) -> NDArray[np.float64]:
    """Readings in milliseconds, [rounds, runs]: about `seconds` of each, and `least` rounds.

    Every other round goes through them backwards: what comes first gains or loses nothing by it.
    As many runs as are read go unread before: the others have thrown its weights out of the caches.
    """
    repeats, unread = list[int](), list[int]()
    for run in runs:
        until = clock() + seconds
        for _ in range(WARM_UP):
            run()
            if clock() > until:  # it is slow enough to need no more
                break
        one = _seconds(run, 1, clock)
        repeats.append(max(1, round(READING / max(one, 1e-9))))
        unread.append(repeats[-1] if one <= seconds else 0)
    until = clock() + seconds * len(runs)
    rounds: list[list[float]] = []
    while len(rounds) < least or clock() < until:
        order = range(len(runs)) if len(rounds) % 2 == 0 else range(len(runs) - 1, -1, -1)
        took = {}
        for each in order:
            for _ in range(unread[each]):
                runs[each]()
            took[each] = _seconds(runs[each], repeats[each], clock)
        rounds.append([1e3 * took[each] for each in range(len(runs))])
    return np.array(rounds)


def readings_by(
    command: str, models: Sequence[bytes], *, rounds: int = LEAST_ROUNDS
) -> NDArray[np.float64]:
    """The same, as a command prints them that is given each in turn. Raises `WootzError`."""
    with TemporaryDirectory(prefix="wootzc-") as folder:
        files = [Path(folder) / f"{number}.onnx" for number in range(len(models))]
        for file, content in zip(files, models, strict=True):
            file.write_bytes(content)
        found = []
        for turn in range(rounds):
            order = files if turn % 2 == 0 else files[::-1]
            took = {file: _printed(command, file) for file in order}
            found.append([took[file] for file in files])
    return np.array(found)


def _printed(command: str, file: Path) -> float:
    """The last number that a command prints about a file, above zero."""
    text = command.replace("{model}", shlex.quote(str(file)))
    done = subprocess.run(text, shell=True, capture_output=True, text=True, errors="replace")
    said = done.stdout.split()
    try:
        milliseconds = float(said[-1]) if done.returncode == 0 and said else 0.0
    except ValueError:
        milliseconds = 0.0
    if not 0 < milliseconds < float("inf"):
        last = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise fail(
            "WZ309",
            f"the command that measures latency gave no milliseconds: {last[:200]} "
            f"(exit status {done.returncode})",
            f"its last word must be a number above 0; try: {command}",
        )
    return milliseconds


def _seconds(run: Run, repeats: int, clock: Clock) -> float:
    begun = clock()
    for _ in range(repeats):
        run()
    return (clock() - begun) / repeats


def compared(readings: NDArray[np.float64]) -> tuple[Latency, ...]:
    """What readings, [rounds, models], say of each model."""
    parts = (np.quantile(one, QUARTILES, axis=0) for one in (readings, readings / readings[:, :1]))
    names = ("low", "median", "high", "ratio_low", "ratio", "ratio_high")
    return tuple(
        Latency(**dict(zip(names, own, strict=True)), rounds=len(readings))
        for own in np.concatenate([*parts]).T.tolist()
    )


def runner(name: str, content: bytes, target: OnRuntime) -> Run:
    """A call that runs the model once on random numbers. Raises `WootzError`."""
    session = opened(name, content, target)
    rng = np.random.default_rng(0)
    feeds = {one.name: _numbers(name, one, target, rng) for one in session.get_inputs()}

    def run() -> object:
        return session.run(None, feeds)

    with damage(lambda reason: _refused(name, reason)):
        run()
    return run


def opened(name: str, content: bytes | str, target: OnRuntime = DEFAULT) -> Any:
    """An `onnxruntime.InferenceSession` of a model or the path of one. Raises `WootzError`."""
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


def _numbers(name: str, given: Any, target: OnRuntime, rng: np.random.Generator) -> NDArray[Any]:
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
