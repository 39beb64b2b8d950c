"""Recipes: how the teacher, the blocks and the candidates are trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import (  # fmt: skip
    COUNT,
    FLAGS,
    Kind,
    whole,
)
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.report import Report
from wootzc.grammar.lower.optimizers import check_warmup, read_optimizer, read_schedule
from wootzc.grammar.lower.settings import read_settings, setting_value
from wootzc.ir.space.recipe import (  # fmt: skip
    NOMINAL_IMAGES,
    Optimizer,
    Precision,
    Recipe,
    Schedule,
    expected,
)
from wootzc.ir.space.recipe_values import NUMBERS

StageName: TypeAlias = Literal["teacher", "pretrain", "finetune", "polish"]

_COSINE = Schedule(name="cosine")

# What a stage does where the file says nothing. The steps of those in epochs follow from the number
# of images, within the bounds given.
DEFAULTS: dict[Literal["teacher", "pretrain", "finetune"], Recipe] = {
    "teacher": Recipe(
        steps=0,
        epochs=30.0,
        least=1000,
        optimizer=Optimizer(name="sgd", learning_rate=0.1, options=(("momentum", 0.9),)),
        schedule=_COSINE,
        weight_decay=1e-4,
    ),
    "pretrain": Recipe(
        steps=200,
        optimizer=Optimizer(name="sgd", learning_rate=0.05, options=(("momentum", 0.9),)),
        schedule=_COSINE,
    ),
    "finetune": Recipe(
        steps=0,
        epochs=3.0,
        least=100,
        most=2000,
        optimizer=Optimizer(name="sgd", learning_rate=0.05, options=(("momentum", 0.9),)),
        schedule=_COSINE,
        clip=1.0,  # networks without norms diverge without it; and any rate near this one will do
    ),
}
# The last training of the winner: how many times longer than fine-tuning, and what it takes from
# the teacher beside the labels.
POLISH, DISTILL, TEMPERATURE = 2, 0.5, 4.0

SETTINGS = (*NUMBERS, "optimizer", "schedule")
UNITS = {"reconstruct": ("images", "image")}

# Of `pretrain`, which may solve least squares instead of taking steps, or before it.
_NO_STEPS = whole(0)
_STEPS = Kind(f"{COUNT.expects}, or 0 beside `reconstruct`", COUNT.read)
_LENGTHS = ("steps", "epochs")
_OF_STEPS = ("optimizer", "schedule", "weight_decay", "clip", "every")

# Settings that a stage has no use for, and why.
USELESS: dict[StageName, dict[str, str]] = {
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
    "polish": {"reconstruct": "least squares refits blocks before candidates are assembled"},
}
ALIASES = {  # {} is the value that was written
    "lr": "optimizer sgd({})", "learning_rate": "optimizer sgd({})", "rate": "optimizer sgd({})",
    "momentum": "optimizer sgd(0.1, momentum = {})", "optim": "optimizer {}", "opt": "optimizer {}",
    "sgd": "optimizer sgd({})", "adam": "optimizer adam({})", "adamw": "optimizer adamw({})",
    "batch_size": "batch {}", "batchsize": "batch {}", "bs": "batch {}", "minibatch": "batch {}",
    "images": "batch {}", "epoch": "epochs {}", "num_epochs": "epochs {}", "n_epochs": "epochs {}",
    "max_epochs": "epochs {}", "passes": "epochs {}", "iterations": "steps {}", "iters": "steps {}",
    "max_iter": "steps {}", "num_steps": "steps {}", "updates": "steps {}",
    "decay": "weight_decay {}", "wd": "weight_decay {}", "l2": "weight_decay {}",
    "regularization": "weight_decay {}", "smoothing": "label_smoothing {}",
    "grad_clip": "clip {}", "clip_norm": "clip {}", "clipping": "clip {}",
    "gradient_clipping": "clip {}", "early_stopping": "patience {}", "alpha": "distill {}",
    "kd": "distill {}", "distillation": "distill {}", "temp": "temperature {}",
    "tau": "temperature {}", "scheduler": "schedule {}", "lr_schedule": "schedule {}",
    "warmup": "schedule warmup_cosine(warmup_steps = {})", "cosine": "schedule cosine",
    "validate": "every {}", "eval_every": "every {}",
}  # fmt: skip


def lower_recipe(
    stage: StageName,
    settings: syntax.Settings | None,
    precision: Precision,
    report: Report,
    default: Recipe | None = None,
) -> Recipe:
    """The stage's default recipe with what the file says instead. Mistakes keep the default.

    Blocks of which the file says nothing are solved by least squares alone: nearly as good a start
    as steps are, in a fraction of the time (benchmarks/README.md). Other settings ask for steps.
    """
    if default is None:
        assert stage != "polish", "it follows from fine-tuning"
        default = DEFAULTS[stage]
    default = expected(replace(default, precision=precision), NOMINAL_IMAGES)
    if settings is None or not settings.settings:
        return replace(default, steps=0, reconstruct=512) if stage == "pretrain" else default
    changes: dict[str, Any] = {}
    given: dict[str, syntax.Setting] = {}
    kinds = NUMBERS
    if stage == "pretrain":
        solved = any(setting.name.text == "reconstruct" for setting in settings.settings)
        kinds = {**NUMBERS, "steps": _NO_STEPS if solved else _STEPS}
        changes = {"steps": 0} if solved else {}
    for setting in read_settings(settings, SETTINGS, stage, report, hints=ALIASES, units=UNITS):
        name = setting.name.text
        given[name] = setting
        if name in USELESS[stage]:
            report.error(
                setting.name.span, "WZ074",
                f"`{name}` has no meaning in `{stage}`: {USELESS[stage][name]}",
                remove(
                    setting.span, report, "remove it, or move it to "
                    f"`{'pretrain' if name == 'reconstruct' else 'finetune'}`",
                ),
            )  # fmt: skip
        elif name == "optimizer":
            changes[name] = read_optimizer(setting, report)
        elif name == "schedule":
            changes[name] = read_schedule(setting, report)
        else:
            changes[name] = setting_value(setting, kinds[name], report)
    if given.keys() >= {*_LENGTHS}:
        report.error(
            given["epochs"].span, "WZ195", "the length is given twice, in steps and in epochs",
            "keep one of the two",
        )  # fmt: skip
    _warn_without_distill(given, changes, default, report)
    known = {name: value for name, value in changes.items() if value is not None}
    if not known.keys().isdisjoint(_LENGTHS):  # the bounds are those of the default's epochs
        known = {"epochs": None, "least": 1, "most": None} | known
    recipe = expected(replace(default, **known), NOMINAL_IMAGES)
    if recipe.steps == 0:
        _warn_without_steps(given, report)
    elif recipe.epochs is None and "schedule" in known and changes.get("steps", 0) is not None:
        check_warmup(given["schedule"], recipe, report)
    return recipe


def lower_polish(
    stage: syntax.Stage | None, finetune: Recipe, precision: Precision, report: Report
) -> Recipe | None:
    """How the winner is trained on: as it was fine-tuned, but longer, unless the file says else."""
    if stage is not None and stage.word is not None:
        match FLAGS.get(stage.word.text):
            case False:
                return None
            case None:
                report.error(
                    stage.word.span, "WZ058", f"`polish` cannot be `{stage.word.text}`",
                    write("off", ", or settings in braces: `polish { epochs 10 }`"),
                )  # fmt: skip
            case True:
                pass
    default = replace(
        finetune,
        steps=POLISH * finetune.steps,
        epochs=finetune.epochs and POLISH * finetune.epochs,
        least=POLISH * finetune.least if finetune.epochs else 1,
        most=finetune.most and POLISH * finetune.most,
        schedule=_COSINE,
        every=0,
        patience=None,
        distill=finetune.distill or DISTILL,
        temperature=finetune.temperature if finetune.distill else TEMPERATURE,
    )
    settings = stage.settings if stage else None
    return lower_recipe("polish", settings, precision, report, default)


def settings_of(stage: syntax.Stage | None, report: Report) -> syntax.Settings | None:
    """What stands in the braces of a stage that cannot be left out."""
    if stage is not None and stage.word is not None:
        report.error(
            stage.word.span, "WZ058", f"`{stage.name}` has settings, and cannot be turned off",
            f"as in `{stage.name} {{ … }}`" + ("; without blocks: `blocks none`"
                                               if stage.name == "pretrain" else ""),
        )  # fmt: skip
        return None
    return stage.settings if stage else None


def _warn_without_distill(
    given: Mapping[str, syntax.Setting],
    changes: Mapping[str, Any],
    default: Recipe,
    report: Report,
) -> None:
    """A temperature softens what the teacher says, which only `distill` listens to."""
    setting = given.get("temperature")
    if setting is None or changes.get("distill", default.distill):
        return
    if changes.get("temperature") is None:  # it is wrong, or useless here, as has been said
        return
    end = setting.span.end
    report.warn(
        setting.span, "WZ053", "`temperature` has no effect without `distill`",
        Advice("write `distill 0.5` beside it, or remove it", "; distill 0.5",
               at=Span(setting.span.file, end, end)),
    )  # fmt: skip


def _warn_without_steps(given: Mapping[str, syntax.Setting], report: Report) -> None:
    for name in _OF_STEPS:
        if name in given:
            report.warn(
                given[name].span, "WZ053",
                f"`{name}` has no effect: without steps, `reconstruct` solves least squares alone",
                "add `steps 200` to train after it, or remove this",
            )  # fmt: skip
