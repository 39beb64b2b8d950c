"""Whether answers are true: the drop that a build claims against the drop on its test images.

    python benchmarks/truth.py                                     digits, 20 seeds
    python benchmarks/truth.py --data cifar10-train.zip            CIFAR-10 small, 10 seeds
    python benchmarks/truth.py --simulate                          where the truth is known

Each seed splits the images anew and trains a teacher of its own; then the search is run by the best
estimate and with `with confidence 90%`. What is done is kept in `--out`: the same command goes on.
`within` is the share of answers whose drop on test images is at most the limit and that drop's own
standard error. Drops are points of accuracy.
"""

import argparse
import json
import math
import platform
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from truth_world import WORLDS, Answer, answers

HERE = Path(__file__).resolve().parent
LIMIT = re.compile(r"accuracy >= teacher - ([0-9.]+) points")
WAYS = {"best estimate": "", "confidence 90%": " with confidence 90%"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One build. Drops and their error in points."""

    seed: int
    way: str
    met: bool
    limit: float
    seen: float  # drop on the validation images, as it is
    claimed: float  # the same corrected, where the build says so
    test: float
    error: float  # standard error of the drop on test images
    size: float  # parameters, of the full network's
    tried: int
    seconds: float

    @property
    def within(self) -> bool:
        return self.test <= self.limit + self.error


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="CIFAR-10 as a zip; default: the digits")
    parser.add_argument("--seeds", type=int, help="default: 20 on digits, 10 on CIFAR-10")
    parser.add_argument("--out", type=Path, default=Path("build/truth"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--trials", type=int, default=200, help="simulated searches each")
    parser.add_argument("--resamples", type=int, default=300, help="of the correction, there")
    arguments = parser.parse_args()
    print("python", *sys.argv)
    if arguments.simulate:
        return simulate(arguments.trials, arguments.resamples)
    settings = dict(one.split("=", 1) for one in arguments.set)
    source = HERE / "cifar10_small.wz" if arguments.data else HERE.parent / "samples" / "digits.wz"
    data = arguments.data or HERE.parent / "samples" / "digits.npz"
    seeds = arguments.seeds or (10 if arguments.data else 20)
    print(machine())
    print(f"\n{source.name}: {seeds} seeds\n\n{HEAD}")
    rows = []
    for seed in range(seeds):
        for way in WAYS:
            rows.append(measured(source, data, seed, way, arguments.out, settings))
            print(line(rows[-1]), flush=True)
    print("\n" + "\n".join(totals(rows)))


def simulate(trials: int, resamples: int) -> None:
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}\n")
    print(
        "| world | images | limit | way | answers | tries | size | claimed − true | its error "
        "| true ≤ limit | within |"
    )
    print("| --- " * 11 + "|")
    for world in WORLDS:
        for way in ("raw", "corrected", "confident"):
            found = list(answers(world, way, trials, resamples))
            about = f"| {world.name} | {world.images:,} | {100 * world.drop:g} | {way}"
            print(
                f"{about} | {len(found)} of {trials} {simulated(found, world.drop)} |", flush=True
            )


def simulated(found: Sequence[Answer], limit: float) -> str:
    if not found:
        return "| – " * 6
    off = np.array([100 * (one.claimed - one.true) for one in found])
    held = np.mean([one.true <= limit for one in found])
    within = np.mean([one.test <= limit + one.error for one in found])
    return (
        f"| {np.mean([one.tries for one in found]):.1f} "
        f"| {np.mean([one.cost for one in found]):.0%} "
        f"| {off.mean():+.2f} | {off.std() / math.sqrt(len(off)):.2f} | {held:.0%} | {within:.0%}"
    )


def measured(
    source: Path, data: Path, seed: int, way: str, out: Path, settings: dict[str, str]
) -> Row:
    """Build once, or read what was measured before with these settings."""
    place = out / source.stem / f"{seed}{'-sure' if WAYS[way] else ''}"
    text, found = LIMIT.subn(lambda limit: limit.group() + WAYS[way], source.read_text())
    assert found == 1, f"{source} wants one limit below the teacher"
    record = place / "row.json"
    if record.is_file():
        kept = json.loads(record.read_text())
        if kept.pop("settings") == settings and kept.pop("text") == text:
            return Row(**kept)
    place.mkdir(parents=True, exist_ok=True)
    file = place / source.name
    file.write_text(text)
    row = built(file, data, seed, way, place / "result", out / "store", settings)
    record.write_text(json.dumps(asdict(row) | {"settings": settings, "text": text}, indent=2))
    return row


def built(
    file: Path, data: Path, seed: int, way: str, result: Path, store: Path, settings: dict[str, str]
) -> Row:
    from wootzc.builder import Options, build

    overrides = {"data": str(data.resolve()), "seed": str(seed), **settings}
    began = time.perf_counter()
    done = build(file, Options(out=result, store=store, overrides=overrides, replace=True))
    seconds = time.perf_counter() - began
    summary = done.summary
    seen = 100 * (summary["teacher"]["validation_accuracy"] - summary["best"]["accuracy"])
    test, error = tested(result, store)
    limit = LIMIT.search(file.read_text())
    assert limit is not None
    return Row(
        seed=seed,
        way=way,
        met=summary["objective_met"],
        limit=float(limit.group(1)),
        seen=seen,
        claimed=claimed(summary, seen),
        test=test,
        error=error,
        size=summary["best"]["params"] / summary["teacher"]["params"],
        tried=len(summary["tried"]),
        seconds=seconds,
    )


def claimed(summary: dict[str, Any], seen: float) -> float:
    """The drop that the build says, in points: corrected, where it judges."""
    judgement = summary.get("judgement")
    if not judgement:
        return seen
    return 100 * float(judgement.get("corrected", judgement["drop"]))


def tested(result: Path, store: Path) -> tuple[float, float]:
    """Drop on the test images, paired, and its standard error, in points."""
    from safetensors.numpy import load_file

    from wootzc.backends.data import load
    from wootzc.backends.flax.train.evaluation import labelled_right
    from wootzc.builder import Store
    from wootzc.builder.jobs.keys import Keys
    from wootzc.builder.result.summary import read_summary
    from wootzc.builder.search.judging import paired_error
    from wootzc.driver import compile
    from wootzc.ir.net.prune import prune_network

    plan = compile(result / "plan.wzir", ())
    space = plan.space
    dataset = load(space.data, seed=space.seed, shape=space.network.input)
    teacher = Store(store).find(Keys(plan, dataset.fingerprint).teacher)
    assert teacher is not None and teacher.weights is not None
    rates = read_summary(result).best.rates
    best = load_file(result / "best" / "weights.safetensors")
    full = labelled_right(space.network, teacher.weights, dataset.test)
    small = labelled_right(prune_network(space.network, rates), best, dataset.test)
    return 100 * float(full.mean() - small.mean()), 100 * paired_error(full, small)


HEAD = (
    "| seed | way | met | limit | drop seen | claimed | test | ± | within | size | tried | s |\n"
    + "| --- " * 12
    + "|"
)


def line(row: Row) -> str:
    cells = (
        str(row.seed), row.way, "yes" if row.met else "no", f"{row.limit:g}", f"{row.seen:.2f}",
        f"{row.claimed:.2f}", f"{row.test:.2f}", f"{row.error:.2f}", "yes" if row.within else "no",
        f"{row.size:.1%}", str(row.tried), f"{row.seconds:.0f}",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def totals(rows: Sequence[Row]) -> list[str]:
    """A line for each way; only answers that met their limit count."""
    lines = []
    for way in WAYS:
        own = [row for row in rows if row.way == way]
        met = [row for row in own if row.met]
        if not met:
            lines.append(f"{way}: 0 of {len(own)} met")
            continue
        off = np.array([row.claimed - row.test for row in met])
        raw = np.array([row.seen - row.test for row in met])
        lines.append(
            f"{way}: {len(met)} of {len(own)} met; {np.mean([r.within for r in met]):.0%} within "
            f"the limit and the test's error; claimed − test {off.mean():+.2f} ± "
            f"{off.std() / math.sqrt(len(off)):.2f} points (as seen, uncorrected, {raw.mean():+.2f}"
            f"); size {np.median([row.size for row in met]):.1%} in the median"
        )
    return lines


def machine() -> str:
    import jax

    return (
        f"Python {platform.python_version()}, jax {jax.__version__}, numpy {np.__version__}, "
        f"{platform.machine()}, {jax.device_count()} {jax.devices()[0].platform}"
    )


if __name__ == "__main__":
    main()
