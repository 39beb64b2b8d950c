"""What networks cost as ONNX files: latency, wherever onnxruntime is installed, memory and size."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from wootzc.backends.onnx.runtime import Latency, installed, latencies
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.stored import initial_weights
from wootzc.builder.jobs.events import Noted
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.result.int8 import Quantized
from wootzc.builder.result.summary import DeviceFigures, OnDevice
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.ir.net.network import Network
from wootzc.ir.space import OnRuntime

if TYPE_CHECKING:
    from onnx import ModelProto

Weighted: TypeAlias = tuple[Network, Weights]

SECONDS = 0.2  # of measuring, each network
LEAST_ROUNDS = 3  # of networks that are slower than that


def device_figures(
    before: Weighted, after: Weighted, events: Events, int8: Quantized | None
) -> DeviceFigures | None:
    """None where a network is too large for a file, or does not run: the build says so.

    `int8`: what stands for `after`, where that was quantised.
    """
    from wootzc.backends.onnx import to_onnx

    try:
        return _figures(to_onnx(*before), to_onnx(*after) if int8 is None else int8.model)
    except WootzError as error:
        (why, *_) = error.diagnostics
        events.emit(Noted(message=f"latency and memory are not told: {why.message}"))
        return None


def exported_figures(folder: Path, exported: "ModelProto") -> DeviceFigures | OnDevice | None:
    """What was exported, against the full network of the result folder: alone where that is gone.

    None where onnxruntime does not run them. The full network has drawn weights, which take as
    long as those of the teacher.
    """
    from wootzc.backends.onnx import to_onnx

    plan = folder / "plan.wzir"
    try:
        if not plan.exists():
            (alone,) = on_device([exported], _measured(exported))
            return alone
        full = compile(plan, ()).space.network
        return _figures(to_onnx(full, initial_weights(full, seed=0)), exported)
    except WootzError:  # it is written all the same
        return None


def on_device(
    models: Sequence["ModelProto"], measured: Sequence[Latency | None]
) -> tuple[OnDevice, ...]:
    """Of each model, with its latency."""
    from wootzc.backends.onnx.liveness import peak_activation_bytes

    return tuple(
        OnDevice(latency=latency, memory=peak_activation_bytes(model), size=model.ByteSize())
        for model, latency in zip(models, measured, strict=True)
    )


def _figures(*models: "ModelProto") -> DeviceFigures:
    before, after = on_device(models, _measured(*models))
    on = ""
    if installed():
        import onnxruntime

        on = f"onnxruntime {onnxruntime.__version__}, 1 thread"
    return DeviceFigures(before=before, after=after, on=on)


def _measured(*models: "ModelProto") -> Sequence[Latency | None]:
    if not installed():
        return [None] * len(models)
    contents = [("the network", bytes(model.SerializeToString())) for model in models]
    return latencies(contents, OnRuntime(), seconds=SECONDS, least=LEAST_ROUNDS)
