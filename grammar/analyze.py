"""The whole front end in one call: text → spaces and networks, or everything wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from wootzc.diagnostics import Diagnostic
from wootzc.grammar.lower_body import BodyLowering
from wootzc.grammar.lower_network import lower_network
from wootzc.grammar.lower_space import lower_space
from wootzc.grammar.modules import check_definitions, recursive_modules, warn_unused
from wootzc.grammar.names import did_you_mean
from wootzc.grammar.program import Program, load
from wootzc.grammar.report import Report
from wootzc.ir.network import Network
from wootzc.ir.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """`spaces` and `networks` are those without errors. `sources`: text by file, to show places."""

    spaces: tuple[Space, ...]
    networks: tuple[Network, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: dict[str, str]


def analyze(
    text: str, path: str = "<text>", overrides: Mapping[str, str] | None = None
) -> Analysis:
    """Check a `.wz` text and lower it to IR. Never raises for what a user wrote.

    `overrides` sets values as the command line's `--set` does: {"teacher.steps": "50"}.
    """
    report = Report()
    program = load(text, path, report)
    if overrides:
        from wootzc.grammar.overrides import apply_overrides  # rarely needed, so not loaded before

        apply_overrides(program, overrides, report)
    networks = _lower_networks(program, path, report)
    spaces = _lower_spaces(program, networks, report)
    files = {file: order for order, file in enumerate(program.sources)}
    diagnostics = sorted(report.diagnostics, key=lambda d: (files[d.span.file], d.span.start))
    return Analysis(
        spaces=tuple(spaces),
        networks=tuple(n for n in networks.values() if n is not None),
        diagnostics=tuple(diagnostics),
        sources=program.sources,
    )


def _lower_networks(program: Program, path: str, report: Report) -> dict[str, Network | None]:
    recursive = recursive_modules(program, report)
    lowering = BodyLowering(
        report=report,
        modules=program.modules,
        broken=recursive | program.broken,
        incomplete=program.incomplete,
    )
    check_definitions(program, lowering)
    networks = {
        name: lower_network(definition, lowering) for name, definition in program.networks.items()
    }
    warn_unused(program, path, lowering.used, report)
    return {
        n: None if f"network {n}" in program.broken else network for n, network in networks.items()
    }


def _lower_spaces(
    program: Program, networks: Mapping[str, Network | None], report: Report
) -> list[Space]:
    spaces = []
    for definition in program.spaces.values():
        name = definition.network
        if name.text not in networks and not program.incomplete:
            report.error(
                name.span, "WZ022", f"there is no network `{name.text}`",
                did_you_mean(name.text, networks, "define it: network NAME { input(…) … }"),
            )  # fmt: skip
        broken = f"space {definition.name.text}" in program.broken
        space = lower_space(definition, networks.get(name.text), report, complete=not broken)
        if space is not None:
            spaces.append(space)
    return spaces
