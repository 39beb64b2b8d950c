"""A pruned network trained at the width of the network that it was cut from.

With zeros where filters were removed, and no gradient for them, a step of the full network moves
what is left as a step of the pruned one does, up to rounding: so one program serves every candidate
and the teacher (docs/decisions/023-full-width.md). Where the run stands is kept in the pruned
network's shapes: whoever goes on with it may do so in either way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np
from jax.tree_util import DictKey, SequenceKey
from numpy.typing import NDArray

from wootzc.backends.flax.train.step import State, Trees
from wootzc.backends.weights.parameters import Weights, is_statistic
from wootzc.backends.weights.slicing import Pruner
from wootzc.backends.weights.stored import split
from wootzc.backends.weights.widen import places, widen_weights
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import Rate


@dataclass(frozen=True, kw_only=True)
class FullWidth:
    """The network that a pruned one was cut from, and what was cut away."""

    pruner: Pruner
    rates: Sequence[Rate]

    @property
    def network(self) -> Network:
        return self.pruner.network

    @cached_property
    def _places(self) -> dict[str, NDArray[Any]]:
        return places(self.pruner, self.rates)

    def widened(self, pruned: Weights) -> Weights:
        """The full network's weights that compute what the pruned network's do."""
        return widen_weights(self.pruner, pruned, self.rates)

    @property
    def masks(self) -> Trees:
        """By segment of the full network: 1 for each parameter that is left, 0 for others."""
        whole = self.pruner.weights
        masks = {n: np.zeros_like(v) for n, v in whole.items() if not is_statistic(n)}
        for name, at in self._places.items():
            if name in masks:
                masks[name].flat[at] = 1
        return split(self.network, masks)

    def narrowed(self, full: State, like: State) -> State:
        """What is left of a state of the full network; `like` is one of the pruned network."""
        held = dict(jax.tree_util.tree_leaves_with_path(full))

        def one(path: tuple[Any, ...], _: Any) -> NDArray[Any]:
            there = self._in_full(path)
            at, value = self._at(there), np.asarray(held[there])
            return value if at is None else value.flat[at]

        small: State = jax.tree_util.tree_map_with_path(one, like)
        return small

    def widened_state(self, pruned: State, start: State) -> State:
        """The state of the full network in whose place it is; `start`: that before any step."""
        leaves = jax.tree_util.tree_leaves_with_path(pruned)
        held = {self._in_full(path): value for path, value in leaves}

        def one(path: tuple[Any, ...], value: Any) -> NDArray[Any]:
            if path not in held:
                return np.asarray(value)
            at = self._at(path)
            if at is None:
                return np.asarray(held[path])
            wide = np.array(value)
            wide.flat[at] = held[path]
            return wide

        full: State = jax.tree_util.tree_map_with_path(one, start)
        return full

    @cached_property
    def _positions(self) -> list[int]:
        """Of each segment of the pruned network that of the full one: some leave nothing behind."""
        names = [segment.name for segment in self.network.segments]
        pruned = prune_network(self.network, tuple(self.rates))
        return [names.index(segment.name) for segment in pruned.segments]

    def _in_full(self, path: tuple[Any, ...]) -> tuple[Any, ...]:
        """Where a leaf of the pruned network stands in the state of the full one."""
        match path:
            case (first, SequenceKey(idx=segment), *rest):
                return (first, SequenceKey(self._positions[segment]), *rest)
            case _:
                return path

    def _at(self, path: tuple[Any, ...]) -> NDArray[Any] | None:
        """Where a leaf's numbers stand in that of the full network; None of a number by itself."""
        match path:
            case (_, SequenceKey(idx=segment), *_, DictKey(key=name)):
                return self._places[f"{self.network.segments[segment].name}/{name}"]
            case _:
                return None
