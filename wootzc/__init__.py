"""wootzc: prune a trained CNN by composing pre-trained blocks.

import wootzc
plan = wootzc.compile(Path("space.wz"))     # the compiler; imports no JAX

from wootzc.build import build              # imports JAX
built = build(Path("space.wz"))
"""

from typing import TYPE_CHECKING, Any

from wootzc.diagnostics import Diagnostic, Span, WootzError

if TYPE_CHECKING:
    from wootzc.driver import compile as compile

__version__ = "0.1.0"
__all__ = ["Diagnostic", "Span", "WootzError", "__version__", "compile"]


def __getattr__(name: str) -> Any:
    if name == "compile":  # on demand: `import wootzc` alone stays light
        from wootzc.driver import compile

        return compile
    raise AttributeError(f"module 'wootzc' has no attribute {name!r}")
