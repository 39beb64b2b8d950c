"""mine-subsequences: which module runs the candidates share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from wootzc.diagnostics import fail
from wootzc.ir.array import Array
from wootzc.ir.passes.base import having
from wootzc.ir.plan import Expanded, Grammar, Method, Plan, Rule, Windows
from wootzc.ir.sequence import TooMany, shared_windows
from wootzc.ir.sequitur import Rules, sequitur


@dataclass(frozen=True, slots=True, kw_only=True)
class MineSubsequences:
    """Find runs of consecutive (module, rate) symbols that several candidates share.

    Before: candidates = { 1 1 0; 1 1 2 }
    After:  mined = grammar { rule((-1 …)) … }      method=sequitur: the paper's, with its DAG
            mined = windows { runs = { 0 1 0 2; 0 2 0 2; 1 2 0 2 } }       method=windows: exact

    Without a method, `blocks wootz` gets sequitur, which it is made from, all others windows.
    """

    method: Method | None = None
    most: int = 20_000_000  # runs (windows) or symbols (sequitur) that may be held in memory
    name: ClassVar[str] = "mine-subsequences"

    def __call__(self, plan: Plan) -> Plan:
        rows = having(plan, Expanded, self.name).candidates.values
        method = self.method or ("sequitur" if plan.space.blocks == "wootz" else "windows")
        if method == "sequitur":
            if rows.size > self.most:
                raise self._too_much(f"{rows.size:,} symbols")
            return replace(plan, mined=mine_grammar(rows))
        try:
            runs = shared_windows(rows, most=self.most)
        except TooMany:
            raise self._too_much("the shared runs") from None
        return replace(plan, mined=Windows(runs=Array(runs)))

    def _too_much(self, what: str) -> Exception:
        return fail(
            "WZ089",
            f"`{self.name}`: {what} are more than {self.most:,}, the most it may hold",
            "take a smaller sample, use `blocks maximal`, or raise its option `most`",
        )


def mine_grammar(rows: NDArray[Any], infer: Callable[[Iterable[int]], Rules] = sequitur) -> Grammar:
    """The grammar of all candidates one after another, each closed by its own end marker.

    Rules are numbered as the paper does: the start, the rules of several symbols in the order in
    which they appear from the start on, level by level, then one rule for each symbol.
    """
    symbols, where = _symbols(rows)
    sequence = np.empty((rows.shape[0], rows.shape[1] + 1), dtype=np.int64)
    sequence[:, :-1] = where
    sequence[:, -1] = len(symbols) + np.arange(len(rows))
    rules = infer(sequence.ravel().tolist())
    order = _levels(rules)
    number = {-old: new for new, old in enumerate(order)}
    number |= {terminal: len(order) + terminal for terminal in range(len(symbols))}
    number |= {len(symbols) + k: -k - 1 for k in range(len(rows))}
    bodies = [tuple(number[v] for v in rules[old]) for old in order]
    frequency = _frequencies([*bodies, *[()] * len(symbols)])
    return Grammar(
        rules=(
            *(Rule(body=b, frequency=frequency[k]) for k, b in enumerate(bodies)),
            *(
                Rule(body=(), frequency=frequency[len(order) + t], symbol=symbol)
                for t, symbol in enumerate(symbols)
            ),
        )
    )


def _symbols(rows: NDArray[Any]) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """The (module, rate) in use, by module, then first appearance; and `rows` in their numbers."""
    symbols: list[tuple[int, int]] = []
    where = np.zeros(rows.shape, dtype=np.int64)
    for module in range(rows.shape[1]):
        rates, first, inverse = np.unique(rows[:, module], return_index=True, return_inverse=True)
        by_first = np.argsort(first)
        where[:, module] = len(symbols) + np.argsort(by_first)[inverse.reshape(-1)]
        symbols += [(module, int(rates[k])) for k in by_first]
    return symbols, where


def _levels(rules: Rules) -> list[int]:
    """Rules in the order they appear, breadth first, from the start."""
    order = [0]
    seen = {0}
    for rule in order:  # grows while it is walked
        for value in rules[rule]:
            if value < 0 and -value not in seen:
                seen.add(-value)
                order.append(-value)
    return order


def children_first(bodies: Sequence[tuple[int, ...]]) -> list[int]:
    """Rule numbers, each after those in its body."""
    inner = {rule: {v for v in body if v >= 0} for rule, body in enumerate(bodies)}
    return [*TopologicalSorter(inner).static_order()]


def _frequencies(bodies: Sequence[tuple[int, ...]]) -> list[int]:
    """How often each rule occurs in the full expansion of rule 0."""
    frequency = [1] + [0] * (len(bodies) - 1)
    for rule in reversed(children_first(bodies)):
        for value in bodies[rule]:
            if value >= 0:
                frequency[value] += frequency[rule]
    return frequency
