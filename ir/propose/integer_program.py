"""The best candidate within limits as an integer programme.

A variable with choices c0 < c1 < … has a binary for each but the lowest: zi says that it is at ci
or higher. That is one binary per allowed rate and exactly one rate per variable, without a row of
ones: zi+1 ≤ zi is enough, and an order between two variables is a row for each key that it goes by:
whoever has this key or a higher one makes the other so. Tied modules are one variable. What zi adds
to a sum is the difference between ci and the choice before it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wootzc.ir.highs import Row, minimise
from wootzc.ir.joining import FAR, Range
from wootzc.ir.net.metrics import CostName
from wootzc.ir.space.variables import Variables

NODES = 200  # of a search tree; most searches end at its root
REPAIRS = 5  # words beyond a limit that the solver's tolerance let in, ruled out one by one

Table = NDArray[Any]  # [variables, rates]: what is added up
Word = NDArray[np.uint8]  # [variables]: rate positions


class Solved(NamedTuple):
    word: Word | None  # None where none was found
    bound: float  # no word has a smaller sum
    proven: bool  # the word is optimal or, without one, there is none


class Apart(NamedTuple):
    """To differ from each of `words` in so many modules at least."""

    words: NDArray[np.uint8]  # [n, variables]
    modules: int


class Programme:
    """The words of a problem. `best` finds one of them, under other tables, limits, distances."""

    def __init__(self, problem: Variables):
        self.problem = problem
        steps = [len(choices) - 1 for choices in problem.choices]
        self.first = np.cumsum([0, *steps]).tolist()  # column of the first binary of each variable
        self.weight = np.bincount(problem.of_module).tolist()  # modules of each variable
        self.rows = list(self._orders())

    @property
    def binaries(self) -> int:
        """How many variables are 0 or 1: one a choice."""
        return int(self.first[-1])

    def best(
        self,
        table: Table,
        limits: dict[CostName, Range],  # these, not the problem's
        apart: Apart | None = None,
        *,
        nodes: int = NODES,
        relaxed: bool = False,  # only the bound, of the linear relaxation
    ) -> Solved:
        """The word of the least sum, up to a hundred-millionth of the table's largest step."""
        rows = [*self.rows]
        for metric, bounds in limits.items():
            rows += self._limit(metric, bounds)
        if apart is not None:
            rows += [self._differs(word, apart.modules) for word in apart.words]
        steps, base = self._steps(table)
        bound = -np.inf
        for _ in range(REPAIRS):
            answer = minimise(steps, rows, nodes=nodes, relaxed=relaxed)
            bound = base + answer.bound
            if answer.chosen is None:
                return Solved(None, bound, answer.proven)
            word = self._word(answer.chosen)
            if self._within(word, limits):
                return Solved(word, bound, answer.proven)
            rows.append(self._differs(word, 1))
        return Solved(None, bound, False)

    def _orders(self) -> Iterator[Row]:
        """That the binaries of a variable come in turn, and what is ordered."""
        for v, choices in enumerate(self.problem.choices):
            for step in range(2, len(choices)):
                column = self.first[v] + step - 1
                yield Row({column: 1.0, column - 1: -1.0}, 0.0)
        for pair in self.problem.pairs:
            if pair.low == pair.high:  # its choices keep to it
                continue
            low = pair.low_keys[self.problem.choices[pair.low]]
            high = pair.high_keys[self.problem.choices[pair.high]]
            for key in np.unique(low).tolist():
                if key > high.min():
                    yield self._implies((pair.low, low >= key), (pair.high, high >= key))

    def _implies(
        self, one: tuple[int, NDArray[np.bool_]], other: tuple[int, NDArray[np.bool_]]
    ) -> Row:
        """A variable at one of these choices makes another be at one of those.

        Being at choice i is zi − zi+1; at the lowest or higher every variable is.
        """
        row, upper = Row({}, 0.0), 0.0
        for (variable, choices), sign in ((one, 1.0), (other, -1.0)):
            upper -= sign * float(choices[0])
            for step in (np.flatnonzero(np.diff(choices)) + 1).tolist():
                into = sign if choices[step] else -sign
                row.coefficients[self.first[variable] + step - 1] = into
        return row._replace(upper=upper)

    def _steps(self, table: Table) -> tuple[NDArray[np.float64], float]:
        """What each binary adds to the sum of all lowest choices, and that sum."""
        own = [table[v, choices] for v, choices in enumerate(self.problem.choices)]
        steps = np.concatenate([np.diff(values) for values in own]).astype(np.float64)
        return steps, float(sum(values[0].item() for values in own))

    def _limit(self, metric: CostName, bounds: Range) -> Iterator[Row]:
        """Half a unit wider than asked: costs are whole, and what lies on a limit is within."""
        for table, *within in self.problem.linear(metric, bounds):
            steps, base = self._steps(table)
            scale = float(np.abs(steps).max(initial=0.0)) or 1.0
            for sign, limit in zip((-1, 1), within, strict=True):
                if abs(limit) < FAR:
                    row = dict(enumerate((sign * steps / scale).tolist()))
                    yield Row(row, (sign * (limit - base) + 0.5) / scale)

    def _differs(self, word: Word, modules: int) -> Row:
        """Σ weight × [variable is as in the word] ≤ all modules − these."""
        row, upper = Row({}, 0.0), float(sum(self.weight) - modules)
        for v, (value, choices) in enumerate(zip(word, self.problem.choices, strict=True)):
            step, weight = int(np.searchsorted(choices, value)), float(self.weight[v])
            if step == 0:
                upper -= weight
            else:
                row.coefficients[self.first[v] + step - 1] = weight
            if step + 1 < len(choices):
                row.coefficients[self.first[v] + step] = -weight
        return row._replace(upper=upper)

    def _word(self, chosen: NDArray[np.bool_]) -> Word:
        own = zip(self.problem.choices, np.split(chosen, self.first[1:-1]), strict=True)
        return np.array([choices[int(steps.sum())] for choices, steps in own], dtype=np.uint8)

    def _within(self, word: Word, limits: dict[CostName, Range]) -> bool:
        """In whole numbers, which the solver's tolerance of a millionth does not tell apart."""
        sums = {metric: int(self.problem.total(metric, word[None])[0]) for metric in limits}
        return all(low <= sums[metric] <= high for metric, (low, high) in limits.items())
