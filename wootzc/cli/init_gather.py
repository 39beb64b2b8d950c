"""Looks at a model and at images for `wootzc init`. Nothing is trained, no JAX imported."""

import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from wootzc import networks
from wootzc.backends.checkpoints import Recognised, recognised
from wootzc.backends.data import Survey, survey
from wootzc.backends.weights.parameters import network_parameters
from wootzc.backends.weights.stored import read_shapes
from wootzc.cli.init_facts import Customary, Facts, Model, Pixels
from wootzc.diagnostics import WootzError, fail
from wootzc.files import names_beside
from wootzc.grammar.syntax.near_misses import did_you_mean
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import segment_shapes
from wootzc.ir.space.recipe import Data

PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
MODELS = (".onnx", ".prototxt")
READ = (*MODELS, ".safetensors")
IMAGENET_CLASSES = 1000
OPEN_SIZE = "WZ190"


def default_out(model: str) -> Path:
    """`model.wz` in the current folder."""
    return Path(f"{Path(model).stem or 'model'}.wz")


def gather(
    model: str,
    data: str,
    file: Path,
    *,
    input: Shape | None = None,  # where the model leaves it open, or another than the zoo's
    minimize: str = "params",
    command: str = "",
) -> Facts:
    """Look at model and data; `file` is where the .wz file is going to be. Raises `WootzError`."""
    _check_model(model, data)  # before many images are listed

    images = survey(Data(path=data))
    suffix = Path(model).suffix.lower()
    if suffix in MODELS:
        facts = _of_file(model, file, images, input)
    elif suffix == ".safetensors":
        facts = _of_checkpoint(model, file, images, input)
    else:
        facts = _of_zoo(model, images, input)
    if not facts.network.modules:
        raise fail(
            "WZ193", f"{model}: no modules are found, so nothing in it can be pruned",
            "a module is layers in a row of which some channels stay inside; `wootzc import` "
            "prints what was read, docs/models.md#modules says how to name modules yourself",
        )  # fmt: skip
    return Facts(
        model=facts,
        data=said(data, file),
        images=images,
        minimize=minimize,
        file=shlex.quote(str(file)),
        command=command,
    )


def _check_model(model: str, data: str) -> None:
    """Refuse what is neither a file that can be read nor a name of the zoo."""
    path = Path(model)
    suffix = path.suffix.lower()
    if suffix in PICKLED:
        raise fail(
            "WZ191", f"{model}: wootzc never loads pickled files, which can run code",
            "in PyTorch: torch.onnx.export(model.eval(), torch.zeros(1, 3, 224, 224), "
            '"model.onnx"); or of a network of the zoo: safetensors.torch.save_file('
            'model.state_dict(), "model.safetensors")',
        )  # fmt: skip
    if suffix in READ:
        if not path.exists():
            raise fail("WZ191", f"there is no file {model}", names_beside(path))
    elif suffix == ".wz":
        raise fail(
            "WZ191", f"{model} is a .wz file already",
            "add to it, or to one that includes it: space NAME over NETWORK { … }",
        )  # fmt: skip
    elif path.exists() and Path(data).suffix.lower() in READ:
        raise fail("WZ191", f"{model} is no model", f"the model comes first: {data} {model}")
    elif path.exists() and model not in zoo_names():
        raise fail(
            "WZ191", f"wootzc reads no networks from {model}",
            "give an ONNX model, a Caffe .prototxt, a .safetensors checkpoint of a network of the "
            "zoo, or a name that `wootzc zoo` lists; docs/models.md says how to get there",
        )  # fmt: skip
    elif model not in zoo_names():
        raise fail(
            "WZ191", f"there is no file {model}, and no network of that name in the zoo",
            did_you_mean(model, zoo_names(), "`wootzc zoo` lists the networks there are"),
        )  # fmt: skip


def _of_file(model: str, file: Path, images: Survey, input: Shape | None) -> Model:
    imported, said_input = _imported(model, images, input)
    metadata = imported.metadata
    return Model(
        network=imported.network,
        name=_identifier(Path(model).stem),
        zoo=None,
        path=said(model, file),
        weights=bool(imported.weights),
        input=said_input,
        modules="as the file marks them" if imported.marked else "found by structure",
        outputs=segment_shapes(imported.network)[-1][-1],
        notes=imported.notes,
        classes=_names(metadata.get("classes", "")),
        pixels=_pixels(metadata, 255 if images.bytes_each else 1),
    )


def _imported(
    model: str, images: Survey, input: Shape | None
) -> tuple[networks.Imported, Shape | None]:
    """The network, and its input where the file does not say it: arrays have one size only."""
    try:
        return networks.import_network(model, input=input), input
    except WootzError as error:
        if error.diagnostics[0].code != OPEN_SIZE or images.fitted:
            raise
        return networks.import_network(model, input=images.shape), images.shape


def _of_checkpoint(model: str, file: Path, images: Survey, input: Shape | None) -> Model:
    shapes = read_shapes(Path(model))
    found = recognised(shapes)
    pixels = _of_imagenet(found) if found else None
    found = found or _own(shapes)
    if found is None:
        raise fail(
            "WZ191", f"{model}: its tensors bear the names of no network of the zoo",
            "give the name instead, `wootzc init resnet50 …`, and write `teacher from` into the "
            "file; or, of a network of your own, export an ONNX model",
        )  # fmt: skip
    return _of_zoo(found.network, images, input, said(model, file), found, pixels)


def _own(shapes: Mapping[str, Shape]) -> Recognised | None:
    """The network of the zoo whose weights have these names of ours, whatever its classes."""
    for name in zoo_names() if any("/" in tensor for tensor in shapes) else ():
        network = networks.zoo(name)
        expected = network_parameters(network)
        head = [*expected][-1].rpartition("/")[0]  # the last layer that has weights
        body = {n: shape for n, shape in expected.items() if not n.startswith(f"{head}/")}
        if expected.keys() == shapes.keys() and body.items() <= shapes.items():
            classes = shapes[f"{head}/kernel"][-1]
            return Recognised(network=name, source=f"wootzc's {name}", classes=classes)
    return None


def _of_zoo(
    name: str,
    images: Survey,
    input: Shape | None,
    checkpoint: str | None = None,
    found: Recognised | None = None,
    pixels: Customary | None = None,
) -> Model:
    usual = networks.zoo(name).input
    wanted = input or (usual if images.fitted else images.shape)
    classes = len(images.classes)
    return Model(
        network=networks.zoo(name, classes=classes, input=wanted),
        name=name,
        zoo=name,
        path=checkpoint,
        weights=checkpoint is not None,
        input=None if wanted == usual else wanted,
        modules="as the zoo has them",
        outputs=found.classes if found else classes,
        recognised=found.source if found else None,
        pixels=pixels,
    )


def _of_imagenet(found: Recognised) -> Customary | None:
    """What torchvision's and timm's weights of ImageNet were trained with (docs/models.md)."""
    if found.classes != IMAGENET_CLASSES:
        return None
    return "inception" if found.network in ("googlenet", "inception_v3") else "imagenet"


def _names(text: str) -> tuple[str, ...]:
    """Class names of our own exports, a JSON list; () where it is none."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(map(str, read)) if isinstance(read, list) else ()


def _pixels(
    metadata: Mapping[str, str],
    unit: int,  # what the data's largest value stands for: bytes 255, fractions 1
) -> Pixels | None:
    """How our own exports say that values are brought to the network; None where they do not."""
    match metadata.get("normalization"):
        case "before":
            mean, std = (_numbers(metadata.get(key, ""), unit) for key in ("mean", "std"))
            return Pixels(mean=mean, std=std) if mean and std and min(std) > 0 else None
        case "inside":  # values enter as they are stored
            return Pixels(mean=(0.0,), std=(1 / unit,))
        case _:
            return None


def _numbers(text: str, unit: int) -> tuple[float, ...]:
    try:
        return tuple(float(value) / unit for value in json.loads(text))
    except (TypeError, ValueError, RecursionError, OverflowError):
        return ()


def _identifier(stem: str) -> str:
    name = re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_") or "net"
    return f"net_{name}" if name[0].isdigit() else name


def said(path: str, file: Path) -> str:
    """A path as a .wz file at `file` says it: relative to its folder, as the grammar reads it."""
    target, folder = os.path.abspath(path), os.path.abspath(file.parent)
    apart = len(Path(os.path.commonpath([target, folder])).parts) == 1  # nothing but the root
    text = Path(target if apart else os.path.relpath(target, folder)).as_posix()
    if '"' in text or "\n" in text or "\r" in text:
        raise fail(
            "WZ194", f"{path!r} cannot stand in a .wz file, which has no word for its quotes or "
            "line ends", "rename it",
        )  # fmt: skip
    return text
