"""Training loops: they learn, stop when they should, and give the same numbers every way."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps

import numpy as np
import pytest

from wootzc.backends.bits import packed
from wootzc.backends.data import Dataset
from wootzc.backends.flax.device.parallel import Devices, Function, Strategy
from wootzc.backends.flax.train import runners
from wootzc.backends.flax.train.batches import Progress
from wootzc.backends.flax.train.evaluation import evaluate, labelled_right, predict
from wootzc.backends.flax.train.paused import Paused
from wootzc.backends.flax.train.runners import stride
from wootzc.backends.flax.train.strategy import choose_strategy
from wootzc.backends.flax.train.train import Trained, train
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.diagnostics import WootzError
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe, Schedule

SGD = Optimizer(name="sgd", learning_rate=0.05, options=(("momentum", 0.9),))
SLOW = Optimizer(name="sgd", learning_rate=1e-3)  # rounding does not grow over many steps
RECIPE = Recipe(steps=40, batch=32, optimizer=SGD, every=10)


def close(one: Weights, other: Weights, tolerance: float) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(
            one[name], other[name], rtol=tolerance, atol=tolerance, err_msg=name
        )


@pytest.fixture
def network(zoo: dict[str, Network]) -> Network:
    return zoo["dropout"]


@pytest.fixture
def start(network: Network) -> Weights:
    return initial_weights(network, seed=0)


def test_training_learns_and_repeats_itself_bit_for_bit(
    network: Network, start: Weights, dataset: Dataset
) -> None:
    augment = Augment(flip=True, crop=1)
    said: list[Progress] = []
    one = train(network, start, dataset, RECIPE, augment, seed=3, progress=said.append)
    two = train(network, start, dataset, RECIPE, augment, seed=3)
    assert one.accuracy > 0.8 > 0.6 > one.history[0].accuracy
    assert one.reason == "steps"
    assert one.steps == 40
    assert [look.step for look in one.history] == [0, 10, 20, 30, 40]
    assert one.history[0].loss is None
    assert [p.step for p in said] == [0, 10, 20, 30, 40]
    assert said[-1].accuracy == one.history[-1].accuracy
    assert one.history == two.history
    close(one.weights, two.weights, 0)
    assert evaluate(network, one.weights, dataset.validation) == one.accuracy
    right = labelled_right(network, one.weights, dataset.validation)
    assert [look.right for look in one.history if look.step == one.step] == [packed(right)]
    other = train(network, start, dataset, RECIPE, augment, seed=4)
    assert not np.array_equal(other.weights["plain1/0/kernel"], one.weights["plain1/0/kernel"])


@pytest.mark.parametrize(("strategy", "clip"), [("loop", None), ("loop", 0.5), ("scan", None)])
def test_every_strategy_gives_the_same_numbers(
    network: Network, start: Weights, dataset: Dataset, strategy: Strategy, clip: float | None
) -> None:
    recipe = replace(RECIPE, steps=12, every=12, weight_decay=1e-3, clip=clip)
    guide = (network, initial_weights(network, seed=9))
    recipe = replace(recipe, distill=0.5, temperature=2.0)

    def run(strategy: Strategy) -> Trained:
        return train(
            network,
            start,
            dataset,
            recipe,
            Augment(crop=1),
            seed=3,
            teacher=guide,
            strategy=strategy,
        )

    expected = run("segments")
    got = run(strategy)
    losses = [look.loss for look in got.history[1:]]
    assert losses == pytest.approx([look.loss for look in expected.history[1:]], rel=1e-4)
    close(got.weights, expected.weights, 2e-3)


@pytest.mark.parametrize(
    ("every", "steps", "programs"),
    [(50, 120, {"steps"}), (10, 24, {"steps"}), (53, 106, {"step"})],
)
def test_scanning_compiles_at_most_two_programs(
    network: Network,
    start: Weights,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    every: int,
    steps: int,
    programs: set[str],
) -> None:
    recipe = replace(RECIPE, steps=steps, every=every, batch=8, optimizer=SLOW)
    compiled = traced(monkeypatch)
    got = train(network, start, dataset, recipe, seed=3, strategy="scan")
    assert set(compiled) == programs
    assert len(compiled) == len(programs)
    same(got, train(network, start, dataset, recipe, seed=3, strategy="loop"))


def test_what_chunks_leave_over_runs_step_by_step(
    network: Network, start: Weights, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "chunk_size", lambda distances: 7)
    recipe = replace(RECIPE, steps=24, every=10, batch=8, optimizer=SLOW)
    compiled = traced(monkeypatch)
    got = train(network, start, dataset, recipe, seed=3, strategy="scan")
    assert sorted(compiled) == ["step", "steps"]  # for chunks of 7, 3 and 4 alike
    same(got, train(network, start, dataset, recipe, seed=3, strategy="loop"))


def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of whole-network programs, each as often as JAX traces, hence compiles, it."""
    runners._compiled.cache_clear()
    monkeypatch.setattr(runners, "_compiled", runners._compiled.__wrapped__)
    compiled: list[str] = []
    plain = Devices.compile

    def watched(
        devices: Devices, function: Function, donate: tuple[int, ...] = (), *, whole: bool = False
    ) -> Function:
        @wraps(function)
        def noted(*arguments: object) -> object:
            compiled.append(function.__name__)
            return function(*arguments)

        return plain(devices, noted if whole else function, donate, whole=whole)

    monkeypatch.setattr(Devices, "compile", watched)
    return compiled


def same(got: Trained, expected: Trained) -> None:
    assert [look.step for look in got.history] == [look.step for look in expected.history]
    losses = [look.loss for look in got.history[1:]]
    assert losses == pytest.approx([look.loss for look in expected.history[1:]], rel=1e-4)
    close(got.weights, expected.weights, 2e-3)


def test_compiled_networks_are_let_go(zoo: dict[str, Network], dataset: Dataset) -> None:
    """Candidates are many, and each is another network: memory must not grow with them."""
    recipe = replace(RECIPE, steps=1, every=1, batch=8)
    for number in range(runners.KEPT + 2):
        network = prune_network(zoo["bare"], (number / 10,))
        train(network, initial_weights(network, seed=0), dataset, recipe, seed=0, strategy="loop")
    assert runners._compiled.cache_info().currsize <= runners.KEPT


def test_segments_without_weights_train_too(zoo: dict[str, Network], dataset: Dataset) -> None:
    network = zoo["weightless"]
    recipe = replace(RECIPE, steps=4, weight_decay=1e-3)
    start = initial_weights(network, seed=0)
    one = train(network, start, dataset, recipe, seed=3, strategy="segments")
    two = train(network, start, dataset, recipe, seed=3, strategy="loop")
    close(one.weights, two.weights, 1e-4)


def test_the_strategy_goes_by_the_platform(network: Network) -> None:
    one = Devices(1)
    assert choose_strategy(network, RECIPE, one, shared=True, platform="gpu") == "scan"
    assert choose_strategy(network, RECIPE, one, shared=True, platform="cpu") == "segments"
    assert choose_strategy(network, RECIPE, Devices(8), shared=True, platform="cpu") == "loop"


def test_the_strategy_goes_by_steps_and_by_what_compiling_serves(zoo: dict[str, Network]) -> None:
    def chosen(network: Network, steps: int, batch: int = 32, shared: bool = False) -> Strategy:
        recipe = replace(RECIPE, steps=steps, batch=batch, clip=1.0)
        return choose_strategy(network, recipe, Devices(1), shared=shared, platform="cpu")

    network = zoo["residual"]  # five segments, no two of them alike
    assert [chosen(network, steps, shared=True) for steps in (500, 10_000)] == ["segments", "loop"]
    assert [chosen(network, steps) for steps in (0, 500, 10_000)] == ["loop"] * 3
    stem, module = network.segments[:2]
    deep = replace(network, segments=(stem, *(module,) * 9))
    assert [chosen(deep, steps) for steps in (500, 10_000)] == ["segments", "loop"]
    large = 2**20 // (4 * 6 * 6 * 6) + 1  # images of a batch
    assert [chosen(network, steps, large) for steps in (100, 10_000)] == ["loop", "segments"]
    assert chosen(network, 10_000, large, shared=True) == "segments"


def test_clipping_holds_the_first_step_back(
    network: Network, start: Weights, dataset: Dataset
) -> None:
    recipe = Recipe(steps=1, batch=32, optimizer=Optimizer(learning_rate=1.0), clip=0.01)
    trained = train(network, start, dataset, recipe, seed=0)
    moved = [
        np.sum((trained.weights[n] - start[n]) ** 2)
        for n in start
        if not n.endswith(("mean", "var"))
    ]
    assert trained.step == 1
    assert np.sqrt(sum(moved)) == pytest.approx(0.01, rel=1e-2)


def test_a_target_stops_at_the_first_look_that_meets_it(
    network: Network, start: Weights, dataset: Dataset
) -> None:
    trained = train(network, start, dataset, RECIPE, seed=3, target=0.7)
    assert trained.reason == "target"
    assert trained.accuracy >= 0.7
    assert all(look.accuracy < 0.7 for look in trained.history[:-1])
    again = train(network, trained.weights, dataset, RECIPE, seed=3, target=0.7)
    assert (again.reason, again.steps, len(again.history)) == ("target", 0, 1)
    close(again.weights, trained.weights, 0)


def test_patience_counts_looks_without_a_better_accuracy(
    zoo: dict[str, Network], dataset: Dataset
) -> None:
    network = zoo["bare"]  # without norms nothing at all moves at rate 0
    still = Optimizer(name="sgd", learning_rate=0.0)
    recipe = replace(RECIPE, optimizer=still, patience=2, every=5)
    start = initial_weights(network, seed=0)
    trained = train(network, start, dataset, recipe, seed=3)
    assert trained.reason == "patience"
    assert [look.step for look in trained.history] == [0, 5, 10, 15]  # the first look is no gain
    assert (trained.steps, trained.step) == (15, 15)
    close(trained.weights, start, 0)


def test_patience_waits_until_the_rate_has_decayed(
    zoo: dict[str, Network], dataset: Dataset
) -> None:
    network = zoo["bare"]
    slowest = Optimizer(name="sgd", learning_rate=1e-30)
    cosine = Schedule(name="cosine")  # at a tenth of its peak after 80 % of the steps
    recipe = replace(RECIPE, optimizer=slowest, schedule=cosine, patience=1, every=2)
    trained = train(network, initial_weights(network, seed=0), dataset, recipe, seed=3)
    assert (trained.reason, trained.steps) == ("patience", 32)


def test_the_best_look_is_kept_and_of_equals_the_later(
    network: Network, start: Weights, dataset: Dataset
) -> None:
    trained = train(network, start, dataset, replace(RECIPE, every=4), seed=3)
    best = max(look.accuracy for look in trained.history)
    assert trained.accuracy == best
    assert trained.step == max(look.step for look in trained.history if look.accuracy == best)


def test_a_loss_that_is_no_number_ends_the_run_with_the_best_so_far(
    network: Network, start: Weights, dataset: Dataset
) -> None:
    wild = Optimizer(name="sgd", learning_rate=1e30)
    trained = train(network, start, dataset, replace(RECIPE, optimizer=wild), seed=3)
    assert trained.reason == "diverged"
    assert trained.step == 0
    assert trained.steps == 10
    close(trained.weights, start, 0)


def test_distilling_pulls_towards_the_teacher(
    network: Network, start: Weights, dataset: Dataset
) -> None:
    teacher = train(network, start, dataset, RECIPE, seed=3).weights
    student = initial_weights(network, seed=5)
    recipe = replace(RECIPE, distill=1.0, temperature=2.0)
    taught = train(network, student, dataset, recipe, seed=3, teacher=(network, teacher))
    images = dataset.test.batch(np.arange(75)).images
    goal = predict(network, teacher, images).argmax(axis=1)

    def agreement(weights: Weights) -> float:
        return float(np.mean(predict(network, weights, images).argmax(axis=1) == goal))

    assert agreement(taught.weights) > agreement(student) + 0.2
    with pytest.raises(ValueError, match="teacher"):
        train(network, student, dataset, recipe, seed=3)


def test_evaluation_drops_no_image(
    network: Network, random_weights: Callable[[Network], Weights], dataset: Dataset
) -> None:
    weights = random_weights(network)
    batch = dataset.test.batch(np.arange(75))
    logits = predict(network, weights, batch.images, batch=75)
    accuracy = float(np.mean(logits.argmax(axis=1) == batch.labels))
    for size in (1000, 75, 32):
        right = labelled_right(network, weights, dataset.test, batch=size)
        np.testing.assert_array_equal(right, logits.argmax(axis=1) == batch.labels)
        assert evaluate(network, weights, dataset.test, batch=size) == accuracy
    np.testing.assert_allclose(
        predict(network, weights, batch.images, batch=32), logits, rtol=1e-4, atol=1e-5
    )


def test_weights_that_do_not_fit_are_refused(network: Network, dataset: Dataset) -> None:
    with pytest.raises(WootzError, match="WZ121"):
        train(network, {}, dataset, RECIPE, seed=0)
    with pytest.raises(WootzError, match="WZ121"):
        evaluate(network, {}, dataset.test)


@pytest.mark.parametrize("strategy", ["loop", "segments", "scan"])
def test_a_paused_run_goes_on_as_if_it_had_never_stopped(
    network: Network, start: Weights, dataset: Dataset, strategy: Strategy
) -> None:
    recipe = replace(RECIPE, steps=12, every=3, schedule=Schedule(name="cosine"))
    again = partial(train, network, start, dataset, recipe, seed=3, strategy=strategy)
    whole, run = again(), again(stop=3)
    assert (run.reason, run.steps, whole.state) == ("paused", 3, None)
    for stop in (6, None):
        assert run.state is not None
        there = Paused(step=run.steps, state=run.state, weights=run.weights, history=run.history)
        run = again(stop=stop, paused=there)
    assert (run.reason, run.history) == ("steps", whole.history)
    for name, value in whole.weights.items():
        np.testing.assert_array_equal(run.weights[name], value, err_msg=name)


@pytest.mark.parametrize("strategy", ["loop", "segments", "scan"])
def test_a_run_goes_on_from_wherever_it_was_kept(
    network: Network,
    start: Weights,
    dataset: Dataset,
    strategy: Strategy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between looks too; what it learned before is not learned again."""
    recipe = replace(RECIPE, steps=100, every=40, batch=16, schedule=Schedule(name="cosine"))
    again = partial(train, network, start, dataset, recipe, seed=3, strategy=strategy)
    whole = again()
    monkeypatch.setattr(
        "wootzc.backends.flax.train.train.resized", lambda steps, _, whole: 2 * whole
    )
    there: list[Paused] = []
    assert again(keep=lambda take: there.append(take())).history == whole.history
    chunk = stride(recipe, strategy)
    assert [one.step for one in there[:2]] == [0, chunk]
    between = [one for one in there if one.losses][-1]
    assert len(between.losses) == between.step % recipe.every
    seen: list[int] = []
    for one in (there[1], between, there[-1]):
        run = again(paused=one, keep=lambda take: seen.append(take().step))
        assert run.history == whole.history
        assert all(step > there[1].step for step in seen)
        for name, value in whole.weights.items():
            np.testing.assert_array_equal(run.weights[name], value, err_msg=name)
