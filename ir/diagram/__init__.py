"""A set of words as a decision diagram, and the spaces that are such sets."""

from wootzc.ir.diagram.diagram import CHOICE, CHUNK, LIMIT, Counts, Diagram, Words

__all__ = ["CHOICE", "CHUNK", "LIMIT", "Counts", "Diagram", "Words"]
