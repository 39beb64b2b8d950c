"""benchmarks/peers.py, as far as it goes without PyTorch: its options, and what PyTorch is told."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from wootzc.backends.python_source.classes import classes_of
from wootzc.backends.torch.layers import TORCH
from wootzc.driver import compile
from wootzc.ir.layers import Conv, Dense
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="an sdist carries no benchmarks"
)
DIGITS = ROOT / "benchmarks" / "digits.wz"
MOBILENET = """
space s over mobilenet_v2(classes = 10, input = 64x64x3) {
  data "images.zip"
  teacher { steps 10 }
  rates { 0, 30%, 55% }
  prune * by l1
  sample 5 seed 1
  minimize params
  subject to accuracy >= 50%
}
"""


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return script("peers_job", monkeypatch)


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as where a script is run
    return importlib.import_module(name)


def widths(network: Network) -> dict[str, int]:
    """PyTorch's name of a layer → the channels that it makes."""
    classes = classes_of(network, TORCH)
    return {
        f"{classes.attributes[segment]}.{learned.attribute}": learned.layer.width
        for segment, made in classes.of.items()
        for learned in made.body.learned
        if isinstance(learned.layer, Conv | Dense)
    }


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {*sys.modules}
    peers = script("peers", monkeypatch)
    given = ["x.wz", "--data", "d.zip", "--seeds", "1", "2", "--set", "finetune.steps=30"]
    options = peers.arguments(given)
    assert (options.source, options.seeds) == (Path("x.wz"), [1, 2])
    assert options.settings == {"finetune.steps": "30", "data": "d.zip"}
    assert peers.arguments([]).source == Path("benchmarks/digits.wz")
    assert "torch" not in {*sys.modules} - known  # but in processes that it starts


@pytest.mark.parametrize("source", [DIGITS, MOBILENET], ids=["digits", "mobilenet"])
def test_torch_pruning_is_told_the_widths_of_the_plan(job: ModuleType, source: Path | str) -> None:
    """Of a layer that makes n channels Torch-Pruning keeps int(n × (1 − ratio))."""
    plan = compile(source)
    assert plan.candidates is not None
    network = plan.space.network
    full = widths(network)
    assert job.layers(network) == list(full)
    for row in plan.candidates.values[:40]:
        rates = tuple(plan.space.rates[i] for i in row)
        ratios = job.ratios(network, rates)
        left = {name: int(n * (1 - ratios.get(name, 0.0))) for name, n in full.items()}
        assert left == widths(prune_network(network, rates))


def test_a_recipe_that_torch_does_not_follow_is_refused(job: ModuleType) -> None:
    plan = compile(DIGITS)
    assert job.job_of(plan, 0.99)["target"] == pytest.approx(0.97)
    recipe = replace(plan.space.finetune, distill=0.5)
    with pytest.raises(SystemExit, match="only"):
        job.job_of(replace(plan, space=replace(plan.space, finetune=recipe)), 0.99)
