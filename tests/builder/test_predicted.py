"""The predicted search, driven by simulated fine-tuning: what it tries, and when it ends."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

import wootzc
from wootzc.backends.bits import packed
from wootzc.backends.flax.train.batches import looks
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.keys import Keys
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.pauses import passed
from wootzc.builder.jobs.store import Done, Outcome
from wootzc.builder.jobs.variant_jobs import Damage
from wootzc.builder.search import judging
from wootzc.builder.search.explore import explore
from wootzc.builder.search.judging import Judgement
from wootzc.builder.search.jury import Jury
from wootzc.builder.search.search import Search
from wootzc.builder.search.tried import SearchResult
from wootzc.ir.plan import Plan
from wootzc.ir.space.recipe import Augment, Recipe

SPACE = """
module plain(width) { conv(3x3, width); norm; relu; conv(3x3, width); norm; relu }
network net { input(8x8x3); conv(3x3, 8); plain(8) as a[1..6]; global_pool; dense(10) }
space s over net {
  data "none.npz"
  rates { 0, 25%, 50%, 75% }
  prune a*
  sample 200 seed 3
  finetune { steps 400; every 50 }
  polish off
  GOAL
  explore EXPLORE
}
"""
LEAST = "minimize params; subject to accuracy >= 85%"


@dataclass
class Simulated:
    """What a search asks of `Jobs`; accuracy falls with the damage, by a known law."""

    plan: Plan
    accuracy: Callable[[float, int], float]  # (damage, candidate) → accuracy after fine-tuning
    blind: float = 0.0  # error of the scores, as a share of each
    slow: float = 0.1  # accuracy that fine-tuning brings
    gain: float = 0.0  # that polishing brings
    pace: float = 1.0  # seconds that each fine-tuning says it took
    looked: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    stops: list[int | None] = field(default_factory=list)
    width: int = 1
    apart: bool = False

    space = property(lambda self: self.plan.space)
    events = property(lambda self: Events())
    dataset = property(
        lambda self: SimpleNamespace(
            train=range(IMAGES), validation=range(IMAGES), classes=tuple(range(10))
        )
    )
    keys = property(lambda self: Keys(self.plan, "data"))

    @property
    def variants(self) -> Any:
        found = Damage(table=self.scores, parts={})
        return SimpleNamespace(scores=lambda teacher, choices: found)

    @cached_property
    def damage(self) -> Any:
        """True damage of each variant: later modules matter less."""
        weight = np.linspace(1.0, 0.3, 6)[:, None]
        return weight * np.array([0.0, 0.1, 0.3, 0.8])

    @cached_property
    def scores(self) -> Any:
        noise = np.random.default_rng(5).normal(1, self.blind, self.damage.shape)
        return self.damage * np.maximum(noise, 0.1)

    def truth(self, candidate: int) -> float:
        assert self.plan.candidates is not None
        row = self.plan.candidates.values[candidate]
        return self.accuracy(float(self.damage[range(6), row].sum()), candidate)

    def blocks(self, *_: object) -> dict[int, Outcome]:
        return {}

    def begin(
        self,
        numbers: Sequence[int],
        _teacher: Any,
        _blocks: Any,
        target: float | None,
        stops: Mapping[int, int],
        earlier: Mapping[int, Outcome],
    ) -> list[Future[Outcome]]:
        self.asked += numbers
        self.stops += [stops.get(number) for number in numbers]
        begun: list[Future[Outcome]] = [Future() for _ in numbers]
        for number, one in zip(numbers, begun, strict=True):
            one.set_result(self._outcome(number, target, stops.get(number), earlier.get(number)))
        return begun

    def outcome(self, candidate: Future[Outcome]) -> Outcome:
        return candidate.result()

    def recalled(self, outcome: Outcome) -> Outcome:
        return replace(outcome, done=replace(outcome.done, weights={}))

    def stop(self) -> None: ...

    def look_at(self, candidates: Sequence[int], *_: Any) -> list[Outcome]:
        self.looked += candidates
        return [self._outcome(candidate, None, 0, None) for candidate in candidates]

    def _outcome(
        self, number: int, target: float | None, stop: int | None, earlier: Outcome | None
    ) -> Outcome:
        """Accuracy rises towards its end by a law that the search does not know.

        From the further down the more was removed: the full network starts at its end.
        """
        begun = 0 if earlier is None else int(earlier.done.result["steps"])
        passed_over = -1 if earlier is None else begun  # it takes a step at least
        steps, reason, last = self.space.finetune.steps, "steps", self.truth(number)
        assert self.plan.candidates is not None
        row = self.plan.candidates.values[number]
        below = self.slow * float(self.damage[range(6), row].sum())
        history = []
        for step in (0, *looks(steps, self.space.finetune.every)):
            look = looked(step, last - below * (1 - step / steps) ** 2, number)
            history.append(look)
            if target is not None and step > passed_over and look["accuracy"] >= target:
                reason = "target"
                break
            if step == stop:
                reason = "paused"
                break
        best = max(look["accuracy"] for look in history)
        result: dict[str, Any] = {"accuracy": best, "start_accuracy": history[0]["accuracy"]}
        result |= {"steps": step, "reason": reason, "history": history, "begun": begun}
        result |= {"asked": target}
        done = Done(key=str(number), result=result, seconds=self.pace, weights={})
        return Outcome(done=done, reused=False)

    def begin_polish(self, of: str, *_: object) -> Future[Outcome]:
        last = self.truth(int(of))
        history = [looked(step, last + self.gain, int(of)) for step in (0, 800)]
        result = {"accuracy": history[1]["accuracy"], "steps": 800, "reason": "steps"}
        done = Done(key="polish", result={**result, "history": history}, seconds=2.0, weights={})
        future: Future[Outcome] = Future()
        future.set_result(Outcome(done=done, reused=False))
        return future


IMAGES = 1000


def looked(step: int, accuracy: float, candidate: int) -> dict[str, Any]:
    """A look: the images that are easier than others are labelled right, but for some noise."""
    hard = np.arange(IMAGES) + np.random.default_rng([candidate, step]).normal(0, 30, IMAGES)
    right = np.argsort(np.argsort(hard)) < round(accuracy * IMAGES)
    return {"step": step, "accuracy": float(right.mean()), "right": packed(right), "loss": 0.1}


def simulated(
    goal: str = LEAST,
    explore: str = "predicted",
    noise: float = 0.003,
    sample: str = "sample 200 seed 3",
    **options: Any,
) -> Simulated:
    text = SPACE.replace("GOAL", goal).replace("EXPLORE", explore)
    plan = wootzc.compile(text.replace("sample 200 seed 3", sample))
    draws = np.random.default_rng(7).normal(0, noise, 1000)
    return Simulated(plan, lambda damage, c: 0.93 - 0.06 * damage + draws[c], **options)


RESIDUAL = SPACE.replace(
    "conv(3x3, width); norm; relu; conv(3x3, width); norm; relu",
    "add { { conv(3x3, width); norm; relu; conv(3x3, width); norm } {} }; relu",
)


@dataclass
class Skipping(Simulated):
    """To leave a module out damages less than three quarters of it, and is never made good."""

    lost: float = 0.02  # accuracy, for every module that is left out

    @cached_property
    def damage(self) -> Any:
        weight = np.linspace(1.0, 0.3, 6)[:, None]
        return weight * np.array([0.0, 0.1, 0.3, 0.8, 0.4])

    def truth(self, candidate: int) -> float:
        assert self.plan.candidates is not None
        skipped = int((self.plan.candidates.values[candidate] == 4).sum())
        return super().truth(candidate) - self.lost * skipped


def begun(jobs: Simulated) -> Search:
    result = {"accuracy": 0.93, "history": [looked(0, 0.93, 10_000)]}
    done = Done(key="t", result=result, seconds=0.0, weights={})
    return Search(jobs=cast(Jobs, jobs), teacher=Outcome(done=done, reused=False))


def searched(jobs: Simulated) -> SearchResult:
    return explore(begun(jobs))


@pytest.mark.parametrize("blind", [0.0, 0.3])
def test_it_finds_nearly_the_smallest_with_few_tries(blind: float) -> None:
    sizes, steps = [], []
    for seed in range(3, 7):
        sample = f"sample 200 seed {seed}"
        first = searched(simulated(explore="ascending", sample=sample))
        found = searched(simulated(blind=blind, sample=sample))
        assert found.best.met and found.ended == "ruled out"
        sizes.append(found.best.costs["params"] / first.best.costs["params"])
        taken, other = (sum(one.steps for one in run.tried) for run in (found, first))
        steps.append(taken / other)
    assert np.median(sizes) <= 1.05 and max(sizes) <= 1.25
    assert np.median(steps) <= 1 / 3


@pytest.mark.parametrize("blind", [0.0, 0.2])
def test_certified_it_gives_the_answer_of_ascending(blind: float) -> None:
    first = searched(simulated(explore="ascending"))
    found = searched(simulated(explore="predicted; certify 95%", blind=blind))
    assert found.best.costs["params"] == first.best.costs["params"]
    assert found.ended in ("certified", "all")
    assert len(found.tried) < len(first.tried)
    assert found.left is not None and found.left.chance <= 0.05


def test_a_budget_ends_it_with_what_was_not_ruled_out() -> None:
    found = searched(simulated(explore="predicted; budget 2 candidates"))
    assert found.ended == "budget" and len(found.tried) == 2 and found.best.met
    assert found.left is not None and found.left.open > 0
    assert found.left.likeliest[0].forecast.chance >= found.left.likeliest[-1].forecast.chance
    assert all(one.costs["params"] < found.best.costs["params"] for one in found.left.likeliest)


def test_weights_of_what_was_tried_are_left_to_the_store() -> None:
    jobs = simulated(explore="predicted; budget 3 candidates")
    search = begun(jobs)
    explore(search)
    assert len(search.trials.outcomes) == 3
    assert all(one.done.weights is None for one in search.trials.outcomes.values())


def test_a_time_that_is_over_still_leaves_one_candidate() -> None:
    found = searched(simulated(explore="predicted; budget 0.000001 seconds"))
    assert found.ended == "budget" and len(found.tried) == 1


def test_a_limit_beyond_reach_is_given_up_after_the_least_damaged() -> None:
    jobs = simulated("minimize params; subject to accuracy >= 99%")
    found = searched(jobs)
    assert not found.best.met and found.ended == "ruled out"
    assert len(found.tried) < 20
    least = min(range(200), key=lambda c: -jobs.truth(c) if c in jobs.asked else 1.0)
    assert found.best.candidate == least


@pytest.mark.parametrize("seed", [3, 13])
def test_modules_that_may_be_left_out_make_no_answer_larger(seed: int) -> None:
    """What is learned of them is not believed of candidates that keep all modules."""
    text = RESIDUAL.replace("GOAL", LEAST).replace("EXPLORE", "predicted; skip a*")
    plan = wootzc.compile(text.replace("seed 3", f"seed {seed}"))
    assert plan.candidates is not None
    draws = np.random.default_rng(7).normal(0, 0.003, 1000)
    jobs = Skipping(plan, lambda damage, c: 0.93 - 0.06 * damage + draws[c])
    whole = begun(jobs)
    skipping = (plan.candidates.values == 4).any(axis=1)
    whole.order[:] = [c for c in whole.order if not skipping[c]]
    least, found = explore(whole).best, searched(jobs).best
    assert least.met and found.met
    assert found.costs["params"] <= least.costs["params"]
    assert any(skipping[c] for c in jobs.looked)


@pytest.mark.parametrize("explore", ["predicted", "predicted; certify 95%"])
def test_one_is_tried_however_hopeless_all_are(explore: str) -> None:
    found = searched(simulated("minimize params; subject to accuracy >= 100%", explore))
    assert found.tried and not found.best.met


FULL = "0, 0, 0, 0, 0, 0"
SMALLER = "75%, 75%, 75%, 75%, 75%, 75%"


@pytest.mark.parametrize("rows", [f"[{FULL}]", f"[{FULL}] [{SMALLER}]"])
@pytest.mark.parametrize("explore", ["predicted", "predicted; certify 95%", "ascending"])
def test_what_is_as_large_as_the_network_is_tried_at_last(rows: str, explore: str) -> None:
    sample = f"configs {{ {rows} }}"
    jobs = simulated("minimize params; subject to accuracy >= 92%", explore, sample=sample)
    found = searched(jobs)
    assert found.best.met and not any(found.best.rates)


def test_a_search_that_needs_its_whole_budget_was_not_ended_by_it() -> None:
    free = searched(simulated())
    for more in (0, 1):
        budget = f"predicted; budget {len(free.tried) + more} candidates"
        held = searched(simulated(explore=budget))
        assert held.tried == free.tried
    assert held.ended == free.ended == "ruled out"


def test_a_limit_that_all_meet_ends_at_the_smallest() -> None:
    found = searched(simulated("minimize params; subject to accuracy >= 20%"))
    assert found.best.costs["params"] == min(one.costs["params"] for one in found.tried)
    assert len(found.tried) <= 4
    assert found.ended == "all"  # nothing smaller is left


def test_accuracy_is_maximised_under_a_limit_of_cost() -> None:
    goal = "maximize accuracy; subject to params <= 60%"
    everything = searched(simulated(goal, "all"))
    found = searched(simulated(goal))
    assert found.best.accuracy >= everything.best.accuracy - 0.004
    assert len(found.tried) < len(everything.tried) / 3


def test_several_at_once_give_as_good_an_answer() -> None:
    one, four = searched(simulated()), searched(simulated(width=4))
    assert four.best.costs["params"] <= 1.05 * one.best.costs["params"]
    steps = [sum(one.steps for one in run.tried) for run in (one, four)]
    assert steps[1] / 4 <= steps[0]  # of each device


def test_a_run_goes_on_where_it_was_paused_and_never_starts_anew() -> None:
    jobs = simulated(slow=0.05, noise=0.02, blind=0.5)
    searched(jobs)
    rungs: dict[int, list[int | None]] = {}
    for candidate, stop in zip(jobs.asked, jobs.stops, strict=True):
        rungs.setdefault(candidate, []).append(stop)
    for stops in rungs.values():  # the last goes on where what it was asked for has risen
        assert stops == [200, None, None][: len(stops)]
    assert len({len(stops) for stops in rungs.values()}) > 1


def test_the_winner_is_no_run_that_was_paused() -> None:
    goals = [LEAST, "minimize params; subject to accuracy >= 99%", "maximize accuracy"]
    for goal in [*goals, "minimize params"]:
        assert searched(simulated(goal)).best.reason != "paused"


class Remembering(Simulated):
    """Jobs whose key was seen before are not run again. Looks are as they are in `train`."""

    def _outcome(
        self, number: int, target: float | None, stop: int | None, earlier: Outcome | None
    ) -> Outcome:
        assert len(self.asked) < 100, "it goes round in circles"
        key = self.keys.candidate(number, target, stop, passed(earlier, target))
        if key not in self.remembered:
            last = -1 if earlier is None else int(earlier.done.result["steps"])
            recipe, history, reason = self.space.finetune, [], "steps"
            for step in (0, *looks(recipe.steps, recipe.every)):
                history.append(looked(step, 0.9, number))
                if step > last and target is not None and history[-1]["accuracy"] >= target:
                    reason = "target"
                    break
            result = {"accuracy": 0.9, "start_accuracy": 0.9, "steps": step, "reason": reason}
            result |= {"history": history, "begun": max(last, 0), "asked": target}
            done = Done(key=key, result=result, seconds=1.0, weights={})
            self.remembered[key] = Outcome(done=done, reused=False)
        return self.remembered[key]

    @cached_property
    def remembered(self) -> dict[str, Outcome]:
        return {}


def test_a_run_that_reached_what_was_asked_but_does_not_hold_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is asked for stays the same: the judge knows more of the run than was guessed."""
    monkeypatch.setattr(judging, "margin", lambda *_: 0)
    goal = "minimize params; subject to accuracy >= 89% with confidence 95%"
    one = simulated(goal, sample=f"configs {{ [{SMALLER}] }}")
    jobs = Remembering(one.plan, one.accuracy)
    found = searched(jobs)
    assert not found.best.met
    assert (found.best.reason, found.best.steps) == ("steps", jobs.space.finetune.steps)


@pytest.mark.parametrize("order", ["predicted", "all"])
def test_an_interrupt_while_it_judges_leaves_what_was_known_before(
    monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    jobs, judge, calls = simulated(explore=order), Jury.judge, count()

    def interrupted(jury: Jury, runs: Any) -> Any:
        if next(calls) == 6:
            raise KeyboardInterrupt
        return judge(jury, runs)

    monkeypatch.setattr(Jury, "judge", interrupted)
    result = {"accuracy": 0.93, "history": [looked(0, 0.93, 10_000)]}
    done = Done(key="t", result=result, seconds=0.0, weights={})
    search = Search(jobs=cast(Jobs, jobs), teacher=Outcome(done=done, reused=False))
    with pytest.raises(KeyboardInterrupt):
        explore(search)
    assert {one.candidate for one in search.tried} == {*search.trials.outcomes}
    for one in search.tried:
        stored = search.trials.outcomes[one.candidate].done.result
        assert (one.steps, one.accuracy) == (stored["steps"], stored["accuracy"])


def test_a_run_that_just_missed_is_polished_and_so_is_the_winner() -> None:
    recipe = Recipe(steps=800)
    plain, gained = simulated(noise=0.01), simulated(noise=0.01, gain=0.02)
    for jobs in (plain, gained):
        jobs.plan = replace(jobs.plan, space=replace(jobs.plan.space, polish=recipe))
    same, better = searched(plain), searched(gained)
    assert same.best.reason == better.best.reason == "polished"
    assert better.best.costs["params"] <= same.best.costs["params"]
    polished = [one for one in better.tried if one.reason == "polished"]
    assert all(one.steps > 800 for one in polished)
    assert better.best.accuracy > jobs.truth(better.best.candidate)
    untouched = searched(simulated(noise=0.01))
    assert same.best.costs["params"] <= untouched.best.costs["params"]


def test_polishing_never_undoes_what_held(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = simulated(gain=0.02)
    jobs.plan = replace(jobs.plan, space=replace(jobs.plan.space, polish=Recipe(steps=800)))
    judge = Jury.judge

    def strict(self: Jury, runs: Any) -> Judgement:
        """No polished run holds."""
        found = judge(self, runs)
        polished = [result["reason"] == "polished" for _, result in runs]
        held = zip(found.runs, polished, strict=True)
        return replace(found, runs=tuple(replace(v, holds=v.holds and not p) for v, p in held))

    monkeypatch.setattr(Jury, "judge", strict)
    found = searched(jobs)
    assert found.best.met and found.best.reason != "polished"


def test_it_goes_on_until_the_next_try_is_expected_to_save_little() -> None:
    tries = {}
    for until in (0.1, 0.01, 0.0001):
        jobs = simulated(noise=0.01)
        jobs.plan = replace(jobs.plan, space=replace(jobs.plan.space, until=until))
        tries[until] = len(searched(jobs).tried)
    assert tries[0.1] < tries[0.01] < tries[0.0001]


def test_in_order_the_first_that_meets_ends_it_whatever_runs_beside() -> None:
    one = searched(simulated(explore="ascending"))
    four = searched(simulated(explore="ascending", width=4))
    assert (four.best, four.ended) == (one.best, "met")
    assert four.tried == one.tried
    short = searched(simulated(explore="ascending; budget 5 candidates", width=4))
    assert short.ended == "budget" and len(short.tried) == 5


def test_what_held_is_the_answer_where_nothing_holds_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = Jury.judge
    held: list[int] = []

    def spoilt(self: Jury, runs: Any) -> Judgement:
        """Beside one more than those with which something held first nothing does."""
        found = judge(self, runs)
        held.extend(len(runs) for run in found.runs if run.holds)
        spoils = bool(held) and len(runs) > held[0]
        return replace(
            found, runs=tuple(replace(v, holds=v.holds and not spoils) for v in found.runs)
        )

    monkeypatch.setattr(Jury, "judge", spoilt)
    found = searched(simulated(noise=0.01, blind=0.5, explore="predicted; budget 12 candidates"))
    assert found.best.met and found.verdict.holds
    assert found.among == held[0] < len(found.tried)
    assert [one.met for one in found.tried].count(True) == 1


def test_before_it_is_begun_a_candidate_is_looked_at() -> None:
    jobs = simulated(blind=0.5, noise=0.01)
    found = searched(jobs)
    assert {*jobs.asked} <= {*jobs.looked} and len(jobs.looked) == len({*jobs.looked})
    assert {one.candidate for one in found.tried} == {*jobs.asked}  # only looked at is not tried
    assert len(jobs.looked) > len({*jobs.asked})


def test_nothing_is_polished_that_a_budget_leaves_no_time_for() -> None:
    for budget, polished in (("100 hours", True), ("30 minutes", False)):
        jobs = simulated(explore=f"predicted; budget {budget}", pace=3600.0, gain=0.02)
        jobs.plan = replace(jobs.plan, space=replace(jobs.plan.space, polish=Recipe(steps=800)))
        found = searched(jobs)
        assert any(one.reason == "polished" for one in found.tried) == polished


def test_a_teacher_that_is_shown_each_image_once_takes_no_time_of_every_step() -> None:
    jobs = simulated(explore="predicted; budget 1 hours")
    search = begun(jobs)
    recipe = Recipe(steps=800, batch=50, distill=0.5)
    assert search._teacher_passes(replace(recipe, distill=0.0)) == 0
    assert search._teacher_passes(recipe) == IMAGES / 50
    jobs.plan = replace(jobs.plan, space=replace(jobs.plan.space, augment=Augment(flip=True)))
    assert search._teacher_passes(recipe) == 800  # each step shows it other pixels


# On a cluster


@dataclass
class OnCluster(Simulated):
    """Workers that need not wait for each other. Notes how many answers each choice knew."""

    apart: bool = True
    begun: list[Future[Outcome]] = field(default_factory=list)
    answered: int = 0
    known: list[int] = field(default_factory=list)
    stopped: int = 0
    polished: list[int] = field(default_factory=list)  # places of these, of all that were begun

    def begin(self, numbers: Sequence[int], *more: Any) -> list[Future[Outcome]]:
        self.known += [self.answered] * len(numbers)
        new = super().begin(numbers, *more)
        self.begun += new
        return new

    def begin_polish(self, of: str, *more: object) -> Future[Outcome]:
        self.known.append(self.answered)
        self.polished.append(len(self.begun))
        new = super().begin_polish(of, *more)
        self.begun.append(new)
        return new

    def outcome(self, candidate: Future[Outcome]) -> Outcome:
        assert candidate is self.begun[self.answered], "answers are taken as they were begun"
        self.answered += 1
        return super().outcome(candidate)

    def stop(self) -> None:
        self.stopped = len(self.begun) - self.answered
        del self.begun[self.answered :]


def on_cluster(width: int, explore: str, polish: Recipe | None = None) -> OnCluster:
    one = simulated(explore=explore, noise=0.003 if polish is None else 0.01)
    plan = replace(one.plan, space=replace(one.plan.space, polish=polish))
    return OnCluster(plan, one.accuracy, width=width, gain=0.02)


SEARCHES = ["predicted", "ascending"]
SEARCHES += [f"{explore}; budget 9 candidates" for explore in ("all", "predicted")]


@pytest.mark.parametrize("polish", [None, Recipe(steps=800)], ids=["", "polish"])
@pytest.mark.parametrize("explore", SEARCHES)
def test_one_worker_searches_as_one_machine_does(explore: str, polish: Recipe | None) -> None:
    worker = on_cluster(1, explore, polish)
    alone = Simulated(worker.plan, worker.accuracy, gain=worker.gain)
    one, other = searched(alone), searched(worker)
    assert one == other
    assert (alone.asked, alone.stops) == (worker.asked, worker.stops)


@pytest.mark.parametrize("explore", SEARCHES)
def test_what_is_chosen_depends_on_the_answers_a_window_before(explore: str) -> None:
    """Choice k + W knows answers 1 … k, and waits for no more while more may be begun."""
    width = 4
    jobs = on_cluster(width, explore)
    found = searched(jobs)
    late = [max(0, place + 1 - width) for place in range(len(jobs.known))]
    assert all(known >= least for known, least in zip(jobs.known, late, strict=True))
    assert jobs.known[:9] == late[:9]
    assert found.best.met or explore == "all; budget 9 candidates"
    if "budget" in explore:
        assert len(found.tried) == 9
    if explore == "ascending":  # those behind the answer are dropped
        first = searched(simulated(explore=explore))
        assert found.best.candidate == first.best.candidate
        assert len(found.tried) == len(first.tried) and jobs.stopped == width - 1
    else:
        assert jobs.answered == len(jobs.begun)


def test_others_begin_while_one_is_polished() -> None:
    jobs = on_cluster(4, "predicted", Recipe(steps=800))
    found = searched(jobs)
    assert jobs.polished and jobs.answered == len(jobs.begun)
    late = [max(0, place + 1 - jobs.width) for place in range(len(jobs.known))]
    assert all(known >= least for known, least in zip(jobs.known, late, strict=True))
    beside = [place for place in jobs.polished if place + 1 in range(len(jobs.known))]
    assert any(jobs.known[place + 1] <= place for place in beside)
    again = on_cluster(4, "predicted", Recipe(steps=800))
    assert (searched(again), again.asked) == (found, jobs.asked)
