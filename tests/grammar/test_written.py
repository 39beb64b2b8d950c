"""Networks that the zoo does not have, written by hand with all that the language has for them."""

from pathlib import Path

import pytest

from wootzc.diagnostics import render
from wootzc.grammar import analyze, format_text
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Network

FILES = sorted((Path(__file__).parent / "written").glob("*.wz"))
PUBLISHED = {  # parameters: num_params of torchvision's `Weights.meta`
    "mobilenet_v3_small": 2_542_856,
    "mobilenet_v3_large": 5_483_032,
    "resnext50_32x4d": 25_028_904,
    "wide_resnet50_2": 68_883_240,
}


def networks() -> dict[str, Network]:
    found: dict[str, Network] = {}
    for path in FILES:
        analysis = analyze(path.read_text(encoding="utf-8"), path.name)
        assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
        found |= {network.name: network for network in analysis.networks}
    return found


def test_they_have_the_published_numbers_of_parameters() -> None:
    assert {n: network_cost(network).params for n, network in networks().items()} == PUBLISHED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_they_are_in_canonical_form(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(text) == text
