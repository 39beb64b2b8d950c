"""Builds: content-addressed jobs, the search, the result folder. Importing this imports JAX."""

from wootzc.build.run import Built, Options, build
from wootzc.build.store import Store

__all__ = ["Built", "Options", "Store", "build"]
