"""Module definitions by themselves: what can be said before any network uses them."""

from collections.abc import Iterator

from wootzc.grammar import syntax
from wootzc.grammar.lower_body import BodyLowering
from wootzc.grammar.names import quoted
from wootzc.grammar.program import Program
from wootzc.grammar.report import Report
from wootzc.grammar.values import Value


def recursive_modules(program: Program, report: Report) -> frozenset[str]:
    """Modules that cannot be written out because they contain themselves; reported."""
    inner = {
        name: [c for c in calls(definition.body) if c.name.text in program.modules]
        for name, definition in program.modules.items()
    }
    reaches = {name: {c.name.text for c in inner[name]} for name in inner}
    for middle in reaches:  # Warshall's transitive closure
        for name in reaches:
            if middle in reaches[name]:
                reaches[name] |= reaches[middle]
    for name, called in inner.items():
        for call in called:
            if name in reaches[name] and name in reaches[call.name.text]:
                through = "" if call.name.text == name else f" through `{call.name.text}`"
                report.error(
                    call.name.span, "WZ018", f"module `{name}` contains itself{through}",
                    "modules are written out in place, so a circle would never end",
                )  # fmt: skip
    return frozenset(
        name for name in reaches if any(n in reaches[n] for n in {name, *reaches[name]})
    )


def check_definitions(program: Program, lowering: BodyLowering) -> None:
    """Names and arguments in every body, with parameters left open."""
    for name, definition in program.modules.items():
        scope = check_parameters(definition, f"module `{name}`", program, lowering)
        lowering.block(definition.body, scope, None)
        lowering.depth = 0


def check_parameters(
    definition: syntax.ModuleDefinition | syntax.NetworkDefinition,
    shown: str,
    program: Program,
    lowering: BodyLowering,
) -> dict[str, Value | None]:
    """The parameters with their values left open; repeated and unused ones are reported."""
    seen: dict[str, Value | None] = {}
    for parameter in definition.parameters:
        if parameter.name.text in seen:
            lowering.report.error(
                parameter.name.span, "WZ016",
                f"there are two parameters `{parameter.name.text}`", "rename one of them",
            )  # fmt: skip
        seen[parameter.name.text] = None
        lowering.default(parameter)
    unused = [p.name for p in definition.parameters if p.name.text not in _words(definition.body)]
    if unused and not {definition.name.text, f"network {definition.name.text}"} & program.broken:
        names = quoted(p.text for p in unused)
        lowering.report.warn(
            unused[0].span, "WZ024", f"{shown} never uses {names}", "remove it, or use it"
        )
    return seen


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


def _statements(block: syntax.Block) -> Iterator[syntax.Statement]:
    for statement in block.statements:
        yield statement
        match statement:
            case syntax.Branches(arms=arms):
                for arm in arms:
                    yield from _statements(arm)
            case syntax.InlineModule(body=body) | syntax.Auxiliary(body=body):
                yield from _statements(body)
            case syntax.Call():
                pass


def calls(block: syntax.Block) -> Iterator[syntax.Call]:
    """Every layer and module that a body calls, arms of branches included."""
    return (s for s in _statements(block) if isinstance(s, syntax.Call))


def _words(body: syntax.Block) -> set[str]:
    """Every word in the arguments of a body."""
    found: set[str] = set()
    waiting: list[syntax.Expression] = [
        argument.value for call in calls(body) for argument in call.arguments or ()
    ]
    while waiting:
        match waiting.pop():
            case syntax.Word(text=text):
                found.add(text)
            case syntax.Binary(left=left, right=right):
                waiting += [left, right]
            case syntax.Negative(operand=operand):
                waiting.append(operand)
            case syntax.Number() | syntax.Shape() | syntax.Text():
                pass
    return found
