"""The symbols of a file, and the shapes that stand behind its layers."""

from collections.abc import Iterator, Mapping
from itertools import chain

from lsprotocol import types

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.statements import keyword_of
from wootzc.ir.layers.shapes import shape_text
from wootzc.lsp.names import DEFINED, Kind
from wootzc.lsp.places import position_of, range_of
from wootzc.lsp.snapshot import Snapshot

_KINDS: Mapping[Kind, types.SymbolKind] = {
    "module": types.SymbolKind.Class,
    "network": types.SymbolKind.Struct,
    "constant": types.SymbolKind.Constant,
    "space": types.SymbolKind.Namespace,
}


def outline(snapshot: Snapshot) -> Iterator[types.DocumentSymbol]:
    """What a file defines, with the modules of networks and the statements of spaces."""
    for item in snapshot.tree.items:
        if isinstance(item, syntax.Include):
            continue
        within: list[types.DocumentSymbol] | None = None
        if isinstance(item, syntax.NetworkDefinition):
            within = [m for s in item.body.statements for m in _module(s, snapshot)]
        elif isinstance(item, syntax.SpaceDefinition | syntax.DerivedSpace):
            property = types.SymbolKind.Property
            within = [
                _symbol(keyword_of(s), property, s.span, s.span, snapshot) for s in item.statements
            ]
        kind = _KINDS[DEFINED[type(item)]]
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
    items = (i for i in snapshot.tree.items if i.span.end >= start and i.span.start <= end)
    for node in chain.from_iterable(map(syntax.descendants, items)):
        match node:
            case (
                syntax.Call(span=place, target=None) | syntax.Call(target=syntax.Target(span=place))
            ):
                pass
            case syntax.Branches(name=name) | syntax.InlineModule(name=name):
                place = name.span
            case _:
                continue
        leaving = {passage.leaving for passage in snapshot.layers.get(place, ())}
        if start <= node.span.end <= end and len(leaving) == 1:
            position = position_of(snapshot.text, node.span.end)
            by_line[position.line] = types.InlayHint(
                position, f"→ {shape_text(leaving.pop())}", padding_left=True
            )
    return list(by_line.values())
