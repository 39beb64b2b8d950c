"""The protocol: what editors ask, answered from snapshots of the files that are open."""

import asyncio
import gc
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Protocol

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method
from pygls.uris import from_fs_path, to_fs_path

from wootzc import __version__
from wootzc.diagnostics import Span, WootzError
from wootzc.grammar import format_text
from wootzc.grammar.lower.program import file_identity
from wootzc.grammar.parse import Memory
from wootzc.lsp.actions import FIX_ALL, actions, by_file
from wootzc.lsp.completion import complete
from wootzc.lsp.hover import hover
from wootzc.lsp.navigation import definitions, references, rename, renamed
from wootzc.lsp.outline import hints, outline
from wootzc.lsp.places import offset_of, range_of
from wootzc.lsp.snapshot import Snapshot

THRESHOLD = 200_000, 20, 20  # of garbage collections: a file of 1,000 lines makes 50,000 nodes


class _Placed(Protocol):
    """Parameters of a request that is about a place."""

    text_document: types.TextDocumentIdentifier
    position: types.Position


class _Protocol(LanguageServerProtocol):
    """Places are counted in units of UTF-16, which every client knows, whatever it would prefer."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        if params.capabilities.general is not None:
            params.capabilities.general.position_encodings = None
        return (yield from super().lsp_initialize(params))


class WootzServer(LanguageServer):
    """A file is looked at when it changes; between two looks lies as long as the first took."""

    def __init__(self) -> None:
        super().__init__(
            "wootzc",
            __version__,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            protocol_cls=_Protocol,
        )
        self._snapshots: dict[str, Snapshot] = {}
        self._memories: dict[str, Memory] = {}
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        self._open: dict[str, str] = {}  # texts, by the real path of their file
        self._rested: dict[str, float] = {}  # when the next look may begin
        self._told: dict[str, set[str]] = {}  # files, by the one that was looked at

    def snapshot(self, uri: str) -> Snapshot:
        document = self.workspace.get_text_document(uri)
        known = self._snapshots.get(uri)
        if known is None or known.version != document.version:
            memory = self._memories.setdefault(uri, Memory(open=self._open))
            known = Snapshot(path_of(uri), document.source, document.version, memory)
            self._snapshots[uri] = known
        return known

    def opened(self, uri: str) -> None:
        self._snapshots.pop(uri, None)
        self.look(uri)
        self.changed_below(uri)

    def changed_below(self, uri: str) -> None:
        """What includes a file is another with it. The text that is open counts, saved or not."""
        document = self.workspace.text_documents.get(uri)
        path = file_identity(path_of(uri))
        if document is None:
            self._open.pop(path, None)
        else:
            self._open[path] = document.source
        for other, snapshot in list(self._snapshots.items()):
            files = (d for d in snapshot.analysis.sources if d != snapshot.path)
            if other != uri and path in map(file_identity, files):
                del self._snapshots[other]
                self.changed(other)

    def changed(self, uri: str) -> None:
        if uri in self._waiting:
            self._waiting[uri].cancel()
        loop = asyncio.get_running_loop()
        delay = self._rested.get(uri, 0.0) - time.monotonic()
        self._waiting[uri] = loop.call_later(max(0.0, delay), self.look, uri)

    def look(self, uri: str) -> None:
        """Tell what is wrong with a file and with those that it includes."""
        began = time.monotonic()
        snapshot = self.snapshot(uri)
        found = by_file(snapshot)
        before = self._told.get(uri, set())
        self._told[uri] = set(found)
        for file in (*found, *(before - found.keys())):
            self.tell(uri, file, found.get(file, []), snapshot.version)
        ended = time.monotonic()
        self._rested[uri] = ended + (ended - began)

    def tell(
        self, uri: str, file: str, found: list[types.Diagnostic], version: int | None = None
    ) -> None:
        """What is wrong with a file that was looked at with `uri`, if it is not open itself."""
        own = file == path_of(uri)
        if own or file_identity(file) not in self._open:
            target, version = (uri, version) if own else (uri_of(file), None)
            params = types.PublishDiagnosticsParams(target, found, version)
            self.text_document_publish_diagnostics(params)

    def saved(self) -> None:
        """What open files include may be another now."""
        self._snapshots.clear()
        for uri in list(self.workspace.text_documents):
            self.changed(uri)

    def closed(self, uri: str) -> None:
        for known in (self._snapshots, self._memories, self._rested):
            known.pop(uri, None)
        if uri in self._waiting:
            self._waiting.pop(uri).cancel()
        for file in self._told.pop(uri, set()):
            self.tell(uri, file, [])
        self.changed_below(uri)

    def at(self, params: _Placed) -> tuple[Snapshot, int]:
        snapshot = self.snapshot(params.text_document.uri)
        return snapshot, offset_of(snapshot.text, params.position)

    def locations(self, snapshot: Snapshot, spans: Iterable[Span]) -> list[types.Location]:
        return [
            types.Location(uri_of(s.file), range_of(text, s))
            for s in spans
            if (text := _text(snapshot, s.file)) is not None
        ]


def path_of(uri: str) -> str:
    return to_fs_path(uri) or uri


def uri_of(path: str) -> str:
    return from_fs_path(path) or path


def _text(snapshot: Snapshot, file: str) -> str | None:
    """The text of a file of the program, or of the zoo."""
    if known := snapshot.source(file):
        return known
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


server = WootzServer()


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: WootzServer, params: types.DidOpenTextDocumentParams) -> None:
    ls.opened(params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(ls: WootzServer, params: types.DidChangeTextDocumentParams) -> None:
    ls.changed(params.text_document.uri)
    ls.changed_below(params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_SAVE)
def did_save(ls: WootzServer, params: types.DidSaveTextDocumentParams) -> None:
    ls.saved()


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(ls: WootzServer, params: types.DidCloseTextDocumentParams) -> None:
    ls.closed(params.text_document.uri)


@server.feature(
    types.TEXT_DOCUMENT_CODE_ACTION,
    types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix, FIX_ALL]),
)
def code_action(ls: WootzServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    uri = params.text_document.uri
    snapshot = ls.snapshot(uri)
    start = offset_of(snapshot.text, params.range.start)
    end = offset_of(snapshot.text, params.range.end)
    return list(actions(snapshot, uri, start, end, params.context.only))


@server.feature(types.TEXT_DOCUMENT_FORMATTING)
def formatting(
    ls: WootzServer, params: types.DocumentFormattingParams
) -> list[types.TextEdit] | None:
    """Nothing where there are syntax errors; they are told already."""
    snapshot = ls.snapshot(params.text_document.uri)
    try:
        text = format_text(snapshot.text, snapshot.path)
    except WootzError:
        return None
    if text == snapshot.text:
        return []
    whole = Span(snapshot.path, 0, len(snapshot.text))
    return [types.TextEdit(range_of(snapshot.text, whole), text)]


@server.feature(types.TEXT_DOCUMENT_HOVER)
def hovered(ls: WootzServer, params: types.HoverParams) -> types.Hover | None:
    snapshot, offset = ls.at(params)
    found = hover(snapshot, offset)
    if found is None:
        return None
    text, span = found
    content = types.MarkupContent(types.MarkupKind.Markdown, text)
    return types.Hover(content, range_of(snapshot.text, span))


@server.feature(
    types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=['"', "/", "("])
)
def completion(ls: WootzServer, params: types.CompletionParams) -> list[types.CompletionItem]:
    return complete(*ls.at(params))


@server.feature(types.TEXT_DOCUMENT_DEFINITION)
def definition(ls: WootzServer, params: types.DefinitionParams) -> list[types.Location]:
    snapshot, offset = ls.at(params)
    return ls.locations(snapshot, definitions(snapshot, offset))


@server.feature(types.TEXT_DOCUMENT_REFERENCES)
def find_references(ls: WootzServer, params: types.ReferenceParams) -> list[types.Location]:
    snapshot, offset = ls.at(params)
    return ls.locations(snapshot, references(snapshot, offset))


@server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
def prepare_rename(
    ls: WootzServer, params: types.PrepareRenameParams
) -> types.PrepareRenamePlaceholder:
    snapshot, offset = ls.at(params)
    found = renamed(snapshot, offset)
    return types.PrepareRenamePlaceholder(range_of(snapshot.text, found.span), found.symbol.name)


@server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
def change_name(ls: WootzServer, params: types.RenameParams) -> types.WorkspaceEdit:
    snapshot, offset = ls.at(params)
    changes: dict[str, list[types.TextEdit]] = {}
    for location in ls.locations(snapshot, rename(snapshot, offset, params.new_name)):
        edit = types.TextEdit(location.range, params.new_name)
        changes.setdefault(location.uri, []).append(edit)
    return types.WorkspaceEdit(changes=changes)


@server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
def symbols(ls: WootzServer, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    return list(outline(ls.snapshot(params.text_document.uri)))


@server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
def inlay_hints(ls: WootzServer, params: types.InlayHintParams) -> list[types.InlayHint]:
    snapshot = ls.snapshot(params.text_document.uri)
    start = offset_of(snapshot.text, params.range.start)
    return hints(snapshot, start, offset_of(snapshot.text, params.range.end))


def serve() -> None:
    """Speak over standard input and output until the editor ends it."""
    gc.freeze()  # what is loaded stays; of what a keystroke leaves most goes without a collection
    gc.set_threshold(*THRESHOLD)
    gc.enable()
    server.start_io()
