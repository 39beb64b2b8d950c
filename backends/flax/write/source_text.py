"""The parts of a generated `model.py` that are the same for every network."""

HEADER = '''"""{name}: a convolutional network pruned by wootzc, for {input} images.

    python model.py                     # the images of example.npz beside this file
    python model.py images.npz          # an array "images" [n, height, width, channels]
    python model.py one.png two.png     # image files; needs Pillow

Needs jax, flax, numpy and safetensors. Values are raw, as in the training data: 0 to 255 for
images. Weights are in weights.safetensors beside this file, named segment/layer/parameter.
"""

import sys
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent'''

LOADER = '''def load(path=HERE / "weights.safetensors"):
    """The network with its weights."""
    net = nnx.eval_shape(lambda: Net(nnx.Rngs(0)))  # shapes alone: nothing is drawn at random
    for name, value in load_file(path).items():  # "a1/0.0.2/kernel": of layer 0_0_2 in segment a1
        segment, layer, parameter = name.split("/")
        layers = vars(getattr(net, ATTRIBUTE))
        key = next(k for k in layers if k.partition("_")[2] == layer.replace(".", "_"))
        getattr(layers[key], parameter).set_value(jnp.asarray(value))
    return net


@nnx.jit
def logits(net, images):
    """[n, classes] for normalised images [n, height, width, channels]."""
    return net(images)


def predict(net, images, batch=256):
    """[n, classes] logits for raw images [n, height, width, channels]."""
    parts = []
    for start in range(0, len(images), batch):
        part = (np.asarray(images[start : start + batch], np.float32) - MEAN) / STD
        parts.append(np.asarray(logits(net, part)))
    return np.concatenate(parts)
'''

FOOTER = '''
def read_images(names):
    """Image files, converted and cropped to the input's shape."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise SystemExit("image files need Pillow: pip install pillow") from None
    height, width, channels = INPUT
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
    if mode is None:
        raise SystemExit(f"no image file has {channels} channels: give the values in an .npz file")
    found = []
    for name in names:
        try:
            image = Image.open(name).convert(mode)
        except OSError as error:
            raise SystemExit(f"can't read the image {name}: {error.strerror or error}") from None
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        found.append(np.asarray(image).reshape(INPUT))
    return np.stack(found)


def read_arrays(path):
    """What an .npz file holds: "images", and perhaps "labels" and "logits"."""
    try:
        file = dict(np.load(path, allow_pickle=False))
    except (OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "it is no .npz file of numbers"
        raise SystemExit(f"can't read {path}: {reason}") from None
    if "images" not in file or file["images"].shape[1:] != INPUT:
        raise SystemExit(f"{path} must hold images of shape (n, *{INPUT})")
    return file


def show(scores, labels=None, names=None):
    """One line per image: the class, how sure, and the label where there is one."""
    chances = np.asarray(jax.nn.softmax(scores))
    for i, row in enumerate(chances):
        best = int(row.argmax())
        line = f"{names[i] if names else f'image {i}'}: {CLASSES[best]} ({row[best]:.1%})"
        if labels is not None:
            line += f", label {CLASSES[labels[i]]}{'' if labels[i] == best else '  WRONG'}"
        print(line)


def main(arguments):
    if arguments and not arguments[0].endswith(".npz"):
        show(predict(load(), read_images(arguments)), names=arguments)
        return 0
    file = read_arrays(arguments[0] if arguments else HERE / "example.npz")
    scores = predict(load(), file["images"])
    labels = file["labels"] if "labels" in file else None
    show(scores, labels)
    if labels is not None:
        print(f"{np.mean(scores.argmax(axis=1) == labels):.1%} of {len(labels)} labels right")
    if "logits" in file:
        apart = float(np.abs(scores - file["logits"]).max())
        print(f"largest difference to the stored logits: {apart:.2g}")
        return 0 if np.allclose(scores, file["logits"], rtol=1e-3, atol=1e-3) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
'''
