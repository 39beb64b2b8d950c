"""Candidates picked from a space that was never listed, and guesses of accuracy."""

from wootzc.ir.propose.proposer import (
    APART,
    DRAWN,
    LISTED,
    RUNGS,
    SEARCHES,
    STATES,
    WORK,
    Bounds,
    Proposals,
    Scores,
    proposals,
    propose,
)

__all__ = [
    "APART",
    "DRAWN",
    "LISTED",
    "RUNGS",
    "SEARCHES",
    "STATES",
    "WORK",
    "Bounds",
    "Proposals",
    "Scores",
    "proposals",
    "propose",
]
