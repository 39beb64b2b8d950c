"""Lengths of training once the number of images is known: of all recipes of a space."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from wootzc.diagnostics import fail, told_at
from wootzc.ir.plan.plan import Plan
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import FromFile, Recipe, expected, in_steps

P = TypeVar("P", bound=Plan)


def in_epochs(space: Space) -> bool:
    """Whether any recipe's length follows from the number of images."""
    teacher = space.teacher.recipe if isinstance(space.teacher, FromFile) else space.teacher
    recipes = (teacher, space.pretrain, space.finetune, space.polish)
    return any(recipe is not None and recipe.epochs is not None for recipe in recipes)


def estimated(space: Space, images: int) -> Space:
    """The space with recipes as long as they would be for so many training images.

    What was given in epochs stays so: the images may turn out to be others.
    """
    return _changed(space, lambda _, recipe: expected(recipe, images))


def resolved(plan: P, images: int) -> P:
    """The plan as it is run on so many training images: every recipe in steps.

    Raises `WootzError` where a warm-up takes all the steps that the epochs come to.
    """

    def checked(stage: str, recipe: Recipe) -> Recipe:
        with told_at(plan.space.at(stage)):
            return _checked(recipe, images)

    return replace(plan, space=_changed(plan.space, checked))


def _checked(recipe: Recipe, images: int) -> Recipe:
    done = in_steps(recipe, images)
    warmup = max(1.0, dict(recipe.schedule.options).get("warmup_steps", 1.0))
    if done.schedule.name == "warmup_cosine" and 0 < done.steps <= warmup:
        raise fail(
            "WZ071",
            f"a warm-up of {warmup:,.0f} steps does not fit: {recipe.epochs:g} epochs of "
            f"{images:,} images are {done.steps:,} steps"
            if recipe.epochs is not None
            else f"a warm-up of {warmup:,.0f} steps does not fit into {done.steps:,} steps",
            "give more epochs, or a shorter warm-up",
        )
    return done


def _changed(space: Space, change: Callable[[str, Recipe], Recipe]) -> Space:
    """`change` is given a stage and its recipe."""
    teacher = space.teacher
    match teacher:
        case FromFile(recipe=Recipe() as recipe):
            teacher = replace(teacher, recipe=change("teacher", recipe))
        case Recipe():
            teacher = change("teacher", teacher)
        case FromFile():
            pass
    return replace(
        space,
        teacher=teacher,
        pretrain=change("pretrain", space.pretrain),
        finetune=change("finetune", space.finetune),
        polish=space.polish and change("polish", space.polish),
    )
