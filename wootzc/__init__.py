"""wootzc: prune a trained CNN by composing pre-trained blocks.

import wootzc
plan = wootzc.compile(Path("space.wz"))       # the compiler; imports no JAX
network = wootzc.zoo("resnet50", classes=10)  # or: wootzc.import_network("model.onnx")

pruned = wootzc.prune("model.onnx", images, labels)  # imports JAX; a whole build
built = wootzc.build(Path("space.wz"))  # the same from a file
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wootzc.diagnostics import Diagnostic, Span, WootzError

if TYPE_CHECKING:
    from wootzc.builder.pruning import prune as prune
    from wootzc.builder.run import build as build
    from wootzc.driver import compile as compile
    from wootzc.networks import from_nnx as from_nnx
    from wootzc.networks import import_network as import_network
    from wootzc.networks import weights_from_nnx as weights_from_nnx
    from wootzc.networks import zoo as zoo

__version__ = "0.1.0"
_LAZY = {
    "build": "wootzc.builder.run",
    "compile": "wootzc.driver",
    "from_nnx": "wootzc.networks",
    "import_network": "wootzc.networks",
    "prune": "wootzc.builder.pruning",
    "weights_from_nnx": "wootzc.networks",
    "zoo": "wootzc.networks",
}
__all__ = [
    "Diagnostic",
    "Span",
    "WootzError",
    "__version__",
    "build",
    "compile",
    "from_nnx",
    "import_network",
    "prune",
    "weights_from_nnx",
    "zoo",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in _LAZY:  # on demand: `import wootzc` alone stays light
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'wootzc' has no attribute {name!r}")
