"""How long one image takes before and after pruning, wherever onnxruntime is installed."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from wootzc.backends.flax.weights import initial_weights
from wootzc.backends.onnx.runtime import Latency, Target, installed, latencies
from wootzc.backends.parameters import Weights
from wootzc.build.events import Noted
from wootzc.build.listeners import Events
from wootzc.build.summary import LatencyFigures
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.ir.network import Network

if TYPE_CHECKING:
    from onnx import ModelProto

Weighted: TypeAlias = tuple[Network, Weights]

SECONDS = 0.2  # of measuring, each network
LEAST_ROUNDS = 3  # of networks that are slower than that


def latency_figures(before: Weighted, after: Weighted) -> LatencyFigures | None:
    """None where onnxruntime is not installed.

    Raises `WootzError` where a network is too large for a file, or onnxruntime does not run it.
    """
    if not installed():
        return None
    from wootzc.backends.onnx import to_onnx

    return _figures(*(to_onnx(network, weights) for network, weights in (before, after)))


def latency_told(before: Weighted, after: Weighted, events: Events) -> LatencyFigures | None:
    """The same; where it can't be measured, a build says so and goes on."""
    try:
        return latency_figures(before, after)
    except WootzError as error:
        (why, *_) = error.diagnostics
        events.emit(Noted(message=f"latency was not measured: {why.message}"))
        return None


def exported_latency(folder: Path, exported: "ModelProto") -> LatencyFigures | Latency | None:
    """What was exported, against the full network of the result folder: alone where that is gone.

    None where onnxruntime is not installed or does not run them. The full network has drawn
    weights, which take as long as those of the teacher.
    """
    if not installed():
        return None
    from wootzc.backends.onnx import to_onnx

    plan = folder / "plan.wzir"
    try:
        if not plan.exists():
            (alone,) = _measured(exported)
            return alone
        full = compile(plan, ()).space.network
        return _figures(to_onnx(full, initial_weights(full, seed=0)), exported)
    except WootzError:  # it is written all the same
        return None


def _figures(before: "ModelProto", after: "ModelProto") -> LatencyFigures:
    import onnxruntime

    full, pruned = _measured(before, after)
    version = onnxruntime.__version__
    return LatencyFigures(before=full, after=pruned, on=f"onnxruntime {version}, 1 thread")


def _measured(*models: "ModelProto") -> tuple[Latency, ...]:
    contents = [("the network", bytes(model.SerializeToString())) for model in models]
    return latencies(contents, Target(), seconds=SECONDS, least=LEAST_ROUNDS)
