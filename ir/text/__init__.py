"""The textual form of the IR (`.wzir`), printed and parsed."""

from wootzc.ir.text.printer import (
    INDENT,
    WIDTH,
    parse_ir,
    parse_network,
    parse_plan,
    print_ir,
    print_network,
    print_plan,
)

__all__ = [
    "INDENT",
    "WIDTH",
    "parse_ir",
    "parse_network",
    "parse_plan",
    "print_ir",
    "print_network",
    "print_plan",
]
