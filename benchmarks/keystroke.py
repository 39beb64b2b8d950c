"""How long an editor waits after a keystroke in a file of 1,000 lines.

    python benchmarks/keystroke.py                # 1 minute

Characters are typed at places drawn at random into a network with modules and a space over it, and
taken back; they break the text as often as not. First the work alone, in seconds of the processor,
which other work on the machine does not change: reading and checking the new text, and answering a
completion, a hover and the hints of a screen. Then on the clock, in a session with the language
server over standard input and output, at ten keys a second.
"""

import argparse
import asyncio
import gc
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lsprotocol import types
from mining import machine
from pygls.lsp.client import LanguageClient
from pygls.uris import from_fs_path

from wootzc.grammar.parse import Memory
from wootzc.lsp.actions import by_file
from wootzc.lsp.completion import complete
from wootzc.lsp.hover import hover
from wootzc.lsp.outline import hints
from wootzc.lsp.server import THRESHOLD
from wootzc.lsp.snapshot import Snapshot

SCREEN = 50  # lines
PAUSE = 0.1  # seconds before a key: ten a second is fast for a person


def program(lines: int) -> str:
    """Half of the lines in modules of their own, half in a network that uses them."""
    count = lines // 20
    modules = [
        f"module block{n}(width, stride = 1) {{\n"
        "  add {  // as in a residual network\n"
        "    { conv(3x3, width, stride = stride); norm; relu; conv(3x3, width); norm }\n"
        "    { shortcut(width, stride = stride) }\n"
        "  }\n"
        "  relu\n"
        "}\n"
        for n in range(count)
    ]
    body = [
        f"  block{n}(16) as m{n}  // number {n}\n  conv(3x3, 16); norm; relu\n"
        for n in range(count)
    ]
    rest = lines - 7 * count - 2 * count - 12
    body += [f"  conv(3x3, 16); norm; relu  // layer {n}\n" for n in range(rest)]
    space = (
        'space s over n {\n  data "images.npz"\n  rates { 0, 50% }\n  prune m*\n'
        "  sample 10 seed 1\n  minimize params\n  subject to accuracy >= 90%\n}\n"
    )
    return "".join(
        [*modules, "network n {\n  input(8x8x16)\n", *body, "  global_pool; dense(10)\n}\n", space]
    )


class Editor:
    """`told` is set when what is wrong with the newest version has arrived."""

    def __init__(self, text: str, path: Path) -> None:
        self.lines = text.split("\n")
        self.uri = str(from_fs_path(str(path)))
        self.version = 0
        self.told = asyncio.Event()
        self.client = LanguageClient("benchmark", "1")

        def publish(params: types.PublishDiagnosticsParams) -> None:
            if params.version == self.version:
                self.told.set()

        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(publish)

    async def start(self) -> None:
        await self.client.start_io(sys.executable, "-m", "wootzc", "lsp")
        capabilities = types.ClientCapabilities()
        await self.client.initialize_async(types.InitializeParams(capabilities))
        self.client.initialized(types.InitializedParams())
        item = types.TextDocumentItem(self.uri, "wootzc", 0, "\n".join(self.lines))
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        await self.told.wait()

    async def change(self, line: int, column: int, text: str, removed: int = 0) -> float:
        """Seconds until the text is told of."""
        self.told.clear()
        self.version += 1
        old = self.lines[line]
        self.lines[line] = old[:column] + text + old[column + removed :]
        there = types.Range(types.Position(line, column), types.Position(line, column + removed))
        change = types.TextDocumentContentChangePartial(range=there, text=text)
        document = types.VersionedTextDocumentIdentifier(self.version, self.uri)
        began = time.perf_counter()
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))
        await self.told.wait()
        return time.perf_counter() - began

    async def ask(self, line: int, column: int) -> dict[str, float]:
        document, place = types.TextDocumentIdentifier(self.uri), types.Position(line, column)
        screen = types.Range(types.Position(line, 0), types.Position(line + SCREEN, 0))
        client = self.client
        asked: dict[str, Any] = {
            "completion": lambda: client.text_document_completion_async(
                types.CompletionParams(document, place)
            ),
            "hover": lambda: client.text_document_hover_async(types.HoverParams(document, place)),
            "hints": lambda: client.text_document_inlay_hint_async(
                types.InlayHintParams(document, screen)
            ),
        }
        took = {}
        for name, request in asked.items():
            began = time.perf_counter()
            await request()
            took[name] = time.perf_counter() - began
        return took


def keys(lines: Sequence[str], count: int) -> Iterator[tuple[int, int, str]]:
    """Line, column and character."""
    chance = random.Random(0)
    for _ in range(count):
        line = chance.randrange(len(lines) - 1)
        yield line, chance.randrange(len(lines[line]) + 1), chance.choice("abc 0123 ;")


def work(lines: int, keystrokes: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {}

    def timed(name: str, answer: Callable[[], object]) -> None:
        began = time.process_time()
        answer()
        took.setdefault(name, []).append(time.process_time() - began)

    text, memory = program(lines), Memory()
    rows = text.split("\n")
    for line, column, character in keys(rows, keystrokes):
        at = sum(len(row) + 1 for row in rows[:line]) + column
        snapshot = Snapshot("typed.wz", text[:at] + character + text[at:], memory=memory)
        timed("told of", lambda: by_file(snapshot))  # noqa: B023
        timed("completion", lambda: complete(snapshot, at + 1))  # noqa: B023
        timed("hover", lambda: hover(snapshot, at + 1))  # noqa: B023
        screen = sum(len(row) + 1 for row in rows[: line + SCREEN])
        timed("hints", lambda: hints(snapshot, at, screen))  # noqa: B023
        by_file(Snapshot("typed.wz", text, memory=memory))  # taken back, as in the session
    return took


async def session(lines: int, keystrokes: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        editor = Editor(program(lines), Path(folder) / "typed.wz")
        await editor.start()
        for line, column, character in keys(editor.lines, keystrokes):
            await asyncio.sleep(PAUSE)
            seconds = await editor.change(line, column, character)
            took.setdefault("told of", []).append(seconds)
            for name, seconds in (await editor.ask(line, column + 1)).items():
                took.setdefault(name, []).append(seconds)
            await editor.change(line, column, "", removed=1)
        await editor.client.shutdown_async(None)
        editor.client.exit(None)
    return took


def table(head: str, took: dict[str, list[float]]) -> None:
    print(f"| {head} | median | 95 % | most |\n| --- | --- | --- | --- |")
    for name, seconds in took.items():
        cuts = [statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1], max(seconds)]
        print(f"| {name} |", " | ".join(f"{1000 * s:.0f} ms" for s in cuts), "|")
    print(flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=1_000)
    parser.add_argument("--keystrokes", type=int, default=200)
    options = parser.parse_args()
    print("command:", " ".join(["python", *sys.argv]), "\nmachine:", machine(), "\n")
    gc.freeze()
    gc.set_threshold(*THRESHOLD)
    table(f"{options.lines:,} lines, processor", work(options.lines, options.keystrokes))
    table("on the clock", asyncio.run(session(options.lines, options.keystrokes)))
