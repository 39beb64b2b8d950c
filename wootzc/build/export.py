"""The best network in other forms. docs/exports.md says what each of them holds."""

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, assert_never, get_args

import numpy as np

from wootzc import __version__
from wootzc.backends.folding import with_folded_norms
from wootzc.backends.parameters import Weights, count_parameters
from wootzc.build.origins import origins_text, torch_names
from wootzc.build.verify import load_best
from wootzc.diagnostics import WootzError, fail
from wootzc.files import load_json, missing_result, write_atomically
from wootzc.ir.network import Network

Form = Literal["onnx", "torch", "flax", "stablehlo", "safetensors"]
FORMS: tuple[Form, ...] = get_args(Form)
FOLDERS: tuple[Form, ...] = ("torch", "flax")  # the others write one file, and perhaps one beside

NORMALIZED_INSIDE: dict[Form, bool] = {"onnx": False, "torch": False, "stablehlo": True}  # default
COMPATIBILITY = "JAX up to 6 months newer and 3 weeks older than this, by date of release"

Files = dict[Path, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    files: tuple[Path, ...]
    params: int  # of the files, running statistics of norms apart
    takes: str  # what the exported network expects, in a few words


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The best network of a result folder, whole and as it was built."""

    folder: Path
    network: Network
    weights: Weights
    classes: tuple[str, ...]
    mean: Any  # float32 [channels]
    std: Any

    def read(self, name: str) -> bytes:
        path = self.folder / "best" / name
        if not path.is_file():
            raise missing_result(path)
        return path.read_bytes()


def export_result(
    folder: Path,
    form: Form,
    out: Path | None = None,  # a file or a folder; default: under FOLDER/export
    *,
    with_normalization: bool | None = None,  # None: as usual in that form
) -> Exported:
    """Write the best network of a result folder, of which only best/ is read. Never half a file.

    Raises `WootzError` where the result is damaged or `out` cannot be written.
    """
    if with_normalization is not None and form not in NORMALIZED_INSIDE:
        raise fail(
            "WZ158",
            f"{form} has no choice of normalisation: "
            + ("it holds only weights" if form == "safetensors" else "predict() always does it"),
            f"forms that have: {', '.join(NORMALIZED_INSIDE)}",
        )
    best = _load(folder)
    target = out or _default(folder, form, best.network)
    _check_target(folder, form, target)
    inside = (
        NORMALIZED_INSIDE.get(form, False) if with_normalization is None else with_normalization
    )
    files = _files(best, form, target, inside)
    for path, content in files.items():
        _write(path, content)
    weights = with_folded_norms(best.network, best.weights) if form == "onnx" else best.weights
    return Exported(
        files=tuple(files), params=count_parameters(weights), takes=_takes(best, form, inside)
    )


def _load(folder: Path) -> Best:
    network, weights = load_best(folder)
    needs = "weights_sha256", "classes", "normalize"
    manifest = load_json(folder / "best" / "manifest.json", needs=needs)
    kept = folder / "best" / "weights.safetensors"
    if hashlib.sha256(kept.read_bytes()).hexdigest() != manifest["weights_sha256"]:
        raise fail("WZ146", f"{kept} is not the file that was built", "build again")
    return Best(
        folder=folder,
        network=network,
        weights=weights,
        classes=tuple(manifest["classes"]),
        mean=np.float32(manifest["normalize"]["mean"]),
        std=np.float32(manifest["normalize"]["std"]),
    )


# Where it goes


def _default(folder: Path, form: Form, network: Network) -> Path:
    return folder / "export" / (form if form in FOLDERS else f"{network.name}.{form}")


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


def _files(best: Best, form: Form, target: Path, inside: bool) -> Files:
    match form:
        case "onnx":
            return {target: _onnx(best, inside)}
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


def _takes(best: Best, form: Form, inside: bool) -> str:
    height, width, channels = best.network.input
    match form:
        case "onnx" | "torch":
            shape = f"[batch, {channels}, {height}, {width}]"
        case "flax" | "stablehlo":
            shape = f"[batch, {height}, {width}, {channels}]"
        case "safetensors":
            return "names and axes as in network.wz"
        case _:
            assert_never(form)
    values = "values as stored in the data" if inside else "(stored value − mean) / std"
    return f"takes float32 {shape}: {values}"


def _onnx(best: Best, inside: bool) -> bytes:
    from wootzc.backends.onnx import to_onnx

    model = to_onnx(
        best.network,
        best.weights,
        classes=best.classes,
        mean=best.mean,
        std=best.std,
        with_normalization=inside,
    )
    return bytes(model.SerializeToString())


def _torch(best: Best, target: Path, inside: bool) -> Files:
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
    known = best.folder / "best" / "origins.json"
    if known.exists():  # results of earlier versions have none
        origins = load_json(known, needs=("file", "weights"))
        if origins["file"] is not None:
            names = origins_text(torch_names(best.network, origins))
            files[target / "names.json"] = names.encode()
    return files


def _stablehlo(best: Best, target: Path, inside: bool) -> Files:
    """float32 [batch, h, w, c] → logits [batch, classes], and beside it what it was made with."""
    import jax
    from jax import export

    from wootzc.backends.flax.model import structures
    from wootzc.backends.flax.step import evaluate_all
    from wootzc.backends.flax.weights import split

    nets, values = structures(best.network), split(best.network, best.weights)

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
