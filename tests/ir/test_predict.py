"""The posterior over accuracies, against sampling it and against what it must do."""

import numpy as np
import pytest

from wootzc.ir.propose.predict import POINTS, Belief, Seen, believed, prior

DAMAGE = np.linspace(0.0, 4.0, 41)


@pytest.fixture
def start() -> Belief:
    return prior(DAMAGE, teacher=0.9, images=400, chance=0.1)


def simulated(damage: np.ndarray, seed: int, noise: float = 0.005) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 0.9 - 0.05 * damage + rng.normal(0, noise, len(damage))


def test_before_anything_is_seen_less_damage_is_better(start: Belief) -> None:
    expected = start.expected(DAMAGE)
    chance = start.chance(DAMAGE, 0.88)
    assert expected[0] == pytest.approx(0.9, abs=0.005)
    assert (np.diff(expected) < 0).all()
    assert (np.diff(chance) < 0).all()
    assert 0 < chance[-1] < 0.5 < chance[0] < 1


def test_it_learns_the_curve_and_grows_certain(start: Belief) -> None:
    places = [5, 20, 35, 10, 30]
    accuracies = simulated(DAMAGE, seed=1)
    belief = believed(start, [Seen(damage=DAMAGE[i], accuracy=accuracies[i]) for i in places])
    assert belief.expected(DAMAGE) == pytest.approx(0.9 - 0.05 * DAMAGE, abs=0.015)
    assert belief.chance(DAMAGE[[2]], 0.87)[0] > 0.8
    assert belief.chance(DAMAGE[[38]], 0.80)[0] < 0.05


def test_chances_are_calibrated() -> None:
    """Of the candidates said to hold with chance p, a share of about p does."""
    said, held = [], []
    for seed in range(40):
        accuracies = simulated(DAMAGE, seed, noise=0.01)
        belief = prior(DAMAGE, 0.9, images=400, chance=0.1)
        for i in (4, 12, 20, 28, 36):
            belief = belief.given(Seen(damage=DAMAGE[i], accuracy=accuracies[i]))
        said += list(belief.chance(DAMAGE, 0.8))
        held += list(accuracies >= 0.8)
    chance, outcome = np.array(said), np.array(held)
    for low, high in ((0.0, 0.1), (0.1, 0.35), (0.35, 0.65), (0.65, 0.9), (0.9, 1.0)):
        inside = (chance >= low) & (chance <= high)
        assert inside.sum() > 20
        assert low - 0.1 <= outcome[inside].mean() <= high + 0.1, (low, high)


def test_bounds_say_less_than_values_and_on_their_side(start: Belief) -> None:
    at = DAMAGE[[30]]
    exact = start.given(Seen(damage=3.0, accuracy=0.8)).expected(at)[0]
    least = start.given(Seen(damage=3.0, accuracy=0.8, bound="least")).expected(at)[0]
    most = start.given(Seen(damage=3.0, accuracy=0.8, bound="most")).expected(at)[0]
    assert most < exact < least
    assert exact == pytest.approx(0.8, abs=0.02)


def test_improvement_is_the_mean_of_what_lies_above(start: Belief) -> None:
    belief = start.given(Seen(damage=2.0, accuracy=0.8))
    rng = np.random.default_rng(0)
    points = rng.choice(len(belief.weight), 200_000, p=belief.weight)
    drop = belief.drop[points] * (1.0 / belief.scale) ** belief.power[points]
    accuracy = belief.ceiling[points] - drop + rng.normal(0, belief.noise[points])
    expected = belief.expected(np.array([1.0]))[0]
    assert expected == pytest.approx(accuracy.mean(), abs=1e-3)
    chance = belief.chance(np.array([1.0]), 0.86)[0]
    assert chance == pytest.approx((accuracy >= 0.86).mean(), abs=0.01)
    gained = belief.improvement(np.array([1.0]), 0.86)[0]
    assert gained == pytest.approx(np.maximum(accuracy - 0.86, 0).mean(), abs=1e-3)


def test_many_candidates_are_interpolated(start: Belief) -> None:
    many = np.random.default_rng(0).uniform(0, 4, 20 * POINTS)
    few = many[:: 20 * POINTS // 50]
    assert start.chance(many, 0.85)[:: 20 * POINTS // 50] == pytest.approx(
        start.chance(few, 0.85), abs=1e-3
    )


def test_no_damage_at_all_is_no_error() -> None:
    belief = prior(np.zeros(3), teacher=1.0, images=10, chance=0.5)
    assert np.isfinite(belief.expected(np.zeros(3))).all()
    belief = belief.given(Seen(damage=0.0, accuracy=0.0))  # against all that was believed
    assert np.isfinite(belief.chance(np.zeros(3), 0.5)).all()
