"""How the compiler's time grows: parse, check and each pass, for growing networks and spaces.

    python benchmarks/compile.py                # 4 minutes

The passes run with their defaults (mining by windows, a block for each module at each rate) and,
on smaller spaces, with the methods that cost more: sequitur's grammar, and optimal blocks.

Seconds are of the processor, for other work on the machine would count otherwise; the least of
some runs. The slope is that of log(seconds) against log(size), by least squares over the larger
half of the sizes, where fixed costs no longer count: 1 is linear.
"""

import argparse
import platform
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from wootzc.driver import compile
from wootzc.grammar import analyze
from wootzc.grammar.parse import parse
from wootzc.ir.passes import PASSES, MineSubsequences, Pass, SelectBlocks, pipeline_text, run

MODULES = (10, 30, 100, 300, 1_000)  # of a network; its text has as many lines
CANDIDATES = (100, 1_000, 10_000, 100_000)  # of a space over 16 modules
DEAR = (100, 1_000, 10_000)  # the same for passes that cost more
DEAR_PASSES: tuple[Pass, ...] = (
    MineSubsequences(method="sequitur"),
    SelectBlocks(method="optimal"),
)

HEAD = """module block(width) {
  add {
    { conv(3x3, width); norm; relu; conv(3x3, width); norm }
    { shortcut(width) }
  }
  relu
}
"""


def program(modules: int, candidates: int) -> str:
    lines = "\n".join(f"  block(16) as m{i}" for i in range(modules))
    return f"""{HEAD}network net {{
  input(8x8x16)
{lines}
  global_pool; dense(10)
}}
space s over net {{
  data "x.npz"
  rates {{ 0, 30%, 50%, 70% }}
  prune *
  sample {candidates} seed 1
  finetune {{ steps 3_000 }}
  pretrain {{ steps 1_000 }}
  minimize params
  subject to accuracy >= 90%
}}
"""


def best_of(run_once: Callable[[], object], times: int) -> float:
    seconds = []
    for _ in range(times):
        began = time.process_time()
        run_once()
        seconds.append(time.process_time() - began)
    return min(seconds)


def slope(sizes: tuple[int, ...], seconds: list[float]) -> float:
    half = len(sizes) // 2
    return float(np.polyfit(np.log(sizes[half:]), np.log(seconds[half:]), 1)[0])


def passes_of(text: str, first: int = 0, passes: tuple[Pass, ...] = PASSES) -> dict[str, float]:
    """Seconds of each of these passes after the `first` default ones, verification left out."""
    found: dict[str, float] = {}
    plan = compile(text, PASSES[:first])
    for one in passes:
        began = time.process_time()
        plan = run(plan, (one,), verify_each=False)
        found[pipeline_text([one])] = time.process_time() - began
    return found


def show(title: str, sizes: tuple[int, ...], rows: dict[str, list[float]]) -> None:
    print(f"\n| {title} | " + " | ".join(f"{size:,}" for size in sizes) + " | slope |")
    print("| --- |" + " --- |" * (len(sizes) + 1))
    for name, seconds in rows.items():
        cells = " | ".join(f"{value:.4f}" for value in seconds)
        print(f"| {name} | {cells} | {slope(sizes, seconds):.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3, help="runs of each; the best one counts")
    times = parser.parse_args().times
    print(f"python benchmarks/compile.py --times {times}")
    print(f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, "
          f"numpy {version('numpy')}, lark {version('lark')}; seconds")  # fmt: skip
    front: dict[str, list[float]] = {"parse": [], "check": []}
    for modules in MODULES:
        text = program(modules, 100)
        front["parse"].append(best_of(lambda text=text: parse(text, "x"), times))
        front["check"].append(best_of(lambda text=text: analyze(text), times))
    show("modules", MODULES, front)
    for sizes, first, passes in ((CANDIDATES, 0, PASSES), (DEAR, 2, DEAR_PASSES)):
        middle: dict[str, list[float]] = {}
        for candidates in sizes:
            text = program(16, candidates)
            runs = [passes_of(text, first, passes) for _ in range(times)]
            for name in runs[0]:
                middle.setdefault(name, []).append(min(one[name] for one in runs))
        show("candidates of 16 modules", sizes, middle)


if __name__ == "__main__":
    main()
