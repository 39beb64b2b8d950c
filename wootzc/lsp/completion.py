"""What may stand at the cursor: keywords by the grammar, names by what is declared and defined."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from lsprotocol import types
from lsprotocol.types import CompletionItemKind as Kind

from wootzc.grammar import syntax
from wootzc.grammar.check import meanings
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.statements import BUDGET_UNITS
from wootzc.grammar.check.values import FUNCTIONS
from wootzc.grammar.imports import SUFFIXES
from wootzc.grammar.lower.data import KINDS as DATA_KINDS
from wootzc.grammar.lower.data import WEIGHTS
from wootzc.grammar.lower.program import resolve
from wootzc.grammar.lower.recipe import UNITS
from wootzc.grammar.space.latency import TARGETS
from wootzc.grammar.space.rates import CRITERIA
from wootzc.grammar.space.search_settings import CHOICES
from wootzc.grammar.space.width_rules import KINDS as LAYER_KINDS
from wootzc.grammar.syntax.keywords import keywords
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.net.trunk import trunks
from wootzc.ir.space.recipe import OPTIMIZERS, SCHEDULES
from wootzc.lsp.context import Cursor, cursor_at, expected_at
from wootzc.lsp.facts import (
    RELATIONS,
    STAGES,
    parameters_of,
    settings_of,
    signature_of,
)  # fmt: skip
from wootzc.lsp.hover import setting_text
from wootzc.lsp.names import network_of
from wootzc.lsp.snapshot import Snapshot

# What each statement reads, by the ends of names; "" is a folder.
_FILES = {
    "include": (".wz",),
    "network": SUFFIXES,
    "teacher": WEIGHTS,
    "configs": (".csv", ".json", ".npy"),
    "data": (".npz", ".zip", ".parquet"),
}


def complete(snapshot: Snapshot, offset: int) -> list[types.CompletionItem]:
    """What may stand at an offset: paths in a text, else keywords and names."""
    cursor = cursor_at(snapshot.text, offset)
    if cursor.path is not None:
        return list(_paths(cursor, snapshot))
    kinds = expected_at(snapshot.text, offset)
    found = list(_keywords(kinds))
    if {"NAME", "PATTERN"} & kinds:
        found += _names(cursor, snapshot, kinds)
    return list({item.label: item for item in reversed(found)}.values())[::-1]


def _item(
    label: str, kind: Kind, detail: str = "", text: str | None = None, more: str | None = None
) -> types.CompletionItem:
    documentation = types.MarkupContent(types.MarkupKind.Markdown, more) if more else None
    return types.CompletionItem(
        label, kind=kind, detail=detail or None, insert_text=text, documentation=documentation
    )


def _words(words: Iterable[str], kind: Kind = Kind.EnumMember) -> Iterator[types.CompletionItem]:
    return (_item(word, kind) for word in words)


def _keywords(kinds: set[str]) -> Iterator[types.CompletionItem]:
    for kind, words in keywords().items():
        if kind in kinds:
            for word in words:
                yield _item(word, Kind.Keyword, meanings.STATEMENTS.get(word, ""))


def _names(cursor: Cursor, snapshot: Snapshot, kinds: set[str]) -> Iterator[types.CompletionItem]:
    if "PATTERN" in kinds:
        yield from _modules_of_space(cursor, snapshot)
        if cursor.statement.startswith("keep"):
            yield from _words(LAYER_KINDS)
    elif cursor.called is not None:
        yield from _arguments(cursor, cursor.called, snapshot)
    elif cursor.in_body:
        if not re.search(r"\bas\s+$", cursor.statement):
            yield from _layers(snapshot)
    elif settings_of(cursor.block):
        yield from _in_settings(cursor)
    else:
        yield from _in_space(cursor, snapshot)


def _layers(snapshot: Snapshot) -> Iterator[types.CompletionItem]:
    modules = snapshot.analysis.program.modules
    for name in BUILT_IN:
        yield _item(name, Kind.Function, signature_of(name, modules))
    for name in modules:
        yield _item(name, Kind.Class, f"module {signature_of(name, modules)}")


def _arguments(cursor: Cursor, called: str, snapshot: Snapshot) -> Iterator[types.CompletionItem]:
    program = snapshot.analysis.program
    options = OPTIMIZERS.get(called) or (SCHEDULES[called][1] if called in SCHEDULES else ())
    for option in options if not cursor.in_body else ():
        yield _item(option, Kind.Property, text=f"{option} = ")
    if re.match(r"space\b.*\bover\b", cursor.around[-1]):
        network = program.networks.get(called)
        if isinstance(network, syntax.NetworkDefinition):
            for parameter in network.parameters:
                yield _item(parameter.name.text, Kind.Property, text=f"{parameter.name.text} = ")
        return
    yield from _words(program.constant_items, Kind.Constant)
    if not cursor.in_body:
        return
    for known in parameters_of(called, program.modules):
        yield _item(known.name, Kind.Property, known.kind.expects, f"{known.name} = ")
    yield from _words(FUNCTIONS, Kind.Function)
    yield _item("channels", Kind.Variable, "those that enter")
    head = next(iter(cursor.around), "")
    for definition in (*program.modules.values(), *program.networks.values()):
        named = re.match(rf"(module|network)\s+{re.escape(definition.name.text)}\b", head)
        if named and not isinstance(definition, syntax.ImportedNetwork):
            yield from _words((p.name.text for p in definition.parameters), Kind.Variable)


def _in_settings(cursor: Cursor) -> Iterator[types.CompletionItem]:
    words = cursor.statement.split()
    match words:
        case []:
            for setting in settings_of(cursor.block):
                yield _item(
                    setting.name, Kind.Property, setting.meaning, more=setting_text(setting)
                )
        case ["optimizer"]:
            yield from _words(OPTIMIZERS, Kind.Function)
        case ["schedule"]:
            yield from _words(SCHEDULES, Kind.Function)
        case [name, _]:
            yield from _words(UNITS.get(name, ()))
        case [name] if any(
            s.name == name and "true" in s.expects for s in settings_of(cursor.block)
        ):
            yield from _words(("on", "off"))
        case _:
            return


def _in_space(cursor: Cursor, snapshot: Snapshot) -> Iterator[types.CompletionItem]:
    program = snapshot.analysis.program
    behind: Sequence[tuple[str, Iterable[str], Kind]] = (
        (r"over", program.networks, Kind.Struct),
        (r"space\b.*\bfrom", program.space_items, Kind.Module),
        (r"(pretrain|finetune|polish)\s+from", STAGES, Kind.Module),
        (r"(prune|narrow)\b.*\bby", CRITERIA, Kind.EnumMember),
        (r"(minimize|maximize|subject\s+to|stratified\s+by)", METRICS, Kind.EnumMember),
        (r"where", (*METRICS, *RELATIONS), Kind.EnumMember),
        (r"until", ("saving",), Kind.EnumMember),
        (r"with", ("confidence",), Kind.EnumMember),
        (r"teacher\s*-\s*[\d.]+", ("points",), Kind.EnumMember),
        (r"budget\s+[\d._]+", BUDGET_UNITS, Kind.EnumMember),
        (r"data", DATA_KINDS, Kind.Function),
        (r"latency\s+on", TARGETS, Kind.EnumMember),
        (r"polish", ("off",), Kind.EnumMember),
        *((setting, words, Kind.EnumMember) for setting, words in CHOICES.items()),
    )
    for before, words, kind in behind:
        if re.search(rf"\b{before}\s+$", cursor.statement):
            yield from _words(words, kind)
            if before == "over":
                yield from (_item(name, Kind.Struct, "of the zoo") for name in zoo_names())
            return


def _modules_of_space(cursor: Cursor, snapshot: Snapshot) -> Iterator[types.CompletionItem]:
    head = next(iter(cursor.around), "")
    over = re.search(r"\bover\s+(\w+)", head)
    base = re.search(r"\bfrom\s+(\w+)", head)
    program = snapshot.analysis.program
    built_on = program.space_items.get(base[1]) if base else None
    name = over[1] if over else network_of(built_on, program) if built_on else None
    known = snapshot.index.instances.get(name or "", {})
    network = snapshot.networks.get(name or "")
    if cursor.statement.startswith("narrow"):
        yield from _words([one.name for one in trunks(network)] if network else [], Kind.Variable)
        return
    names = [m.name for m in network.modules] if network else list(known)
    yield from _words(names, Kind.Variable)
    yield from _words(dict.fromkeys(f"{s.name}*" for s in known.values()), Kind.Variable)


def _paths(cursor: Cursor, snapshot: Snapshot) -> Iterator[types.CompletionItem]:
    assert cursor.path is not None
    folder, _, _ = cursor.path.rpartition("/")
    place = resolve(folder or ".", snapshot.path)
    word = re.match(r"\w+", cursor.statement or next(iter(cursor.around[::-1]), ""))
    ends: Sequence[str] = _FILES.get(word[0] if word else "", ())
    try:
        entries = sorted(os.scandir(place), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield _item(entry.name, Kind.Folder)
        elif entry.name.endswith(tuple(ends)):
            yield _item(entry.name, Kind.File)
