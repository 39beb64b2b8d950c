"""Static quantisation to int8 by onnxruntime's own tool, and accuracy of ONNX models.

Weights and activations become whole numbers of 8 bits, by channel and by tensor; the range of every
activation is the one that some training images gave it (Jacob et al. 2018).
"""

import logging
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import shape_inference

from wootzc.backends.data import spread
from wootzc.backends.onnx.runtime import opened
from wootzc.ir.space import OnRuntime

if TYPE_CHECKING:
    from wootzc.backends.data import Split

IMAGES = 256  # that ranges are taken from, at most
BATCH = 32


def quantized(model: onnx.ModelProto, images: "Split", *, inside: bool = False) -> onnx.ModelProto:
    """The model with weights and activations of int8. `images`: to calibrate by, some of them;
    `inside`: the model normalises them itself.
    """
    return calibrated(model, (batch for batch, _ in batches(images, IMAGES, inside=inside)))


def calibrated(model: onnx.ModelProto, given: Iterator[NDArray[np.float32]]) -> onnx.ModelProto:
    """The model with weights and activations of int8; its metadata stay.

    Float32 in and out, `QuantizeLinear` and `DequantizeLinear` around what runtimes then compute in
    whole numbers. `given`: batches that it takes, to calibrate by.
    """
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            found = next(given, None)
            return None if found is None else {model.graph.input[0].name: found}

    with tempfile.TemporaryDirectory(prefix="wootzc-int8-") as folder:
        path = Path(folder) / "int8.onnx"
        shaped = shape_inference.infer_shapes(model)
        with _without_advice():
            quantize_static(shaped, path, Reader(), per_channel=True)
        made = onnx.load(path)
    del made.metadata_props[:]
    made.metadata_props.extend(model.metadata_props)
    return made


@contextmanager
def _without_advice() -> Generator[None]:
    """The tool advises to fold and infer shapes first, which was done."""

    def others(record: logging.LogRecord) -> bool:
        return record.module != "quantize"

    root = logging.getLogger()
    root.addFilter(others)
    try:
        yield
    finally:
        root.removeFilter(others)


def accuracy(model: onnx.ModelProto, images: "Split", *, inside: bool = False) -> float:
    """The fraction of images that onnxruntime labels right. Raises `WootzError`."""
    return float(labelled_right(model, images, inside=inside).mean())


def labelled_right(
    model: onnx.ModelProto, images: "Split", *, inside: bool = False
) -> NDArray[np.bool_]:
    """Which images onnxruntime labels right. Raises `WootzError`."""
    session = opened("the exported network", model.SerializeToString(), OnRuntime(threads=0))
    name = session.get_inputs()[0].name
    right = []
    for batch, labels in batches(images, len(images), inside=inside):
        (logits, *_) = session.run(None, {name: batch})
        right.append(logits.argmax(-1) == labels)
    return np.concatenate(right)


def batches(
    images: "Split", most: int, *, inside: bool = False
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
    """Images as a model takes them, channels first, and labels; at most so many, evenly spread."""
    places = spread(len(images), most)
    parts = (places[start : start + BATCH] for start in range(0, len(places), BATCH))
    for batch in images.batches(parts):
        given = batch.images * images.std + images.mean if inside else batch.images
        yield np.ascontiguousarray(given.transpose(0, 3, 1, 2), dtype=np.float32), batch.labels
