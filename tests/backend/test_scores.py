"""Scores are those of the teacher with one pruned module in it, and cost no compilation."""

from collections.abc import Callable, Iterator

import jax
import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax

from wootzc.backends.data import Dataset
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.train import scores as scoring
from wootzc.backends.flax.train.evaluation import evaluate, predict
from wootzc.backends.flax.train.scores import Score, score_variants
from wootzc.backends.flax.train.segments import compiled_evaluate
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import Pruner, Variant, prune_weights
from wootzc.backends.weights.widen import widen_weights
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import Criterion

Random = Callable[[Network], Weights]


def one_pruned(
    network: Network, weights: Weights, variant: Variant, criterion: Criterion, seed: int
) -> tuple[Network, Weights]:
    """The network with one module pruned, and its weights changed since."""
    count = len(network.modules)
    rates = [variant[1] if number == variant[0] else 0.0 for number in range(count)]
    small = prune_network(network, tuple(rates))
    sliced = prune_weights(network, weights, rates, [criterion] * count, seed=seed)
    name = network.modules[variant[0]].name
    changed = {n: v * np.float32(1.1) for n, v in sliced.items() if n.startswith(f"{name}/")}
    return small, sliced | changed


def own_weights(network: Network, weights: Weights, variant: Variant) -> Weights:
    name = network.modules[variant[0]].name
    return {n: v for n, v in weights.items() if n.startswith(f"{name}/")}


@pytest.mark.parametrize("kind", ["residual", "squeeze", "grouped", "flatten"])
def test_a_score_is_that_of_the_network_with_one_variant(
    zoo: dict[str, Network],
    random_weights: Random,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    """75 images in batches of 32, the last one filled up."""
    monkeypatch.setattr(scoring, "batch_for", lambda _: 32)
    network, weights = zoo[kind], random_weights(zoo[kind])
    count = len(network.modules)
    variants: list[Variant] = [
        (number, rate) for rate in (0.5, 0.3) for number in reversed(range(count))
    ]
    pruned = {v: one_pruned(network, weights, v, "random", 3) for v in variants}
    images = dataset.validation.batch(np.arange(75))
    own: dict[Variant, Weights] = {v: own_weights(network, pruned[v][1], v) for v in variants}
    pruner = Pruner(network, weights, ["random"] * count, seed=3)
    found = dict(score_variants(pruner, own, images))
    assert list(found) == sorted(variants, key=lambda variant: variant[0])
    expected = predict(network, weights, images.images).astype(np.float64)
    for variant, (small, values) in pruned.items():
        logits = predict(small, values, images.images).astype(np.float64)
        losses = rel_entr(softmax(expected, axis=1), softmax(logits, axis=1)).sum(axis=1)
        assert found[variant].loss == pytest.approx(losses.mean(), rel=1e-3)
        right = np.argmax(logits, axis=1) == images.labels
        assert found[variant].accuracy == pytest.approx(right.mean())
        assert found[variant].loss > 1e-4


def test_the_teacher_itself_does_no_damage(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset
) -> None:
    network, weights = zoo["residual"], random_weights(zoo["residual"])
    images = dataset.validation.batch(np.arange(75))
    whole: dict[Variant, Weights] = {(1, 0.0): own_weights(network, weights, (1, 0.0))}
    ((_, score),) = score_variants(Pruner(network, weights, ["l1"] * 3), whole, images)
    assert score == Score(loss=0, accuracy=evaluate(network, weights, dataset.validation))


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """Grows by one with every program that XLA compiles."""
    seen: list[str] = []

    def listen(event: str, duration_secs: float, **more: str | int) -> None:
        if event.endswith("backend_compile_duration"):
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def test_only_the_teacher_is_compiled(
    zoo: dict[str, Network], random_weights: Random, dataset: Dataset, compiled: list[str]
) -> None:
    network, weights = zoo["residual"], random_weights(zoo["residual"])
    images = dataset.validation.batch(np.arange(75))
    variants: dict[Variant, Weights] = {
        (number, rate): own_weights(
            network,
            one_pruned(network, weights, (number, rate), "l1", 0)[1],
            (number, rate),
        )
        for number in range(3)
        for rate in (0.3, 0.5)
    }
    rates = [0.5, 0.3, 0.5]
    sliced = prune_weights(network, weights, rates, ["l1"] * 3)
    compiled_evaluate.cache_clear()
    evaluate(network, weights, dataset.validation)
    assert len(compiled) >= len(structures(network))
    compiled.clear()
    pruner = Pruner(network, weights, ["l1"] * 3)
    list(score_variants(pruner, variants, images))
    assert len(compiled) <= 1  # the comparison of logits, unless an earlier test compiled it
    compiled.clear()
    turned = dict(reversed(variants.items()))
    list(score_variants(pruner, turned, images))
    wide = widen_weights(pruner, sliced, rates)
    evaluate(network, wide, dataset.validation)
    assert not compiled


@pytest.mark.parametrize("criterion", ["l1", "random"])
def test_a_network_at_full_width_gives_what_the_pruned_one_does(
    any_network: Network, random_weights: Random, dataset: Dataset, criterion: Criterion
) -> None:
    weights = random_weights(any_network)
    count = len(any_network.modules)
    rates, criteria = [0.5] * count, [criterion] * count
    small = prune_network(any_network, tuple(rates))
    sliced = prune_weights(any_network, weights, rates, criteria, seed=4)
    images = dataset.validation.batch(np.arange(75)).images
    wide = widen_weights(Pruner(any_network, weights, criteria, seed=4), sliced, rates)
    found = evaluate(any_network, wide, dataset.validation)
    assert found == evaluate(small, sliced, dataset.validation)
    expected = predict(small, sliced, images)
    np.testing.assert_allclose(
        predict(any_network, wide, images), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
    )


def test_divergences_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    teacher, logits = (30 * rng.normal(size=(2, 8, 5))).astype(np.float32)
    labels, weights = rng.integers(0, 5, 8), (np.arange(8) < 6).astype(np.float32)
    loss, right, count = scoring.compare_logits(logits, teacher, labels, weights)  # type: ignore[arg-type]
    expected, given = (log_softmax(a.astype(np.float64), axis=1)[:6] for a in (teacher, logits))
    assert float(loss) == pytest.approx((np.exp(expected) * (expected - given)).sum(), rel=1e-5)
    assert float(right) == (logits.argmax(axis=1) == labels)[:6].sum()
    assert float(count) == 6
