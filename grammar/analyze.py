"""The whole front end in one call: text → spaces and networks, or everything wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wootzc.diagnostics import Diagnostic, Span, lies_in
from wootzc.grammar.check.report import Report
from wootzc.grammar.lower.inherit import write_out_settings, write_out_spaces
from wootzc.grammar.lower.modules import warn_unused
from wootzc.grammar.lower.named_networks import Networks
from wootzc.grammar.lower.program import Program, load
from wootzc.grammar.parse import Memory
from wootzc.grammar.space.lower import lower_space
from wootzc.grammar.syntax import DerivedSpace
from wootzc.ir.net.network import Network
from wootzc.ir.space import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """`spaces` and `networks` are those without errors. `sources`: text by file, to show places.

    `notes`: what there is to know of networks that were read from files. `program`: what was read.
    """

    spaces: tuple[Space, ...]
    networks: tuple[Network, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: dict[str, str]
    program: Program
    notes: tuple[str, ...] = ()

    def about(self, space: Space) -> "Analysis":
        """Without the other spaces and what is said in them, but for what this one builds on."""
        items = self.program.space_items
        own = {space.name}
        item = items[space.name]
        while isinstance(item, DerivedSpace) and item.base.text not in own:
            own.add(item.base.text)
            item = items[item.base.text]
        others = [item.span for name, item in items.items() if name not in own]
        kept = [d for d in self.diagnostics if not any(lies_in(d.span, o) for o in others)]
        return replace(self, spaces=(space,), diagnostics=tuple(kept))


def analyze(
    text: str,
    path: str = "<text>",
    overrides: Mapping[str, str] | None = None,
    memory: Memory | None = None,
) -> Analysis:
    """Check a `.wz` text and lower it to IR. Never raises for what a user wrote.

    `overrides` sets values as the command line's `--set` does: {"teacher.steps": "50"}. `memory`
    is given again with the next version of a file, of which then less needs to be read.
    """
    report = Report()
    program = load(text, path, report, memory)
    write_out_spaces(program, report)
    if overrides:
        from wootzc.grammar.lower.overrides import (
            apply_overrides,
        )  # rarely needed, so not loaded before

        apply_overrides(program, overrides, report)
    write_out_settings(program, report)
    if program.is_empty:
        report.error(
            Span(path, 0, len(text)), "WZ223", "there is nothing in this file",
            "`wootzc init MODEL IMAGES` writes a first one; docs/language.md says what it may hold",
        )  # fmt: skip
    networks = Networks(program, report)
    warn_unused(program, path, networks.lowering.used, report)
    spaces = _lower_spaces(program, networks, report)
    files = {file: order for order, file in enumerate(program.sources)}
    diagnostics = sorted(report.diagnostics, key=lambda d: (files[d.span.file], d.span.start))
    declared = [found for found in networks.declared.values() if found is not None]
    return Analysis(
        spaces=tuple(spaces),
        networks=tuple(found.network for found in declared),
        diagnostics=tuple(diagnostics),
        sources=program.sources,
        program=program,
        notes=tuple(f"network {f.network.name}: {note}" for f in declared for note in f.notes),
    )


def _lower_spaces(program: Program, networks: Networks, report: Report) -> list[Space]:
    spaces = []
    for definition in program.spaces.values():
        complete = f"space {definition.name.text}" not in program.broken
        found = networks.over(definition)
        names = networks.named(definition) if found is None else found.network
        space = lower_space(definition, found, names, report, complete=complete)
        if space is not None:
            spaces.append(space)
    return spaces
