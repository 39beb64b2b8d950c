"""Re-Pair (Larsson and Moffat, 2000), to compare with Sequitur: see benchmarks/mining.py.

The most frequent pair of neighbours becomes a rule, everywhere at once, until no pair stands
twice. Neighbours are linked lists, the most frequent pair comes from a heap with stale entries:
O(n log n). It did not earn a place among the compiler's own methods; benchmarks/README.md has why.
"""

import heapq
from collections.abc import Iterable

from wootzc.ir.sequitur import Rules

Pair = tuple[int, int]


class _Text:
    """What is left of the sequence: positions linked, symbols ≥ 0 or −k for rule k."""

    def __init__(self, sequence: Iterable[int]):
        self.symbols = list(sequence)
        size = len(self.symbols)
        self.after = [*range(1, size), -1]
        self.before = list(range(-1, size - 1))
        self.places: dict[Pair, list[int]] = {}  # where a pair began once; some are stale
        self.counts: dict[Pair, int] = {}
        self.heap: list[tuple[int, Pair]] = []
        for place in range(size - 1):
            self.note(place)
        self.heap = [(-count, pair) for pair, count in self.counts.items() if count > 1]
        heapq.heapify(self.heap)

    def note(self, place: int) -> Pair:
        pair = (self.symbols[place], self.symbols[self.after[place]])
        self.places.setdefault(pair, []).append(place)
        self.counts[pair] = self.counts.get(pair, 0) + 1
        return pair

    def occurrences(self, pair: Pair) -> list[int]:
        """Where the pair stands now, without overlaps."""
        found: list[int] = []
        taken = -1
        for place in sorted(set(self.places.pop(pair, ()))):
            after = self.after[place]
            if after < 0 or (self.symbols[place], self.symbols[after]) != pair or place == taken:
                continue
            found.append(place)
            taken = after
        return found

    def replace(self, place: int, rule: int) -> list[Pair]:
        """Put a rule where a pair stands; the pairs that begin to exist."""
        second = self.after[place]
        left, right = self.before[place], self.after[second]
        if left >= 0:
            self.counts[self.symbols[left], self.symbols[place]] -= 1
        if right >= 0:
            self.counts[self.symbols[second], self.symbols[right]] -= 1
            self.before[right] = place
        self.symbols[place], self.symbols[second] = -rule, 0
        self.after[place], self.after[second] = right, -1
        made = [self.note(left)] if left >= 0 else []
        return [*made, self.note(place)] if right >= 0 else made

    def left(self) -> tuple[int, ...]:
        values: list[int] = []
        place = 0 if self.symbols else -1
        while place >= 0:
            values.append(self.symbols[place])
            place = self.after[place]
        return tuple(values)


def repair(sequence: Iterable[int]) -> Rules:
    """The rules for a sequence of non-negative integers; rule 0 is what is left of it."""
    text = _Text(sequence)
    rules: Rules = {}
    while text.heap:
        count, pair = heapq.heappop(text.heap)
        if -count != text.counts.get(pair, 0):  # it has changed since
            if text.counts.get(pair, 0) > 1 and pair in text.places:
                heapq.heappush(text.heap, (-text.counts[pair], pair))
            continue
        places = text.occurrences(pair)
        if len(places) < 2:
            continue
        number = len(rules) + 1
        rules[number] = pair
        made = {new for place in places for new in text.replace(place, number)}
        text.counts.pop(pair, None)
        for new in sorted(made):
            if text.counts.get(new, 0) > 1:
                heapq.heappush(text.heap, (-text.counts[new], new))
    return {0: text.left(), **rules}
