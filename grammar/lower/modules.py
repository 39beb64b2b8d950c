"""Module definitions by themselves: what can be said before any network uses them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Value, words_in
from wootzc.grammar.lower.body import BodyLowering
from wootzc.grammar.lower.program import Program
from wootzc.grammar.syntax.near_misses import meant, nearest, quoted


def recursive_modules(program: Program, report: Report) -> frozenset[str]:
    """Modules that cannot be written out because they contain themselves; reported."""
    inner = {
        name: [c for c in calls(definition.body) if c.name.text in program.modules]
        for name, definition in program.modules.items()
    }
    circular = _reaching_circles({n: {c.name.text for c in found} for n, found in inner.items()})
    if not circular:
        return frozenset()
    circle = _circles(circular, inner)
    for name in circular:
        for call in inner[name]:
            if circle[name] == circle.get(call.name.text):
                through = "" if call.name.text == name else f" through `{call.name.text}`"
                report.error(
                    call.name.span, "WZ018", f"module `{name}` contains itself{through}",
                    "modules are written out in place, so a circle would never end",
                )  # fmt: skip
    return frozenset(circular)


def _reaching_circles(called: Mapping[str, set[str]]) -> list[str]:
    """The modules left when those are taken away, again and again, that call none of the rest."""
    sorter = TopologicalSorter(called)
    with suppress(CycleError):
        sorter.prepare()
    left = dict.fromkeys(called)
    while ready := sorter.get_ready():
        for name in ready:
            del left[name]
        sorter.done(*ready)
    return list(left)


def _circles(names: list[str], inner: Mapping[str, list[syntax.Call]]) -> dict[str, int]:
    """Equal numbers for modules that contain each other."""
    # Here, for SciPy takes longer to load than most files to check.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = {name: k for k, name in enumerate(names)}
    edges = [
        (number[name], number[call.name.text])
        for name in names
        for call in inner[name]
        if call.name.text in number
    ]
    ends = ([start for start, _ in edges], [end for _, end in edges])
    graph = coo_array(([1] * len(edges), ends), shape=(len(names), len(names)))
    _, components = connected_components(graph, connection="strong")
    return dict(zip(names, components.tolist(), strict=True))


def check_names(program: Program, report: Report) -> None:
    """Modules with the name of a layer. What is called and nowhere defined may be their own."""
    networks = [n for n in program.networks.values() if isinstance(n, syntax.NetworkDefinition)]
    bodies = [module.body for module in program.modules.values()]
    bodies += [network.body for network in networks]
    called = dict.fromkeys(c.name.text for body in bodies for c in calls(body))
    unknown = [name for name in called if name not in {*program.modules, *BUILT_IN}]
    for name in program.misnamed:
        single = len(unknown) == len(program.misnamed) == 1
        report.error(
            name.span, "WZ017", f"`{name.text}` is built in, so no module can have its name",
            meant(unknown[0]) if single
            else Advice(f"rename it, `my_{name.text}` say", f"my_{name.text}"),
        )  # fmt: skip


def check_parameters(
    definition: syntax.ModuleDefinition | syntax.NetworkDefinition,
    shown: str,
    program: Program,
    lowering: BodyLowering,
) -> dict[str, Value | None]:
    """Constants, and the parameters: a network's as they are by default, a module's left open.

    Repeated and unused ones are reported.
    """
    seen: set[str] = set()
    _check_order(definition.parameters, lowering.report)
    for parameter in definition.parameters:
        if parameter.name.text in seen:
            lowering.report.error(
                parameter.name.span, "WZ016",
                f"there are two parameters `{parameter.name.text}`", "rename one of them",
            )  # fmt: skip
        seen.add(parameter.name.text)
    within_module = isinstance(definition, syntax.ModuleDefinition)
    outside: dict[str, Value | None] = {"channels": None} if within_module else {}
    scope = lowering.scope(definition.parameters, {}, outside)
    scope |= dict.fromkeys(seen) if within_module else {}
    body = definition.body
    used = words_of(definition)
    lowering.used |= used  # modules may be given as arguments
    names = [p.name for p in definition.parameters]
    misspelt = {nearest(word, [n.text for n in names]) for word in used - seen}
    unused = [n for n in names if n.text not in used | misspelt]
    if unused and not {definition.name.text, f"network {definition.name.text}"} & program.broken:
        never = quoted(p.text for p in unused)
        if unused[0].text == "classes" and not any(c.name.text == "dense" for c in calls(body)):
            last = body.statements[-1].span if body.statements else body.span
            lowering.report.warn(
                definition.name.span, "WZ222",
                f"{shown} has no layer that gives the scores of its classes, and never uses "
                f"{never}",
                Advice("end it with `dense(classes)`", "; dense(classes)",
                       at=Span(last.file, last.end, last.end)),
            )  # fmt: skip
            return scope
        lowering.report.warn(
            unused[0].span, "WZ024", f"{shown} never uses {never}", "remove it, or use it"
        )
    return scope


def _check_order(parameters: tuple[syntax.Parameter, ...], report: Report) -> None:
    """Parameters that every call must give come first."""
    ordered = sorted(parameters, key=lambda p: p.default is not None)
    if tuple(ordered) == parameters:
        return
    text = report.sources.get(parameters[0].span.file, "")
    first, last = parameters[0].span, parameters[-1].span
    late = next(p for p, q in zip(parameters, ordered, strict=True) if p is not q)
    report.error(
        Span(first.file, first.start, last.end), "WZ013",
        f"`{late.name.text}` has a default, so it stands behind those that have none",
        write(", ".join(text[p.span.start : p.span.end] for p in ordered)),
    )  # fmt: skip


def warn_unused(program: Program, main: str, used: set[str], report: Report) -> None:
    """Modules of the main file that nothing calls. A file without networks is a library."""
    if not program.networks or program.incomplete:
        return
    for name, definition in program.modules.items():
        if name not in used and definition.span.file == main:
            report.warn(
                definition.name.span, "WZ023", f"module `{name}` is never used",
                "use it in a network, or remove it",
            )  # fmt: skip


def calls(block: syntax.Block) -> Iterator[syntax.Call]:
    """Every layer and module that a body calls, arms of branches included."""
    return (node for node in syntax.descendants(block) if isinstance(node, syntax.Call))


def words_of(definition: syntax.ModuleDefinition | syntax.NetworkDefinition) -> set[str]:
    """Every word in the arguments of a body and in defaults, and what is called but is no layer."""
    made = list(calls(definition.body))
    called = {call.name.text for call in made} - set(BUILT_IN)
    given = [a.value for call in made for a in call.arguments or ()]
    defaults = [p.default for p in definition.parameters if p.default is not None]
    return called | words_in([*given, *defaults])
