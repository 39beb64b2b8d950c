"""What must hold of the recipes, the data and the seeds of a space."""

from collections.abc import Iterator, Mapping, Sequence

from wootzc.ir.layers.signature import FLAG, Kind
from wootzc.ir.plan.places import Place, Problem
from wootzc.ir.space import Sample, Space
from wootzc.ir.space.recipe import OPTIMIZERS, SCHEDULES, FromFile, Recipe
from wootzc.ir.space.recipe_values import NUMBERS, OPTIONS

SPACE: Place = ("space",)
_NONE = ("every", "reconstruct")  # of which there may be none


def recipe_problems(space: Space) -> Iterator[Problem]:
    """Values that training could not go by."""
    match space.teacher:
        case FromFile(recipe=Recipe() as recipe):
            yield from _recipe(recipe, (*SPACE, "teacher", "recipe"))
        case Recipe() as recipe:
            yield from _recipe(recipe, (*SPACE, "teacher"))
        case FromFile():
            pass
    for stage in ("pretrain", "finetune", "polish"):
        if (recipe := getattr(space, stage)) is not None:
            yield from _recipe(recipe, (*SPACE, stage))
    data = space.data
    if not (0 <= data.validation < 1 and 0 <= data.test < 1 and data.validation + data.test < 1):
        yield Problem(
            f"validation {data.validation} and test {data.test} leave no images to train on",
            (*SPACE, "data"),
        )
    if data.limit is not None and data.limit < 1:
        yield Problem(f"a limit of {data.limit} images leaves none", (*SPACE, "data", "limit"))
    if space.augment.crop < 0:
        yield Problem(f"a crop pads by {space.augment.crop} pixels", (*SPACE, "augment"))
    if space.seed < 0:
        yield Problem(f"the seed {space.seed} is below 0", (*SPACE, "seed"))
    if isinstance(space.selection, Sample) and space.selection.seed < 0:
        seed = space.selection.seed
        yield Problem(f"the seed {seed} is below 0", (*SPACE, "selection", "seed"))


def _recipe(recipe: Recipe, at: Place) -> Iterator[Problem]:
    if recipe.steps < 0:  # as many as epochs come to, which may be any number
        yield Problem(f"steps is {recipe.steps}, and must be at least 0", (*at, "steps"))
    for name, kind in NUMBERS.items():
        value = None if name == "steps" else getattr(recipe, name)
        if value is not None and not (value == 0 and name in _NONE):
            yield from _value(name, kind, value, (*at, name))
    optimizer, schedule = recipe.optimizer, recipe.schedule
    rate = (("learning_rate", optimizer.learning_rate), *optimizer.options)
    known = {name: ("learning_rate", *options) for name, options in OPTIMIZERS.items()}
    yield from _options("optimizer", optimizer.name, rate, known, (*at, "optimizer"))
    known = {name: options for name, (_, options) in SCHEDULES.items()}
    yield from _options("schedule", schedule.name, schedule.options, known, (*at, "schedule"))


def _options(
    what: str,
    name: str,
    given: Sequence[tuple[str, float]],
    known: Mapping[str, tuple[str, ...]],
    at: Place,
) -> Iterator[Problem]:
    if name not in known:
        yield Problem(f"there is no {what} {name}: there are {', '.join(known)}", at)
        return
    for option, value in given:
        if option not in known[name]:
            yield Problem(f"{name} has no option {option}", at)
        elif OPTIONS[option] is not FLAG:
            yield from _value(f"{option} of {name}", OPTIONS[option], value, (*at, option))


def _value(what: str, kind: Kind, value: float, at: Place) -> Iterator[Problem]:
    try:
        kind.read(int(value) if value == int(value) else value)
    except (ValueError, OverflowError):
        yield Problem(f"{what} is {value}, and must be {kind.expects}", at)
