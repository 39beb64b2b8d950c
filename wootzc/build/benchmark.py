"""`wootzc benchmark`: what networks cost on the device, side by side."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wootzc.backends.onnx.liveness import peak_activation_bytes
from wootzc.backends.onnx.runtime import Latency, Target, latencies
from wootzc.build.export import onnx_model
from wootzc.diagnostics import fail
from wootzc.grammar.imports.onnx.model import checked_model
from wootzc.ir.graph import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmarked:
    """One network."""

    name: str
    latency: Latency
    memory: int | None  # bytes: peak activations of one image; None where it can't be counted
    size: int  # bytes of the file, weights outside of it included


def benchmark(
    paths: Sequence[Path], target: Target, *, seconds: float = 1.0
) -> tuple[Benchmarked, ...]:
    """Result folders (their best network, as `export --to onnx` writes it) and ONNX files.

    The first is what the others are compared with. Raises `WootzError`.
    """
    models = [_model(path) for path in paths]
    contents = [bytes(model.SerializeToString()) for model in models]
    named = [(str(path), content) for path, content in zip(paths, contents, strict=True)]
    return tuple(
        Benchmarked(
            name=name, latency=latency, memory=peak_activation_bytes(model), size=len(content)
        )
        for (name, content), model, latency in zip(
            named, models, latencies(named, target, seconds=seconds), strict=True
        )
    )


def to_json(found: Sequence[Benchmarked], target: Target) -> dict[str, Any]:
    """What `--json` prints: milliseconds and bytes."""
    from onnxruntime import __version__

    return {
        "onnxruntime": __version__,
        **asdict(target),
        "networks": [asdict(one) for one in found],
    }


def _model(path: Path) -> Any:
    if path.is_dir():
        return onnx_model(path)
    try:
        return checked_model(str(path))
    except Refused as refused:
        help = refused.help or "give a result folder or an .onnx file"
        raise fail("WZ304", refused.message, help) from None
    except OSError as error:
        raise fail(
            "WZ304",
            f"can't read {path}: {error.strerror}",
            "give a result folder or an .onnx file",
        ) from None
