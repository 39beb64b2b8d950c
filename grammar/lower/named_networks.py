"""Networks by name: those of the file, those of the zoo, and those that are read from files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, TypeGuard

from wootzc.diagnostics import Span, WootzError, fail, write
from wootzc.grammar import syntax
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Value
from wootzc.grammar.lower.body import BodyLowering
from wootzc.grammar.lower.module_targets import named
from wootzc.grammar.lower.modules import (
    check_names,
    check_parameters,
    recursive_modules,
    words_of,
)
from wootzc.grammar.lower.network import lower_network
from wootzc.grammar.lower.program import NetworkItem, Program, load
from wootzc.grammar.lower.resolved import Resolved
from wootzc.grammar.syntax.near_misses import did_you_mean, meant, nearest
from wootzc.grammar.zoo import zoo_names, zoo_path
from wootzc.ir.net.network import Network


@dataclass
class Networks:
    """What `over NAME(…)` may stand for in one program."""

    program: Program
    report: Report
    lowering: BodyLowering = field(init=False)
    declared: dict[str, Resolved | None] = field(init=False)  # None after errors, or left open
    _zoo: dict[str, tuple[Program, BodyLowering]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lowering = prepare(self.program, self.report)
        self.declared = {
            name: self._checked(name, self._declared(item))
            for name, item in self.program.networks.items()
        }

    def over(self, space: syntax.SpaceDefinition) -> Resolved | None:
        """The network a space is over; None after errors, all of them reported."""
        name = space.network
        item, lowering = self._item(name.text)
        if item is None:
            if not self.program.incomplete:
                self.report.error(
                    name.span, "WZ022", f"there is no network `{name.text}`", self._help(name.text)
                )
            return None
        if not isinstance(item, syntax.ImportedNetwork) and (
            lowering is not self.lowering
            or space.arguments
            or any(p.default is None for p in item.parameters)
        ):
            return self._checked(name.text, self._bound(item, space, lowering))
        if space.arguments is not None:
            kind = "is read from a file" if isinstance(item, syntax.ImportedNetwork) else "has none"
            self.report.error(
                name.span, "WZ013", f"network `{name.text}` takes no arguments: it {kind}",
                _without_arguments(space),
            )  # fmt: skip
        return self.declared[name.text]

    def named(self, space: syntax.SpaceDefinition) -> Network | None:
        """The network a space is over by the names of its modules alone; None if unknown."""
        item, lowering = self._item(space.network.text)
        own = lowering is self.lowering
        lost = self.program.incomplete or f"network {space.network.text}" in self.program.broken
        if not isinstance(item, syntax.NetworkDefinition) or (own and lost):
            return None
        return named(item, lowering)

    def _item(self, name: str) -> tuple[NetworkItem | None, BodyLowering]:
        """A network of the file, or else of the zoo, and what lowers it."""
        if name in self.program.networks or name not in zoo_names():
            return self.program.networks.get(name), self.lowering
        if (path := zoo_path(name)) not in self._zoo:
            self._zoo[path] = _zoo_program(name, self.report)
        program, lowering = self._zoo[path]
        return _of_zoo(program, name), lowering

    def _declared(self, item: NetworkItem) -> Resolved | None:
        if isinstance(item, syntax.ImportedNetwork):
            from wootzc.grammar.lower.imported import lower_import  # few files import networks

            return lower_import(item, self.report)
        scope = check_parameters(item, f"network `{item.name.text}`", self.program, self.lowering)
        network = lower_network(item, self.lowering, scope)
        return Resolved(network=network) if network else None

    def _bound(
        self,
        item: syntax.NetworkDefinition,
        space: syntax.SpaceDefinition,
        lowering: BodyLowering,
    ) -> Resolved | None:
        """The network with the arguments that the space gives."""
        scope = lowering.bound(space, item.parameters, self.lowering.constants)
        if scope is None:
            return None
        errors = self.report.errors
        network = lower_network(item, lowering, scope)
        if network is None and self.report.errors > errors and item.span.file != space.span.file:
            self.report.error(
                space.network.span, "WZ039",
                f"network `{item.name.text}` cannot be made with these arguments",
                f"another message names its place in {item.span.file}",
            )  # fmt: skip
        return Resolved(network=network) if network else None

    def _checked(self, name: str, found: Resolved | None) -> Resolved | None:
        return None if f"network {name}" in self.program.broken else found

    def _help(self, name: str) -> str | None:
        ending = [known for known in zoo_names() if known.endswith(f"_{name.lower()}")]
        near = nearest(name, self.program.networks)
        near = near or nearest(name, ending or zoo_names()) or next(iter(ending), None)
        if near is None and self.program.networks:
            return did_you_mean(name, self.program.networks)
        return (
            meant(near) if near
            else "define it: network NAME { input(…) … }, or take one of the zoo: `wootzc zoo`"
        )  # fmt: skip


def _without_arguments(space: syntax.SpaceDefinition) -> str:
    """The advice to leave the arguments of a space's network out."""
    name, last = space.network, (space.arguments or ())[-1:]
    end = last[0].span.end + 1 if last else name.span.end
    return write(name.text, at=Span(name.span.file, name.span.start, end))


def prepare(program: Program, report: Report) -> BodyLowering:
    """What lowers the bodies of a program; its modules are checked by themselves first."""
    check_names(program, report)
    recursive = recursive_modules(program, report)
    lowering = BodyLowering(
        report=report,
        modules=program.modules,
        broken=recursive | program.broken,
        constants=program.constants,
        networks=frozenset(program.networks),
        incomplete=program.incomplete,
    )
    for name, definition in program.modules.items():  # with parameters left open
        scope = check_parameters(definition, f"module `{name}`", program, lowering)
        lowering.block(definition.body, scope, None)
        lowering.depth = 0
    return lowering


def zoo_network(name: str, arguments: Mapping[str, object]) -> Network:
    """A network of the zoo. Raises `WootzError` for arguments it cannot have."""
    report = Report()
    program, lowering = _zoo_program(name, report)
    item = _of_zoo(program, name)
    known = [parameter.name.text for parameter in item.parameters]
    for argument in arguments:
        if argument not in known:
            help = did_you_mean(argument, known)
            raise fail("WZ011", f"`{name}` has no argument `{argument}`", help)
    usual: dict[str, Any] = lowering.scope(item.parameters, {}, {})
    given = {key: _zoo_value(name, key, usual[key], value) for key, value in arguments.items()}
    network = lower_network(item, lowering, lowering.scope(item.parameters, given, {}))
    if network is None:
        raise WootzError(report.diagnostics, report.sources)
    return network


def _zoo_value(network: str, name: str, default: Value, value: object) -> Value:
    """What Python gives for a parameter, checked: the language cannot write every object."""
    if not isinstance(default, tuple):
        if _is_count(value):
            return int(value)
        wanted = "a whole number from 1"
    else:
        if isinstance(value, tuple | list) and len(value) == len(default):
            sizes = tuple(int(size) for size in value if _is_count(size))
            if len(sizes) == len(default):
                return sizes
        wanted = "three whole numbers from 1, (height, width, channels)"
    raise fail("WZ014", f"`{name}` of `{network}` must be {wanted}, not {value!r}",
               f"write {name}={default!r}")  # fmt: skip


def _is_count(value: object) -> TypeGuard[Integral]:
    return not isinstance(value, bool) and isinstance(value, Integral) and int(value) >= 1


def zoo_source(name: str) -> str:
    """The text of a network of the zoo, with the modules it uses and what its file says first."""
    from wootzc.ir.graph.graph import leading_to  # nothing else here needs graphs

    report = Report()
    program = _zoo_program(name, report)[0]
    text = report.sources[zoo_path(name)]
    item = _of_zoo(program, name)
    inner = {name: words_of(module) for name, module in program.modules.items()}
    used = leading_to(words_of(item), inner)
    spans = [d.span for module, d in program.modules.items() if module in used] + [item.span]
    comment = text[: min(d.span.start for d in program.modules.values())].strip()
    return "\n\n".join([comment, *(text[s.start : s.end] for s in spans)]) + "\n"


def _zoo_program(name: str, report: Report) -> tuple[Program, BodyLowering]:
    path = zoo_path(name)
    with open(path, encoding="utf-8") as file:
        program = load(file.read(), path, report)
    return program, prepare(program, report)


def _of_zoo(program: Program, name: str) -> syntax.NetworkDefinition:
    item = program.networks[name]
    assert isinstance(item, syntax.NetworkDefinition), "the zoo is written in the language"
    return item
