"""A pruned network as a TFLite file, by LiteRT's own converter from PyTorch (extra `tflite`)."""

import importlib.util
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from wootzc.diagnostics import fail
from wootzc.files import damage


def to_tflite(
    source: str,  # of `model_source`
    arrays: Mapping[str, NDArray[Any]],  # of `state_dict`
    input_shape: tuple[int, ...],  # height, width, channels
) -> bytes:
    """Takes and gives float32: one image [1, height, width, channels], logits [1, classes].

    Raises `WootzError` where the converter is not installed or fails.
    """
    if find_spec("litert_torch") is None:
        raise fail(
            "WZ312",
            "TFLite files are made by litert-torch, which is not installed",
            'pip install "wootzc[tflite]"',
        )
    import litert_torch
    import torch

    with (
        tempfile.TemporaryDirectory(prefix="wootzc-tflite-") as made,
        damage(lambda reason: fail("WZ312", f"litert-torch does not convert it: {reason}")),
    ):
        folder = Path(made)
        (folder / "model.py").write_text(source, encoding="utf-8")
        save_file(dict(arrays), folder / "weights.safetensors")
        spec = importlib.util.spec_from_file_location("wootzc_exported", folder / "model.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        network = litert_torch.to_channel_last_io(module.load().eval(), args=[0])
        image = torch.from_numpy(np.zeros((1, *input_shape), np.float32))
        litert_torch.convert(network, (image,)).export(str(folder / "net.tflite"))
        return (folder / "net.tflite").read_bytes()
