"""Modules found by structure, by names and by patterns, and the weights that go with them."""

from collections.abc import Mapping

import numpy as np
import pytest

from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.zoo import zoo_names
from wootzc.ir import layers as ir
from wootzc.ir.graph import Chain, Piece, Refused
from wootzc.ir.graph.module_names import TAKEN, common_place, place
from wootzc.ir.graph.segment import How, chain_weights, segment, segment_modules
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import Module, Network, Plain, segment_shapes
from wootzc.networks import zoo

RELU, POOL, GLOBAL = ir.Activation(), ir.Pool(), ir.GlobalPool()


def unit(width: int, kernel: int = 3, stride: int = 1) -> ir.Body:
    return (ir.Conv(width=width, kernel=(kernel, kernel), stride=(stride, stride)), ir.Norm(), RELU)


def separable(width: int, stride: int = 1) -> ir.Body:
    return (ir.DepthwiseConv(stride=(stride, stride)), ir.Norm(), RELU, *unit(width, kernel=1))


def residual(width: int, inner: int) -> ir.Layer:
    return ir.Branch(join="add", arms=((*unit(inner), ir.Conv(width=width), ir.Norm()), ()))


def found(*layers: ir.Layer, input: Shape = (16, 16, 3)) -> list[str]:
    """Which layers each module has, "2-5" from the third to the sixth."""
    plain = Plain(name="plain1", body=layers)
    network = segment_modules(Network(name="net", input=input, segments=(plain,)))
    assert sum((segment.body for segment in network.segments), ()) == layers
    shapes = segment_shapes(network)
    runs: list[str] = []
    at = 0
    for part, shape in zip(network.segments, shapes, strict=False):
        if isinstance(part, Module):
            runs.append(f"{at}-{at + len(part.body) - 1}")
            assert not all(group.whole for group in couple_module(part, shape).groups)
        at += len(part.body)
    plains = [s.name for s in network.segments if isinstance(s, Plain)]
    assert plains == [f"plain{i}" for i in range(1, len(plains) + 1)]
    return runs


# By structure

INCEPTIONS = ["googlenet", "inception_v2", "inception_v3"]
OTHERS = sorted(set(zoo_names()) - {*INCEPTIONS, "mobilenet_v1"})


def runs_of(network: Network) -> list[tuple[int, int]]:
    at = 0
    runs: list[tuple[int, int]] = []
    for part in network.segments:
        if isinstance(part, Module):
            runs.append((at, at + len(part.body)))
        at += len(part.body)
    return runs


def unmarked(network: Network) -> Network:
    body: ir.Body = sum((part.body for part in network.segments), ())
    return Network(
        name=network.name, input=network.input, segments=(Plain(name="plain1", body=body),)
    )


@pytest.mark.parametrize("name", OTHERS)
def test_modules_are_those_that_people_mark(name: str) -> None:
    """The zoo's networks, their modules forgotten, get the same ones back (docs/passes.md)."""
    assert len(OTHERS) == 24
    network = zoo(name)
    assert runs_of(segment_modules(unmarked(network))) == runs_of(network)


@pytest.mark.parametrize("name", INCEPTIONS)
def test_inception_modules_and_their_stem(name: str) -> None:
    """People mark Inception modules; behind its first convolution the stem has filters, too."""
    network = zoo(name)
    marked, seen = set(runs_of(network)), set(runs_of(segment_modules(unmarked(network))))
    assert marked < seen
    assert max(stop for _, stop in seen - marked) <= min(start for start, _ in marked)


def test_mobilenet_v1_is_cut_where_images_get_smaller() -> None:
    layers = (
        *unit(8, stride=2),  # 0-2 the stem
        *separable(8),  # 3-8
        *separable(16, stride=2),  # 9-14
        *separable(16),  # 15-20
        *separable(32, stride=2),  # 21-26
        *separable(32),  # one too few for a module of its own
        GLOBAL,
        ir.Dense(width=10),
    )
    assert found(*layers) == ["3-14", "15-34"]


def test_long_runs_are_divided_evenly() -> None:
    assert found(*[layer for _ in range(6) for layer in unit(8)]) == ["0-8", "9-17"]


def test_a_stage_too_small_joins_the_next() -> None:
    assert found(*unit(8), POOL, *unit(8), POOL, GLOBAL, ir.Dense(width=5)) == ["0-9"]


def test_what_adds_nothing_stays_outside() -> None:
    """A local norm mixes channels with their neighbours, so none of them can go (AlexNet)."""
    normed = (ir.Conv(width=8), RELU, ir.LocalNorm(), POOL)
    plain = (ir.Conv(width=8), RELU)
    assert found(*normed, *normed, *plain, *plain, *plain, POOL) == ["8-14"]


def test_dense_layers_behind_flatten_are_a_module() -> None:
    classifier = (ir.Flatten(), ir.Dense(width=8), RELU, ir.Dropout(), ir.Dense(width=10))
    assert found(*unit(8), *unit(8), POOL, *classifier) == ["0-6", "7-11"]
    assert found(*unit(8), *unit(8), GLOBAL, ir.Dense(width=10)) == ["0-7"]


def test_an_average_over_the_whole_image_is_in_the_module_of_the_classifier() -> None:
    average = ir.Pool(kind="avg", size=(16, 16), stride=(16, 16))
    assert found(*unit(8), *unit(8), average, ir.Flatten(), ir.Dense(width=10)) == ["0-8"]


def test_the_activation_behind_a_block_and_the_norm_in_front() -> None:
    block = residual(8, 4)
    assert found(
        *unit(8), block, RELU, POOL, ir.Norm(), RELU, block, GLOBAL, ir.Dense(width=2)
    ) == [
        "3-4",
        "6-8",
    ]


def test_bottlenecks_are_cut_even_with_norms_folded() -> None:
    layers: list[ir.Layer] = [ir.Conv(width=8, stride=(2, 2)), RELU]
    for _ in range(3):  # expand, depthwise, project without activation
        layers += [ir.Conv(width=16, kernel=(1, 1)), RELU, ir.DepthwiseConv(), RELU]
        layers += [ir.Conv(width=8, kernel=(1, 1))]
    assert found(*layers, *unit(32), GLOBAL, ir.Dense(width=4)) == ["2-6", "7-11", "12-21"]


def test_the_tail_joins_the_last_module_where_more_can_then_go() -> None:
    """The last fire module of a SqueezeNet, the last bottleneck of a MobileNet-V2."""
    fire = (*unit(4, kernel=1), ir.Branch(join="concat", arms=(unit(8), unit(8, kernel=1))))
    assert found(
        *unit(8, stride=2), *fire, *fire, ir.Dropout(), ir.Conv(width=5), RELU, GLOBAL
    ) == [
        "3-6",
        "7-14",
    ]


def test_the_tail_is_a_module_of_its_own_behind_a_shortcut() -> None:
    block = residual(8, 4)
    layers = (*unit(8), block, RELU, POOL, *unit(32), GLOBAL, ir.Dense(width=4))
    assert found(*layers) == ["3-4", "6-10"]


def test_a_classifier_that_a_shortcut_feeds_stays_outside() -> None:
    dense_layer = ir.Branch(join="concat", arms=((), (ir.Norm(), RELU, *unit(4), ir.Conv(width=2))))
    for block in (residual(8, 4), dense_layer):
        assert found(*unit(8), block, ir.Norm(), RELU, GLOBAL, ir.Dense(width=2)) == ["3-3"]


def test_a_joined_module_keeps_its_name() -> None:
    """The tail's own layers stand elsewhere in the file, and would leave it none."""
    bottleneck = (*unit(16, kernel=1), ir.Conv(width=8, kernel=(1, 1)), ir.Norm())
    tail = (*unit(32), GLOBAL, ir.Dense(width=4))
    places = [*["stem.0"] * 3, *["features.1.conv"] * 5, *["features.2.conv"] * 5]
    places += [*["last.conv"] * 3, "pool", "classifier"]
    layers = (*unit(8, stride=2), *bottleneck, *bottleneck, *tail)
    chain = tuple(
        Piece(layer=layer, weights={}, names=(name,))
        for layer, name in zip(layers, places, strict=True)
    )
    network = segment("net", (16, 16, 3), chain)
    assert [module.name for module in network.modules] == ["features_1", "features_2"]
    assert isinstance(network.modules[-1].body[-1], ir.Dense)


def test_cuts_give_way_where_nothing_else_is_left() -> None:
    assert found(ir.Conv(width=8), ir.Conv(width=8), GLOBAL, ir.Dense(width=4)) == ["0-3"]
    assert found(ir.Conv(width=8, stride=(2, 2)), RELU, ir.Flatten(), ir.Dense(width=4)) == ["0-3"]
    assert found(GLOBAL, ir.Dense(width=4)) == []
    assert found() == []


def test_blocks_with_squeeze_and_excite_stay_whole() -> None:
    gate = (ir.GlobalPool(keep_dims=True), ir.Conv(width=4, kernel=(1, 1)), RELU, ir.Conv(width=16))
    excite = ir.Branch(join="scale", arms=((), gate))
    expanded = (*unit(16, kernel=1), ir.DepthwiseConv(), RELU, excite, ir.Conv(width=8), ir.Norm())
    assert found(*unit(8, stride=2), *expanded, *expanded, GLOBAL, ir.Dense(width=4)) == [
        "3-10",
        "11-20",
    ]


def test_modules_of_large_networks_are_found_at_once() -> None:
    layers = [layer for i in range(3_000) for layer in (ir.Conv(width=2), RELU)]
    assert len(found(*layers)) == 750
    assert len(found(*(ir.Conv(width=2, kernel=(1, 1)), ir.LocalNorm()) * 3_000)) == 0


def test_a_network_with_modules_stays_as_it_is() -> None:
    network = zoo("vgg11")
    assert segment_modules(network) is network


# By names


def chain_of(*pieces: tuple[str, ir.Layer]) -> Chain:
    return tuple(Piece(layer=layer, weights={}, names=tuple(n.split())) for n, layer in pieces)


def named(chain: Chain, how: How = "structure") -> dict[str, int]:
    """The modules and how many layers each has."""
    network = segment("net", (16, 16, 3), chain, how)
    return {module.name: len(module.body) for module in network.modules}


def test_places_are_read_through_the_habits_of_tools() -> None:
    assert place("/layer1/layer1.0/conv1/Conv") == "layer1.0.conv1.Conv"
    assert place("/features/features.2/conv/conv.0/conv.0.0/Conv") == "features.2.conv.0.0.Conv"
    assert (
        place("Mixed_3b/Branch_0/Conv2d_0a_1x1/Conv2D") == "Mixed_3b.Branch_0.Conv2d_0a_1x1.Conv2D"
    )
    assert place("bn2a_branch2a") == place("scale2a_branch2a") == "res2a_branch2a"
    assert common_place(["layer1.0.conv1", "layer1.0.bn1"]) == "layer1.0"
    assert common_place(["layer1.0", "layer1.10"]) == "layer1"
    assert common_place(["res2a_branch1", "res2a"]) == "res2a"
    assert common_place([]) == common_place(["a", "b"]) == ""


TORCH = chain_of(
    ("/conv1/Conv", ir.Conv(width=8, stride=(2, 2))),
    ("/relu/Relu", RELU),
    ("/layer1/layer1.0/conv1/Conv /layer1/layer1.0/relu/Relu /layer1/layer1.0/Add", residual(8, 4)),
    ("/layer1/layer1.0/relu_1/Relu", RELU),
    ("/layer1/layer1.1/conv1/Conv /layer1/layer1.1/Add", residual(8, 4)),
    ("/layer1/layer1.1/relu_1/Relu", RELU),
    ("/avgpool/GlobalAveragePool", GLOBAL),
    ("/fc/Gemm", ir.Dense(width=4)),
)
CAFFE = chain_of(
    ("conv1", ir.Conv(width=8, stride=(2, 2))),
    ("conv1_relu", RELU),
    ("res2a_branch2a bn2a_branch2a res2a_branch2b res2a", residual(8, 4)),
    ("res2a_relu", RELU),
    ("res2b_branch2a bn2b_branch2a res2b_branch2b res2b", residual(8, 4)),
    ("res2b_relu", RELU),
    ("pool5", GLOBAL),
    ("fc", ir.Dense(width=4)),
)
SLIM = chain_of(
    ("Conv2d_1a", ir.Conv(width=8, stride=(2, 2))),
    ("Mixed_3b/Branch_0/a Mixed_3b/Branch_1/b Mixed_3b/concat", residual(8, 4)),
    ("Mixed_3c/Branch_0/a Mixed_3c/Branch_1/b Mixed_3c/concat", residual(8, 4)),
    ("Logits/pool", GLOBAL),
    ("Logits/fc", ir.Dense(width=4)),
)
# A DenseNet's layers begin with the concat of what is before them.
DENSE = chain_of(
    ("features.conv0", ir.Conv(width=8, stride=(2, 2))),
    (
        "features.denseblock1.denselayer1.norm1 features.denseblock1.denselayer1.conv1 "
        "features.denseblock1.denselayer2.cat",
        residual(8, 4),
    ),
    (
        "features.denseblock1.denselayer2.norm1 features.denseblock1.denselayer2.conv1 "
        "features.denseblock1.cat",
        residual(8, 4),
    ),
    ("pool", GLOBAL),
    ("classifier", ir.Dense(width=4)),
)


@pytest.mark.parametrize("how", ["structure", "names"])
@pytest.mark.parametrize(
    ("chain", "modules"),
    [
        (TORCH, {"layer1_0": 2, "layer1_1": 2}),
        (CAFFE, {"res2a": 2, "res2b": 2}),
        (SLIM, {"Mixed_3b": 1, "Mixed_3c": 1}),
        (DENSE, {"features_denseblock1_denselayer1": 1, "features_denseblock1_denselayer2": 1}),
    ],
    ids=["torch", "caffe", "slim", "densenet"],
)
def test_modules_have_the_names_of_their_places(
    how: str, chain: Chain, modules: Mapping[str, int]
) -> None:
    assert named(chain, how) == modules


def test_names_group_plain_layers_too() -> None:
    layers: list[ir.Layer] = [ir.Conv(width=8), RELU] * 5
    stages = (f"net.stage{stage}.{layer}" for stage in "12" for layer in "abcd")
    names = ("net.stem.a", "net.stem.b", *stages)
    chain = chain_of(*zip(names, layers, strict=True))
    assert named(chain, "names") == {"net_stage1": 4, "net_stage2": 4}


def test_names_that_tell_nothing() -> None:
    """As in graphs of PyTorch's newer exporter: node_conv2d, node_relu, node_conv2d_1, …"""
    layers: list[ir.Layer] = [ir.Conv(width=8), RELU, ir.Conv(width=8), RELU]
    names = ("node_conv2d", "node_relu", "node_conv2d_1", "node_relu_1")
    chain = chain_of(*zip(names, layers, strict=True))
    with pytest.raises(Refused, match="such as `node_conv2d`, tell no modules"):
        named(chain, "names")
    assert named(chain) == {"block1": 4}


@pytest.mark.parametrize("prefix", ["0.a", "conv", "plain2", "block 2", "é", "x" * 70, "a.b"])
def test_names_that_the_language_cannot_say(prefix: str) -> None:
    """Two modules: one whose place is odd, another whose place has the name to fall back on."""
    chain = chain_of(
        ("stem", ir.Conv(width=8)),
        (f"{prefix}/one {prefix}/add", residual(8, 4)),
        ("block1/one block1/add", residual(8, 4)),
        ("a_b/one a_b/add", residual(8, 4)),
    )
    names = list(named(chain))
    assert len(set(names)) == 3
    for name in names:
        assert name.isascii() and name.isidentifier() and name not in BUILT_IN


def test_all_built_in_names_are_known() -> None:
    assert set(BUILT_IN) <= TAKEN


# By patterns


def test_modules_as_a_user_says() -> None:
    assert named(TORCH, {"one": ("layer1.0.*",), "two": ("/layer1/layer1.1/*",)}) == {
        "one": 2,
        "two": 2,
    }
    assert named(TORCH, {"all": ("layer1.*",)}) == {"all": 4}
    assert named(
        CAFFE, {"a": ("res2a_branch2a", "bn2a_branch2a", "res2a_branch2b", "res2a_relu")}
    ) == {"a": 2}
    later_first = {"two": ("layer1.1.*",), "one": ("layer1.0.*",)}
    assert list(named(TORCH, later_first)) == ["one", "two"]


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"m": ("layer9.*",)}, "module `m`: no layer is called `layer9.*`"),
        (
            {"m": ("layer1.0.*", "fc.*")},
            "do not stand in a row: between them are `/layer1/layer1.1/Add`, "
            "`/layer1/layer1.1/relu_1/Relu`, `/avgpool/GlobalAveragePool`",
        ),
        (
            {"m": ("layer1.0.*",), "n": ("layer1.*",)},
            "`/layer1/layer1.0/Add` is in the modules `m` and `n`",
        ),
        ({"m": ("layer1.0.Add",)}, "module `m` has no layers"),
        ({}, "the file marks no modules"),
    ],
)
def test_what_cannot_be_a_module(modules: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(Refused) as caught:
        named(TORCH, modules)
    assert message in caught.value.message


def test_a_branch_belongs_to_a_module_as_a_whole() -> None:
    with pytest.raises(Refused) as caught:
        named(SLIM, {"m": ("Mixed_3b/Branch_0/*",)})
    assert caught.value.message == (
        "module `m` has a part of the branch that ends in `Mixed_3b/concat`, but not "
        "`Mixed_3b/Branch_1/b`"
    )


def test_there_is_no_other_way() -> None:
    with pytest.raises(Refused, match="modules cannot be found by `magic`"):
        named(TORCH, "magic")


# Weights


def test_weights_go_with_their_layers() -> None:
    def piece(layer: ir.Layer, **weights: int) -> Piece:
        arrays = {name: np.array([value], np.float32) for name, value in weights.items()}
        return Piece(layer=layer, weights=arrays, names=())

    chain = (
        piece(ir.Conv(width=8), **{"/kernel": 1}),
        piece(ir.Norm(), **{"/scale": 2, "/bias": 3}),
        piece(RELU),
        piece(residual(8, 4), **{".0.0/kernel": 4, ".0.3/kernel": 5}),
        piece(RELU),
        piece(GLOBAL),
        piece(ir.Dense(width=4), **{"/kernel": 6}),
    )
    network = segment("net", (16, 16, 3), chain)
    assert {name: int(v[0]) for name, v in chain_weights(network, chain).items()} == {
        "plain1/0/kernel": 1,
        "plain1/1/scale": 2,
        "plain1/1/bias": 3,
        "block1/0.0.0/kernel": 4,
        "block1/0.0.3/kernel": 5,
        "plain2/1/kernel": 6,
    }
