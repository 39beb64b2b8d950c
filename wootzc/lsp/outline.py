"""The symbols of a file, and the shapes that stand behind its layers."""

from collections.abc import Iterator
from typing import Any

from lsprotocol import types

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.statements import keyword_of
from wootzc.ir.layers.shapes import shape_text
from wootzc.lsp.places import position_of, range_of
from wootzc.lsp.snapshot import Snapshot


def outline(snapshot: Snapshot) -> list[types.DocumentSymbol]:
    return [symbol for item in snapshot.tree.items for symbol in _symbols(item, snapshot)]


def _symbols(item: syntax.Item, snapshot: Snapshot) -> Iterator[types.DocumentSymbol]:
    within: list[types.DocumentSymbol] | None = None
    match item:
        case syntax.ModuleDefinition():
            kind = types.SymbolKind.Class
        case syntax.NetworkDefinition(body=body):
            kind = types.SymbolKind.Struct
            within = [m for s in body.statements for m in _module(s, snapshot)]
        case syntax.ImportedNetwork():
            kind = types.SymbolKind.Struct
        case syntax.Constant():
            kind = types.SymbolKind.Constant
        case syntax.SpaceDefinition(statements=said) | syntax.DerivedSpace(statements=said):
            kind = types.SymbolKind.Namespace
            within = [
                _symbol(keyword_of(s), types.SymbolKind.Property, s.span, s.span, snapshot)
                for s in said
            ]
        case syntax.Include():
            return
    yield _symbol(item.name.text, kind, item.span, item.name.span, snapshot, within)


def _module(statement: syntax.Statement, snapshot: Snapshot) -> Iterator[types.DocumentSymbol]:
    match statement:
        case (
            syntax.Call(target=syntax.Target(span=span))
            | syntax.InlineModule(name=syntax.Name(span=span))
        ):
            text = snapshot.text[span.start : span.end]
            yield _symbol(text, types.SymbolKind.Object, statement.span, span, snapshot)
        case _:
            return


def _symbol(
    name: str,
    kind: types.SymbolKind,
    span: Span,
    selected: Span,
    snapshot: Snapshot,
    children: list[types.DocumentSymbol] | None = None,
) -> types.DocumentSymbol:
    return types.DocumentSymbol(
        name, kind, range_of(snapshot.text, span), range_of(snapshot.text, selected),
        children=children,
    )  # fmt: skip


def hints(snapshot: Snapshot, start: int, end: int) -> list[types.InlayHint]:
    """The shape that leaves the last statement of each line, where it is the same for every use."""
    by_line: dict[int, types.InlayHint] = {}
    for node in _statements(snapshot, start, end):
        place = node.name.span if isinstance(node, syntax.Branches) else node.span
        if isinstance(node, syntax.Call) and node.target is not None:
            place = node.target.span
        if isinstance(node, syntax.InlineModule):
            place = node.name.span
        leaving = {passage.leaving for passage in snapshot.layers.get(place, ())}
        if len(leaving) == 1:
            position = position_of(snapshot.text, node.span.end)
            by_line[position.line] = types.InlayHint(
                position, f"→ {shape_text(leaving.pop())}", padding_left=True
            )
    return list(by_line.values())


def _statements(snapshot: Snapshot, start: int, end: int) -> Iterator[Any]:
    for item in snapshot.tree.items:
        if item.span.end < start or item.span.start > end:
            continue
        for node in syntax.descendants(item):
            if isinstance(node, syntax.Call | syntax.Branches | syntax.InlineModule):
                if start <= node.span.end <= end:
                    yield node
