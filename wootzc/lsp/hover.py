"""What stands under the pointer: layers with their shapes and costs, settings, names."""

from collections.abc import Sequence
from typing import Any

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check import meanings
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.statements import keyword_of
from wootzc.grammar.check.values import value_text
from wootzc.grammar.lower.program import SpaceItem
from wootzc.ir.layers.shapes import shape_text
from wootzc.ir.net.cost import Cost, network_cost
from wootzc.ir.net.network import segment_shapes
from wootzc.ir.space import Space
from wootzc.lsp.facts import Setting, parameters_of, settings_of, signature_of
from wootzc.lsp.layers import Passage
from wootzc.lsp.names import Occurrence, Symbol
from wootzc.lsp.snapshot import Snapshot
from wootzc.units import count, large

MOST = 8  # of what one line lists


def hover(snapshot: Snapshot, offset: int) -> tuple[str, Span] | None:
    """Markdown, and what it is about."""
    named = snapshot.index.at(snapshot.path, offset)
    if named is not None and (text := _of_name(named, snapshot)) is not None:
        return text, named.whole
    nodes = snapshot.nodes_at(offset)
    for depth in range(len(nodes) - 1, -1, -1):
        found = _of(nodes[depth], nodes[:depth], snapshot, offset)
        if found is not None:
            return found
    return None


def _of_name(found: Occurrence, snapshot: Snapshot) -> str | None:
    match found.symbol:
        case Symbol("constant", name):
            return _constant(name, snapshot)
        case Symbol("module", name) if found.defines:
            return _module(name, snapshot)
        case Symbol("network", name):
            return _network(name, snapshot)
        case Symbol("space", name):
            return _space(name, snapshot)
        case _:
            return None


def _of(
    node: Any, around: Sequence[Any], snapshot: Snapshot, offset: int
) -> tuple[str, Span] | None:
    match node:
        case syntax.Call(name=name, target=target) if _on(name, offset) or _on(target, offset):
            span = target.span if target is not None else node.span
            return _call(node, snapshot, (node.span, span)), name.span
        case syntax.Branches(name=name) if _on(name, offset):
            return _call(node, snapshot, (name.span,)), name.span
        case syntax.InlineModule(name=name) if _on(name, offset):
            return _made(f"module {name.text}", snapshot, (name.span,)), name.span
        case syntax.Argument(name=syntax.Name() as name) if _on(name, offset):
            return _argument(name, around, snapshot)
        case syntax.Setting(name=name):
            return _setting(name, around)
        case syntax.Pattern():
            return _pattern(node, around, snapshot), node.span
        case _ if around and isinstance(around[-1], syntax.SpaceDefinition | syntax.DerivedSpace):
            return _statement(node, around[-1], offset)
        case _:
            return None


def _on(node: Any, offset: int) -> bool:
    return node is not None and bool(node.span.start <= offset <= node.span.end)


def _code(text: str) -> str:
    return f"```wz\n{text}\n```"


def _call(node: syntax.Call | syntax.Branches, snapshot: Snapshot, places: Sequence[Span]) -> str:
    modules = snapshot.analysis.program.modules
    kind = "" if node.name.text in BUILT_IN else "module "
    return _made(kind + signature_of(node.name.text, modules), snapshot, places)


def _made(head: str, snapshot: Snapshot, places: Sequence[Span]) -> str:
    passages = [p for at in dict.fromkeys(places) for p in snapshot.layers.get(at, ())]
    different = list(dict.fromkeys(passages))
    lines = [_passage(passage) for passage in different[:MOST]]
    if len(different) > MOST:
        lines.append(f"… and {len(different) - MOST} more")
    if len(passages) > 1:
        lines.insert(0, f"made {len(passages)} times")
    return "\n\n".join([_code(head), *lines])


def _passage(passage: Passage) -> str:
    shapes = f"{shape_text(passage.entering)} → {shape_text(passage.leaving)}"
    return f"{shapes} · {_costs(passage.cost)}"


def _costs(cost: Cost) -> str:
    return f"{count(cost.params)} params · {count(cost.macs)} MACs"


def _module(name: str, snapshot: Snapshot) -> str:
    head = f"module {signature_of(name, snapshot.analysis.program.modules)}"
    makes = [
        f"{network.name}: {', '.join(names[:MOST])}{' …' if len(names) > MOST else ''}"
        for network in snapshot.networks.values()
        if (names := [m.name for m in network.modules if m.definition == name])
    ]
    return "\n\n".join([_code(head), *makes])


def _constant(name: str, snapshot: Snapshot) -> str:
    value = snapshot.analysis.program.constants.get(name)
    return _code(f"let {name}" + ("" if value is None else f" = {value_text(value)}"))


def _network(name: str, snapshot: Snapshot) -> str:
    network, head = snapshot.networks.get(name), _code(f"network {name}")
    if network is None:
        return head
    shapes = f"{shape_text(network.input)} → {shape_text(segment_shapes(network)[-1])}"
    figures = f"{len(network.modules)} modules · {_costs(network_cost(network))}"
    return f"{head}\n\n{shapes} · {figures}"


def _space(name: str, snapshot: Snapshot) -> str:
    space = next((s for s in snapshot.analysis.spaces if s.name == name), None)
    if space is None:
        return _code(f"space {name}")
    return "\n\n".join([_code(f"space {name} over {space.network.name}"), _candidates(space)])


def _candidates(space: Space) -> str:
    from wootzc.grammar.space.feasible import STATES
    from wootzc.ir.diagram.feasible import holds
    from wootzc.ir.space.space_costs import space_costs, without_unmeasured

    space = without_unmeasured(space)
    found = holds(space, space_costs(space), states=STATES)
    least, most = found.between
    number = large(most) if least == most else f"{large(least)} to {large(most)}"
    return f"{number} candidates of {len(space.network.modules)} modules"


def _argument(
    name: syntax.Name, around: Sequence[Any], snapshot: Snapshot
) -> tuple[str, Span] | None:
    called = next((n.name.text for n in reversed(around) if hasattr(n, "name")), "")
    parameters = parameters_of(called, snapshot.analysis.program.modules)
    found = next((p for p in parameters if p.name == name.text), None)
    if found is None:
        return None
    return f"`{name.text}` of `{called}`: {found.kind.expects}", name.span


def _setting(name: syntax.Name, around: Sequence[Any]) -> tuple[str, Span] | None:
    statement = next((n for n in reversed(around) if not isinstance(n, syntax.Settings)), None)
    if statement is None:
        return None
    known = {s.name: s for s in settings_of(keyword_of(statement))}
    return (setting_text(known[name.text]), name.span) if name.text in known else None


def setting_text(setting: Setting) -> str:
    default = f"\n\nDefault: `{setting.default}`" if setting.default is not None else ""
    return f"`{setting.name}`: {setting.meaning}\n\n{setting.expects}{default}"


def _pattern(node: syntax.Pattern, around: Sequence[Any], snapshot: Snapshot) -> str:
    from wootzc.grammar.space.patterns import matching
    from wootzc.ir.net.trunk import trunks

    network = snapshot.network_of(around)
    if network is None:
        return "the network of this space is not known"
    known, kind = [module.name for module in network.modules], "module"
    if not matching(node, known):
        known, kind = [trunk.name for trunk in trunks(network)], "trunk"
    names = [known[place] for place in matching(node, known)]
    listed = ", ".join(names[:MOST]) + (" …" if len(names) > MOST else "")
    return f"{len(names)} {kind}s: {listed}" if len(names) != 1 else f"{kind} {listed}"


def _statement(node: Any, space: SpaceItem, offset: int) -> tuple[str, Span] | None:
    if not any(node is statement for statement in space.statements):
        return None
    word = keyword_of(node)
    span = Span(node.span.file, node.span.start, node.span.start + len(word))
    if not span.start <= offset <= span.end:
        return None
    return f"`{word}`: {meanings.STATEMENTS[word]}", span
