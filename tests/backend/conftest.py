"""Tiny networks of every kind, random weights, and a dataset that can be learnt in a second."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.parameters import Weights, network_parameters
from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalPool,
    Norm,
    Pool,
)  # fmt: skip
from wootzc.ir.network import Module, Network, Plain, Segment

STEM: Body = (Conv(width=6), Norm(), Activation())
HEAD: Body = (GlobalPool(), Dense(width=3))


def around(*bodies: Body, stem: Body = STEM, head: Body = HEAD) -> Network:
    """A network of modules m1, m2, … for 6x6x2 images of 3 classes."""
    modules = [Module(name=f"m{i}", body=body) for i, body in enumerate(bodies, 1)]
    segments: tuple[Segment, ...] = (
        Plain(name="plain1", body=stem),
        *modules,
        Plain(name="plain2", body=head),
    )
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
    "bare": around((Conv(width=6), Activation(), Conv(width=6)), stem=(Conv(width=6),)),
    "weightless": around(CONCAT, stem=(Pool(size=(3, 3), stride=(1, 1), padding="same"),)),
    "dropout": around(residual(6), head=(GlobalPool(), Dropout(rate=0.3), Dense(width=3))),
}


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
