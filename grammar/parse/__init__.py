"""Text to tree, and what to say where that fails."""

from wootzc.grammar.parse.parsing import MAX_ERRORS, Memory, Parsed, parse, parse_statement

__all__ = ["MAX_ERRORS", "Memory", "Parsed", "parse", "parse_statement"]
