"""Epochs become steps, and looks get their pace."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from wootzc.diagnostics import WootzError
from wootzc.ir.plan import Plan
from wootzc.ir.plan.lengths import estimated, in_epochs, resolved
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import FromFile, Recipe, Schedule, expected, in_steps, pace

SIX = Recipe(steps=7, epochs=6, batch=50)


@pytest.mark.parametrize(
    ("recipe", "images", "steps"),
    [
        (SIX, 1000, 120),
        (SIX, 1001, 121),  # the last batch of an epoch that does not come out even
        (SIX, 1, 1),
        (replace(SIX, epochs=0.001), 1000, 1),
        (replace(SIX, epochs=0.7), 1000, 14),
        (replace(SIX, least=100), 10, 100),
        (replace(SIX, least=100, most=2000), 10**6, 2000),
        (Recipe(steps=33), 1000, 33),
    ],
)
def test_epochs_come_to_steps_within_their_bounds(recipe: Recipe, images: int, steps: int) -> None:
    assert expected(recipe, images) == replace(recipe, steps=steps)
    assert in_steps(recipe, images).steps == steps


def test_what_comes_to_the_same_is_equal_however_it_was_written() -> None:
    same = replace(SIX, steps=120, epochs=None, every=12)
    assert in_steps(SIX, 1000) == same
    assert in_steps(replace(SIX, least=100, most=2000), 1000) == same
    assert in_steps(same, 5) == same
    assert in_steps(replace(SIX, every=7), 1000) == replace(same, every=7)


@pytest.mark.parametrize(
    ("steps", "every"), [(0, 10), (1, 10), (60, 10), (100, 10), (101, 11), (2000, 200)]
)
def test_a_run_has_about_ten_looks(steps: int, every: int) -> None:
    assert pace(steps) == every


def test_every_recipe_of_a_space_is_counted(make_space: Callable[..., Space]) -> None:
    recipes = {"teacher": SIX, "pretrain": SIX, "finetune": SIX, "polish": SIX}
    space = make_space(2, **recipes)
    assert in_epochs(space) and not in_epochs(make_space(2))
    for name in recipes:
        assert getattr(estimated(space, 100), name) == replace(SIX, steps=12)
        assert getattr(resolved(Plan(space=space), 100).space, name) == in_steps(SIX, 100)
    read = replace(space, teacher=FromFile(path="x.onnx", recipe=SIX))
    assert estimated(read, 100).teacher == FromFile(path="x.onnx", recipe=replace(SIX, steps=12))
    bare = replace(space, teacher=FromFile(path="x.onnx"), polish=None)
    assert (estimated(bare, 100).teacher, estimated(bare, 100).polish) == (bare.teacher, None)
    # What was resolved stays as it is, whatever the number of images.
    assert resolved(resolved(Plan(space=space), 100), 900) == resolved(Plan(space=space), 100)


@pytest.mark.parametrize("options", [(), (("warmup_steps", 12.0),)])
def test_a_warm_up_as_long_as_the_epochs_is_refused(
    make_space: Callable[..., Space], options: tuple[tuple[str, float], ...]
) -> None:
    warm = replace(SIX, schedule=Schedule(name="warmup_cosine", options=options))
    plan = Plan(space=make_space(2, finetune=warm))
    assert resolved(plan, 1000).space.finetune.steps == 120
    with pytest.raises(WootzError, match=r"a warm-up of .* does not fit: 6 epochs"):
        resolved(plan, 100 if options else 5)
