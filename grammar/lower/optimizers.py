"""Optimisers and schedules: which options each has, and which values these may have."""

from collections.abc import Iterable

from wootzc.diagnostics import Advice, write
from wootzc.grammar import syntax
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import evaluate, near_value, source_text
from wootzc.grammar.syntax.near_misses import did_you_mean, either, meant
from wootzc.ir.space.recipe import OPTIMIZERS, SCHEDULES, Optimizer, Recipe, Schedule
from wootzc.ir.space.recipe_values import NUMBERS, OPTIONS

_EXAMPLES = {
    "learning_rate": "0.01", "momentum": "0.9", "b1": "0.9", "b2": "0.999", "eps": "1e-8",
    "decay": "0.9", "warmup_steps": "100", "decay_rate": "0.5", "weight_decay": "1e-4",
    "threshold": "5",
}  # fmt: skip


_OPTION_ALIASES = {
    "lr": "learning_rate", "rate": "learning_rate", "step_size": "learning_rate",
    "eta": "learning_rate", "beta1": "b1", "beta2": "b2", "epsilon": "eps", "beta": "momentum",
    "wd": "weight_decay", "warmup": "warmup_steps",
}  # fmt: skip


def read_optimizer(setting: syntax.Setting, report: Report) -> Optimizer | None:
    """`optimizer sgd(0.1, momentum = 0.9)`; None after a mistake, told to `report`."""
    form = "as in `optimizer sgd(0.1, momentum = 0.9)`: first the learning rate"
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
            write(f"{name}({0.1 if name == 'sgd' else 0.001})"),
        )
        return None
    rate = given.pop("learning_rate")
    return Optimizer(name=name, learning_rate=rate, options=tuple(sorted(given.items())))


def read_schedule(setting: syntax.Setting, report: Report) -> Schedule | None:
    """`schedule cosine`; None after a mistake, told to `report`."""
    form = f"as in `schedule cosine`; there are {either(SCHEDULES, 'and')}"
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
        text = setting.value.value if isinstance(setting.value, syntax.Text) else None
        kind = setting.name.text
        report.error(
            setting.span, "WZ079", f"`{kind}` needs a name",
            write(f"{kind} {text}(0.1)" if kind == "optimizer" else f"{kind} {text}")
            if text is not None and text in known else form,
        )  # fmt: skip
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
                write(f"{known[position]} = {source_text(argument.value)}")
                if position < len(known) and known[position] not in given
                else f"options of {name}: {', '.join(f'{k} = …' for k in known)}" if known
                else f"`{name}` takes no options",
            )  # fmt: skip
            good = False
            continue
        if key not in known:
            options = f"options of {name}: {', '.join(known)}"
            near = _OPTION_ALIASES.get(key.lower(), "")
            help = meant(near) if near in known else did_you_mean(key, known, options)
            if key in NUMBERS and argument.name is not None:
                help = _apart(invoke, argument, f"{key} {source_text(argument.value)}", report)
            report.error(
                argument.name.span if argument.name else argument.span, "WZ073",
                f"`{name}` has no option `{key}`",
                help if known else f"`{name}` takes no options",
            )  # fmt: skip
            good = False
            continue
        if key in given:
            report.error(argument.span, "WZ077", f"`{key}` is given twice", "remove one of them")
        value = _option_value(name, key, argument, report)
        if value is None:
            good = False
            continue
        given[key] = value
    return given if good else None


def _apart(
    invoke: syntax.Invoke, argument: syntax.Argument, setting: str, report: Report
) -> Advice:
    """Advice on `sgd(0.1, weight_decay = 1e-4)`."""
    span, cut = invoke.span, remove(argument.span, report).at
    text = report.sources.get(span.file, "")
    assert cut is not None
    rest = text[span.start : cut.start] + text[cut.end : span.end]
    words = f"it is a setting of its own: `{setting}`"
    return Advice(words, f"{rest}; {setting}", at=span)


def _option_value(name: str, key: str, argument: syntax.Argument, report: Report) -> float | None:
    """The checked value; None after an error."""
    value = evaluate(argument.value, {}, report)
    if value is None:
        return None
    kind = OPTIONS[key]
    try:
        return float(kind.read(value))
    except ValueError:
        shown = source_text(argument.value)
        near = near_value(shown, kind.read) if shown.startswith("-0.") else None
        example = near or _EXAMPLES.get(key)
        report.error(
            argument.value.span, "WZ071",
            f"`{key}` of `{name}` must be {kind.expects}, not `{shown}`",
            write(example) if example else None,
        )  # fmt: skip
        return None


def check_warmup(setting: syntax.Setting, recipe: Recipe, report: Report) -> None:
    """optax wants at least one step after the warm-up."""
    if recipe.schedule.name != "warmup_cosine":
        return
    warmup = dict(recipe.schedule.options).get("warmup_steps")
    if recipe.steps < 2:
        report.error(
            setting.span, "WZ071", "`warmup_cosine` needs at least 2 steps, and this stage has 1",
            write("schedule constant", ", or raise `steps`"),
        )  # fmt: skip
    elif warmup is not None and warmup >= recipe.steps:
        report.error(
            setting.span, "WZ071",
            f"a warm-up of {warmup:,.0f} steps does not fit: this stage has {recipe.steps:,} steps",
            write(
                f"schedule warmup_cosine(warmup_steps = {max(1, recipe.steps // 20)})",
                ", or raise `steps`",
            ),
        )  # fmt: skip
