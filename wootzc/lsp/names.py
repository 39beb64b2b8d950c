"""Where names are given and where they are used."""

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.report import Report
from wootzc.grammar.lower.module_targets import number_range
from wootzc.grammar.lower.program import NetworkItem, Program, SpaceItem
from wootzc.ir.layers.maxima import MAX_MODULES
from wootzc.ir.net.network import Network

Kind: TypeAlias = Literal["constant", "module", "network", "space", "parameter", "instance"]


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a name stands for. `within`: the definition of a parameter, the network of an instance.

    The instances a1, a2 and a3 are one symbol, `a`: ranges name them together.
    """

    kind: Kind
    name: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """`whole` is the name as it stands there, `span` what a new one replaces: of `a2` the `a`."""

    symbol: Symbol
    span: Span
    whole: Span
    defines: bool = False


@dataclass(frozen=True)
class Index:
    occurrences: Sequence[Occurrence]
    instances: Mapping[str, Mapping[str, Symbol]]  # by network, then by name
    globs: Sequence[tuple[str, syntax.Name]]  # of networks: patterns such as `a*`

    @cached_property
    def _by_symbol(self) -> dict[Symbol, list[Occurrence]]:
        found: dict[Symbol, list[Occurrence]] = {}
        for occurrence in self.occurrences:
            found.setdefault(occurrence.symbol, []).append(occurrence)
        return found

    def at(self, file: str, offset: int) -> Occurrence | None:
        """The name that an offset lies in, or right behind; None where there is none."""
        near = [
            o for o in self.occurrences
            if o.whole.file == file and o.whole.start <= offset <= o.whole.end
        ]  # fmt: skip
        return max(near, key=lambda o: o.whole.start, default=None)

    def of(self, symbol: Symbol) -> list[Occurrence]:
        return self._by_symbol.get(symbol, [])


def index_of(program: Program, networks: Mapping[str, Network]) -> Index:
    instances = {
        item.name.text: _instances(item, networks.get(item.name.text), program)
        for item in program.networks.values()
    }
    globs: list[tuple[str, syntax.Name]] = []
    found: list[Occurrence] = []
    names = {name: Symbol("module", name) for name in program.modules}
    names |= {name: Symbol("constant", name) for name in program.constant_items}
    for tree in program.trees.values():
        for item in tree.items:
            found += _in_item(item, program, names, instances, globs)
    return Index(found, instances, globs)


def _whole(symbol: Symbol, name: syntax.Name, *, defines: bool = False) -> Occurrence:
    return Occurrence(symbol, name.span, name.span, defines)


# What the items of a file define.
DEFINED: Mapping[type[syntax.Item], Kind] = {
    syntax.Constant: "constant",
    syntax.ModuleDefinition: "module",
    syntax.NetworkDefinition: "network",
    syntax.ImportedNetwork: "network",
    syntax.SpaceDefinition: "space",
    syntax.DerivedSpace: "space",
}


def _in_item(
    item: syntax.Item,
    program: Program,
    known: dict[str, Symbol],  # modules and constants
    instances: Mapping[str, Mapping[str, Symbol]],
    globs: list[tuple[str, syntax.Name]],
) -> Iterator[Occurrence]:
    if isinstance(item, syntax.Include):
        return
    kind, defined = DEFINED[type(item)], item.name
    yield _whole(Symbol(kind, defined.text), defined, defines=True)
    parameters: dict[str, Symbol] = {}
    names = ChainMap(parameters, known)
    if isinstance(item, syntax.ModuleDefinition | syntax.NetworkDefinition):
        for parameter in item.parameters:
            own = Symbol("parameter", parameter.name.text, f"{kind} {defined.text}")
            parameters[own.name] = own
            yield _whole(own, parameter.name, defines=True)
    if isinstance(item, syntax.NetworkDefinition | syntax.ImportedNetwork):
        for name, numbers in _names_given(item):
            yield _part(Symbol("instance", base(name.text, numbers), defined.text), name, True)
    if isinstance(item, syntax.SpaceDefinition | syntax.DerivedSpace):
        yield from _in_space(item, program, instances, globs)
    for node in syntax.descendants(item):
        match node:
            case syntax.Word(text=text) | syntax.Number(text=text) if text in names:
                yield Occurrence(names[text], node.span, node.span)
            case syntax.Invoke(name=name, arguments=None) if name.text in names:  # of a setting
                yield _whole(names[name.text], name)
            case syntax.Call(name=name, arguments=arguments) if name.text in program.modules:
                yield _whole(Symbol("module", name.text), name)
                yield from _given(arguments, f"module {name.text}")
            case syntax.Call(name=name) if name.text in parameters and name.text not in BUILT_IN:
                yield _whole(parameters[name.text], name)  # what it names is called
            case _:
                pass


def network_of(item: SpaceItem, program: Program) -> str | None:
    """The network that a space is over, by itself or by what it builds on."""
    seen: set[str] = set()
    while isinstance(item, syntax.DerivedSpace) and item.network is None:
        base = program.space_items.get(item.base.text)
        if base is None or base.name.text in seen:
            return None
        seen.add(base.name.text)
        item = base
    return item.network.text if item.network else None


def _given(arguments: Sequence[syntax.Argument] | None, within: str) -> Iterator[Occurrence]:
    for argument in arguments or ():
        if argument.name is not None:
            yield _whole(Symbol("parameter", argument.name.text, within), argument.name)


def _names_given(item: NetworkItem) -> Iterator[tuple[syntax.Name, syntax.NumberSpan | None]]:
    """The names that a network gives its modules."""
    for node in syntax.descendants(item):
        match node:
            case syntax.InlineModule(name=name) | syntax.FoundModule(name=name):
                yield name, None
            case syntax.Target(name=name, numbers=numbers):
                yield name, numbers
            case _:
                pass


def _instances(item: NetworkItem, network: Network | None, program: Program) -> dict[str, Symbol]:
    """What each module of a network is one of: of `basic1`, without a name of its own, `basic`."""
    within = item.name.text
    found: dict[str, Symbol] = {}
    for name, numbers in _names_given(item):
        symbol = Symbol("instance", base(name.text, numbers), within)
        if numbers is None:
            found[name.text] = symbol
            continue
        made = number_range(numbers, "WZ019", Report(), program.constants)
        if made is not None and made.stop - made.start <= MAX_MODULES:
            found |= dict.fromkeys((f"{name.text}{number}" for number in made), symbol)
    for module in network.modules if network else ():
        if module.name not in found and module.definition in program.modules:
            found[module.name] = Symbol("module", module.definition)
    return found


def base(name: str, numbers: syntax.NumberSpan | None) -> str:
    """The part of a module's name that it shares with others: of `a1`, and of `a[1..3]`, `a`."""
    return name if numbers else (re.sub(r"\d+$", "", name) or name)


def _part(symbol: Symbol, name: syntax.Name, defines: bool = False) -> Occurrence:
    shared = replace(name.span, end=name.span.start + len(symbol.name))
    return Occurrence(symbol, shared, name.span, defines)


def _in_space(
    item: SpaceItem,
    program: Program,
    instances: Mapping[str, Mapping[str, Symbol]],
    globs: list[tuple[str, syntax.Name]],
) -> Iterator[Occurrence]:
    network = network_of(item, program) or ""
    if isinstance(item, syntax.DerivedSpace):
        yield _whole(Symbol("space", item.base.text), item.base)
    if item.network is not None:
        yield _whole(Symbol("network", network), item.network)
    yield from _given(item.arguments, f"network {network}")
    known = instances.get(network, {})
    for node in syntax.descendants(item):
        if not isinstance(node, syntax.Pattern):
            continue
        for name in (node.glob, node.last):
            if name is None:
                continue
            numbered = next((s for n, s in known.items() if n.startswith(name.text)), None)
            if name.text in known:
                yield _part(known[name.text], name)
            elif node.numbers and numbered and numbered.name == name.text:
                yield _part(numbered, name)
            elif re.search(r"[*?]", name.text):
                globs.append((network, name))
