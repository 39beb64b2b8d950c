"""The front end: `.wz` text → checked tree → IR. The only package that knows Lark."""

from wootzc.grammar.analyze import Analysis, analyze

__all__ = ["Analysis", "analyze"]
