"""ONNX file → network → pruned at rate 0 → ONNX file: the same function, and the same weights."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from wootzc.backends.onnx import to_onnx
from wootzc.backends.weights.folding import with_folded_norms
from wootzc.backends.weights.parameters import Weights, count_parameters
from wootzc.backends.weights.slicing import prune_weights
from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import Refused
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.segment import chain_weights, segment
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network

Random = Callable[[Network], Weights]
FIXTURES = sorted((Path(__file__).parent.parent / "imports").rglob("*.onnx"))
TOLERANCE = 1e-4  # of the largest logit

# What we write and do not read: nodes that stand for a layer ONNX lacks, vectors in two orders, and
# networks that take a vector.
ONE_WAY = {
    "add-of-flat-and-dense",
    "avg-counted-ceil",
    "avg-counted-ceil-uneven",
    "dense",
    "dense-without-bias",
    "dropout",
    "local-norm-even",
    "local-norm-of-vector",
    "scale-of-vectors",
}


def run(model: bytes, images: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model)
    (entering,) = session.get_inputs()
    (logits,) = session.run(None, {entering.name: images})
    made: NDArray[np.float32] = logits
    return made.reshape(len(made), -1)


def there_and_back(path: Path) -> tuple[Network, Weights, bytes]:
    """The network in a file, its weights, and the file made of both, pruned at rate 0."""
    graph = read_graph(str(path))
    chain = decompose(graph)
    network = segment(graph.name, graph.input, chain)
    count = len(network.modules)
    weights = prune_weights(
        network, dict(chain_weights(network, chain)), (0.0,) * count, ["l1"] * count
    )
    model = to_onnx(prune_network(network, (0.0,) * count), weights)
    onnx.checker.check_model(model, full_check=True)
    return network, weights, model.SerializeToString()


def check_same(path: Path) -> tuple[Network, Weights]:
    network, weights, model = there_and_back(path)
    height, width, channels = network.input
    drawn = np.random.default_rng(0).normal(size=(2, channels, height, width))
    # A file may have a fixed batch of one.
    for image in drawn.astype(np.float32)[:, None]:
        before, after = run(path.read_bytes(), image), run(model, image)
        assert before.shape == after.shape
        assert np.abs(before - after).max() <= TOLERANCE * np.abs(before).max()
    return network, weights


def written(network: Network, weights: Weights, folder: Path) -> Path:
    path = folder / "net.onnx"
    onnx.save(to_onnx(network, weights), path)
    return path


def test_every_layer_comes_back(
    any_layer: Network,
    with_head: Callable[[Network], Network],
    random_weights: Random,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    network = with_head(any_layer)
    weights = random_weights(network)
    path = written(network, weights, tmp_path)
    if request.node.callspec.id in ONE_WAY:
        with pytest.raises(Refused):
            read_graph(str(path))
        return
    _, found = check_same(path)
    assert count_parameters(found) == count_parameters(weights)


def test_networks_come_back(any_network: Network, random_weights: Random, tmp_path: Path) -> None:
    weights = random_weights(any_network)
    _, found = check_same(written(any_network, weights, tmp_path))
    assert count_parameters(found) == count_parameters(with_folded_norms(any_network, weights))


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_files_of_other_tools_keep_their_function(path: Path) -> None:
    check_same(path)
