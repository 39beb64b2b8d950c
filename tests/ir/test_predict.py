"""The posterior over accuracies, against sampling it and against what it must do."""

import numpy as np
import pytest
from scipy.special import ndtr

from wootzc.ir.propose.predict import POINTS, Belief, believed, prior

DAMAGE = np.linspace(0.0, 4.0, 41)


@pytest.fixture
def start() -> Belief:
    return prior(DAMAGE, teacher=0.9, images=400, chance=0.1)


def simulated(damage: np.ndarray, seed: int, noise: float = 0.005) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.9 - 0.05 * damage + rng.normal(0, noise, len(damage))


def chance(belief: Belief, damage: np.ndarray, accuracy: float) -> np.ndarray:
    return np.asarray(ndtr((belief.expected(damage) - accuracy) / belief.error(damage)))


def test_before_anything_is_seen_less_damage_is_better(start: Belief) -> None:
    expected = start.expected(DAMAGE)
    assert expected[0] == pytest.approx(0.9, abs=0.005)
    assert (np.diff(expected) < 0).all()
    assert (np.diff(start.error(DAMAGE)) > 0).all()


def test_it_learns_the_curve_and_grows_certain(start: Belief) -> None:
    accuracies = simulated(DAMAGE, seed=1)
    belief = believed(start, [(DAMAGE[i], accuracies[i]) for i in (5, 20, 35, 10, 30)])
    assert belief.expected(DAMAGE) == pytest.approx(0.9 - 0.05 * DAMAGE, abs=0.015)
    assert chance(belief, DAMAGE[[2]], 0.87)[0] > 0.8
    assert chance(belief, DAMAGE[[38]], 0.80)[0] < 0.05


def test_chances_are_calibrated() -> None:
    """Of the candidates said to hold with chance p, a share of about p does."""
    said, held = [], []
    for seed in range(40):
        accuracies = simulated(DAMAGE, seed, noise=0.01)
        belief = prior(DAMAGE, 0.9, images=400, chance=0.1)
        belief = believed(belief, [(DAMAGE[i], accuracies[i]) for i in (4, 12, 20, 28, 36)])
        said += list(chance(belief, DAMAGE, 0.8))
        held += list(accuracies >= 0.8)
    chances, outcome = np.array(said), np.array(held)
    for low, high in ((0.0, 0.1), (0.1, 0.35), (0.35, 0.65), (0.65, 0.9), (0.9, 1.0)):
        inside = (chances >= low) & (chances <= high)
        assert inside.sum() > 20
        assert low - 0.1 <= outcome[inside].mean() <= high + 0.1, (low, high)


def test_mean_and_error_are_those_of_the_curves(start: Belief) -> None:
    belief = start.given(2.0, 0.8)
    rng = np.random.default_rng(0)
    points = rng.choice(len(belief.weight), 200_000, p=belief.weight)
    drop = belief.drop[points] * (1.0 / belief.scale) ** belief.power[points]
    accuracy = belief.ceiling[points] - drop + rng.normal(0, belief.noise[points])
    at = np.array([1.0])
    assert belief.expected(at)[0] == pytest.approx(accuracy.mean(), abs=1e-3)
    assert belief.error(at)[0] == pytest.approx(accuracy.std(), rel=0.02)


def test_many_candidates_are_interpolated(start: Belief) -> None:
    many = np.random.default_rng(0).uniform(0, 4, 20 * POINTS)
    few = many[:: 20 * POINTS // 50]
    for value in (start.expected, start.error):
        assert value(many)[:: 20 * POINTS // 50] == pytest.approx(value(few), abs=1e-3)


def test_no_damage_at_all_is_no_error() -> None:
    belief = prior(np.zeros(3), teacher=1.0, images=10, chance=0.5)
    assert np.isfinite(belief.expected(np.zeros(3))).all()
    belief = belief.given(0.0, 0.0)  # against all that was believed
    assert np.isfinite(belief.error(np.zeros(3))).all()
