"""Tiny networks of every kind, random weights, and a dataset that can be learnt in a second."""

from collections.abc import Callable
from math import floor
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.weights.importance import kept_filters
from wootzc.backends.weights.parameters import Weights, network_parameters, segment_weights
from wootzc.ir.layers import (
    Activation,
    ActivationKind,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    GroupNorm,
    Join,
    Layer,
    LocalNorm,
    Norm,
    Pool,
    PRelu,
    walk,
)  # fmt: skip
from wootzc.ir.layers.shapes import Shape
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

STEM: Body = (Conv(width=6), Norm(), Activation())
HEAD: Body = (GlobalPool(), Dense(width=3))


def around(*bodies: Body, stem: Body = STEM, head: Body = HEAD) -> Network:
    """A network of modules m1, m2, … for 6x6x2 images of 3 classes."""
    modules = [Module(name=f"m{i}", body=body) for i, body in enumerate(bodies, 1)]
    segments: tuple[Segment, ...] = (Plain(name="plain1", body=stem), *modules)
    if head:
        segments += (Plain(name="plain2", body=head),)
    return Network(name="tiny", input=(6, 6, 2), segments=segments)


def conv_norm(width: int, **options: int) -> Body:
    return (Conv(width=width, **options), Norm(), Activation())  # type: ignore[arg-type]


def residual(width: int, stride: int = 1) -> Body:
    strides = (stride, stride)
    through = (Conv(width=width, stride=strides), Norm(), Activation(), Conv(width=width), Norm())
    shortcut = (Conv(width=width, kernel=(1, 1), stride=strides), Norm()) if stride > 1 else ()
    return (Branch(join="add", arms=(through, shortcut)), Activation())


CONCAT: Body = (
    Branch(
        join="concat",
        arms=(conv_norm(4), (Pool(size=(3, 3), stride=(1, 1), padding="same"), *conv_norm(6))),
    ),
    Conv(width=6, kernel=(1, 1)),
    Norm(),
)
SQUEEZE: Body = (
    *conv_norm(8),
    Branch(
        join="scale",
        arms=(
            (),
            (
                GlobalPool(keep_dims=True),
                Dense(width=4),
                Activation(),
                Dense(width=8),
                Activation(kind="sigmoid"),
            ),
        ),
    ),
    Conv(width=6),
)
DEPTHWISE: Body = (
    *conv_norm(8),
    DepthwiseConv(bias=True),
    Norm(),
    Activation(kind="relu6"),
    Conv(width=6, kernel=(1, 1)),
    Norm(),
)
GROUPED: Body = (*conv_norm(8), Conv(width=12, groups=2), Norm(), Activation(), Conv(width=6))
FLATTEN: Body = (
    Conv(width=5, bias=True, stride=(2, 2)),
    Activation(),
    Flatten(),
    Dense(width=10),
    Activation(),
    Dense(width=7),
)
PREACTIVATED: Body = (  # two adds that share one prunable group of channels
    Conv(width=6, kernel=(1, 1)),
    Branch(join="add", arms=((Norm(), Activation(), Conv(width=6)), ())),
    Branch(join="add", arms=((Norm(), Activation(), Conv(width=6)), ())),
    Norm(),
    Activation(),
    Conv(width=6, kernel=(1, 1)),
)

ZOO: dict[str, Network] = {
    "residual": around(residual(6), residual(8, stride=2), residual(8)),
    "concat": around(CONCAT),
    "squeeze": around(SQUEEZE),
    "depthwise": around(DEPTHWISE),
    "grouped": around(GROUPED),
    "flatten": around(FLATTEN, head=(Dense(width=3),)),
    "preactivated": around(PREACTIVATED),
    "tail": around(residual(6), (*DEPTHWISE, *conv_norm(10), Dropout(rate=0.3), *HEAD), head=()),
    "scores": around(
        (*CONCAT[:1], Conv(width=3, kernel=(1, 1)), Activation(), GlobalPool()), head=()
    ),
    "slopes": around((Conv(width=8), Norm(), PRelu(), Conv(width=6), PRelu())),
    "bare": around((Conv(width=6), Activation(), Conv(width=6)), stem=(Conv(width=6),)),
    "weightless": around(CONCAT, stem=(Pool(size=(3, 3), stride=(1, 1), padding="same"),)),
    "dropout": around(residual(6), head=(GlobalPool(), Dropout(rate=0.3), Dense(width=3))),
}


def alone(*body: Layer, entering: Shape = (9, 8, 4)) -> Network:
    """A network of these layers only."""
    return Network(name="alone", input=entering, segments=(Plain(name="plain1", body=body),))


def averaged(**options: object) -> Network:
    return alone(Pool(kind="avg", **options))  # type: ignore[arg-type]


def joined(join: Join, *arms: Body, entering: Shape = (3, 2, 4)) -> Network:
    return alone(Branch(join=join, arms=arms), Norm(), entering=entering)


FLAT: Body = (Flatten(), Activation(kind="tanh"))
UNEVEN = ((2, 0), (1, 3))

# Every layer with every option that a file format may see differently: sizes and strides of unequal
# sides, padding that is uneven or larger than usual, vectors that were images. A new layer belongs
# here, and in a module of ZOO where it has weights: numbers, text and slicing are then tested.
LAYERS: dict[str, Network] = {
    "conv": alone(Conv(width=6, bias=True)),
    "conv-same-stride": alone(Conv(width=6, kernel=(3, 2), stride=(2, 3))),
    "conv-valid": alone(Conv(width=6, kernel=(2, 4), padding="valid")),
    "conv-uneven": alone(Conv(width=6, padding=UNEVEN)),
    "conv-even": alone(Conv(width=6, kernel=(5, 1), padding=((2, 2), (0, 0)))),
    "conv-grouped-dilated": alone(Conv(width=6, groups=2, dilation=(2, 1))),
    "depthwise": alone(DepthwiseConv(bias=True, stride=(2, 2))),
    "depthwise-dilated": alone(DepthwiseConv(dilation=(1, 3), padding=((1, 1), (0, 4)))),
    "norm": alone(Norm(epsilon=1e-2)),
    "norm-of-vector": alone(Flatten(), Norm(epsilon=0.1), Dense(width=3)),
    "local-norm": alone(LocalNorm(size=3, alpha=0.5, beta=0.6, k=2.0)),
    "local-norm-wide": alone(LocalNorm(size=7, alpha=0.5)),
    "local-norm-even": alone(LocalNorm(size=4, alpha=0.5, beta=1.2), entering=(3, 2, 6)),
    "local-norm-of-vector": alone(*FLAT, LocalNorm(size=3, alpha=2.0), Dense(width=3)),
    **{kind: alone(Activation(kind=kind)) for kind in get_args(ActivationKind)},
    "leaky_relu": alone(Activation(kind="leaky_relu", slope=0.2)),
    "group-norm": alone(GroupNorm(groups=2, epsilon=0.1)),
    "group-norm-of-vector": alone(GlobalPool(), GroupNorm(groups=2)),
    "group-norm-of-flat": alone(*FLAT, GroupNorm(groups=8), Dense(width=3), entering=(3, 2, 4)),
    "one-group": alone(GroupNorm(groups=1)),
    "layer-norm": alone(GroupNorm(groups=1, pixelwise=True, epsilon=0.1)),
    "layer-norm-of-flat": alone(*FLAT, GroupNorm(groups=1, pixelwise=True), Dense(width=3)),
    "slopes": alone(PRelu()),
    "slopes-of-flat": alone(*FLAT, PRelu(), Dense(width=3)),
    "max": alone(Pool(size=(3, 2), stride=(1, 2))),
    "max-same": alone(Pool(size=(3, 3), stride=(2, 3), padding="same")),
    "max-uneven": alone(Pool(size=(3, 4), stride=(2, 2), padding=UNEVEN)),
    "max-even": alone(Pool(size=(3, 3), stride=(2, 2), padding=((1, 1), (1, 1)))),
    "max-ceil": alone(Pool(size=(3, 3), ceil=True)),
    "max-ceil-padded": alone(Pool(size=(3, 3), padding=((0, 1), (1, 0)), ceil=True)),
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
    "global-avg": alone(GlobalPool()),
    "global-max": alone(GlobalPool(kind="max")),
    "global-avg-kept": alone(GlobalPool(keep_dims=True)),
    "global-max-kept": alone(GlobalPool(kind="max", keep_dims=True), Dense(width=3)),
    "dense": alone(Dense(width=3), entering=(5,)),
    "dense-without-bias": alone(Dense(width=3, bias=False), entering=(5,)),
    "dense-of-pixel": alone(Dense(width=3), Activation(), Dense(width=2, bias=False), Flatten(),
                            entering=(1, 1, 5)),
    "dropout": alone(Dropout(rate=0.9), Dense(width=3), Dropout(rate=0.5), entering=(5,)),
    "flatten": alone(Flatten()),
    "flatten-one-channel": alone(Flatten(), Dense(width=3), entering=(3, 2, 1)),
    "flatten-one-pixel": alone(Flatten(), Dense(width=3), entering=(1, 1, 4)),
    "flatten-far-from-dense": alone(
        *FLAT, Dropout(), Norm(), Activation(kind="elu"), Dense(width=5), Norm(), Dense(width=3)
    ),
    "add": joined("add", (), (Conv(width=4),), (Pool(size=(1, 1), stride=(1, 1)),)),
    "add-of-one": joined("add", (Conv(width=3),)),
    "add-of-nothing": joined("add", (), ()),
    "add-of-flat": joined("add", FLAT, (Flatten(), Norm())),
    "add-of-flat-and-dense": joined("add", FLAT, (GlobalPool(), Dense(width=24))),
    "concat": joined("concat", (), (Conv(width=3),), (Norm(),)),
    "concat-of-vectors": joined("concat", FLAT, (GlobalPool(),), (*FLAT, Dense(width=2))),
    "scale": joined("scale", (), (GlobalPool(keep_dims=True), Dense(width=4))),
    "scale-of-equals": joined("scale", (Conv(width=3),), (Conv(width=3),)),
    "scale-of-vectors": joined("scale", FLAT, (*FLAT, Dense(width=24))),
    "branch-of-flat": alone(
        Flatten(), Branch(join="add", arms=((), (Norm(),))), Dense(width=3), entering=(3, 2, 4)
    ),
    "nothing": alone(),
}  # fmt: skip


@pytest.fixture(scope="session")
def layers() -> dict[str, Network]:
    return LAYERS


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

        for path, layer in walk(segment.body):
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
            case Conv() | Dense() | DepthwiseConv():
                names = ("kernel", "bias")
            case Norm():
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
