"""The front end: `.wz` text → checked tree → IR, and back. The only package that knows Lark.

What `check` does not need is loaded on demand: a command that only checks starts faster.
"""

import importlib
from typing import TYPE_CHECKING, Any

from wootzc.grammar.analyze import Analysis, analyze

if TYPE_CHECKING:
    from wootzc.grammar.text.format import format_text as format_text
    from wootzc.grammar.text.print_network import print_network as print_network
    from wootzc.grammar.text.print_tree import print_tree as print_tree

__all__ = ["Analysis", "analyze", "format_text", "print_network", "print_tree"]

_HOMES = {
    "format_text": "wootzc.grammar.text.format",
    "print_network": "wootzc.grammar.text.print_network",
    "print_tree": "wootzc.grammar.text.print_tree",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'wootzc.grammar' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
