"""Pipelines as values and as text: `expand-space,mine-subsequences{method=sequitur},order`."""

import ast
import re
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias, cast, get_type_hints

from wootzc.diagnostics import Diagnostic, Span, WootzError, fail
from wootzc.ir.passes.base import Pass
from wootzc.ir.passes.compose import Compose
from wootzc.ir.passes.estimate_cost import EstimateCost
from wootzc.ir.passes.expand_space import ExpandSpace
from wootzc.ir.passes.mine_subsequences import MineSubsequences
from wootzc.ir.passes.order import Order
from wootzc.ir.passes.segment_modules import SegmentModules
from wootzc.ir.passes.select_blocks import SelectBlocks
from wootzc.ir.plan import Plan
from wootzc.ir.plan.verify import VerifyError, verify
from wootzc.ir.reflect import Mismatch, fit

Observer: TypeAlias = Callable[[Pass, Plan, float], None]  # a pass, its result, its seconds

GROUP = "wootzc.passes"
PASSES: tuple[Pass, ...] = (
    ExpandSpace(),
    EstimateCost(),  # for `blocks optimal` and `order`; early: costs show whatever fails later
    MineSubsequences(),
    SelectBlocks(),  # `wootz` reads the mined rules; `maximal` and `modules` read the candidates
    Compose(),
    Order(),  # last: the training order follows from composite vectors and the exploration order
)
BUILTIN: tuple[type[Pass], ...] = (*map(type, PASSES), SegmentModules)
ITEM = re.compile(r"\s*([\w-]+)\s*(?:\{([^{}]*)\})?\s*")
OPTION = re.compile(r"([\w-]+)\s*=\s*([^\s,]+)")


def run(
    plan: Plan,
    passes: Iterable[Pass] = PASSES,
    observe: Observer | None = None,
    *,
    verify_each: bool = True,
) -> Plan:
    """The plan after these passes, verified after each unless `verify_each` is off.

    `observe(pass, plan, seconds)` sees every result. Raises `WootzError` for what the user can
    mend, `VerifyError` for what a pass did wrong.
    """
    try:
        verify(plan)
    except VerifyError as error:  # a hand-written `.wzir`, most likely
        raise fail("WZ084", f"the plan to start from is not sound: {error}") from error
    for apply in passes:
        if isinstance(apply, type) or not callable(apply) or not hasattr(apply, "name"):
            raise TypeError(f"{apply!r} is no pass; parse_pipeline(text) reads passes from a text")
        began = time.perf_counter()
        result = apply(plan)
        seconds = time.perf_counter() - began
        if verify_each:
            verify(result, after=apply.name, since=plan)
        plan = result
        if observe:
            observe(apply, plan, seconds)
    return plan


def available() -> dict[str, type[Pass]]:
    """All passes by name: the built-in ones and those of the entry-point group `wootzc.passes`.

    What a package registers and cannot be used is told by a warning, and left out.
    """
    known, broken = _registered()
    for name, reason in broken.items():
        warnings.warn(f"the pass `{name}` can't be used: {reason}", stacklevel=2)
    return known


def _registered() -> tuple[dict[str, type[Pass]], dict[str, str]]:
    """Passes by name; and why what else is registered is none, by the entry point's name."""
    from importlib.metadata import entry_points  # here, for it takes longer than most passes

    passes: dict[str, type[Pass]] = {}
    broken: dict[str, str] = {}
    for entry in entry_points(group=GROUP):
        try:
            loaded = entry.load()
        except Exception as error:  # a package of anyone's: others' passes still work
            broken[entry.name] = f"{type(error).__name__}: {error}"
            continue
        name = getattr(loaded, "name", None)
        if isinstance(loaded, type) and is_dataclass(loaded) and isinstance(name, str):
            passes[name] = cast(type[Pass], loaded)
        else:
            broken[entry.name] = f"{entry.value} is no dataclass with a `name`"
    return {**passes, **{p.name: p for p in BUILTIN}}, broken


def parse_pipeline(text: str, path: str = "<passes>") -> tuple[Pass, ...]:
    """The passes that a text names, separated by commas. All mistakes are raised at once."""
    known, broken = _registered()
    passes: list[Pass] = []
    mistakes: list[Diagnostic] = []
    for name, options, start, span in _items(text, path, mistakes):
        if name not in known:
            mistakes.append(
                Diagnostic(span, "WZ085", f"the pass `{name}` can't be used: {broken[name]}")
                if name in broken
                else Diagnostic(span, "WZ085", f"there is no pass `{name}`", _hint(name, known))
            )
            continue
        given = _options(known[name], options, path, start, mistakes)
        if given is not None:
            passes.append(known[name](**given))
    if mistakes:
        raise WootzError(mistakes, {path: text})
    return tuple(passes)


def pipeline_text(passes: Iterable[Pass]) -> str:
    """The inverse of `parse_pipeline`: options at their default are left out."""
    return ",".join(map(_pass_text, passes))


def _pass_text(apply: Pass) -> str:
    options = ", ".join(
        f"{field.name}={getattr(apply, field.name)}"
        for field in fields(apply)  # type: ignore[arg-type]  # passes are dataclasses
        if getattr(apply, field.name) != field.default
    )
    return f"{apply.name}{{{options}}}" if options else apply.name


def replaced(passes: Iterable[Pass], *news: Pass) -> tuple[Pass, ...]:
    """The pipeline with each new pass in the place of the one that has its name."""
    by_name = {new.name: new for new in news}
    result = tuple(by_name.pop(old.name, old) for old in passes)
    for name in by_name:
        raise KeyError(f"no pass `{name}` to replace")
    return result


def inserted(
    passes: Iterable[Pass], new: Pass, *, before: str | None = None, after: str | None = None
) -> tuple[Pass, ...]:
    """The pipeline with a pass put before or after the one of that name; at the end without one."""
    passes = tuple(passes)
    mark = before or after
    if mark is None:
        return (*passes, new)
    places = [k for k, p in enumerate(passes) if p.name == mark]
    if not places:
        raise KeyError(f"no pass `{mark}` to insert `{new.name}` at")
    place = places[0] if before else places[0] + 1
    return (*passes[:place], new, *passes[place:])


def _items(
    text: str, path: str, mistakes: list[Diagnostic]
) -> Iterator[tuple[str, str, int, Span]]:
    """(name, options, where they start, span of the name) of each pass."""
    at = 0
    while at <= len(text):
        match = ITEM.match(text, at)
        if match is None or text[match.end() : match.end() + 1] not in ("", ","):
            place = match.end() if match else at
            mistakes.append(
                Diagnostic(
                    Span(path, place, place + 1),
                    "WZ087",
                    "expected a pass here" if match is None else "expected `,` or the end here",
                    "write `pass,pass{option=value, option=value}`",
                )
            )
            return
        yield match[1], match[2] or "", match.start(2), Span(path, match.start(1), match.end(1))
        at = match.end() + 1


def _options(
    cls: type[Pass], text: str, path: str, start: int, mistakes: list[Diagnostic]
) -> dict[str, Any] | None:
    """The options of one pass, as its fields want them; None where one is wrong."""
    hints = get_type_hints(cls)
    allowed = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    before = len(mistakes)
    rest = OPTION.sub("", text).replace(",", " ").strip()
    if rest:
        place = start + text.find(rest.split()[0])
        span = Span(path, place, place + len(rest.split()[0]))
        mistakes.append(Diagnostic(span, "WZ087", f"`{rest.split()[0]}` is no `option=value`"))
    for match in OPTION.finditer(text):
        name, span = match[1], Span(path, start + match.start(), start + match.end())
        if name not in allowed:
            message = f"`{cls.name}` has no option `{name}`"
            mistakes.append(Diagnostic(span, "WZ086", message, _hint(name, allowed)))
            continue
        try:
            values[name] = fit(_value(match[2]), hints[name])
        except Mismatch as mismatch:
            mistakes.append(Diagnostic(span, "WZ086", f"`{name}` of `{cls.name}`: {mismatch}"))
    for name, field in allowed.items():
        if field.default is MISSING and field.default_factory is MISSING and name not in values:
            span = Span(path, start, start + len(text))
            mistakes.append(Diagnostic(span, "WZ086", f"`{cls.name}` needs its option `{name}`"))
    return values if len(mistakes) == before else None


def _value(text: str) -> Any:
    """A number, True, False or None where it is one; else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(sorted(known))}"
