"""`report.html`: what a build did, on one page that needs no network. Pure Python, no JAX."""

from wootzc.builder.report.page import report_html

__all__ = ["report_html"]
