"""Models and images given in Python, as the files that a `.wz` file names."""

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.stored import to_bytes
from wootzc.diagnostics import fail
from wootzc.files import write_atomically
from wootzc.grammar import print_network
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.net.network import Network
from wootzc.networks import Imported, from_nnx, zoo

if TYPE_CHECKING:
    from flax import nnx

Model: TypeAlias = "Network | Imported | nnx.Module | str | os.PathLike[str]"
Weights: TypeAlias = str | os.PathLike[str] | Mapping[str, NDArray[Any]]
Labelled: TypeAlias = tuple[NDArray[Any], NDArray[Any]]  # images [n, h, w, c], labels [n]

NUMBERS = "give numbers that np.asarray can take, all images of one size"
READ = (".onnx", ".prototxt")  # what a network is read from


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A network as `.wz` text; its weights as arrays, or the file that has them."""

    name: str
    text: str
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    teacher: str | None = None  # path
    notes: tuple[str, ...] = ()  # on how it was read, where no file says them
    trained: bool = False  # by whoever gave it: images are as the model takes them


def given_model(model: Model, images: Labelled | None, weights: Weights | None) -> Given:
    """Any model that `prune` takes. `images`: None where they stand in files."""
    match model:
        case Network():
            found = _network(model, {})
        case Imported():
            found = _imported(model)
        case str() if model in zoo_names():
            found = _network(_from_zoo(model, images), {})
        case str() | os.PathLike():
            found = _from_file(Path(model))
        case _:
            found = _from_nnx(model, images)
    if weights is None:
        return found
    if isinstance(weights, Mapping):
        return replace(found, weights=weights, trained=True)
    path = os.path.abspath(os.path.expanduser(weights))
    return replace(found, weights={}, teacher=path, trained=True)


def _network(network: Network, weights: Mapping[str, NDArray[Any]]) -> Given:
    return Given(
        name=network.name, text=print_network(network), weights=weights, trained=bool(weights)
    )


def _imported(found: Imported) -> Given:
    network = found.network
    notes = tuple(f"network {network.name}: {note}" for note in found.notes)
    return replace(_network(network, found.weights), notes=notes)


def _from_zoo(name: str, images: Labelled | None) -> Network:
    if images is None:
        return zoo(name)
    pixels, labels = images
    return zoo(name, classes=int(labels.max()) + 1, input=tuple(map(int, pixels.shape[1:])))


def _from_file(path: Path) -> Given:
    if path.suffix.lower() not in READ:
        raise fail(
            "WZ185",
            f"no model can be read from {path}",
            f"give a file that ends in {' or '.join(READ)}, a name of the zoo (`wootzc zoo` lists "
            "them), or an nnx model; a .wz file is built by wootzc.build(Path(…))",
        )
    stem = re.sub(r"\W", "_", path.stem, flags=re.ASCII).lower()
    name = stem if stem.isidentifier() else f"network_{stem}"
    where = os.path.abspath(path.expanduser())
    trained = path.suffix.lower() == ".onnx"
    return Given(name=name, text=f'network {name} from "{where}"\n', trained=trained)


def _from_nnx(model: Any, images: Labelled | None) -> Given:
    from flax import nnx

    if not isinstance(model, nnx.Module):
        raise fail(
            "WZ185",
            f"{type(model).__name__} is no model that wootzc knows",
            "give the path of an ONNX file, a name of the zoo, a Network, or an nnx model; a "
            "PyTorch model is exported first: torch.onnx.export(model, example, 'model.onnx')",
        )
    if images is None:
        raise fail(
            "WZ185",
            "what an nnx model does is traced on an image, but the images stand in files",
            "give images as an array; or wootzc.from_nnx(model, example) as the model",
        )
    return _imported(from_nnx(model, images[0][:1].astype(np.float32)))


# ---- images


def labelled(images: Any, labels: Any, of: str = "") -> Labelled:
    """Arrays of images and labels, or of all batches (images, labels) where `labels` is None.

    `of`: " for validation", say, in messages. Raises `WootzError`.
    """
    if labels is None:
        images, labels = _joined(images, of)
    pixels, numbers = _array(images, f"images{of}"), _array(labels, f"labels{of}")
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.ndim != 4 or 0 in pixels.shape or pixels.dtype.kind not in "biuf":
        raise fail(
            "WZ105",
            f"images{of} are {pixels.dtype}{list(pixels.shape)}; expected uint8 or floats, "
            "[n, height, width, channels]",
            "there is no number in them: give some, or leave them out"
            if 0 in pixels.shape
            else "images.reshape(n, height, width, channels) of flat ones",
        )
    if len(pixels) != len(numbers):
        raise fail(
            "WZ106",
            f"there are {len(pixels):,} images{of}, but {len(numbers):,} labels",
            "each image needs one label",
        )
    return pixels, numbers


def _joined(batches: Any, of: str) -> tuple[NDArray[Any], NDArray[Any]]:
    help = "give arrays, `images, labels`; or an iterable of batches, each a pair of two such"
    if not isinstance(batches, Iterable) or hasattr(batches, "__array__"):
        raise fail("WZ186", f"labels{of} are missing", help)
    pairs: list[Labelled] = []
    for batch in batches:
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise fail("WZ186", f"batch {len(pairs)} is no pair (images, labels)", help)
        number = len(pairs)
        pairs.append(labelled(batch[0], batch[1], f" of batch {number}"))
        if pairs[-1][0].shape[1:] != pairs[0][0].shape[1:]:
            shapes = [list(pairs[i][0].shape[1:]) for i in (0, number)]
            raise fail(
                "WZ186",
                f"images are {shapes[0]} in batch 0, but {shapes[1]} in batch {number}",
                "all images must be of one size",
            )
    if not pairs:
        raise fail("WZ186", f"there is no batch of images{of}", help)
    return np.concatenate([each[0] for each in pairs]), np.concatenate([each[1] for each in pairs])


def _array(values: Any, what: str) -> NDArray[Any]:
    """Of anything that NumPy can read: arrays of JAX and PyTorch too."""
    try:
        array = np.asarray(values)
    except Exception as error:  # a tensor on a GPU, ragged lists: each library has its own kind
        raise fail("WZ186", f"{what} cannot be read as an array: {error}", NUMBERS) from error
    if array.dtype.hasobject or not array.ndim:
        raise fail("WZ186", f"{what} are no array", NUMBERS)
    return array


# ---- files


def write_images(path: Path, parts: Mapping[str, Labelled]) -> None:
    """An `.npz` of `train` and perhaps `val` and `test`; the same arrays give the same bytes."""
    arrays = {
        key: values
        for part, pair in parts.items()
        for key, values in zip((f"x_{part}", f"y_{part}"), pair, strict=True)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_weights(path: Path, weights: Mapping[str, NDArray[Any]]) -> None:
    """Write a safetensors file, whole or not at all."""
    write_atomically(path, to_bytes(weights, {"format": "wootzc"}))
