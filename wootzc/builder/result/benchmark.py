"""`wootzc benchmark`: what networks cost on the device, side by side."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wootzc.backends.onnx.runtime import latencies
from wootzc.builder.result.device import on_device
from wootzc.builder.result.export import onnx_model
from wootzc.builder.result.summary import OnDevice
from wootzc.diagnostics import fail
from wootzc.grammar.imports.onnx.model_file import checked_model
from wootzc.ir.graph import Refused
from wootzc.ir.space import OnRuntime


def benchmark(
    paths: Sequence[Path], target: OnRuntime, *, seconds: float = 1.0
) -> tuple[tuple[str, OnDevice], ...]:
    """Result folders (their best network, as `export --to onnx` writes it) and ONNX files.

    Each with its name; the first is what the others are compared with. Raises `WootzError`.
    """
    models, names = [_model(path) for path in paths], [str(path) for path in paths]
    contents = [bytes(model.SerializeToString()) for model in models]
    measured = latencies(list(zip(names, contents, strict=True)), target, seconds=seconds)
    return tuple(zip(names, on_device(models, measured), strict=True))


def to_json(found: Sequence[tuple[str, OnDevice]], target: OnRuntime) -> dict[str, Any]:
    """What `--json` prints: milliseconds and bytes."""
    from onnxruntime import __version__

    networks = [{"name": name, **asdict(one)} for name, one in found]
    return {"onnxruntime": __version__, **asdict(target), "networks": networks}


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
