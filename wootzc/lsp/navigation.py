"""From names to where they are given and used, and new names for them."""

import re
from collections.abc import Iterator

from pygls.exceptions import JsonRpcInvalidParams

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.lower.program import resolve
from wootzc.grammar.space.patterns import expression_of, matching
from wootzc.lsp.names import Occurrence, Symbol
from wootzc.lsp.snapshot import Snapshot

_NAME = re.compile(r"[A-Za-z_]\w*")


class CannotRename(JsonRpcInvalidParams):
    """Why a name cannot be changed, or not to that."""


def definitions(snapshot: Snapshot, offset: int) -> list[Span]:
    """Where what stands at the offset is defined: names, included files, patterns of modules."""
    nodes = snapshot.nodes_at(offset)
    for node in reversed(nodes):
        match node:
            case syntax.Include(path=path):
                return [Span(resolve(path.value, snapshot.path))]
            case syntax.Pattern():
                return list(dict.fromkeys(_of_pattern(node, nodes, snapshot)))
            case _:
                pass
    found = snapshot.index.at(snapshot.path, offset)
    if found is None:
        return []
    places = [o.whole for o in snapshot.index.of(found.symbol) if o.defines]
    if not places and found.symbol.kind == "network":  # of the zoo
        places = [n.span for n in (snapshot.networks.get(found.symbol.name),) if n is not None]
    return places


def _of_pattern(pattern: syntax.Pattern, nodes: list[object], snapshot: Snapshot) -> Iterator[Span]:
    network = snapshot.network_of(nodes)
    if network is not None:
        for index in matching(pattern, [module.name for module in network.modules]):
            yield network.modules[index].span


def references(snapshot: Snapshot, offset: int) -> list[Span]:
    """All places of the name at an offset; none where there is no name."""
    found = snapshot.index.at(snapshot.path, offset)
    return [o.whole for o in snapshot.index.of(found.symbol)] if found else []


def renamed(snapshot: Snapshot, offset: int) -> Occurrence:
    """What a rename at this place is about. Raises `CannotRename`."""
    found = snapshot.index.at(snapshot.path, offset)
    if found is None:
        raise CannotRename("there is no name here that the file gives")
    if not any(o.defines for o in snapshot.index.of(found.symbol)):
        raise CannotRename(f"`{found.symbol.name}` is not defined in this file or what it includes")
    return found


def rename(snapshot: Snapshot, offset: int, name: str) -> list[Span]:
    """The places that take the new name. Raises `CannotRename` where it would change meanings."""
    symbol = renamed(snapshot, offset).symbol
    index = snapshot.index
    if not _NAME.fullmatch(name):
        raise CannotRename(f"`{name}` is no name: letters, digits and _, no digit first")
    if symbol.kind == "module" and name in BUILT_IN:
        raise CannotRename(f"`{name}` is built in")
    taken = Symbol(symbol.kind, name, symbol.within)
    if name != symbol.name and any(o.defines for o in index.of(taken)):
        raise CannotRename(f"there is another {symbol.kind} `{name}`")
    for network, glob in index.globs:
        expression = re.compile(expression_of(glob.text))
        for instance, named in index.instances.get(network, {}).items():
            after = name + instance[len(symbol.name) :] if named == symbol else instance
            if bool(expression.fullmatch(instance)) != bool(expression.fullmatch(after)):
                raise CannotRename(
                    f"the pattern `{glob.text}` names `{instance}`, but would not name `{after}`"
                    if expression.fullmatch(instance)
                    else f"the pattern `{glob.text}` would name `{after}`, too"
                )
    return [o.span for o in index.of(symbol)]
