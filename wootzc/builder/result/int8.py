"""Networks of 8 bits: as a build judged them, and as `export --to onnx --int8` makes them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wootzc.backends.data import Dataset
from wootzc.backends.onnx.runtime import need_installed
from wootzc.backends.weights.parameters import Weights
from wootzc.builder.jobs.int8 import MODEL, InInt8
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.result.replay import data_of
from wootzc.builder.result.summary import Change, Int8Figures
from wootzc.diagnostics import fail
from wootzc.files import changed, damage, load_json
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Network
from wootzc.units import percent

if TYPE_CHECKING:
    from onnx import ModelProto


JUDGED = "int8.onnx"  # in best/, of spaces that quantise


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """What is asked of a quantised network."""

    data: Path | None = None  # where the images of the build are now; None: where they were
    at_least: float | None = None  # accuracy, on validation and on test images


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantized:
    model: "ModelProto"
    figures: Int8Figures
    data: str  # fingerprint of the images

    @property
    def about(self) -> str:
        """JSON, written beside the file."""
        return json.dumps({"data": self.data, **asdict(self.figures)}, indent=2) + "\n"


def in_build(
    jobs: Jobs,
    key: str,  # of the job that made the weights
    network: Network,
    weights: Weights,
    float32: tuple[float, float],  # accuracy on validation and test images
) -> Quantized | None:
    """A network of a build as it was judged; None where the space does not quantise."""
    int8 = InInt8(jobs)
    if not int8.wanted:
        return None
    import onnx

    from wootzc.backends.onnx.int8 import accuracy

    done = int8.of(key, network, weights)
    assert done.weights is not None, "its bytes are kept"
    model = onnx.load_from_string(done.weights[MODEL].tobytes())
    accuracies = float(done.result["accuracy"]), accuracy(model, jobs.dataset.test)
    return _quantized(model, jobs.dataset, list(zip(float32, accuracies, strict=True)))


def as_judged(folder: Path, wanted: Int8) -> Quantized | None:
    """What the build of a folder judged; None where it did not quantise. Raises `WootzError`."""
    import onnx

    file = folder / "best" / JUDGED
    if not file.exists():
        return None
    about = load_json(file.with_suffix(".json"), needs=("data", "on", "calibrated_on"))
    with damage(lambda reason: changed(file)):
        figures = Int8Figures(
            on=about["on"],
            calibrated_on=about["calibrated_on"],
            validation=Change(**about["validation"]),
            test=Change(**about["test"]),
        )
        found = Quantized(model=onnx.load(file), figures=figures, data=about["data"])
    return at_least(wanted.at_least, found)


def quantize(
    folder: Path,
    model: "ModelProto",  # float32
    input_shape: Shape,
    wanted: Int8,
    *,
    inside: bool,  # the model normalises by itself
) -> Quantized:
    """Calibrated on training images of the build. Raises `WootzError`, also below `at_least`."""
    need_installed("int8 is made")
    from wootzc.backends.onnx.int8 import accuracy, quantized

    dataset = data_of(folder, wanted.data, input_shape)
    made = quantized(model, dataset.train, inside=inside)
    found = _quantized(
        made,
        dataset,
        [
            (accuracy(model, images, inside=inside), accuracy(made, images, inside=inside))
            for images in (dataset.validation, dataset.test)
        ],
    )
    return at_least(wanted.at_least, found)


def at_least(least: float | None, found: Quantized) -> Quantized:
    """Raises `WootzError` where one of its accuracies is below."""
    validation, test = found.figures.validation, found.figures.test
    if least is not None and min(validation.int8, test.int8) < least:
        raise fail(
            "WZ306",
            f"as int8 the network is below {percent(least)}, so nothing was written:\n"
            + "\n".join(f"    {line}" for line in found.figures.lines()),
            "export it as float32, without --int8; or ask for less with --at-least",
        )
    return found


def _quantized(
    model: "ModelProto",
    data: Dataset,
    accuracies: Sequence[tuple[float, float]],  # validation, test: float32, int8
) -> Quantized:
    import onnxruntime

    from wootzc.backends.onnx.int8 import IMAGES

    validation, test = (
        Change(images=len(images), float32=before, int8=after)
        for images, (before, after) in zip((data.validation, data.test), accuracies, strict=True)
    )
    figures = Int8Figures(
        on=f"onnxruntime {onnxruntime.__version__}",
        calibrated_on=min(IMAGES, len(data.train)),
        validation=validation,
        test=test,
    )
    return Quantized(model=model, figures=figures, data=data.fingerprint)
