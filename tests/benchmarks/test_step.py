"""benchmarks/step.py: both sides train the same network, and ratios are those of one round."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.stored import initial_weights
from wootzc.ir.net.cost import network_cost

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="an sdist carries no benchmarks"),
]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("step")


def test_a_ratio_compares_what_ran_in_one_round(script: ModuleType) -> None:
    ours, theirs = script.Side(lambda _: None), script.Side(lambda _: None)
    ours.processor, theirs.processor = [1.0, 10.0, 3.0], [2.0, 20.0, 3.0]
    assert script.ratio(ours, theirs) == 0.5
    assert script.better([theirs, ours]) is theirs  # equal medians: the first


def test_both_sides_have_the_same_network(script: ModuleType) -> None:
    network = script.cases()["digits 8×8, 85 % gone"].network
    images = np.random.default_rng(0).normal(size=(2, *network.input)).astype(np.float32)
    theirs = script.torch_net(network).eval()(script.step_torch.channels_last(images))
    ours = predict(network, initial_weights(network, 0), images, 2)
    np.testing.assert_allclose(theirs.detach().numpy(), ours, rtol=1e-3, atol=1e-4)


def test_a_narrow_network_has_its_share_of_every_convolution(script: ModuleType) -> None:
    networks = importlib.import_module("step_networks")
    full = networks.staged("digits", (8, 8, 1), networks.residual)
    quarter = networks.narrow(full, 4)
    assert [s.name for s in quarter.segments] == [s.name for s in full.segments]
    assert 12 < network_cost(full).params / network_cost(quarter).params < 16
