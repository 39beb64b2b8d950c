"""benchmarks/accelerator.py counts what it says, and its plain Flax network is the zoo's."""

import importlib
from pathlib import Path
from types import ModuleType

import jax
import pytest

import wootzc
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.prune import prune_network

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="an sdist carries no benchmarks")

MACS = 4_089_184_256  # of torchvision's ResNet-50 at 224 × 224, as fvcore counts them
HEAD = 2048 * 1000
STEM = 112 * 112 * 64 * 7 * 7 * 3


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module(name)


def job(monkeypatch: pytest.MonkeyPatch, rate: float) -> object:
    made: object = script("accelerator_job", monkeypatch).Job(
        kinds=("teacher",),
        batch=2,
        side=224,
        classes=1000,
        rate=rate,
        precision="float32",
        steps=1,
        rounds=1,
    )
    return made


def test_flops_are_those_of_forward_and_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    flops = script("accelerator", monkeypatch).flops(job(monkeypatch, 0.0))
    modules = MACS - HEAD - STEM
    assert flops["teacher"] == flops["finetune"] == 2 * 2 * 3 * MACS
    assert flops["blocks"] == 2 * 2 * (MACS - HEAD + 3 * modules)
    half = script("accelerator", monkeypatch).flops(job(monkeypatch, 0.5))
    assert half["teacher"] == flops["teacher"]
    assert half["finetune"] < flops["finetune"] and half["blocks"] < flops["blocks"]


def test_a_job_travels_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = script("accelerator_job", monkeypatch)
    monkeypatch.setattr("sys.argv", ["side", shared.job_text(job(monkeypatch, 0.5))])
    assert shared.read_job() == job(monkeypatch, 0.5)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_plain_flax_has_the_same_parameters(rate: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from flax import nnx

    plain = script("accelerator_flax", monkeypatch)
    kept = job(monkeypatch, rate).kept  # type: ignore[attr-defined]
    model = nnx.eval_shape(lambda: plain.ResNet(kept, 1000, jax.numpy.float32, nnx.Rngs(0)))
    full = wootzc.zoo("resnet50")
    small = prune_network(full, (rate,) * len(full.modules))
    assert plain.learning(model) == network_cost(small).params
