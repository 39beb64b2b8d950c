"""A file with everything it includes: one table of modules, networks and spaces."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from wootzc.diagnostics import Advice
from wootzc.files import Unfit, read_file
from wootzc.grammar import syntax
from wootzc.grammar.check.calls import WORDS
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Value, evaluate, words_in
from wootzc.grammar.parse import Memory, parse
from wootzc.grammar.syntax.brackets import MAX_BYTES
from wootzc.grammar.syntax.near_misses import nearest

MAX_FILES = 200


NetworkItem: TypeAlias = syntax.NetworkDefinition | syntax.ImportedNetwork
SpaceItem: TypeAlias = syntax.SpaceDefinition | syntax.DerivedSpace


@dataclass(kw_only=True)
class Program:
    """`spaces` are those of the main file, with all that they have from others (origins.py).

    `space_items` are all that can be built on. `broken` names what syntax errors left incomplete:
    "basic" (a module), "network digits_net", "space digits".
    """

    main: str
    constant_items: dict[str, syntax.Constant] = field(default_factory=dict)
    constants: dict[str, Value | None] = field(default_factory=dict)  # None after an error
    modules: dict[str, syntax.ModuleDefinition] = field(default_factory=dict)
    networks: dict[str, NetworkItem] = field(default_factory=dict)
    space_items: dict[str, SpaceItem] = field(default_factory=dict)
    spaces: dict[str, syntax.SpaceDefinition] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    misnamed: list[syntax.Name] = field(default_factory=list)  # of modules; built in
    is_empty: bool = False  # the main file holds nothing, not even a mistake
    incomplete: bool = False  # definitions may be missing: unknown names may be none
    sources: dict[str, str] = field(default_factory=dict)
    trees: dict[str, syntax.File] = field(default_factory=dict)  # of the sources that have one
    memory: Memory | None = None


def load(text: str, path: str, report: Report, memory: Memory | None = None) -> Program:
    """Parse a file and all it includes. `memory`: as `parse` keeps it."""
    program = Program(main=path, sources=report.sources, memory=memory)
    _load(text, path, program, report, chain=())
    _evaluate_constants(program, report)
    return program


def _evaluate_constants(program: Program, report: Report) -> None:
    """In the order of the file: each may name those before it."""
    for name, item in program.constant_items.items():
        words = words_in([item.value])
        named = {w for w in words if w in program.constant_items and w not in program.constants}
        if named:
            first = next(word for word in program.constant_items if word in named)
            report.error(
                item.value.span, "WZ246",
                f"constant `{first}` has no value yet where `{name}` is calculated",
                f"move `let {name} = …` behind it",
            )  # fmt: skip
        program.constants[name] = None if named else evaluate(item.value, program.constants, report)


def _load(text: str, path: str, program: Program, report: Report, chain: tuple[str, ...]) -> None:
    if text.startswith("\ufeff"):
        text = " " + text[1:]  # a byte order mark; every other character keeps its place
    program.sources[path] = text
    parsed = parse(text, path, program.memory)
    for diagnostic in parsed.diagnostics:
        report.add(diagnostic)
    report.holes += parsed.holes
    guesses = [f.span for d in parsed.diagnostics for f in d.fixes if not f.safe]
    if parsed.tree is None:
        program.incomplete = True
        return
    program.is_empty = not (chain or parsed.tree.items or parsed.diagnostics)
    program.trees[path] = parsed.tree
    for item in parsed.tree.items:
        holes = [h for h in parsed.holes if item.span.start <= h.start < item.span.end]
        if any(item.span.start <= guess.start <= item.span.end for guess in guesses):
            report.guessed.append(item.span)
        match item:
            case syntax.Include():
                _include(item, path, program, report, (*chain, file_identity(path)))
            case syntax.Constant():
                _define(item, "constant", program.constant_items, program, report)
            case syntax.ModuleDefinition(name=name):
                _define(item, "module", program.modules, program, report)
                program.broken |= {name.text} if holes else set()
            case syntax.NetworkDefinition(name=name) | syntax.ImportedNetwork(name=name):
                _define(item, "network", program.networks, program, report)
                program.broken |= {f"network {name.text}"} if holes else set()
            case syntax.SpaceDefinition(name=name) | syntax.DerivedSpace(name=name):
                if not chain or name.text not in program.space_items:
                    _define(item, "space", program.space_items, program, report)
                program.broken |= {f"space {name.text}"} if holes else set()
    items = [item.span for item in parsed.tree.items]
    for hole in parsed.holes:  # a definition may have gone with it
        program.incomplete |= not any(s.start <= hole.start < s.end for s in items)
        program.incomplete |= text[hole.start : hole.end].lstrip().startswith("module ")


Definition = TypeVar("Definition", syntax.Constant, syntax.ModuleDefinition, NetworkItem, SpaceItem)


def _define(
    item: Definition, kind: str, table: dict[str, Definition], program: Program, report: Report
) -> None:
    name = item.name
    if name.text in table:
        first = table[name.text].name.span
        line = f"line {report.line(first)}"
        where = line if first.file == name.span.file else f"{first.file}, {line}"
        report.error(
            name.span, "WZ016", f"there is another {kind} `{name.text}` in {where}",
            "rename one of them",
        )  # fmt: skip
        return
    if kind == "module" and name.text in BUILT_IN:
        program.misnamed.append(name)
        program.incomplete = True
        return
    if kind == "constant" and name.text in (*BUILT_IN, *WORDS):
        report.error(
            name.span, "WZ017", f"`{name.text}` is built in, so no constant can have its name",
            Advice(f"rename it, `my_{name.text}` say", f"my_{name.text}"),
        )  # fmt: skip
        return
    table[name.text] = item


def _include(
    item: syntax.Include, path: str, program: Program, report: Report, chain: tuple[str, ...]
) -> None:
    target = resolve(item.path.value, path)
    identity = file_identity(target)
    if identity in chain:
        names = " → ".join(os.path.basename(p) for p in (*chain[chain.index(identity) :], identity))
        report.error(
            item.span, "WZ009", f"the files include each other in a circle: {names}",
            "move what both need into a file of its own",
        )  # fmt: skip
        return
    if identity in {file_identity(known) for known in program.sources}:
        return  # two ways to one file
    if len(program.sources) >= MAX_FILES:
        report.error(item.span, "WZ008", f"more than {MAX_FILES} files are included")
        return
    open_ = program.memory.open if program.memory else {}
    text = open_[identity] if identity in open_ else _read(target, item, report)
    if text is None:
        program.incomplete = True
        return
    _load(text, target, program, report, chain)


def _read(target: str, item: syntax.Include, report: Report) -> str | None:
    span, shown = item.path.span, item.path.value
    try:
        return read_file(target, MAX_BYTES).decode("utf-8")
    except Unfit as error:
        report.error(span, "WZ007", f"`{shown}` is not read: {error.strerror}")
    except FileNotFoundError:
        folder, beside = os.path.dirname(target) or ".", os.path.dirname(shown)
        stems = [f.removesuffix(".wz") for f in _listing(folder) if f.endswith(".wz")]
        near = nearest(os.path.basename(target).removesuffix(".wz"), stems)
        report.error(
            span, "WZ008", f"there is no file `{shown}`",
            Advice(f"did you mean `{near}.wz`?", f'"{os.path.join(beside, near)}.wz"') if near
            else f"paths are relative to the file that includes them: looked for {target}",
        )  # fmt: skip
    except UnicodeDecodeError as error:
        report.error(
            span, "WZ008", f"`{shown}` is not text in UTF-8 (byte {error.start})",
            "save the file as UTF-8",
        )  # fmt: skip
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        report.error(span, "WZ008", f"can't read `{shown}`: {reason}")
    return None


def _listing(folder: str) -> Iterable[str]:
    try:
        return os.listdir(folder)
    except (OSError, ValueError):
        return ()


def file_identity(path: str) -> str:
    """The same for all ways to write a path."""
    return os.path.realpath(path) if "\0" not in path else path


def resolve(target: str, file: str) -> str:
    """A path written in `file`: relative to its folder, where `file` is a real one.

    `~` is the user's own folder, wherever the file is.
    """
    target = os.path.expanduser(target)
    if os.path.isabs(target) or not os.path.isfile(file):
        return target
    return os.path.normpath(os.path.join(os.path.dirname(file), target))
