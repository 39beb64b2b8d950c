"""How far rates reach, for a person: the share of the parameters that none can remove, and why."""

from wootzc.ir.net.reach import Reach
from wootzc.ir.space import Space
from wootzc.units import count

LARGEST = 3  # layers that are named


def kept_modules(space: Space) -> list[int]:
    """The numbers of the modules that have no rate but 0."""
    return [number for number, choices in enumerate(space.choices) if choices == (0,)]


def reach_text(reached: Reach) -> str:
    """One line, and below it the largest layers that stay as they are."""
    if not reached.largest:
        return "every parameter can be pruned"
    causes = {
        "outside of modules": reached.plain,
        "in modules that are kept": reached.kept,
        "between what enters and what leaves a module": reached.whole,
    }
    parts = [f"{n / reached.params:.1%} {words}" for words, n in causes.items() if n]
    named = ", ".join(f"{layer} ({count(n)})" for layer, n in reached.largest[:LARGEST])
    return (
        f"{reached.outside:.1%} of the params can't be pruned: {', '.join(parts)}\n"
        f"  the largest: {named}"
    )
