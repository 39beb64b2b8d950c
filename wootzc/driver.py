"""From a `.wz` file to a plan: what the command line and library users call. No JAX here."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, overload

from wootzc.diagnostics import WootzError, fail, told_at
from wootzc.files import Unfit, read_file
from wootzc.grammar import Analysis, analyze
from wootzc.grammar.lower.program import resolve
from wootzc.grammar.syntax.brackets import MAX_BYTES
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import FromFile
from wootzc.kinds import HEAD, folder, other_kind

if TYPE_CHECKING:  # `check` needs no passes: they are loaded when something is compiled
    from wootzc.ir.passes import Observer, Pass
    from wootzc.ir.plan import Complete, Plan
    from wootzc.ir.plan.cost_model import CostModel


Source: TypeAlias = "str | os.PathLike[str] | Space | Plan"  # text, a file, or what it stands for

STDIN = "-"  # as a path
MAX_PLAN = 2**30  # bytes of a .wzir file


def read_source(path: str | os.PathLike[str], *, plans: bool = False) -> str:
    """The text of a source file, or of standard input for "-". Raises `WootzError`.

    `plans`: a compiled plan will do too. Files of other kinds are told by what they are.
    """
    return read_text(path, plans=plans).replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: str | os.PathLike[str], *, plans: bool = False) -> str:
    """The same, with the line ends that it has."""
    file = Path(path)
    if file.is_dir():
        raise folder(file)
    try:
        piped = os.fspath(path) == STDIN
        most = MAX_PLAN if file.suffix == ".wzir" else MAX_BYTES
        content = _read_stdin() if piped else read_file(path, most)
        if content is None:
            raise fail("WZ007", "standard input is too long to be read, or never ends")
        beginning = content[:HEAD].decode(errors="replace")
        if not (plans and _is_plan(beginning, os.fspath(path))):
            if (other := other_kind(file, content[:HEAD])) is not None:
                raise other
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise fail(
            "WZ131", f"{file} is not text in UTF-8 (byte {error.start})", "save it as UTF-8"
        ) from None
    except FileNotFoundError:
        near = sorted(p.name for p in file.parent.glob("*.wz")) if file.parent.is_dir() else []
        hint = f"in {file.parent} there is: {', '.join(near[:8])}" if near else None
        raise fail("WZ130", f"there is no file {file}", hint) from None
    except Unfit as error:
        raise fail("WZ007", f"{file} is not read: {error.strerror}") from None
    except OSError as error:
        raise fail("WZ130", f"can't read {file}: {error.strerror}") from None


def _read_stdin() -> bytes | None:
    """Plans may be longer than what is written by hand. Which it is shows in the beginning."""
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES and _is_plan(content.decode(errors="replace"), STDIN):
        content += sys.stdin.buffer.read(MAX_PLAN)
        return content if len(content) <= MAX_PLAN else None
    return content if len(content) <= MAX_BYTES else None


def analyze_file(
    path: str | os.PathLike[str], overrides: Mapping[str, object] | None = None
) -> Analysis:
    """Check a file: its spaces and networks, and every diagnostic. Raises only if unreadable."""
    return analyze(read_source(path), path=os.fspath(path), overrides=as_set(overrides))


def as_set(overrides: Mapping[str, object] | None) -> dict[str, str]:
    """As `--set` takes them: {"polish": False, "rates": (0, 0.5)} is polish=off, rates=0, 0.5."""
    return {key: _written(value) for key, value in (overrides or {}).items()}


def _written(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_written, value))
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def choose_space(analysis: Analysis, name: str | None = None) -> Space:
    """The space called `name`, or the only one. Raises `WootzError` with all errors of the file."""
    errors = [d for d in analysis.diagnostics if d.severity == "error"]
    if errors:
        raise WootzError(analysis.diagnostics, analysis.sources)
    spaces = {space.name: space for space in analysis.spaces}
    known = ", ".join(spaces)
    if name is not None:
        if name not in spaces:
            raise fail("WZ132", f"there is no space `{name}`", f"the file has: {known or 'none'}")
        return spaces[name]
    if not spaces:
        raise fail("WZ133", "the file declares no space", "add: space my_space over NETWORK { … }")
    if len(spaces) > 1:
        raise fail("WZ134", f"the file declares several spaces: {known}", "choose: --space NAME")
    return next(iter(spaces.values()))


@overload
def compile(
    source: Source,
    passes: None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    space: str | None = None,
    observe: "Observer | None" = None,
    cost_model: "CostModel | None" = None,
) -> "Complete": ...


@overload
def compile(
    source: Source,
    passes: "Iterable[Pass]",
    *,
    overrides: Mapping[str, object] | None = None,
    space: str | None = None,
    observe: "Observer | None" = None,
    cost_model: "CostModel | None" = None,
) -> "Plan": ...


def compile(
    source: Source,
    passes: "Iterable[Pass] | None" = None,
    *,
    overrides: Mapping[str, object] | None = None,
    space: str | None = None,
    observe: "Observer | None" = None,
    cost_model: "CostModel | None" = None,
) -> "Plan":
    """Compile `.wz` text (a str), a file (a `Path`) or a space to a plan.

    `passes` replaces the default pipeline `wootzc.ir.passes.PASSES`; `overrides` sets values as
    `--set` does, {"teacher.steps": 50}; `observe(pass, plan, seconds)` is called after each pass;
    `cost_model` replaces the defaults that `blocks optimal` goes by. A plan, or the `.wzir` file of
    one, goes on from where its passes left off. Raises `WootzError` with all mistakes at once.
    """
    from wootzc.ir.passes import complete, remaining, run

    plan = front(source, overrides, space, cost_model)
    if passes is None:
        return complete(run(plan, remaining(plan), observe=observe))
    return run(plan, tuple(passes), observe=observe)


def front(
    source: Source,
    overrides: Mapping[str, object] | None = None,
    space: str | None = None,
    cost_model: "CostModel | None" = None,
    tell: Callable[[Analysis], object] | None = None,
) -> "Plan":
    """The plan that the passes start from; `tell` may show its warnings, errors are raised."""
    from wootzc.ir.plan import Plan
    from wootzc.ir.text.sound import sound_plan

    if isinstance(source, str) and "\n" not in source and source.endswith((".wz", ".wzir")):
        raise fail(
            "WZ130",
            f"a str is the text of a file, but `{source}` looks like the name of one",
            f'pass a path: compile(Path("{source}"))',
        )
    plan: Plan | None = None
    text, name = "", "<text>"
    match source:
        case Space():
            plan, name = Plan(space=source), "this"
        case Plan():
            plan, name = source, "this"
        case str():
            text = source
        case _:
            text, name = read_source(source, plans=True), os.fspath(source)
            if _is_plan(text, name):
                plan = with_paths(sound_plan(text, name), lambda path: _outside(path, name))
    if plan is not None:
        if overrides or space:
            raise fail(
                "WZ137",
                f"{name} is a compiled plan: settings and spaces can't be chosen any more",
                "give the .wz file it was made from",
            )
        return plan if cost_model is None else replace(plan, cost_model=cost_model)
    analysis = analyze(text, name, as_set(overrides))
    chosen = choose_space(analysis, space)
    if tell:
        tell(analysis.about(chosen))
    return Plan(space=_as_long_as_it_gets(chosen), cost_model=cost_model)


def _as_long_as_it_gets(space: Space) -> Space:
    """The space with recipes in epochs counted on its own images, where they can be counted."""
    from wootzc.ir.plan.lengths import estimated, in_epochs

    if not in_epochs(space):
        return space
    from wootzc.backends.data import count_images

    with told_at(space.at("data")):
        images = count_images(space.data)
    return space if images is None else estimated(space, images)


def _is_plan(text: str, path: str) -> bool:
    """Whether a source is a compiled plan: by its name, or by its first word on standard input."""
    if path != STDIN:
        return path.endswith(".wzir")
    code = (line.strip() for line in text.splitlines())
    first = next((line for line in code if line and not line.startswith("//")), "")
    return first.startswith(("plan(", "plan {"))


def placed(plan: "Plan", file: Path) -> "Plan":
    """The plan as it is written into `file`: its relative paths are relative to that folder."""
    return with_paths(plan, lambda path: _inside(path, file))


def with_paths(plan: "Plan", change: Callable[[str], str]) -> "Plan":
    """The plan with the paths of its data and its teacher changed."""
    space = plan.space
    teacher = space.teacher
    if isinstance(teacher, FromFile):
        teacher = replace(teacher, path=change(teacher.path))
    data = replace(space.data, path=change(space.data.path))
    return replace(plan, space=replace(space, data=data, teacher=teacher))


def _outside(path: str, file: str) -> str:
    """A path that stands in `file`, for use from where wootzc runs."""
    return path if path.startswith("~") else resolve(path, file)


def _inside(path: str, file: Path) -> str:
    """The inverse."""
    if path.startswith("~") or os.path.isabs(path):
        return path
    return os.path.relpath(path, file.parent)
