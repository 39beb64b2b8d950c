"""What each job depends on: an edit changes the keys of what it touches, and no others."""

from pathlib import Path
from typing import Any

import pytest

from wootzc.builder.jobs.keys import Keys
from wootzc.driver import compile
from wootzc.ir.plan.lengths import resolved

T, B, C = "teacher", "blocks", "candidates"


def keys(text: str, overrides: dict[str, str], fingerprint: str = "data") -> dict[str, set[str]]:
    """Keys by kind. Blocks and candidates are compared as sets: their numbers mean nothing."""
    plan = compile(text, overrides=overrides)
    made = Keys(plan, fingerprint)
    return {
        T: {made.teacher},
        B: {made.block(number) for number in range(len(plan.blocks or ()))},
        C: {made.candidate(number, 0.9) for number in range(len(plan.candidates or ()))},
    }


@pytest.fixture(scope="module")
def text(make_space: Any) -> str:
    return Path(make_space()).read_text()


CHANGES: list[tuple[dict[str, str], set[str]]] = [
    ({"seed": "9"}, {T, B, C}),
    ({"augment": "{ flip }"}, {T, B, C}),
    ({"teacher.steps": "61"}, {T, B, C}),
    ({"teacher.batch": "16"}, {T, B, C}),
    ({"pretrain.steps": "11"}, {B, C}),
    ({"pretrain.optimizer": "sgd(0.03)"}, {B, C}),
    ({"pretrain.every": "7"}, set()),  # only paces reports
    ({"finetune.steps": "21"}, {C}),
    ({"finetune.every": "5"}, {C}),
    ({"finetune.temperature": "3"}, set()),  # nothing is distilled
    ({"finetune.distill": "0.5"}, {C}),
    ({"prune": "a*, b* by l2"}, {B, C}),
    ({"multiple": "7"}, {B, C}),
    ({"multiple": "1"}, set()),
    ({"keep": "add"}, set()),  # what leaves a module was kept before
    ({"explore": "all"}, set()),
]


@pytest.mark.parametrize(("overrides", "changed"), CHANGES, ids=[str(c[0]) for c in CHANGES])
def test_an_override_changes_the_keys_of_what_it_touches(
    text: str, overrides: dict[str, str], changed: set[str]
) -> None:
    before, after = keys(text, {}), keys(text, overrides)
    for kind in (T, B, C):
        if kind in changed:
            assert not before[kind] & after[kind], kind
        else:
            assert before[kind] == after[kind], kind


@pytest.mark.parametrize(
    ("old", "new"),
    [("tiny", "other_name"), ("basic", "residual"), ("space quadrants", "space renamed")],
)
def test_names_that_mean_nothing_change_nothing(text: str, old: str, new: str) -> None:
    assert keys(text, {}) == keys(text.replace(old, new), {})


def test_other_data_change_everything(text: str) -> None:
    before, after = keys(text, {}), keys(text, {}, fingerprint="other")
    assert not any(before[kind] & after[kind] for kind in (T, B, C))


def test_a_wider_network_changes_everything(text: str) -> None:
    before, after = keys(text, {}), keys(text.replace("basic(16", "basic(24"), {})
    assert not any(before[kind] & after[kind] for kind in (T, B, C))


def test_a_new_rate_adds_keys_and_keeps_the_old_ones(text: str) -> None:
    before, after = keys(text, {}), keys(text, {"rates": "{ 50%, 75%, 85% }"})
    assert all(before[kind] <= after[kind] for kind in (T, B, C))
    assert len(after[B]) == 9 and len(after[C]) == 27


def test_a_constraint_removes_candidates_and_changes_no_key(text: str) -> None:
    before, after = keys(text, {}), keys(text, {"where": "nondecreasing(a1..b1)"})
    assert after[C] < before[C] and after[T] == before[T]


def test_a_target_belongs_to_a_candidate(text: str) -> None:
    made = Keys(compile(text), "data")
    assert made.candidate(0, 0.9) != made.candidate(0, 0.8) != made.candidate(0, None)


def test_a_run_that_passed_over_its_target_is_a_job_of_its_own(text: str) -> None:
    made = Keys(compile(text), "data")
    assert len({made.candidate(0, 0.9, 20, passed) for passed in (None, 0, 10)}) == 3


def test_blocks_belong_to_a_candidate(text: str) -> None:
    """A default network and an assembled one of equal rates are different jobs."""
    assert not keys(text, {})[C] & keys(text, {"blocks": "none"})[C]


def test_the_criterion_of_a_module_at_rate_zero_does_not_matter(text: str) -> None:
    kept = text.replace("  all\n", "  keep a1\n  all\n")
    other = kept.replace("prune a*, b* by l1", "prune a2, b* by l1\n  prune a1 by l2")
    assert keys(kept, {}) == keys(other, {})


def test_a_length_in_epochs_is_the_job_that_its_steps_are(text: str) -> None:
    in_epochs = {"finetune.epochs": "3", "teacher.epochs": "10"}
    plans = [
        resolved(compile(text, overrides=overrides), 160)
        for overrides in (in_epochs, {"finetune.steps": "15", "teacher.steps": "50"})
    ]
    one, other = (Keys(plan, "data") for plan in plans)
    assert one.teacher == other.teacher
    assert one.candidate(0, 0.9) == other.candidate(0, 0.9)
    assert Keys(resolved(plans[0], 1), "data").teacher == one.teacher
