"""`export --to onnx --int8`: quantised, and judged on validation and test images."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wootzc.backends.onnx.runtime import need_installed
from wootzc.builder.result.replay import data_of
from wootzc.diagnostics import fail
from wootzc.units import percent

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """What is asked of a quantised network."""

    data: Path | None = None  # where the images of the build are now; None: where they were
    at_least: float | None = None  # accuracy, on validation and on test images


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Accuracy on some images, as onnxruntime gives it."""

    images: int
    float32: float
    int8: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    model: "ModelProto"
    validation: Change
    test: Change
    about: str  # JSON, written beside the file

    def lines(self) -> tuple[str, ...]:
        return tuple(
            f"{name} accuracy, float32 → int8: {percent(one.float32)} → {percent(one.int8)} "
            f"on {one.images:,} images"
            for name, one in (("validation", self.validation), ("test", self.test))
        )


def quantize(
    folder: Path,
    model: "ModelProto",  # float32
    input_shape: tuple[int, int, int],
    wanted: Int8,
    *,
    inside: bool,  # the model normalises by itself
) -> Quantized:
    """Calibrated on training images of the build. Raises `WootzError`, also below `at_least`."""
    need_installed("int8 is made")
    import onnxruntime

    from wootzc.backends.onnx.int8 import IMAGES, accuracy, given, quantized

    dataset = data_of(folder, wanted.data, input_shape)
    take = given(dataset.mean, dataset.std, inside)
    made = quantized(model, dataset.train, take)
    validation, test = (
        Change(
            images=len(images),
            float32=accuracy(model, images, take),
            int8=accuracy(made, images, take),
        )
        for images in (dataset.validation, dataset.test)
    )
    about: dict[str, Any] = {
        "onnxruntime": onnxruntime.__version__,
        "data": dataset.fingerprint,
        "calibrated_on": min(IMAGES, len(dataset.train)),
        "validation": asdict(validation),
        "test": asdict(test),
    }
    found = Quantized(
        model=made, validation=validation, test=test, about=json.dumps(about, indent=2) + "\n"
    )
    least = wanted.at_least
    if least is not None and min(validation.int8, test.int8) < least:
        raise fail(
            "WZ306",
            f"as int8 the network is below {percent(least)}, so nothing was written:\n"
            + "\n".join(f"    {line}" for line in found.lines()),
            "export it as float32, without --int8; or ask for less with --at-least",
        )
    return found
