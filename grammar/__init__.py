"""The front end: `.wz` text → checked tree → IR, and back. The only package that knows Lark."""

from wootzc.grammar.analyze import Analysis, analyze
from wootzc.grammar.format import format_text
from wootzc.grammar.parse import parse
from wootzc.grammar.print_network import print_network
from wootzc.grammar.print_tree import print_tree

__all__ = ["Analysis", "analyze", "format_text", "parse", "print_network", "print_tree"]
