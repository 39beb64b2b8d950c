"""50,000 real JPEGs, where they are at hand: WOOTZC_CIFAR10, or shared/data beside the checkout."""

import os
from pathlib import Path

import numpy as np
import pytest

from wootzc.backends.data import load
from wootzc.ir.space.recipe import Data

DEFAULT = Path(__file__).parents[3] / "shared" / "data" / "cifar10-train.zip"
CIFAR10 = Path(os.environ.get("WOOTZC_CIFAR10", DEFAULT))


@pytest.mark.skipif(not CIFAR10.exists(), reason="needs cifar10-train.zip (WOOTZC_CIFAR10)")
def test_cifar10_loads_in_seconds() -> None:
    dataset = load(Data(path=str(CIFAR10)), seed=0, shape=(32, 32, 3))
    assert dataset.classes[:2] == ("airplane", "automobile")
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [
        35_000,
        7_500,
        7_500,
    ]
    assert np.bincount(dataset.test.labels).tolist() == [750] * 10
    # Known figures of the training set: 0.4914, 0.4822, 0.4465 of 255.
    np.testing.assert_allclose(dataset.mean / 255, [0.4914, 0.4822, 0.4465], atol=0.01)
