"""How long `check` and `fmt` take for long files, and how the time grows.

    python benchmarks/language_time.py                # 2 minutes

Texts of several kinds, each with 2,500 to 10,000 lines: networks with a comment on every line,
modules with comments inside of lists, modules that nothing uses, names that are taken, settings
that no block has, syntax errors. Last comes a file of 11,000 modules and 500 kB. Seconds are of the
processor, the least of some runs. The slope is that of log(seconds) against log(lines), by least
squares over the larger half: 1 is linear.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from compile import slope
from mining import machine

from wootzc.diagnostics import WootzError, render
from wootzc.grammar import analyze, format_text

LINES = (2_500, 5_000, 10_000)


def commented(lines: int) -> str:
    """A network; each layer has a comment behind it, each fourth one above it."""
    body = []
    for number in range(lines * 4 // 5):
        if number % 4 == 0:
            body.append(f"  // what comes next is number {number}")
        body.append("  conv(3x3, 16); norm; relu   // stays at 16")
    head = ["network n {", "  input(8x8x3)"]
    return "\n".join([*head, *body[: lines - 4], "  global_pool; dense(10)", "}"]) + "\n"


def modules(lines: int) -> str:
    """Modules of five lines, with comments within their lists, used one after the other."""
    count = lines // 6
    text = [
        f"module m{n}(width) {{\n  conv(\n    3x3,  // size\n    width /* filters */\n  ); relu\n}}"
        for n in range(count)
    ]
    uses = [f"  m{n}(8) as a{n}  // the {n}th" for n in range(min(count, 900))]
    return "\n".join([*text, "network n {", "  input(8x8x3)", *uses, "}"]) + "\n"


def unused(lines: int) -> str:
    return "".join(f"module m{n}(w) {{ conv(3x3, w); relu }} // {n}\n" for n in range(lines))


def taken(lines: int) -> str:
    return "".join(f"module same(w) {{ conv(3x3, w); relu }} // {n}\n" for n in range(lines))


def unknown(lines: int) -> str:
    settings = "".join(f"    stepz{n} 5 // {n}\n" for n in range(lines - 4))
    return f"space s over n {{\n  finetune {{\n{settings}  }}\n}}\n"


def broken(lines: int) -> str:
    """The commented network with syntax errors, as many as are told."""
    rows = commented(lines).splitlines()
    for number in range(19):
        rows[lines * (number + 1) // 21] = "  conv 3x3  // no parentheses"
    return "\n".join(rows) + "\n"


KINDS: dict[str, Callable[[int], str]] = {
    "comments": commented, "comments in lists": modules, "modules unused": unused,
    "names taken": taken, "settings unknown": unknown, "19 syntax errors": broken,
}  # fmt: skip


def check(text: str) -> None:
    """As the command does, with what it prints."""
    analysis = analyze(text)
    render(analysis.diagnostics, analysis.sources)


def fmt(text: str) -> None:
    with suppress(WootzError):
        format_text(text)


def seconds(work: Callable[[str], None], text: str, runs: int) -> float:
    times = []
    for _ in range(runs):
        began = time.process_time()
        work(text)
        times.append(time.process_time() - began)
        gc.collect()
    return min(times)


def table(runs: int) -> None:
    print("| command | text |", " | ".join(f"{n:,} lines" for n in LINES), "| slope |")
    print("| --- | --- |", " --- |" * len(LINES), "--- |")
    for work in (check, fmt):
        for kind, make in KINDS.items():
            took = [seconds(work, make(lines), runs) for lines in LINES]
            shown = " | ".join(f"{t:.2f} s" for t in took)
            print(f"| {work.__name__} | {kind} | {shown} | {slope(LINES, took):.2f} |", flush=True)


def large(runs: int) -> None:
    text = "".join(f"module m{n:05}(w) {{ conv(3x3, w); norm; relu }}\n" for n in range(11_000))
    for work in (check, fmt):
        took = seconds(work, text, runs)
        print(f"{work.__name__} of 11,000 modules, {len(text) / 1000:.0f} kB: {took:.2f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2, help="of which the fastest counts")
    options = parser.parse_args()
    print("command:", " ".join(["python", *sys.argv]), "\nmachine:", machine(), "\n")
    check("network n { input(3); dense(2) }")  # loads the parser
    gc.disable()  # as the command line does
    table(options.runs)
    print()
    large(options.runs)
