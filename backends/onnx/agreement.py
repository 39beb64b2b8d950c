"""Whether a network that was read computes what its ONNX file does: onnxruntime runs both.

What was read is written as ONNX again, so that nothing of JAX is needed. Files that take long are
not run, nor is anything where onnxruntime is missing or lacks an operator of the file.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from wootzc.backends.alike import Array, alike, random_images
from wootzc.backends.onnx.emit import to_onnx
from wootzc.backends.onnx.runtime import NUMBERS, installed, opened
from wootzc.backends.weights.parameters import Weights
from wootzc.diagnostics import fail
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network
from wootzc.ir.space import OnRuntime

MOST_MACS, MOST_PARAMS = 1_000_000_000, 20_000_000  # of what is run: half a second on one core
IMAGES = ("tensor(float)", "tensor(float16)", "tensor(double)", "tensor(uint8)")
THREADED = OnRuntime(threads=0)  # as many as there are


def check_agreement(path: str, network: Network, weights: Weights) -> None:
    """Raises WZ344 where scores of random images differ. A softmax or sigmoid does not count."""
    cost = network_cost(network)
    if not weights or cost.macs > MOST_MACS or cost.params > MOST_PARAMS:
        return
    if not installed():
        return
    try:
        file = opened(path, path, THREADED)
        (given,) = file.get_inputs()
        batch = given.shape[0] if isinstance(given.shape[0], int) else 2
        if batch * cost.macs > MOST_MACS or given.type not in IMAGES:
            return
        images = random_images((batch, *network.input), NUMBERS[given.type])
        theirs = [
            file.run(None, {given.name: np.ascontiguousarray(one)})[0]
            for one in _laid_out(images, given.shape)
        ]
    except Exception:  # operators, types and sizes that onnxruntime lacks: nothing to compare with
        return
    read = opened(network.name, to_onnx(network, weights).SerializeToString(), THREADED)
    entering = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    (ours,) = read.run(None, {read.get_inputs()[0].name: entering})
    if not theirs or any(alike(ours, scores) for scores in theirs) or _trains(path):
        return
    raise fail(
        "WZ344",
        f"{os.path.basename(path)} was read as a network that computes something else",
        "that is a mistake of wootzc's: please report it with the file; "
        "`wootzc.from_nnx` or a network in a .wz file may serve until it is mended",
    )


def _laid_out(images: Array, sizes: list[Any]) -> Iterator[Array]:
    """The images in each order of axes that a file's input has room for."""
    for one in (images.transpose(0, 3, 1, 2), images):
        fits = zip(one.shape[1:], sizes[1:], strict=True)
        if all(size == said or not isinstance(said, int) for size, said in fits):
            yield one


def _trains(path: str) -> bool:
    """Whether the file computes as in training: norms by each batch, dropout at random."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    return any(
        (node.op_type == "BatchNormalization" and len(node.output) > 1)
        or (node.op_type == "Dropout" and len(node.input) > 2)
        for node in model.graph.node
    )
