"""Small networks and spaces, written in Python so that these tests need no grammar."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wootzc.ir.array import Array
from wootzc.ir.layers import Activation, Conv, Dense, GlobalPool, Norm
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.space import Listed, Space
from wootzc.ir.space.recipe import Data, Recipe

MakeNetwork = Callable[[int], Network]
MakeSpace = Callable[..., Space]


def network_of(modules: int) -> Network:
    """Modules m1, m2, … of growing width, so that their costs differ."""
    return Network(
        name="tiny",
        input=(4, 4, 2),
        segments=(
            Plain(name="plain1", body=(Conv(width=4), Norm(), Activation())),
            *(
                Module(
                    name=f"m{index + 1}",
                    definition="basic",
                    body=(Conv(width=4 + 3 * index), Norm(), Activation(), Conv(width=4)),
                )
                for index in range(modules)
            ),
            Plain(name="plain2", body=(GlobalPool(), Dense(width=3))),
        ),
    )


def space_of(modules: int, rates: tuple[float, ...] = (0.0, 0.3, 0.5), **fields: Any) -> Space:
    """All rates for all modules; `fields` replace what is here. `rows` makes a listed selection."""
    rows = fields.pop("rows", None)
    if rows is not None:
        fields["selection"] = Listed(rows=Array(np.array(rows, dtype=np.uint8)))
    defaults: dict[str, Any] = {
        "name": "tiny",
        "network": network_of(modules),
        "rates": rates,
        "choices": (tuple(range(len(rates))),) * modules,
        "criteria": ("l1",) * modules,
        "data": Data(path="tiny.npz"),
        "teacher": Recipe(steps=1),
        "pretrain": Recipe(steps=1),
        "finetune": Recipe(steps=1),
    }
    return Space(**{**defaults, **fields})


@pytest.fixture(scope="session")
def make_network() -> MakeNetwork:
    return network_of


@pytest.fixture(scope="session")
def make_space() -> MakeSpace:
    return space_of


@pytest.fixture(scope="session")
def paper_rows() -> list[list[int]]:
    """The example of the paper: five modules, four networks, rates 0, 30 %, 50 %."""
    return [[1, 1, 1, 2, 0], [1, 1, 2, 2, 0], [2, 1, 1, 2, 0], [0, 1, 2, 2, 0]]
