"""The networks that come with wootzc: as published, and fit to be pruned as they stand."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from wootzc.diagnostics import WootzError, render
from wootzc.driver import compile
from wootzc.grammar import analyze, format_text
from wootzc.grammar.lower.named_networks import zoo_network
from wootzc.grammar.space.width_rules import MULTIPLE, with_rules
from wootzc.grammar.zoo import zoo_names, zoo_path
from wootzc.ir.layers import Body, Branch, Norm
from wootzc.ir.net.cost import body_cost, network_cost
from wootzc.ir.net.network import Network, segment_shapes


class Published(NamedTuple):
    """`macs`: multiply-accumulates of one image, as its source rounds them, in this unit."""

    params: int
    macs: str | None
    unit: float
    source: str


# torchvision 0.29's `Weights.meta`: num_params, and _ops, which counts the multiplications of
# convolutions and dense layers, in thousand millions. Inception-V3: without its auxiliary head.
TORCHVISION = {
    "resnet18": (11_689_512, "1.814"),
    "resnet34": (21_797_672, "3.664"),
    "resnet50": (25_557_032, "4.089"),
    "resnet101": (44_549_160, "7.801"),
    "resnet152": (60_192_808, "11.514"),
    "googlenet": (6_624_904, "1.498"),
    "inception_v3": (27_161_264 - 3_326_696, "5.713"),
    "vgg11": (132_863_336, "7.609"),
    "vgg13": (133_047_848, "11.308"),
    "vgg16": (138_357_544, "15.470"),
    "vgg19": (143_667_240, "19.632"),
    "vgg11_bn": (132_868_840, "7.609"),
    "vgg13_bn": (133_053_736, "11.308"),
    "vgg16_bn": (138_365_992, "15.470"),
    "vgg19_bn": (143_678_248, "19.632"),
    "mobilenet_v2": (3_504_872, "0.301"),
    "densenet121": (7_978_856, "2.834"),
    "squeezenet1_0": (1_248_424, "0.819"),
    "squeezenet1_1": (1_235_496, "0.349"),
    "efficientnet_b0": (5_288_548, "0.386"),
}
# Exact figures follow from option B: the paper's count (option A, 269,722 for 20 layers) and two
# projections. MAdds are the table in the README of chenyaofo/pytorch-cifar-models, in millions.
CIFAR = {
    "cifar_resnet20": (272_474, "40.81"),
    "cifar_resnet32": (466_906, "69.12"),
    "cifar_resnet44": (661_338, "97.44"),
    "cifar_resnet56": (855_770, "125.75"),
    "cifar_resnet110": (1_730_714, None),  # He et al. 2016, table 6: 1.7M
}
# TF-Slim's inception_v2_test.py counts 10,173,112 variables of the network without its last layer.
# There the first layer is separable (7x7x3x8 + 24x64 weights and 64 biases, no norm) where the
# paper's is 7x7x3x64 with a norm; norms have three variables a channel (no scale, but statistics)
# where two are trained here; and there are 9,952 channels with norms. Added: the last layer.
INCEPTION_V2 = (
    10_173_112 - (7 * 7 * 3 * 8 + 24 * 64 + 64) + 7 * 7 * 3 * 64 - 3 * (9_952 - 64) + 2 * 9_952
) + (1024 + 1) * 1000

PUBLISHED = {
    **{n: Published(p, m, 1e9, "torchvision") for n, (p, m) in TORCHVISION.items()},
    **{n: Published(p, m, 1e6, "pytorch-cifar-models") for n, (p, m) in CIFAR.items()},
    "inception_v2": Published(INCEPTION_V2, None, 1, "TF-Slim"),
    # timm's mobilenetv1_100; Keras gives as many trainable ones. MACs: Howard et al. 2017, table 4
    "mobilenet_v1": Published(4_231_976, "569", 1e6, "timm"),
    # Liu et al. 2017, table 1: 20.04M parameters and 7.97e8 FLOPs, two a multiply-accumulate
    "cifar_vgg19": Published(20_035_018, None, 1, "by hand"),
}

NAMES = zoo_names()
FILES = sorted({zoo_path(name) for name in NAMES})


@pytest.fixture(scope="module")
def networks() -> dict[str, Network]:
    return {name: zoo_network(name, {}) for name in NAMES}


def test_the_table_names_what_the_files_define() -> None:
    found = {
        network.name: path
        for path in FILES
        for network in analyze(Path(path).read_text(encoding="utf-8"), path).networks
    }
    assert found == {name: zoo_path(name) for name in NAMES}
    assert {str(path) for path in Path(FILES[0]).parent.glob("*.wz")} == set(FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: Path(path).stem)
def test_files_are_in_canonical_form_and_free_of_warnings(path: str) -> None:
    text = Path(path).read_text(encoding="utf-8")
    analysis = analyze(text, path)
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    assert format_text(text) == text


def test_every_network_has_its_published_figures() -> None:
    assert set(PUBLISHED) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_macs_are_the_published_ones(
    name: str, networks: dict[str, Network]
) -> None:
    published = PUBLISHED[name]
    cost = network_cost(networks[name])
    assert cost.params == published.params, published.source
    if published.macs is not None:
        decimals = len(published.macs.partition(".")[2])
        assert f"{cost.macs / published.unit:.{decimals}f}" == published.macs, published.source


def test_vgg_for_cifar_agrees_with_the_paper_as_far_as_that_is_rounded(
    networks: dict[str, Network],
) -> None:
    cost = network_cost(networks["cifar_vgg19"])
    assert f"{cost.params / 1e6:.2f}" == "20.04"
    assert abs(2 * cost.macs / 7.97e8 - 1) < 0.002  # the paper counts a little more than these


def without_norms(body: Body) -> Body:
    return tuple(
        replace(layer, arms=tuple(map(without_norms, layer.arms)))
        if isinstance(layer, Branch)
        else layer
        for layer in body
        if not isinstance(layer, Norm)
    )


def test_channels_with_norms_in_inception_v2(networks: dict[str, Network]) -> None:
    network = networks["inception_v2"]
    bare = replace(
        network,
        segments=tuple(replace(s, body=without_norms(s.body)) for s in network.segments),
    )
    assert network_cost(network).params - network_cost(bare).params == 2 * 9_952


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("inception_v3", 27_161_264 - 23_834_568),  # torchvision, with its head and without
        ("googlenet", 13_004_888 - 6_624_904),  # likewise, two heads
    ],
)
def test_auxiliary_heads_have_the_published_parameters(
    name: str, params: int, networks: dict[str, Network]
) -> None:
    network = networks[name]
    shapes = segment_shapes(network)
    costs = [body_cost(head.body, shapes[head.after + 1]) for head in network.auxiliaries]
    assert sum(cost.params for cost in costs) == params


def space_over(network: str) -> str:
    return f"""
space s over {network} {{
  data "images.npz"
  rates {{ 0, 30%, 50%, 70% }}
  prune *
  sample 500 seed 1
  minimize params
  subject to accuracy >= 80%
}}
"""


@pytest.mark.parametrize("name", NAMES)
def test_five_hundred_candidates_compile(name: str, networks: dict[str, Network]) -> None:
    """Every module of every network can be pruned at every rate: no warning, nothing left out.

    Each rate is a choice of its own somewhere, with widths in multiples of 8.
    """
    text = space_over(name)
    assert not analyze(text).diagnostics
    plan = compile(text)
    assert plan.space.network == with_rules(networks[name], {}, MULTIPLE)
    assert plan.candidates is not None
    assert len(plan.candidates) == 500


HEADS = {"googlenet": 79, "inception_v3": 299}  # pixels that their auxiliary heads need


@pytest.mark.parametrize("name", NAMES)
def test_classes_and_input_are_parameters(name: str) -> None:
    side = HEADS.get(name, 64)
    network = zoo_network(name, {"classes": 7, "input": (side, side, 1)})
    assert network.input == (side, side, 1)
    assert segment_shapes(network)[-1] == (7,)


@pytest.mark.parametrize(("name", "side"), HEADS.items())
def test_images_too_small_for_an_auxiliary_head_are_told(name: str, side: int) -> None:
    with pytest.raises(WootzError, match="does not fit"):
        zoo_network(name, {"input": (side - 1, side - 1, 3)})
