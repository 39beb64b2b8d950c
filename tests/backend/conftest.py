"""Tiny networks of every kind, random weights, and a dataset that can be learnt in a second."""

from collections.abc import Callable
from dataclasses import replace
from math import floor
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.weights.importance import kept_filters
from wootzc.backends.weights.parameters import Weights, network_parameters, segment_weights
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.layers.signature import operator_of
from wootzc.ir.net.coupling import Channels, Coupling, Group, couple, couple_network
from wootzc.ir.net.network import (
    Module,
    Network,
    Plain,
    Segment,
    segment_shapes,
    walk_network,
)
from wootzc.ir.net.trunk import trunks
from wootzc.ir.space import Criterion

STEM: ir.Body = (ir.Conv(width=6), ir.Norm(), ir.Activation())
HEAD: ir.Body = (ir.GlobalPool(), ir.Dense(width=3))


def around(*bodies: ir.Body, stem: ir.Body = STEM, head: ir.Body = HEAD) -> Network:
    """A network of modules m1, m2, … for 6x6x2 images of 3 classes."""
    modules = [Module(name=f"m{i}", body=body) for i, body in enumerate(bodies, 1)]
    segments: tuple[Segment, ...] = (Plain(name="plain1", body=stem), *modules)
    if head:
        segments += (Plain(name="plain2", body=head),)
    return Network(name="tiny", input=(6, 6, 2), segments=segments)


def conv_norm(width: int, **options: int) -> ir.Body:
    return (ir.Conv(width=width, **options), ir.Norm(), ir.Activation())  # type: ignore[arg-type]


def residual(width: int, stride: int = 1) -> ir.Body:
    strides = (stride, stride)
    through = (
        ir.Conv(width=width, stride=strides),
        ir.Norm(),
        ir.Activation(),
        ir.Conv(width=width),
        ir.Norm(),
    )
    shortcut = (
        (ir.Conv(width=width, kernel=(1, 1), stride=strides), ir.Norm()) if stride > 1 else ()
    )
    return (ir.Branch(join="add", arms=(through, shortcut)), ir.Activation())


CONCAT: ir.Body = (
    ir.Branch(
        join="concat",
        arms=(conv_norm(4), (ir.Pool(size=(3, 3), stride=(1, 1), padding="same"), *conv_norm(6))),
    ),
    ir.Conv(width=6, kernel=(1, 1)),
    ir.Norm(),
)
SQUEEZE: ir.Body = (
    *conv_norm(8),
    ir.Branch(
        join="scale",
        arms=(
            (),
            (
                ir.GlobalPool(keep_dims=True),
                ir.Dense(width=4),
                ir.Activation(),
                ir.Dense(width=8),
                ir.Activation(kind="sigmoid"),
            ),
        ),
    ),
    ir.Conv(width=6),
)
DEPTHWISE: ir.Body = (
    *conv_norm(8),
    ir.DepthwiseConv(bias=True),
    ir.Norm(),
    ir.Activation(kind="relu6"),
    ir.Conv(width=6, kernel=(1, 1)),
    ir.Norm(),
)
GROUPED: ir.Body = (
    *conv_norm(8),
    ir.Conv(width=12, groups=2),
    ir.Norm(),
    ir.Activation(),
    ir.Conv(width=6),
)
FLATTEN: ir.Body = (
    ir.Conv(width=5, bias=True, stride=(2, 2)),
    ir.Activation(),
    ir.Flatten(),
    ir.Dense(width=10),
    ir.Activation(),
    ir.Dense(width=7),
)
PREACTIVATED: ir.Body = (  # two adds that share one prunable group of channels
    ir.Conv(width=6, kernel=(1, 1)),
    ir.Branch(join="add", arms=((ir.Norm(), ir.Activation(), ir.Conv(width=6)), ())),
    ir.Branch(join="add", arms=((ir.Norm(), ir.Activation(), ir.Conv(width=6)), ())),
    ir.Norm(),
    ir.Activation(),
    ir.Conv(width=6, kernel=(1, 1)),
)

ZOO: dict[str, Network] = {
    "residual": around(residual(6), residual(8, stride=2), residual(8)),
    "concat": around(CONCAT),
    "squeeze": around(SQUEEZE),
    "depthwise": around(DEPTHWISE),
    "grouped": around(GROUPED),
    "flatten": around(FLATTEN, head=(ir.Dense(width=3),)),
    "preactivated": around(PREACTIVATED),
    "tail": around(residual(6), (*DEPTHWISE, *conv_norm(10), ir.Dropout(rate=0.3), *HEAD), head=()),
    "scores": around(
        (*CONCAT[:1], ir.Conv(width=3, kernel=(1, 1)), ir.Activation(), ir.GlobalPool()), head=()
    ),
    "slopes": around((ir.Conv(width=8), ir.Norm(), ir.PRelu(), ir.Conv(width=6), ir.PRelu())),
    "bare": around((ir.Conv(width=6), ir.Activation(), ir.Conv(width=6)), stem=(ir.Conv(width=6),)),
    "weightless": around(CONCAT, stem=(ir.Pool(size=(3, 3), stride=(1, 1), padding="same"),)),
    "dropout": around(residual(6), head=(ir.GlobalPool(), ir.Dropout(rate=0.3), ir.Dense(width=3))),
}


def alone(*body: ir.Layer, entering: Shape = (9, 8, 4)) -> Network:
    """A network of these layers only."""
    return Network(name="alone", input=entering, segments=(Plain(name="plain1", body=body),))


def averaged(**options: object) -> Network:
    return alone(ir.Pool(kind="avg", **options))  # type: ignore[arg-type]


def joined(join: ir.Join, *arms: ir.Body, entering: Shape = (3, 2, 4)) -> Network:
    return alone(ir.Branch(join=join, arms=arms), ir.Norm(), entering=entering)


def classifier(network: Network) -> Network:
    """A classifier, whatever the layers make."""
    pooled = (ir.GlobalPool(),) if len(segment_shapes(network)[-1]) == 3 else ()
    head = Plain(name="head", body=(*pooled, ir.Dense(width=3)))
    return replace(network, segments=(*network.segments, head))


FLAT: ir.Body = (ir.Flatten(), ir.Activation(kind="tanh"))
UNEVEN = ((2, 0), (1, 3))

# Every layer with every option that a file format may see differently: sizes and strides of unequal
# sides, padding that is uneven or larger than usual, vectors that were images. A new layer belongs
# here, and in a module of ZOO where it has weights: numbers, text and slicing are then tested.
LAYERS: dict[str, Network] = {
    "conv": alone(ir.Conv(width=6, bias=True)),
    "conv-same-stride": alone(ir.Conv(width=6, kernel=(3, 2), stride=(2, 3))),
    "conv-valid": alone(ir.Conv(width=6, kernel=(2, 4), padding="valid")),
    "conv-uneven": alone(ir.Conv(width=6, padding=UNEVEN)),
    "conv-even": alone(ir.Conv(width=6, kernel=(5, 1), padding=((2, 2), (0, 0)))),
    "conv-grouped-dilated": alone(ir.Conv(width=6, groups=2, dilation=(2, 1))),
    "depthwise": alone(ir.DepthwiseConv(bias=True, stride=(2, 2))),
    "depthwise-dilated": alone(ir.DepthwiseConv(dilation=(1, 3), padding=((1, 1), (0, 4)))),
    "norm": alone(ir.Norm(epsilon=1e-2)),
    "norm-of-vector": alone(ir.Flatten(), ir.Norm(epsilon=0.1), ir.Dense(width=3)),
    "local-norm": alone(ir.LocalNorm(size=3, alpha=0.5, beta=0.6, k=2.0)),
    "local-norm-wide": alone(ir.LocalNorm(size=7, alpha=0.5)),
    "local-norm-even": alone(ir.LocalNorm(size=4, alpha=0.5, beta=1.2), entering=(3, 2, 6)),
    "local-norm-of-vector": alone(*FLAT, ir.LocalNorm(size=3, alpha=2.0), ir.Dense(width=3)),
    **{kind: alone(ir.Activation(kind=kind)) for kind in get_args(ir.ActivationKind)},
    "leaky_relu": alone(ir.Activation(kind="leaky_relu", slope=0.2)),
    "group-norm": alone(ir.GroupNorm(groups=2, epsilon=0.1)),
    "group-norm-of-vector": alone(ir.GlobalPool(), ir.GroupNorm(groups=2)),
    "group-norm-of-flat": alone(
        *FLAT, ir.GroupNorm(groups=8), ir.Dense(width=3), entering=(3, 2, 4)
    ),
    "one-group": alone(ir.GroupNorm(groups=1)),
    "layer-norm": alone(ir.GroupNorm(groups=1, pixelwise=True, epsilon=0.1)),
    "layer-norm-of-flat": alone(*FLAT, ir.GroupNorm(groups=1, pixelwise=True), ir.Dense(width=3)),
    "slopes": alone(ir.PRelu()),
    "slopes-of-flat": alone(*FLAT, ir.PRelu(), ir.Dense(width=3)),
    "max": alone(ir.Pool(size=(3, 2), stride=(1, 2))),
    "max-same": alone(ir.Pool(size=(3, 3), stride=(2, 3), padding="same")),
    "max-uneven": alone(ir.Pool(size=(3, 4), stride=(2, 2), padding=UNEVEN)),
    "max-even": alone(ir.Pool(size=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1)))),
    "max-ceil": alone(ir.Pool(size=(3, 3), ceil=True)),
    "max-ceil-padded": alone(ir.Pool(size=(3, 3), padding=((0, 1), (1, 0)), ceil=True)),
    "avg": averaged(size=(3, 2), stride=(1, 2)),
    "avg-same": averaged(size=(3, 3), stride=(1, 1), padding="same"),
    "avg-same-stride": averaged(size=(3, 3), padding="same"),
    "avg-even": averaged(size=(3, 3), padding=((1, 1), (1, 1))),
    "avg-uneven": averaged(size=(3, 4), padding=UNEVEN),
    "avg-ceil": averaged(size=(3, 3), padding=((1, 1), (1, 1)), stride=(3, 2), ceil=True),
    "avg-ceil-uneven": averaged(size=(3, 3), padding=((0, 1), (0, 0)), stride=(3, 2), ceil=True),
    "avg-counted": averaged(size=(3, 3), padding=((1, 1), (1, 1)), count_padding=True),
    "avg-counted-uneven": averaged(size=(3, 4), padding=UNEVEN, count_padding=True),
    "avg-counted-wide": averaged(size=(2, 2), padding=((3, 1), (0, 2)), count_padding=True),
    "avg-counted-ceil": averaged(
        size=(3, 3), stride=(2, 3), padding=((1, 1), (0, 0)), count_padding=True, ceil=True
    ),
    "avg-counted-ceil-uneven": averaged(
        size=(3, 3), stride=(2, 4), padding=((0, 1), (1, 0)), count_padding=True, ceil=True
    ),
    "avg-counted-ceil-unpadded": averaged(size=(3, 3), count_padding=True, ceil=True),
    "global-avg": alone(ir.GlobalPool()),
    "global-max": alone(ir.GlobalPool(kind="max")),
    "global-avg-kept": alone(ir.GlobalPool(keep_dims=True)),
    "global-max-kept": alone(ir.GlobalPool(kind="max", keep_dims=True), ir.Dense(width=3)),
    "dense": alone(ir.Dense(width=3), entering=(5,)),
    "dense-without-bias": alone(ir.Dense(width=3, bias=False), entering=(5,)),
    "dense-of-pixel": alone(
        ir.Dense(width=3), ir.Activation(), ir.Dense(width=2, bias=False), ir.Flatten(),
        entering=(1, 1, 5),
    ),
    "dropout": alone(ir.Dropout(rate=0.9), ir.Dense(width=3), ir.Dropout(rate=0.5), entering=(5,)),
    "flatten": alone(ir.Flatten()),
    "flatten-one-channel": alone(ir.Flatten(), ir.Dense(width=3), entering=(3, 2, 1)),
    "flatten-one-pixel": alone(ir.Flatten(), ir.Dense(width=3), entering=(1, 1, 4)),
    "flatten-far-from-dense": alone(
        *FLAT, ir.Dropout(), ir.Norm(), ir.Activation(kind="elu"),
        ir.Dense(width=5), ir.Norm(), ir.Dense(width=3),
    ),
    "add": joined("add", (), (ir.Conv(width=4),), (ir.Pool(size=(1, 1), stride=(1, 1)),)),
    "add-of-one": joined("add", (ir.Conv(width=3),)),
    "add-of-nothing": joined("add", (), ()),
    "add-of-flat": joined("add", FLAT, (ir.Flatten(), ir.Norm())),
    "add-of-flat-and-dense": joined("add", FLAT, (ir.GlobalPool(), ir.Dense(width=24))),
    "concat": joined("concat", (), (ir.Conv(width=3),), (ir.Norm(),)),
    "concat-of-vectors": joined("concat", FLAT, (ir.GlobalPool(),), (*FLAT, ir.Dense(width=2))),
    "scale": joined("scale", (), (ir.GlobalPool(keep_dims=True), ir.Dense(width=4))),
    "scale-of-equals": joined("scale", (ir.Conv(width=3),), (ir.Conv(width=3),)),
    "scale-of-vectors": joined("scale", FLAT, (*FLAT, ir.Dense(width=24))),
    "branch-of-flat": alone(
        ir.Flatten(), ir.Branch(join="add", arms=((), (ir.Norm(),))), ir.Dense(width=3),
        entering=(3, 2, 4),
    ),
    "nothing": alone(),
}  # fmt: skip


@pytest.fixture(scope="session")
def layers() -> dict[str, Network]:
    return LAYERS


# By operator of the language, the first example of each layer that carries weights, classifying.
LEARNED = {
    operator_of(layer).name: classifier(network)
    for network in reversed(LAYERS.values())
    for layer in reversed(network.segments[0].body)
    if layer.arrays() and len(network.input) == 3
}


@pytest.fixture(scope="session")
def with_head() -> Callable[[Network], Network]:
    return classifier


@pytest.fixture(params=list(LEARNED.values()), ids=list(LEARNED))
def any_learned(request: pytest.FixtureRequest) -> Network:
    network: Network = request.param
    return network


@pytest.fixture(params=list(LAYERS.values()), ids=list(LAYERS))
def any_layer(request: pytest.FixtureRequest) -> Network:
    network: Network = request.param
    return network


@pytest.fixture(params=list(ZOO.values()), ids=list(ZOO))
def any_network(request: pytest.FixtureRequest) -> Network:
    network: Network = request.param
    return network


@pytest.fixture(scope="session")
def zoo() -> dict[str, Network]:
    return ZOO


@pytest.fixture
def random_weights() -> Callable[[Network], Weights]:
    """Weights with nothing at its neutral value: norms shift and scale, biases add."""

    def make(network: Network) -> Weights:
        rng = np.random.default_rng(7)

        def draw(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
            if name.endswith(("scale", "var")):
                return rng.uniform(0.5, 1.5, shape).astype(np.float32)
            return rng.normal(0, 0.3, shape).astype(np.float32)

        return {name: draw(name, shape) for name, shape in network_parameters(network).items()}

    return make


def silence(
    network: Network, weights: Weights, rates: list[float], criterion: Criterion
) -> Weights:
    """The full network's weights with every removed channel held at zero, layer by layer."""
    masked = {name: value.copy() for name, value in weights.items()}
    by_module = iter(rates)
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        if not isinstance(segment, Module):
            continue
        coupling = couple(segment.body, shape)
        own = segment_weights(weights, segment.name)
        kept = kept_filters(segment.body, coupling, own, next(by_module), criterion, segment.name)

        def gone(channels: Channels) -> list[int]:
            removed, offset = [], 0
            for group in channels:
                width = coupling.groups[group].width  # noqa: B023
                removed += [offset + i for i in range(width) if i not in kept[group]]  # noqa: B023
                offset += width
            return removed

        for path, layer in ir.walk(segment.body):
            for array in layer.arrays():
                if array.name in ("kernel", "scale", "bias"):
                    silent = gone(coupling.outputs[path])
                    masked[f"{segment.name}/{path}/{array.name}"][..., silent] = 0
    return masked


@pytest.fixture
def silenced() -> Callable[[Network, Weights, list[float], Criterion], Weights]:
    return silence


def silence_throughout(network: Network, weights: Weights, rate: float) -> Weights:
    """The weights with the channels of all groups that can go held at zero, layer by layer."""
    coupling = couple_network(network)
    outside = {segment.name for segment in network.segments} - {
        module.name for module in network.modules if not module.outside
    }
    between = {g for trunk in trunks(network) for g in trunk.groups}
    masked = {name: value.copy() for name, value in weights.items()}
    gone = {
        number: weakest(group, weights, rate)
        for number, group in enumerate(coupling.groups)
        if not group.whole and (number in between or group.makers[0].split("/")[0] not in outside)
    }
    for path, layer, _ in walk_network(network):
        match layer:
            case ir.Conv() | ir.Dense() | ir.DepthwiseConv():
                names = ("kernel", "bias")
            case ir.Norm():
                names = ("scale", "bias")
            case _:
                continue
        silent = places(coupling, path, gone)
        for name in names:
            if f"{path}/{name}" in masked:
                masked[f"{path}/{name}"][..., silent] = 0
    return masked


def weakest(group: Group, weights: Weights, rate: float) -> NDArray[np.intp]:
    """The weakest filters of a group by l1, as many in each part."""
    score = sum(
        np.abs(weights[f"{maker}/kernel"]).reshape(-1, group.width).sum(axis=0)
        for maker in group.makers
    )
    parts = np.asarray(score).reshape(group.partitions, -1)
    count = floor(rate * parts.shape[1] + 0.5)
    found = np.argsort(parts, axis=1, kind="stable")[:, :count]
    return np.asarray(
        (found + np.arange(group.partitions)[:, None] * parts.shape[1]).ravel(), dtype=np.intp
    )


def places(coupling: Coupling, path: str, gone: dict[int, NDArray[np.intp]]) -> list[int]:
    found, offset = [], 0
    for number in coupling.outputs[path]:
        found += [offset + int(i) for i in gone.get(number, ())]
        offset += coupling.groups[number].width
    return found


@pytest.fixture
def throughout() -> Callable[[Network, Weights, float], Weights]:
    """Weights with the channels of all groups that can go held at zero, those of trunks too."""
    return silence_throughout


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    """Three patterns of three colours under noise, 6x6x2: easy, but not at once."""
    rng = np.random.default_rng(0)
    colours = np.array([[0.6, 0.0], [0.0, 0.6], [-0.6, -0.6]])[:, None, None]
    patterns = colours + 0.3 * rng.normal(size=(3, 6, 6, 2))

    def part(count: int) -> Split:
        labels = rng.integers(0, 3, count).astype(np.int32)
        images = (patterns[labels] + rng.normal(size=(count, 6, 6, 2))).astype(np.float32)
        return Split(
            images=Stored(images),
            rows=np.arange(count),
            labels=labels,
            mean=np.zeros(2, np.float32),
            std=np.ones(2, np.float32),
        )

    return Dataset(
        train=part(200),
        validation=part(75),
        test=part(75),
        classes=("one", "two", "three"),
        shape=(6, 6, 2),
        fingerprint="toy",
        mean=np.zeros(2, np.float32),
        std=np.ones(2, np.float32),
        source="toy",
    )
