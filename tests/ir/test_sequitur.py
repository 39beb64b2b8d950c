"""Sequitur against its two invariants, textbook grammars, and its own input."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.ir.sequitur import Rules, _Builder, _Symbol, sequitur


def letters(text: str) -> list[int]:
    return [ord(letter) - ord("a") for letter in text]


def shape(rules: Rules) -> list[str]:
    """Bodies with rules as capitals in the order they appear from the start on."""
    names = {0: "S"}
    order = [0]
    for rule in order:
        for value in rules[rule]:
            if value < 0 and -value not in names:
                names[-value] = chr(ord("A") + len(names) - 1)
                order.append(-value)
    return [
        "".join(names[-v] if v < 0 else chr(ord("a") + v) for v in rules[rule]) for rule in order
    ]


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        ("", [""]),
        ("abc", ["abc"]),
        ("abcdbc", ["aAdA", "bc"]),  # Nevill-Manning and Witten 1997, figure 1a
        ("abcdbcabcdbc", ["AA", "aBdB", "bc"]),  # figure 1b
        ("abcdbcabcd", ["ABA", "aBd", "bc"]),  # a rule is made, then used once, then gone
        ("aaaa", ["AA", "aa"]),
        ("abababab", ["AA", "BB", "ab"]),
    ],
)
def test_textbook_grammars(text: str, bodies: list[str]) -> None:
    assert shape(sequitur(letters(text))) == bodies


def expand(rules: Rules, number: int = 0) -> list[int]:
    """The terminals that a rule stands for."""
    return [t for v in rules[number] for t in ([v] if v >= 0 else expand(rules, -v))]


def repeated_digrams(rules: Rules) -> list[tuple[int, int]]:
    """Digrams that stand twice without overlapping."""
    places: dict[tuple[int, int], tuple[int, int]] = {}
    repeated = []
    for rule, body in rules.items():
        for place, digram in enumerate(pairwise(body)):
            if digram not in places:
                places[digram] = (rule, place)
            elif places[digram] != (rule, place - 1):
                repeated.append(digram)
    return repeated


@given(st.integers(1, 4).flatmap(lambda k: st.lists(st.integers(0, k - 1), max_size=60)))
def test_invariants_hold(sequence: list[int]) -> None:
    rules = sequitur(sequence)
    uses = Counter(-value for body in rules.values() for value in body if value < 0)

    assert expand(rules) == sequence
    assert not repeated_digrams(rules)
    assert all(uses[rule] >= 2 and len(rules[rule]) >= 2 for rule in rules if rule)
    assert set(uses) <= set(rules)


@given(st.lists(st.integers(0, 2), max_size=40))
def test_invariants_hold_after_every_symbol(sequence: list[int]) -> None:
    builder = _Builder()
    for place, value in enumerate(sequence, 1):
        builder.append(value)
        rules = {number: builder.body(rule) for number, rule in builder.rules.items()}
        uses = Counter(-value for body in rules.values() for value in body if value < 0)
        assert expand(rules) == sequence[:place]
        assert not repeated_digrams(rules)
        assert all(uses[rule] == builder.rules[rule].uses >= 2 for rule in rules if rule)


@pytest.mark.parametrize(
    "sequence",
    [
        lambda n: [0] * n,
        lambda n: list(range(n)),
        lambda n: [k % 7 for k in range(n)],
        lambda n: np.random.default_rng(0).integers(0, 3, n).tolist(),
        lambda n: np.random.default_rng(0).integers(0, 200, n).tolist(),
        lambda n: [(k & -k).bit_length() for k in range(1, n + 1)],  # a ruler: nested repeats
    ],
    ids=["one", "none", "periodic", "three", "many", "ruler"],
)
def test_work_grows_with_the_length_alone(sequence: Callable[[int], list[int]]) -> None:
    """Links made, which all work consists of: at most a dozen for each symbol, at any length."""

    class Counting(_Builder):
        links = 0

        def join(self, left: _Symbol, right: _Symbol) -> None:
            self.links += 1
            super().join(left, right)

    for length in (500, 5_000, 50_000):
        builder = Counting()
        for value in sequence(length):
            builder.append(value)
        assert builder.links <= 12 * length


def test_without_repetition_there_is_one_rule() -> None:
    rules = sequitur(range(1000))
    assert rules == {0: tuple(range(1000))}


def test_a_long_run_makes_few_rules() -> None:
    sequence = [0] * 2**14
    rules = sequitur(sequence)
    assert len(rules) < 20
    assert expand(rules) == sequence
