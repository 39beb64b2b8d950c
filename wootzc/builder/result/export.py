"""The best network, or another that was tried, in other forms: see docs/exports.md."""

import json
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_never, get_args

import numpy as np

from wootzc import __version__
from wootzc.backends.weights.folding import with_folded_norms
from wootzc.backends.weights.parameters import count_parameters
from wootzc.builder.result.device import exported_figures
from wootzc.builder.result.exportable import Exportable, load_candidate, load_exportable
from wootzc.builder.result.int8 import JUDGED, Int8, Quantized, as_judged, quantize
from wootzc.builder.result.origins import origins_text, torch_names
from wootzc.builder.result.summary import DeviceFigures, OnDevice
from wootzc.builder.result.verdict import int8_size
from wootzc.diagnostics import WootzError, fail
from wootzc.files import write_atomically

if TYPE_CHECKING:
    from onnx import ModelProto

Form = Literal["onnx", "tflite", "torch", "flax", "stablehlo", "safetensors"]
FORMS: tuple[Form, ...] = get_args(Form)
FOLDERS: tuple[Form, ...] = ("torch", "flax")  # the others write one file, and perhaps one beside

# By default.
NORMALIZED_INSIDE: dict[Form, bool] = {
    "onnx": False,
    "tflite": False,
    "torch": False,
    "stablehlo": True,
}
COMPATIBILITY = "JAX up to 6 months newer and 3 weeks older than this, by date of release"

Files = dict[Path, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    files: tuple[Path, ...]
    params: int  # of the files, running statistics of norms apart
    folded: int  # more that the network has: of norms that became a part of convolutions
    takes: str  # what the exported network expects, in a few words
    which: str  # which network it is, in a few words
    device: DeviceFigures | OnDevice | None  # of onnx, where it runs
    accuracy: tuple[str, ...]  # of int8, beside that of float32


def export_result(
    folder: Path,
    form: Form,
    out: Path | None = None,  # a file or a folder; default: under FOLDER/export
    *,
    with_normalization: bool | None = None,  # None: as usual in that form
    candidate: int | None = None,  # place at which it was tried, from 1; None: the best
    store: Path | str | None = None,  # None: where result.json says
    int8: Int8 | None = None,  # quantise the ONNX file
) -> Exported:
    """Write a network of a result folder. Never half a file.

    Of the folder only best/ is read; for a candidate also result.json, plan.wzir and the store, for
    int8 plan.wzir and the images. Raises `WootzError` where the result is damaged, nothing of that
    number was tried, the store has lost it, int8 is less accurate than asked for, or `out` cannot
    be written.
    """
    if int8 is not None and form != "onnx":
        raise fail("WZ305", f"int8 is a form of ONNX files, not of {form}", "--to onnx --int8")
    if with_normalization is not None and form not in NORMALIZED_INSIDE:
        raise fail(
            "WZ158",
            f"{form} has no choice of normalisation: "
            + ("it holds only weights" if form == "safetensors" else "predict() always does it"),
            f"forms that have: {', '.join(NORMALIZED_INSIDE)}",
        )
    best = load_exportable(folder)
    if candidate is not None:
        best = load_candidate(best, candidate, store)
    if int8 is not None:
        best = replace(best, suffix=f"{best.suffix}.int8")
    target = out or _default(best, form)
    _check_target(folder, form, target)
    inside = (
        NORMALIZED_INSIDE.get(form, False) if with_normalization is None else with_normalization
    )
    model = _onnx(best, inside) if form == "onnx" else None
    made = None
    if model is not None and int8 is not None:
        judged = None if inside or candidate is not None else as_judged(folder, int8)
        made = judged or quantize(folder, model, best.network.input, int8, inside=inside)
        model = made.model
    files = _files(best, form, target, inside, model)
    if made is not None:
        files[target.with_name(f"{target.name}.json")] = made.about.encode()
    for path, content in files.items():
        _write(path, content)
    weights = with_folded_norms(best.network, best.weights) if form == "onnx" else best.weights
    return Exported(
        files=tuple(files),
        params=count_parameters(weights),
        folded=count_parameters(best.weights) - count_parameters(weights),
        takes=_takes(best, form, inside),
        which=best.which,
        device=None if model is None else exported_figures(folder, model),
        accuracy=_accuracy(best, candidate, made, form),
    )


def _accuracy(
    best: Exportable, candidate: int | None, made: Quantized | None, form: Form
) -> tuple[str, ...]:
    if made is not None:
        why = int8_size(count_parameters(best.weights), made.model.ByteSize())
        return (*made.figures.lines(), *([] if why is None else [why]))
    if form == "onnx" and candidate is None and (best.folder / "best" / JUDGED).exists():
        return ("its limits were held in int8, and this is float32: --int8 writes what was judged",)
    return ()


# Where it goes


def _default(best: Exportable, form: Form) -> Path:
    name = form if form in FOLDERS else best.network.name
    end = "" if form in FOLDERS else f".{form}"
    return best.folder / "export" / f"{name}{best.suffix}{end}"


def _check_target(folder: Path, form: Form, target: Path) -> None:
    if form in FOLDERS and target.exists() and not target.is_dir():
        raise _unwritable(f"{target} is a file, but {form} is written as a folder")
    if form not in FOLDERS and target.is_dir():
        raise _unwritable(
            f"{target} is a folder, but {form} is written as a file", f"--out {target}/NAME.{form}"
        )
    if form == "safetensors" and target.suffix == ".wz":
        raise _unwritable(
            f"{target} would be the weights and the network at once",
            f"--out {target.with_suffix('.safetensors')}",
        )
    if (folder / "best").resolve() in (target.resolve(), *target.resolve().parents):
        raise _unwritable(f"{target} is a part of the result itself")


def _unwritable(message: str, way: str = "choose another place: --out") -> WootzError:
    return fail("WZ157", message, way)


def _write(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise _unwritable(f"can't write {path}: {error.strerror or error}") from None


# What it holds


def _files(
    best: Exportable, form: Form, target: Path, inside: bool, model: "ModelProto | None"
) -> Files:
    """`model`: where the form is onnx."""
    match form:
        case "onnx":
            assert model is not None
            return {target: bytes(model.SerializeToString())}
        case "tflite":
            return {target: _tflite(best, inside)}
        case "torch":
            return _torch(best, target, inside)
        case "flax":
            names = ("weights.safetensors", "example.npz", "model.py")
            return {target / name: best.read(name) for name in names}
        case "stablehlo":
            return _stablehlo(best, target, inside)
        case "safetensors":
            return {
                target: best.read("weights.safetensors"),
                target.with_suffix(".wz"): best.read("network.wz"),
            }
        case _:
            assert_never(form)


def _takes(best: Exportable, form: Form, inside: bool) -> str:
    height, width, channels = best.network.input
    match form:
        case "onnx" | "torch":
            shape = f"[batch, {channels}, {height}, {width}]"
        case "tflite":
            shape = f"[1, {height}, {width}, {channels}]"
        case "flax" | "stablehlo":
            shape = f"[batch, {height}, {width}, {channels}]"
        case "safetensors":
            return "names and axes as in network.wz"
        case _:
            assert_never(form)
    values = "values as stored in the data" if inside else "(stored value − mean) / std"
    return f"takes float32 {shape}: {values}"


def onnx_model(folder: Path) -> "ModelProto":
    """The best network of a result folder, as `export --to onnx` writes it. Raises `WootzError`."""
    return _onnx(load_exportable(folder), NORMALIZED_INSIDE["onnx"])


def _onnx(best: Exportable, inside: bool) -> "ModelProto":
    from wootzc.backends.onnx import to_onnx

    return to_onnx(
        best.network,
        best.weights,
        classes=best.classes,
        mean=best.mean,
        std=best.std,
        with_normalization=inside,
    )


def _tflite(best: Exportable, inside: bool) -> bytes:
    from wootzc.backends.torch import model_source, state_dict
    from wootzc.backends.torch.tflite import to_tflite

    source = model_source(
        best.network, best.classes, best.mean, best.std, with_normalization=inside
    )
    return to_tflite(source, state_dict(best.network, best.weights), best.network.input)


def _torch(best: Exportable, target: Path, inside: bool) -> Files:
    from safetensors.numpy import save

    from wootzc.backends.torch import model_source, state_dict

    arrays = state_dict(best.network, best.weights)
    source = model_source(
        best.network, best.classes, best.mean, best.std, with_normalization=inside
    )
    files = {
        target / "weights.safetensors": save(arrays, {"format": "pt"}),
        target / "example.npz": best.read("example.npz"),
        target / "model.py": source.encode(),
    }
    origins = json.loads(best.read("origins.json"))
    if origins["file"] is not None:
        names = origins_text(torch_names(best.network, origins))
        files[target / "names.json"] = names.encode()
    return files


def _stablehlo(best: Exportable, target: Path, inside: bool) -> Files:
    """float32 [batch, h, w, c] → logits [batch, classes], and beside it what it was made with."""
    import jax
    from jax import export

    from wootzc.backends.flax.net.model import evaluate_all, structures
    from wootzc.backends.weights.stored import split

    nets = structures(best.network, plain=True)  # it may run anywhere
    values = split(best.network, best.weights)

    def logits(images: jax.Array) -> jax.Array:
        return evaluate_all(nets, values, (images - best.mean) / best.std if inside else images)

    shape = export.symbolic_shape("batch, " + ", ".join(map(str, best.network.input)))
    images = jax.ShapeDtypeStruct(shape, np.float32)  # type: ignore[no-untyped-call]
    exported = export.export(jax.jit(logits), platforms=["cpu", "cuda", "tpu"])(images)
    about = {
        "wootzc": __version__,
        "network": best.network.name,
        "jax": jax.__version__,
        "jaxlib": version("jaxlib"),
        "calling_convention": exported.calling_convention_version,
        "readable_by": COMPATIBILITY,
        "input": f"float32 [batch, {', '.join(map(str, best.network.input))}]",
        "normalization": "inside" if inside else "before",
        "mean": best.mean.tolist(),
        "std": best.std.tolist(),
        "classes": list(best.classes),
    }
    return {
        target: bytes(exported.serialize()),
        target.with_name(f"{target.name}.json"): (json.dumps(about, indent=2) + "\n").encode(),
    }
