"""Re-Pair, which the benchmarks compare with Sequitur, is Re-Pair."""

import importlib.util
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wootzc.ir.sequitur import Rules

FILE = Path(__file__).parents[2] / "benchmarks" / "repair.py"


def repair(sequence: list[int]) -> Rules:
    spec = importlib.util.spec_from_file_location("repair", FILE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rules: Rules = module.repair(sequence)
    return rules


def expand(rules: Rules, number: int = 0) -> list[int]:
    """The terminals that a rule stands for."""
    return [t for v in rules[number] for t in ([v] if v >= 0 else expand(rules, -v))]


def pairs(body: tuple[int, ...]) -> Counter[tuple[int, int]]:
    """How often each pair stands there, overlapping ones counted once."""
    found: Counter[tuple[int, int]] = Counter()
    last = (0, 0), -2
    for place, pair in enumerate(pairwise(body)):
        if last == (pair, place - 1):
            last = (0, 0), -2
            continue
        found[pair] += 1
        last = pair, place
    return found


@given(st.integers(1, 4).flatmap(lambda k: st.lists(st.integers(0, k - 1), max_size=60)))
def test_nothing_is_left_to_replace(sequence: list[int]) -> None:
    rules = repair(sequence)
    assert expand(rules) == sequence
    assert max(pairs(rules[0]).values(), default=1) == 1
    assert all(len(body) == 2 for rule, body in rules.items() if rule)
    uses = Counter(-v for body in rules.values() for v in body if v < 0)
    assert all(uses[rule] >= 1 for rule in rules if rule)


@pytest.mark.parametrize(
    ("text", "first"), [("abcbcbc", "bc"), ("xyxyzxy", "xy"), ("abcdabcdab", "ab")]
)
def test_the_most_frequent_pair_goes_first(text: str, first: str) -> None:
    rules = repair([ord(letter) for letter in text])
    assert rules[1] == tuple(map(ord, first))
