"""Recipes: how the teacher, the blocks and the candidates are trained."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from wootzc.grammar import syntax
from wootzc.grammar.arguments import (
    AMOUNT,
    COUNT,
    FLAGS,
    PART,
    POSITIVE,
    REAL,
    SHARE,
    Kind,
)  # fmt: skip
from wootzc.grammar.names import did_you_mean, either
from wootzc.grammar.report import Report
from wootzc.grammar.settings import read_settings, setting_value
from wootzc.grammar.values import Value, evaluate
from wootzc.ir.recipe import OPTIMIZERS, SCHEDULES, Optimizer, Recipe, Schedule

StageName: TypeAlias = Literal["teacher", "pretrain", "finetune"]

DEFAULTS: dict[StageName, Recipe] = {
    "teacher": Recipe(
        steps=1000,
        optimizer=Optimizer(name="sgd", learning_rate=0.1, options=(("momentum", 0.9),)),
        schedule=Schedule(name="cosine"),
        weight_decay=1e-4,
    ),
    "pretrain": Recipe(
        steps=200,
        optimizer=Optimizer(name="sgd", learning_rate=0.05, options=(("momentum", 0.9),)),
    ),
    "finetune": Recipe(
        steps=400,
        optimizer=Optimizer(name="sgd", learning_rate=0.01, options=(("momentum", 0.9),)),
        patience=5,
    ),
}

_NUMBERS: dict[str, Kind] = {
    "steps": COUNT,
    "batch": COUNT,
    "weight_decay": AMOUNT,
    "clip": POSITIVE,
    "label_smoothing": PART,
    "every": COUNT,
    "patience": COUNT,
    "distill": SHARE,
    "temperature": POSITIVE,
}
SETTINGS = (*_NUMBERS, "optimizer", "schedule")

# Settings that a stage has no use for, and why.
_USELESS: dict[StageName, dict[str, str]] = {
    "teacher": {
        "distill": "the teacher has no teacher of its own",
        "temperature": "the teacher has no teacher of its own",
    },
    "pretrain": {
        "distill": "blocks learn the teacher's activations as it is",
        "temperature": "blocks learn the teacher's activations as it is",
        "label_smoothing": "blocks learn the teacher's activations, not labels",
        "patience": "blocks are not tested, so nothing could run out of patience",
    },
    "finetune": {},
}
ALIASES = {
    "lr": "optimizer sgd(0.1)", "learning_rate": "optimizer sgd(0.1)", "batch_size": "batch 64",
    "epochs": "steps 600", "iterations": "steps 600", "max_iter": "steps 600",
    "momentum": "optimizer sgd(0.1, momentum = 0.9)", "decay": "weight_decay 1e-4",
    "alpha": "distill 0.5",
}  # fmt: skip


def lower_recipe(stage: StageName, settings: syntax.Settings | None, report: Report) -> Recipe:
    """The stage's default recipe with what the file says instead. Mistakes keep the default."""
    default = DEFAULTS[stage]
    if settings is None:
        return default
    changes: dict[str, Any] = {}
    for setting in read_settings(settings, SETTINGS, stage, report, hints=ALIASES):
        name = setting.name.text
        if name in _USELESS[stage]:
            report.error(
                setting.name.span, "WZ074",
                f"`{name}` has no meaning in `{stage}`: {_USELESS[stage][name]}",
                "remove it, or move it to `finetune`",
            )  # fmt: skip
        elif name == "optimizer":
            changes[name] = _optimizer(setting, report)
        elif name == "schedule":
            changes[name] = _schedule(setting, report)
        else:
            changes[name] = setting_value(setting, _NUMBERS[name], report)
    return _with(default, {k: v for k, v in changes.items() if v is not None})


def _with(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    values = {name: getattr(recipe, name) for name in Recipe.__dataclass_fields__}
    return Recipe(**{**values, **changes})


def _optimizer(setting: syntax.Setting, report: Report) -> Optimizer | None:
    form = "write `optimizer sgd(0.1, momentum = 0.9)`: first the learning rate"
    invoke = _invoked(setting, OPTIMIZERS, form, report)
    if invoke is None:
        return None
    name = invoke.name.text
    parameters = ("learning_rate", *OPTIMIZERS[name])
    given = _options(invoke, parameters, positional=1, report=report)
    if given is None:
        return None
    if "learning_rate" not in given:
        report.error(
            invoke.name.span,
            "WZ079",
            f"`{name}` needs a learning rate",
            f"write `{name}({0.1 if name == 'sgd' else 0.001})`",
        )
        return None
    rate = given.pop("learning_rate")
    if rate <= 0:
        report.error(invoke.span, "WZ071", "the learning rate must be above 0", form)
        return None
    return Optimizer(name=name, learning_rate=rate, options=tuple(sorted(given.items())))


def _schedule(setting: syntax.Setting, report: Report) -> Schedule | None:
    form = f"write `schedule cosine`; there are {either(SCHEDULES, 'and')}"
    invoke = _invoked(setting, {k: v[1] for k, v in SCHEDULES.items()}, form, report)
    if invoke is None:
        return None
    given = _options(invoke, SCHEDULES[invoke.name.text][1], positional=0, report=report)
    if given is None:
        return None
    return Schedule(name=invoke.name.text, options=tuple(sorted(given.items())))


def _invoked(
    setting: syntax.Setting, known: Iterable[str], form: str, report: Report
) -> syntax.Invoke | None:
    """The optimiser or schedule that a setting names, if there is one of that name."""
    if not isinstance(setting.value, syntax.Invoke):
        report.error(setting.span, "WZ079", f"`{setting.name.text}` needs a name", form)
        return None
    name = setting.value.name
    if name.text not in known:
        report.error(
            name.span, "WZ072", f"there is no {setting.name.text} `{name.text}`",
            did_you_mean(name.text, known),
        )  # fmt: skip
        return None
    return setting.value


def _options(
    invoke: syntax.Invoke, known: tuple[str, ...], *, positional: int, report: Report
) -> dict[str, float] | None:
    """Options by name; booleans as 0.0 and 1.0. None after an error."""
    name = invoke.name.text
    given: dict[str, float] = {}
    good = True
    for position, argument in enumerate(invoke.arguments or ()):
        if argument.name is not None:
            key = argument.name.text
        elif position < positional:
            key = known[position]
        else:
            report.error(
                argument.span, "WZ073", f"this option of `{name}` needs its name",
                f"options of {name}: {', '.join(f'{k} = …' for k in known)}" if known
                else f"`{name}` takes no options",
            )  # fmt: skip
            good = False
            continue
        if key not in known:
            help = did_you_mean(key, known, f"options of {name}: {', '.join(known)}")
            report.error(
                argument.span, "WZ073", f"`{name}` has no option `{key}`",
                help if known else f"`{name}` takes no options",
            )  # fmt: skip
            good = False
            continue
        if key in given:
            report.error(argument.span, "WZ077", f"`{key}` is given twice", "remove one of them")
        value = _option_value(evaluate(argument.value, {}, report))
        if value is None:
            good = False
            report.error(
                argument.value.span, "WZ071", f"`{key}` of `{name}` must be a number",
                "or `true` and `false` where it is a switch",
            )  # fmt: skip
            continue
        given[key] = value
    return given if good else None


def _option_value(value: Value | None) -> float | None:
    if isinstance(value, str):
        return float(FLAGS[value]) if value in FLAGS else None
    try:
        return None if value is None else float(REAL.read(value))
    except ValueError:
        return None
