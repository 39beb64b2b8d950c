"""Builds: content-addressed jobs, the search, the result folder.

Training imports JAX, so `build` is loaded on demand; the store and the report are light.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wootzc.build.run import Built as Built
    from wootzc.build.run import Interrupted as Interrupted
    from wootzc.build.run import Options as Options
    from wootzc.build.run import build as build
    from wootzc.build.store import Store as Store

__all__ = ["Built", "Interrupted", "Options", "Store", "build"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'wootzc.build' has no attribute {name!r}")
    import importlib

    home = "wootzc.build.store" if name == "Store" else "wootzc.build.run"
    return getattr(importlib.import_module(home), name)
