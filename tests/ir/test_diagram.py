"""Diagrams against filtering every word, and their samples against what they promise."""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wootzc.ir.diagram import Diagram
from wootzc.ir.diagram.best_words import best_first, bounds
from wootzc.ir.diagram.construct import build, from_words
from wootzc.ir.diagram.merge_states import TooLarge
from wootzc.ir.diagram.orders import Relation, narrow_order, order_layers
from wootzc.ir.diagram.sums import rounded
from wootzc.ir.joining import Limit

Word = tuple[int, ...]


class Problem(NamedTuple):
    values: list[np.ndarray[Any, np.dtype[np.uint8]]]
    pairs: list[tuple[int, int]]
    limits: list[Limit]

    def diagram(self, states: int = 100_000) -> Diagram:
        return build(
            self.values,
            order_layers(self.values, orders(self.values, self.pairs)),
            self.limits,
            states,
        )

    def brute(self) -> list[Word]:
        """Every word that keeps orders and limits, by looking at all of them."""
        return [
            word
            for word in itertools.product(*(v.tolist() for v in self.values))
            if all(word[a] <= word[b] for a, b in self.pairs)
            and all(low <= total(table, word) <= high for table, low, high in self.limits)
        ]


def orders(values: list[Any], pairs: Any) -> list[Relation]:
    """(a, b): the value of a is at most the value of b."""
    return [Relation(a, b, values[a][:, None] <= values[b]) for a, b in pairs]


def total(table: Any, word: Word) -> Any:
    return sum(table[variable, value] for variable, value in enumerate(word))


def words_of(diagram: Diagram) -> list[Word]:
    return [tuple(word) for word in diagram.words().tolist()]


@st.composite
def problems(draw: st.DrawFn, most: int = 6, limits: int = 2) -> Problem:
    """A few variables of up to four values, some orders (circles too), limits on both sides."""
    count = draw(st.integers(1, most))
    one = st.sets(st.integers(0, 3), min_size=1).map(lambda v: np.array(sorted(v), dtype=np.uint8))
    values = draw(st.lists(one, min_size=count, max_size=count))
    place = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(place, place).filter(lambda p: p[0] != p[1]), max_size=4))
    found = []
    for _ in range(draw(st.integers(0, limits))):
        scale = draw(st.sampled_from([1, 6, 1000]))
        rows = [draw(st.lists(st.integers(-2, 9), min_size=4, max_size=4)) for _ in range(count)]
        if draw(st.booleans()):
            rows = [rows[0]] * count
        low = draw(st.integers(-3, 4 * count)) * scale
        width = draw(st.integers(-1, 5 * count)) * scale
        low = low if draw(st.booleans()) else -(10**6)
        found.append(Limit(np.array(rows) * scale, low, low + width if low > -(10**6) else width))
    return Problem(values, pairs, found)


@settings(max_examples=300)
@given(problems())
def test_a_diagram_has_the_words_that_filtering_gives(problem: Problem) -> None:
    diagram, expected = problem.diagram(), problem.brute()
    assert diagram.count == len(expected)
    assert words_of(diagram) == expected
    ranks = np.arange(len(expected))
    assert [tuple(w) for w in diagram.unrank(ranks).tolist()] == expected
    chunks = [tuple(w) for chunk in diagram.chunks(size=3) for w in chunk.tolist()]
    assert chunks == expected
    every = np.array(list(itertools.product(range(5), repeat=len(problem.values))), dtype=np.uint8)
    inside = diagram.contains(every)
    assert [tuple(w) for w in every[inside].tolist()] == expected


@given(problems())
def test_no_two_states_are_followed_by_the_same_words(problem: Problem) -> None:
    """As many states in a layer as there are different sets of endings: none can be spared."""
    diagram, expected = problem.diagram(), problem.brute()
    for place, edges in enumerate(diagram.layers):
        endings: dict[Word, set[Word]] = {}
        for word in expected:
            endings.setdefault(word[:place], set()).add(word[place:])
        assert edges.shape[1] == max(len({frozenset(e) for e in endings.values()}), place == 0)


@given(problems())
def test_diagrams_of_words_are_those_of_what_they_meet(problem: Problem) -> None:
    diagram = problem.diagram()
    again = from_words(diagram.words(), problem.values)
    assert words_of(again) == words_of(diagram)
    assert again.states == diagram.states


@given(problems(), st.randoms(use_true_random=False))
def test_the_best_come_first(problem: Problem, random: Any) -> None:
    diagram, expected = problem.diagram(), problem.brute()
    scores = np.array([[random.randrange(-9, 9) for _ in range(4)] for _ in problem.values])
    sums = sorted(int(total(scores, word)) for word in expected)
    for largest, order in ((False, sums), (True, sums[::-1])):
        found = list(best_first(diagram, scores, largest))
        assert [score for _, score in found] == order
        assert all(total(scores, tuple(word.tolist())) == score for word, score in found)
        assert sorted(tuple(word.tolist()) for word, _ in found) == expected
    if expected:
        assert bounds(diagram, scores) == (sums[0], sums[-1])
        parts = scores / 7
        best, score = next(best_first(diagram, parts, largest=True))
        assert score == pytest.approx(max(total(parts, word) for word in expected))
        assert total(parts, tuple(best.tolist())) == pytest.approx(score)


@given(problems(), st.data())
def test_windows_are_counted(problem: Problem, data: st.DataObject) -> None:
    diagram, expected = problem.diagram(), problem.brute()
    variables = st.integers(0, len(problem.values) - 1)
    fixed = data.draw(st.dictionaries(variables, st.integers(0, 4)))
    meant = [w for w in expected if all(w[variable] == v for variable, v in fixed.items())]
    assert diagram.count_with(fixed) == len(meant)


@settings(max_examples=200)
@given(problems(limits=1), st.integers(1, 9))
def test_rounded_limits_enclose_the_true_one(problem: Problem, bins: int) -> None:
    exact = set(problem.brute())
    for outer in (True, False):
        limits = [rounded(limit, problem.values, bins, outer) for limit in problem.limits]
        near = set(problem._replace(limits=limits).brute())
        assert exact <= near if outer else near <= exact


@given(st.integers(2, 8), st.integers(0, 10**6))
def test_a_better_order_of_variables_is_an_order(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = [tuple(rng.choice(count, 2, replace=False).tolist()) for _ in range(count)]
    assert sorted(narrow_order(count, pairs)) == list(range(count))


def test_chains_that_cross_are_followed_one_by_one() -> None:
    order = narrow_order(20, [(k, k + 10) for k in range(10)])
    assert [{order[2 * k], order[2 * k + 1]} for k in range(10)] == [{k, k + 10} for k in range(10)]


@pytest.mark.parametrize("limited", [False, True])
def test_samples_are_uniform(limited: bool) -> None:
    """χ² over all words, in samples of a fifth of them: each word is as likely as any other."""
    values = [np.arange(3, dtype=np.uint8)] * 4
    table = np.array([[0, 3, 7], [0, 3, 7], [0, 2, 11], [0, 5, 6]])
    problem = Problem(values, [(0, 1)] if limited else [], [Limit(table, 5, 15)] * limited)
    diagram, expected = problem.diagram(), problem.brute()
    number = {word: place for place, word in enumerate(expected)}
    size, runs = len(expected) // 5, 4000
    rng = np.random.default_rng(7)
    seen = np.zeros(len(expected))
    pairs = 0  # how often the first two words come together
    for _ in range(runs):
        drawn = [number[tuple(word)] for word in diagram.sample(size, rng).tolist()]
        assert len(set(drawn)) == size
        seen[drawn] += 1
        pairs += {0, 1} <= set(drawn)
    mean = runs * size / len(expected)
    spread = mean * (1 - size / len(expected))  # of one word's count: hypergeometric
    chi_square = float(((seen - mean) ** 2).sum() / spread * (1 - 1 / len(expected)))
    freedom = len(expected) - 1
    assert abs(chi_square - freedom) < 4 * math.sqrt(2 * freedom)
    chance = size * (size - 1) / (len(expected) * (len(expected) - 1))
    assert abs(pairs - runs * chance) < 4 * math.sqrt(runs * chance)


def test_more_words_than_64_bits_hold() -> None:
    """4^40 words under orders and a limit, against a plain count of (last value, sum so far)."""
    count = 40
    costs = np.array([[9, 6, 3, 1], [20, 11, 4, 0], [7, 6, 5, 3]])
    table = costs[np.arange(count) % 3]
    chain = [(k, k + 1) for k in range(10, 16)]
    low, high = 150, 290
    values = [np.arange(4, dtype=np.uint8)] * count
    diagram = build(values, order_layers(values, orders(values, chain)), [Limit(table, low, high)])
    ways: dict[tuple[int, int], int] = {(0, 0): 1}
    for variable in range(count):
        after: dict[tuple[int, int], int] = {}
        for (last, spent), number in ways.items():
            for value in range(last if 10 < variable <= 16 else 0, 4):
                key = value, spent + int(table[variable, value])
                after[key] = after.get(key, 0) + number
        ways = after
    expected = sum(number for (_, spent), number in ways.items() if low <= spent <= high)
    assert diagram.count == expected > 2**64
    words = diagram.sample(500, np.random.default_rng(0))
    assert len(np.unique(words, axis=0)) == 500
    spent = table[np.arange(count), words].sum(axis=1)
    assert low <= spent.min() and spent.max() <= high
    assert (np.diff(words[:, 10:17].astype(int), axis=1) >= 0).all()
    assert sum(diagram.count_with({5: value, 12: 2}) for value in range(4)) == (
        diagram.count_with({12: 2})
    )
    ends = diagram.unrank(np.array([0, expected - 1], dtype=object))
    assert tuple(ends[0]) < tuple(ends[1]) and diagram.contains(ends).all()


def test_what_would_be_too_large_is_not_built() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(10**9, size=(30, 4))
    values = [np.arange(4, dtype=np.uint8)] * 30
    with pytest.raises(TooLarge):
        build(
            values,
            order_layers(values, []),
            [Limit(table, 0, int(table.mean(axis=1).sum()))],
            states=20_000,
        )
    crossing = [(k, k + 15) for k in range(15)]
    with pytest.raises(TooLarge):
        build(values, order_layers(values, orders(values, crossing)))


def test_variables_of_more_choices_than_a_word_has_bits_are_counted() -> None:
    """Five rates of a module, of what enters and of what leaves it: 125 choices, in three words."""
    values = (np.arange(125, dtype=np.uint8),) * 4
    own = values[0]
    follows = own[:, None] % 5 == own // 25  # what leaves one enters the next
    chain = [Relation(at, at + 1, follows) for at in range(3)]
    assert build(values, order_layers(values, chain)).count == 125 * 25**3
