"""Sequitur (Nevill-Manning and Witten, 1997): a grammar that generates exactly one sequence.

Linear time. Two invariants hold after every symbol: no pair of neighbouring symbols (digram) stands
twice in the rules, save overlapping in runs like `aaa`; every rule but the start is used twice.
"""

from collections.abc import Iterable
from typing import TypeAlias

Rules: TypeAlias = dict[int, tuple[int, ...]]  # 0 is the start; a reference to rule k is -k


class _Symbol:
    """A place in a rule's body, doubly linked. A body is a ring closed by the rule's guard."""

    __slots__ = ("after", "before", "guards", "value")

    def __init__(self, value: int, guards: "_Rule | None" = None):
        self.value = value  # a terminal ≥ 0, or -k for rule k
        self.guards = guards
        self.before = self.after = self


class _Rule:
    __slots__ = ("guard", "number", "uses")

    def __init__(self, number: int):
        self.number = number
        self.uses = 0
        self.guard = _Symbol(-number, self)


def sequitur(sequence: Iterable[int]) -> Rules:
    """The rules for a sequence of non-negative integers, numbered in order of creation."""
    builder = _Builder()
    for value in sequence:
        builder.append(value)
    return {number: builder.body(rule) for number, rule in sorted(builder.rules.items())}


class _Builder:
    def __init__(self) -> None:
        self.start = _Rule(0)
        self.rules = {0: self.start}
        self.made = 0
        self.digrams: dict[tuple[int, int], _Symbol] = {}  # where each digram's first symbol is

    def append(self, value: int) -> None:
        last = self.start.guard.before
        self.insert(last, _Symbol(value))
        self.check(last)

    def body(self, rule: _Rule) -> tuple[int, ...]:
        values = []
        symbol = rule.guard.after
        while symbol.guards is None:
            values.append(symbol.value)
            symbol = symbol.after
        return tuple(values)

    # Links. Whenever two neighbours part, their digram leaves the index.

    def join(self, left: _Symbol, right: _Symbol) -> None:
        if left.after is not left:
            self.forget(left)
            # In `aaa` one of the two overlapping digrams is indexed; as it goes, index the other.
            if self.is_triple(right):
                self.digrams[right.value, right.value] = right
            if self.is_triple(left):
                self.digrams[left.value, left.value] = left.before
        left.after, right.before = right, left

    @staticmethod
    def is_triple(middle: _Symbol) -> bool:
        before, after = middle.before, middle.after
        if middle is before or middle is after or middle.guards or before.guards or after.guards:
            return False
        return before.value == middle.value == after.value

    def forget(self, left: _Symbol) -> None:
        if left.guards or left.after.guards:
            return
        key = (left.value, left.after.value)
        if self.digrams.get(key) is left:
            del self.digrams[key]

    def insert(self, left: _Symbol, symbol: _Symbol) -> None:
        self.join(symbol, left.after)
        self.join(left, symbol)
        if symbol.value < 0:
            self.rules[-symbol.value].uses += 1

    def remove(self, symbol: _Symbol) -> None:
        self.join(symbol.before, symbol.after)
        self.forget(symbol)
        if symbol.value < 0:
            self.rules[-symbol.value].uses -= 1

    # The two invariants.

    def check(self, left: _Symbol) -> bool:
        """Hold digram uniqueness for the digram that `left` begins; True where it stood before."""
        if left.guards or left.after.guards:
            return False
        key = (left.value, left.after.value)
        other = self.digrams.get(key)
        if other is None:
            self.digrams[key] = left
            return False
        if other.after is not left:  # else they overlap
            self.match(left, other)
        return True

    def match(self, left: _Symbol, other: _Symbol) -> None:
        """Replace a digram that stands twice by one rule."""
        whole = other.before.guards
        if whole is not None and other.after.after.guards is not None:
            rule = whole  # the earlier one is a whole rule already
            self.substitute(left, rule)
        else:
            rule = self.new_rule(left.value, left.after.value)
            self.substitute(other, rule)
            self.substitute(left, rule)
            first = rule.guard.after
            self.digrams[first.value, first.after.value] = first
        for end in (rule.guard.after, rule.guard.before):
            if end.value < 0 and self.rules[-end.value].uses == 1:
                self.inline(end)

    def new_rule(self, one: int, two: int) -> _Rule:
        self.made += 1
        rule = self.rules[self.made] = _Rule(self.made)
        self.insert(rule.guard, _Symbol(one))
        self.insert(rule.guard.before, _Symbol(two))
        return rule

    def substitute(self, left: _Symbol, rule: _Rule) -> None:
        """Put a reference to `rule` where `left` and its neighbour stand."""
        before = left.before
        self.remove(left.after)
        self.remove(left)
        self.insert(before, _Symbol(-rule.number))
        if not self.check(before):
            self.check(before.after)

    def inline(self, reference: _Symbol) -> None:
        """Rule utility: put the body of a rule used once in the place of its only use."""
        rule = self.rules.pop(-reference.value)
        before, after = reference.before, reference.after
        first, last = rule.guard.after, rule.guard.before
        self.forget(before)
        self.forget(reference)
        before.after, first.before = first, before
        last.after, after.before = after, last
        if not (last.guards or after.guards):
            self.digrams[last.value, after.value] = last
        if not (before.guards or first.guards):
            self.digrams[before.value, first.value] = before
