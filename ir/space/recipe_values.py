"""Which values the settings of a recipe may have. optax checks little of it, and only late."""

from collections.abc import Mapping

from wootzc.ir.layers.signature import (
    AMOUNT,
    COUNT,
    FLAG,
    PART,
    POSITIVE,
    SHARE,
    Kind,
)


def _threshold(value: object) -> float:
    """Below 4 radam takes the root of a negative number."""
    if isinstance(value, int | float) and 4 <= value < 1e30:
        return float(value)
    raise ValueError


NUMBERS: dict[str, Kind] = {
    "steps": COUNT,
    "epochs": POSITIVE,
    "batch": COUNT,
    "weight_decay": AMOUNT,
    "clip": POSITIVE,
    "label_smoothing": PART,
    "every": COUNT,
    "patience": COUNT,
    "distill": SHARE,
    "temperature": POSITIVE,
    "reconstruct": COUNT,
}

# Of optimisers and schedules, by name: an option means the same wherever it is one.
OPTIONS: Mapping[str, Kind] = {
    "learning_rate": POSITIVE,
    "momentum": PART,
    "nesterov": FLAG,
    "centered": FLAG,
    "b1": PART,
    "b2": PART,
    "eps": POSITIVE,
    "weight_decay": AMOUNT,
    "threshold": Kind("a number of at least 4", _threshold),
    "decay": PART,
    "initial_accumulator_value": AMOUNT,
    "trust_coefficient": POSITIVE,
    "alpha": SHARE,
    "exponent": POSITIVE,
    "warmup_steps": COUNT,
    "init_value": AMOUNT,
    "end_value": AMOUNT,
    "power": POSITIVE,
    "transition_steps": COUNT,
    "decay_rate": POSITIVE,
}
