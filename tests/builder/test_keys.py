"""What each job depends on: an edit changes the keys of what it touches, and no others."""

from pathlib import Path
from typing import Any

import pytest

from wootzc.builder.jobs.keys import Keys
from wootzc.driver import compile
from wootzc.ir.net.rate import triple
from wootzc.ir.plan.lengths import resolved
from wootzc.ir.space.narrow import begins_trunk

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


RESIDUAL = """
module unit { add { { conv(3x3, 8); norm; relu; conv(3x3, 8); norm } { } }; relu }
network n {
  input(8x8x3)
  conv(3x3, 8); norm; relu
  unit as a1
  conv(3x3, 8); norm; relu
  unit as b1
  global_pool; dense(2)
}
space s over n {
  data "x.npz"; teacher { steps 9 }; rates { 0, 50% }; multiple of 1
  narrow t1 by CRITERION; narrow t2 by OTHER
  minimize params; subject to accuracy >= 50%
}
"""


def trunks_judged_by(criterion: str, other: str) -> tuple[set[str], set[str]]:
    """Keys of candidates that cut some trunk, and of those that cut none."""
    text = RESIDUAL.replace("CRITERION", criterion).replace("OTHER", other)
    made = Keys(compile(text), "data")
    cut: tuple[set[str], set[str]] = (set(), set())
    for number in range(len(made.plan.candidates)):
        whole = not any(isinstance(rate, tuple) for rate in made.rates(number))
        cut[whole].add(made.candidate(number, 0.9))
    return cut


def test_what_judges_each_trunk_is_told_apart() -> None:
    """A set of what judges the trunks beside a module would be the same for both of these."""
    cut, whole = trunks_judged_by("l1", "l2")
    exchanged, same = trunks_judged_by("l2", "l1")
    assert cut and whole == same
    assert not cut & exchanged


DENSE = """
module step(growth) { concat { { conv(3x3, growth); norm; relu } { } } }
network n {
  input(8x8x1)
  conv(3x3, 32); norm; relu
  step(12) as a[1..2]
  conv(3x3, 32); norm; relu
  global_pool; dense(10)
}
space s over n {
  data "x.npz"; teacher { steps 10 }; rates { 0, 50% }
  narrow t* rates { 0, 25% }
  MULTIPLE
  minimize params; subject to accuracy >= 50%
}
"""


def trunk_scores(multiple: str) -> dict[str, str]:
    """Keys of the scores of trunks, by the module that each leaves first."""
    made = Keys(compile(DENSE.replace("MULTIPLE", multiple)), "data")
    modules = made.space.network.modules
    begins = begins_trunk(made.space.network)
    return {
        modules[m].name: made.score(m, (0.0, 0.0, 0.25), 512, 512)
        for m in range(len(modules))
        if begins[m] and any(triple(made.space.rates[p])[2] for p in made.space.choices[m])
    }


def test_the_score_of_a_trunk_goes_by_all_modules_that_it_runs_through() -> None:
    """`multiple of 8` reaches what the steps add, by default only what is wider."""
    before, after = trunk_scores(""), trunk_scores("multiple of 8")
    assert before and before.keys() == after.keys()
    assert not {*before.values()} & {*after.values()}


def test_runs_are_not_gone_on_with_by_another_version_of_a_library(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of a paused run are numbered arrays, which another version may number anew."""
    made = Keys(compile(text), "data")
    paused, ended = made.candidate(1, 0.9, stop=10), made.candidate(1, 0.9)
    monkeypatch.setattr("wootzc.builder.jobs.keys.made_with", lambda: {"optax": "99"})
    again = Keys(compile(text), "data")
    assert again.candidate(1, 0.9, stop=10) != paused
    assert again.candidate(1, 0.9) == ended
