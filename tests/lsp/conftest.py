"""A session with the language server over standard input and output, by pygls' client."""

import asyncio
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient
from pygls.uris import from_fs_path

Answer = TypeVar("Answer")
SECONDS = 60  # that an answer may take on a machine with much to do


class Session:
    """What an editor does. A place in a file is said by the text before it, up to a `|`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.loop = asyncio.new_event_loop()
        self.client = LanguageClient("tests", "1")
        self.texts: dict[str, str] = {}
        self.versions: dict[str, int] = {}
        self.published: dict[str, types.PublishDiagnosticsParams] = {}

        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.published[params.uri] = params

        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(publish)

    def start(self) -> types.InitializeResult:
        self.run(self.client.start_io(sys.executable, "-m", "wootzc", "lsp"))
        root = from_fs_path(str(self.root))
        preferred = [types.PositionEncodingKind.Utf8, types.PositionEncodingKind.Utf16]  # as Neovim
        general = types.GeneralClientCapabilities(position_encodings=preferred)
        capabilities = types.ClientCapabilities(general=general)
        parameters = types.InitializeParams(capabilities, root_uri=root)
        answer = self.run(self.client.initialize_async(parameters))
        self.client.initialized(types.InitializedParams())
        return answer

    def end(self) -> None:
        self.run(self.client.shutdown_async(None))
        self.client.exit(None)
        self.run(self.client.stop())  # type: ignore[no-untyped-call]
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return self.loop.run_until_complete(asyncio.wait_for(work, SECONDS))

    def uri(self, name: str) -> str:
        return str(from_fs_path(str(self.root / name)))

    def open(self, name: str, text: str) -> str:
        (self.root / name).write_text(text, encoding="utf-8", newline="")
        uri = self.uri(name)
        self.texts[uri], self.versions[uri] = text, 1
        item = types.TextDocumentItem(uri, "wootzc", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def type(self, uri: str, before: str, text: str, removed: int = 0) -> None:
        """Write `text` behind the first `before`, in the place of `removed` characters."""
        old = self.texts[uri]
        at = old.index(before) + len(before)
        self.texts[uri] = old[:at] + text + old[at + removed :]
        self.versions[uri] += 1
        there = types.Range(self._position(old, at), self._position(old, at + removed))
        change = types.TextDocumentContentChangePartial(range=there, text=text)
        document = types.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    def diagnostics(self, uri: str) -> list[types.Diagnostic]:
        """Those of the text as it is now."""

        async def wait() -> list[types.Diagnostic]:
            while True:
                found = self.published.get(uri)
                if found is not None and found.version in (None, self.versions.get(uri)):
                    return list(found.diagnostics)
                await asyncio.sleep(0.01)

        return self.run(wait())

    def told_next(self, uri: str) -> list[types.Diagnostic]:
        """Those that come after this was asked, and after those that were told before."""
        before = self.published[uri]

        async def wait() -> list[types.Diagnostic]:
            while self.published[uri] is before:
                await asyncio.sleep(0.01)
            return list(self.published[uri].diagnostics)

        return self.run(wait())

    def place(self, uri: str, before: str) -> dict[str, Any]:
        """The first place that `before` names: where its `|` is, or its end."""
        text = self.texts[uri]
        at = before.find("|")
        found = text.index(before.replace("|", ""))
        position = self._position(text, found + (at if at >= 0 else len(before)))
        return {"text_document": types.TextDocumentIdentifier(uri), "position": position}

    def text_at(self, uri: str, there: types.Range) -> str:
        lines = [*self.texts[uri].splitlines(keepends=True), ""]
        if there.start.line == there.end.line:
            return lines[there.start.line][there.start.character : there.end.character]
        return "\n".join(lines[there.start.line : there.end.line + 1])

    def edited(self, uri: str, edits: list[types.TextEdit]) -> str:
        text = self.texts[uri]
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        for edit in sorted(edits, key=lambda e: (-e.range.start.line, -e.range.start.character)):
            start = starts[edit.range.start.line] + edit.range.start.character
            end = starts[edit.range.end.line] + edit.range.end.character
            text = text[:start] + edit.new_text + text[end:]
        return text

    @staticmethod
    def _position(text: str, at: int) -> types.Position:
        before = text[:at]
        line = before.rpartition("\n")[2]
        return types.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    started = Session(tmp_path_factory.mktemp("workspace"))
    capabilities = started.start().capabilities
    assert (
        capabilities.position_encoding == types.PositionEncodingKind.Utf16
    )  # as places are counted
    yield started
    started.end()
