"""What is declared of layers, statements and settings, as text for hover and completion."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from wootzc.grammar import syntax
from wootzc.grammar.check import meanings
from wootzc.grammar.check.arguments import ANY, REQUIRED, Kind, Parameter, signature
from wootzc.grammar.check.operators import JOINS, OPERATORS, SHORTCUT
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import source_text
from wootzc.grammar.lower.data import AUGMENT, DATA
from wootzc.grammar.lower.network import AUXILIARY, INPUT
from wootzc.grammar.lower.recipe import (  # fmt: skip
    DEFAULTS,
    SETTINGS,
    USELESS,
    lower_polish,
)
from wootzc.grammar.space.latency import SETTINGS as TARGET
from wootzc.ir.space import OnRuntime, Ordered
from wootzc.ir.space.recipe import OPTIMIZERS, SCHEDULES, Augment, Data, Optimizer, Recipe, Schedule
from wootzc.ir.space.recipe_values import NUMBERS

STAGES = ("teacher", "pretrain", "finetune", "polish")
RELATIONS: tuple[str, ...] = get_args(get_type_hints(Ordered)["direction"])


@dataclass(frozen=True, slots=True)
class Setting:
    """`expects`: what its value may be; `default`: what it is where nothing is said."""

    name: str
    meaning: str
    expects: str
    default: str | None


def parameters_of(name: str, modules: Mapping[str, syntax.ModuleDefinition]) -> list[Parameter]:
    """What a layer or a module takes; nothing for an unknown one."""
    own = {"shortcut": SHORTCUT, "input": INPUT, "auxiliary": AUXILIARY}
    if name in own or name in OPERATORS:
        return [*(own.get(name) or OPERATORS[name].parameters)]
    return [_parameter(p) for p in modules[name].parameters] if name in modules else []


def _parameter(parameter: syntax.Parameter) -> Parameter:
    default = parameter.default
    shown = REQUIRED if default is None else source_text(default)
    return Parameter(parameter.name.text, ANY, shown)


def signature_of(name: str, modules: Mapping[str, syntax.ModuleDefinition]) -> str:
    """conv(kernel, width, stride = 1)."""
    if name in JOINS:
        return f"{name} {{ {{ … }} {{ … }} }}"
    return signature(name, parameters_of(name, modules))


def settings_of(statement: str) -> tuple[Setting, ...]:
    """The settings that a statement of a space has in its braces."""
    return tuple(_settings(statement))


# Statements whose settings are arguments of what they make.
_BLOCKS: Mapping[str, tuple[Mapping[str, Kind], Any]] = {
    "data": (DATA, Data(path="")),
    "augment": (AUGMENT, Augment()),
    "latency": (TARGET, OnRuntime()),
}


def _settings(statement: str) -> Iterator[Setting]:
    if statement in _BLOCKS:
        kinds, defaults = _BLOCKS[statement]
        for name, kind in kinds.items():
            default = _value_text(name, getattr(defaults, name))
            yield Setting(name, meanings.SETTINGS[name], kind.expects, default)
        return
    if statement not in STAGES:
        return
    recipe = _recipe(statement)
    for name in SETTINGS:
        if name not in USELESS[statement]:  # type: ignore[index]
            expects = NUMBERS[name].expects if name in NUMBERS else _choices(name)
            yield Setting(name, meanings.SETTINGS[name], expects, _default(name, recipe))


@cache
def _recipe(stage: str) -> Recipe:
    """What a stage does where the file says nothing of it but that it takes steps."""
    if stage == "polish":
        made = lower_polish(None, DEFAULTS["finetune"], "float32", Report())
        assert made is not None
        return made
    return DEFAULTS[stage]  # type: ignore[index]


def _default(name: str, recipe: Recipe) -> str | None:
    if name == "steps" and recipe.epochs is not None:
        return None
    if name == "epochs" and recipe.epochs is not None:
        return f"{recipe.epochs:g}{_bounds(recipe)}"
    if name == "every" and not recipe.every:
        return "about a tenth of the steps"
    return _value_text(name, getattr(recipe, name))


def _bounds(recipe: Recipe) -> str:
    if recipe.most is not None:
        return f", of {recipe.least:,} to {recipe.most:,} steps"
    return f", of at least {recipe.least:,} steps" if recipe.least > 1 else ""


def _value_text(name: str, value: Any) -> str | None:
    match value:
        case None | ():
            return None
        case bool():
            return "on" if value else "off"
        case Optimizer(name=called, learning_rate=rate, options=options):
            given = [f"{rate:g}", *(f"{key} = {number:g}" for key, number in options)]
            return f"{called}({', '.join(given)})"
        case Schedule(name=called, options=options):
            given = [f"{key} = {number:g}" for key, number in options]
            return f"{called}({', '.join(given)})" if given else called
        case float() if name in ("validation", "test"):
            return f"{100 * value:g}%"
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _choices(setting: str) -> str:
    known: Sequence[str] = tuple(OPTIMIZERS if setting == "optimizer" else SCHEDULES)
    return f"one of {', '.join(known)}"
