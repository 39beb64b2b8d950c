"""Builds: content-addressed jobs, the search, the result folder.

Training imports JAX, so `build` is loaded on demand; the store and the report are light.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wootzc.builder.jobs.store import Store as Store
    from wootzc.builder.run import Built as Built
    from wootzc.builder.run import Interrupted as Interrupted
    from wootzc.builder.run import Options as Options
    from wootzc.builder.run import build as build

__all__ = ["Built", "Interrupted", "Options", "Store", "build"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'wootzc.builder' has no attribute {name!r}")
    import importlib

    home = "wootzc.builder.jobs.store" if name == "Store" else "wootzc.builder.run"
    return getattr(importlib.import_module(home), name)
