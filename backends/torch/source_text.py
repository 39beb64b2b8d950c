"""The parts of a generated PyTorch `model.py` that are the same for every network."""

from wootzc.backends.python_source.text import MAIN

HEADER = '''"""{name}: a convolutional network pruned by wootzc, for {input} images.

    python model.py                     # the images of example.npz, where it is there
    python model.py images.npz          # an array "images" [n, height, width, channels]
    python model.py one.png two.png     # image files; needs Pillow

Needs torch, numpy and safetensors. Values are raw, as in the training data: 0 to 255
for images. Weights are in weights.safetensors beside this file, named as in state_dict.
{normalization}
"""

import sys
import zipfile
from pathlib import Path

import numpy as np
import torch
{functional}from safetensors.torch import load_file
from torch import nn

HERE = Path(__file__).resolve().parent'''

FUNCTIONAL = "import torch.nn.functional as F\n"

BEFORE = "The network takes (raw value - MEAN) / STD: `predict` does that."
INSIDE = "The network takes raw values: (raw value - MEAN) / STD is its first step."

AVERAGE = '''def average(x, size, stride, counted, ignored):
    """Average over windows: zeros of the first padding count, those around it do not."""
    ones = F.pad(F.pad(torch.ones_like(x[:1, :1]), counted, value=1.0), ignored)
    x = F.pad(F.pad(x, counted), ignored)
    total = F.avg_pool2d(x, size, stride, divisor_override=1)
    return total / F.avg_pool2d(ones, size, stride, divisor_override=1)'''

LOADER = '''def load(path=HERE / "weights.safetensors"):
    """The network with its weights, ready to predict."""
    net = Net()
    net.load_state_dict(load_file(path))
    return net.eval()


@torch.inference_mode()
def predict(net, images, batch=256):
    """[n, classes] logits for raw images [n, height, width, channels]."""
    parts = []
    for start in range(0, len(images), batch):
        part = np.asarray(images[start : start + batch], np.float32)
        x = torch.from_numpy(part).permute(0, 3, 1, 2)
        parts.append(net(X).numpy())
    return np.concatenate(parts)
'''

FOOTER = MAIN.replace("SOFTMAX", "torch.softmax(torch.from_numpy(scores), dim=1).numpy()")
