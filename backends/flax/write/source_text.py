"""The parts of a generated `model.py` that are the same for every network."""

from wootzc.backends.python_source.text import MAIN

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

FOOTER = MAIN.replace("SOFTMAX", "np.asarray(jax.nn.softmax(scores))")
