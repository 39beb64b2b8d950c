"""Recipes: how the teacher, the blocks and the candidates are trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from wootzc.grammar import syntax
from wootzc.grammar.arguments import (
    AMOUNT,
    COUNT,
    PART,
    POSITIVE,
    SHARE,
    Kind,
    whole,
)  # fmt: skip
from wootzc.grammar.optimizers import check_warmup, read_optimizer, read_schedule
from wootzc.grammar.report import Report
from wootzc.grammar.settings import read_settings, setting_value
from wootzc.ir.recipe import Optimizer, Precision, Recipe, Schedule

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
    "reconstruct": COUNT,
}
SETTINGS = (*_NUMBERS, "optimizer", "schedule")
_UNITS = {"reconstruct": ("images", "image")}

# Of `pretrain`, which may solve least squares instead of taking steps, or before it.
_NO_STEPS = whole(0)
_STEPS = Kind(f"{COUNT.expects}, or 0 beside `reconstruct`", COUNT.read)
_OF_STEPS = ("optimizer", "schedule", "weight_decay", "clip", "every")

# Settings that a stage has no use for, and why.
_USELESS: dict[StageName, dict[str, str]] = {
    "teacher": {
        "distill": "the teacher has no teacher of its own",
        "temperature": "the teacher has no teacher of its own",
        "reconstruct": "least squares refits pruned blocks to the teacher",
    },
    "pretrain": {
        "distill": "blocks learn the teacher's activations as it is",
        "temperature": "blocks learn the teacher's activations as it is",
        "label_smoothing": "blocks learn the teacher's activations, not labels",
        "patience": "blocks are not tested, so nothing could run out of patience",
    },
    "finetune": {"reconstruct": "least squares refits blocks before candidates are assembled"},
}
ALIASES = {
    "lr": "optimizer sgd(0.1)", "learning_rate": "optimizer sgd(0.1)", "batch_size": "batch 64",
    "epochs": "steps 600", "iterations": "steps 600", "max_iter": "steps 600",
    "momentum": "optimizer sgd(0.1, momentum = 0.9)", "decay": "weight_decay 1e-4",
    "alpha": "distill 0.5",
}  # fmt: skip


def lower_recipe(
    stage: StageName, settings: syntax.Settings | None, precision: Precision, report: Report
) -> Recipe:
    """The stage's default recipe with what the file says instead. Mistakes keep the default.

    Blocks of which the file says nothing are solved by least squares alone: nearly as good a start
    as steps are, in a fraction of the time (benchmarks/README.md). Other settings ask for steps.
    """
    default = replace(DEFAULTS[stage], precision=precision)
    if settings is None or not settings.settings:
        return replace(default, steps=0, reconstruct=512) if stage == "pretrain" else default
    changes: dict[str, Any] = {}
    given: dict[str, syntax.Setting] = {}
    kinds = _NUMBERS
    if stage == "pretrain":
        solved = any(setting.name.text == "reconstruct" for setting in settings.settings)
        kinds = {**_NUMBERS, "steps": _NO_STEPS if solved else _STEPS}
        changes = {"steps": 0} if solved else {}
    for setting in read_settings(settings, SETTINGS, stage, report, hints=ALIASES, units=_UNITS):
        name = setting.name.text
        given[name] = setting
        if name in _USELESS[stage]:
            report.error(
                setting.name.span, "WZ074",
                f"`{name}` has no meaning in `{stage}`: {_USELESS[stage][name]}",
                f"remove it, or move it to `{'pretrain' if name == 'reconstruct' else 'finetune'}`",
            )  # fmt: skip
        elif name == "optimizer":
            changes[name] = read_optimizer(setting, report)
        elif name == "schedule":
            changes[name] = read_schedule(setting, report)
        else:
            changes[name] = setting_value(setting, kinds[name], report)
    recipe = replace(default, **{k: v for k, v in changes.items() if v is not None})
    if recipe.steps == 0:
        _warn_without_steps(given, report)
    elif None not in (changes.get("steps", 0), changes.get("schedule")):
        check_warmup(given["schedule"], recipe, report)
    return recipe


def _warn_without_steps(given: Mapping[str, syntax.Setting], report: Report) -> None:
    for name in _OF_STEPS:
        if name in given:
            report.warn(
                given[name].span, "WZ053",
                f"`{name}` has no effect: without steps, `reconstruct` solves least squares alone",
                "add `steps 200` to train after it, or remove this",
            )  # fmt: skip
