"""Another searcher over a compiled space: Optuna proposes, wootzc says what a proposal is.

    pip install optuna && python samples/embedding/searcher.py samples/digits.wz

wootzc parses and checks the file, knows which rates each module may have, and prices a choice
exactly; `score` is yours. Here it is the share of the filters' weight (l1) that stays, of a network
with fresh weights: put an evaluation on your data in its place. What is found is then built: the
candidate is pruned from the trained network, assembled from blocks, fine-tuned and written.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna

import wootzc
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.ir.array import Array
from wootzc.ir.net.cost_tables import variant_costs
from wootzc.ir.plan import Plan
from wootzc.ir.space import Listed, Space

Score = Callable[[tuple[float, ...]], float]  # rates, one per module → the higher the better


def search(plan: Plan, score: Score, *, budget: float, trials: int) -> optuna.Study:
    """Look for the best score among candidates of at most `budget` of the full parameters."""
    space = plan.space
    costs = variant_costs(space.network, space.rates)
    full = int(costs.total("params", np.zeros((1, len(space.choices)), np.uint8))[0])

    def objective(trial: optuna.Trial) -> float:
        row = [
            trial.suggest_categorical(module.name, list(choices))
            for module, choices in zip(space.network.modules, space.choices, strict=True)
        ]
        params = int(costs.total("params", np.array([row], np.uint8))[0])
        trial.set_user_attr("params", params)
        trial.set_constraint("params", params - budget * full)  # at most 0: within the budget
        return score(tuple(space.rates[i] for i in row))

    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return study


def share_of_weight(space: Space) -> Score:
    weights = initial_weights(space.network, space.seed)
    total = _size(weights.values())

    def score(rates: tuple[float, ...]) -> float:
        return _size(prune_weights(space.network, weights, rates, space.criteria).values()) / total

    return score


def only(space: Space, trial: optuna.trial.FrozenTrial) -> Space:
    """The space with the trial's choice as its one candidate."""
    row = [trial.params[module.name] for module in space.network.modules]
    return replace(space, selection=Listed(rows=Array(np.array([row], np.uint8))))


def _size(arrays: Sequence[np.ndarray]) -> float:
    return float(sum(np.abs(value).sum() for value in arrays))


if __name__ == "__main__":
    compiled = wootzc.compile(Path(sys.argv[1]), ())  # no pass needed: the space is all
    found = search(compiled, share_of_weight(compiled.space), budget=0.3, trials=60)
    best = found.best_trial  # the best within the budget
    print(f"{best.user_attrs['params']:,} params, score {best.value:.3f}: {best.params}")
    built = wootzc.build(only(compiled.space, best))
    print(f"{built.out}: accuracy {built.result.best.test_accuracy:.1%} on test images")
