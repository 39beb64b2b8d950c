"""How long, and in how much memory, sources are refused that nobody wrote in good faith.

    python benchmarks/hostile.py                # 2 minutes

First the texts of tests/grammar/test_fuzz.py, each checked and its diagnostics rendered in a
process of its own. Then samples and zoo files with up to four mutations, files of random text, and
good files with random bytes in them. Seconds are of the processor; MB are the most that a process
had, over what it had before. Whatever is raised, and not told, ends the run.
"""

import argparse
import importlib.util
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mining import machine, peak

from wootzc.diagnostics import WootzError, render
from wootzc.driver import analyze_file
from wootzc.grammar import analyze

ROOT = Path(__file__).parents[1]
PIECES = "{}()[]\"'/*;,.=%x*-\n\t 019ab\0é"


def fuzz() -> ModuleType:
    path = ROOT / "tests" / "grammar" / "test_fuzz.py"
    spec = importlib.util.spec_from_file_location("fuzz", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checked(source: str | Path) -> tuple[float, int, int]:
    """Seconds, diagnostics, characters of what is told of them. `source`: a text, or a file."""
    began = time.process_time()
    try:
        analysis = analyze(source) if isinstance(source, str) else analyze_file(source)
        found, sources = analysis.diagnostics, analysis.sources
    except WootzError as error:
        found, sources = error.diagnostics, error.sources
    told = render(found, sources)
    return time.process_time() - began, len(found), len(told)


def _child(name: str, answer: Any) -> None:
    text = fuzz().HOSTILE[name]
    checked("network n { input(3); dense(2) }")  # loads the parser
    before = peak()
    answer.send((len(text), *checked(text), peak() - before))


def listed() -> None:
    print("| text | characters | seconds | diagnostics | characters told | MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    context = multiprocessing.get_context("spawn")
    for name in fuzz().HOSTILE:
        here, there = multiprocessing.Pipe()
        process = context.Process(target=_child, args=(name, there))
        process.start()
        size, seconds, found, told, memory = here.recv()
        process.join()
        print(f"| {name} | {size:,} | {seconds:.2f} | {found:,} | {told:,} | {memory:.0f} |")
        sys.stdout.flush()


def mutated(files: list[str], chance: random.Random) -> str:
    text = chance.choice(files)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        other = chance.choice(files)
        begin = chance.randrange(len(other))
        piece = chance.choice(("", other[begin : begin + 30], "".join(chance.choices(PIECES, k=5))))
        text = text[:at] + piece + text[at + chance.randrange(40) :]
    return text


def characters(_files: list[str], chance: random.Random) -> str:
    return "".join(map(chr, chance.choices(range(32, 0x2FF), k=chance.randrange(2_000))))


def octets(files: list[str], chance: random.Random) -> bytes:
    """Bytes put into a good file."""
    content = chance.choice(files).encode()
    at = chance.randrange(len(content))
    return content[:at] + chance.randbytes(chance.randrange(1, 200)) + content[at:]


def drawn(count: int) -> None:
    files = fuzz().FILES
    print("| drawn | texts | of them refused | seconds, mean | most | MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    makers: tuple[tuple[str, Callable[[list[str], random.Random], str | bytes]], ...] = (
        ("mutations", mutated), ("random text", characters), ("random bytes within", octets),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "drawn.wz"
        for label, make in makers:
            _drawn_row(label, lambda chance, make=make: make(files, chance), count, file)


def _drawn_row(
    label: str, make: Callable[[random.Random], str | bytes], count: int, file: Path
) -> None:
    chance, before = random.Random(0), peak()
    seconds, refused = [], 0
    for _ in range(count):
        content = make(chance)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        took, found, _told = checked(file)
        seconds.append(took)
        refused += found > 0
    mean, most, memory = sum(seconds) / count, max(seconds), peak() - before
    print(f"| {label} | {count:,} | {refused:,} | {mean:.3f} | {most:.2f} | {memory:.0f} |")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2_000, help="texts of each kind that is drawn")
    options = parser.parse_args()
    print("command:", " ".join(["python", *sys.argv]), "\nmachine:", machine(), "\n")
    listed()
    print()
    drawn(options.count)
