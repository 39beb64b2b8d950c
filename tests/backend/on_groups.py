"""Run by test_devices.py on eight devices: train on groups of them, from threads at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.device.parallel import Devices, all_devices
from wootzc.backends.flax.net.model import structures
from wootzc.backends.flax.train.evaluation import right_of
from wootzc.backends.flax.train.train import Trained, train
from wootzc.backends.weights.stored import initial_weights, split
from wootzc.ir.layers import Activation, Conv, Dense, Dropout, GlobalPool, Norm, Pool
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

assert jax.local_device_count() == 8
used: dict[Devices, set[Any]] = {}  # group → devices that trained weights came from
first = Devices.first


def watched(self: Devices, tree: Any) -> Any:
    for leaf in jax.tree.leaves(tree):
        used.setdefault(self, set()).update(leaf.devices())
    return first(self, tree)


Devices.first = watched  # type: ignore[method-assign]


def part(count: int) -> Split:
    rng = np.random.default_rng(count)
    labels = rng.integers(0, 3, count).astype(np.int32)
    images = rng.normal(size=(count, 4, 4, 2)) + labels[:, None, None, None]
    return Split(
        images=Stored(images.astype(np.float32)),
        rows=np.arange(count),
        labels=labels,
        mean=np.zeros(2, np.float32),
        std=np.ones(2, np.float32),
    )


dataset = Dataset(
    train=part(50),
    validation=part(13),
    test=part(9),
    classes=("a", "b", "c"),
    shape=(4, 4, 2),
    fingerprint="",
    mean=np.zeros(2, np.float32),
    std=np.ones(2, np.float32),
    source="",
)
network = Network(
    name="tiny",
    input=(4, 4, 2),
    segments=(
        Plain(name="plain1", body=(Pool(size=(2, 2), stride=(1, 1)),)),  # nothing to place it by
        Module(name="m1", body=(Conv(width=4), Norm(), Activation())),
        Plain(name="plain2", body=(GlobalPool(), Dropout(rate=0.2), Dense(width=3))),
    ),
)
start = initial_weights(network, seed=0)
sgd = Optimizer(learning_rate=0.05, options=(("momentum", 0.9),))
recipe = Recipe(steps=6, batch=16, optimizer=sgd, every=3, distill=0.5)


def trained(group: Devices, recipe: Recipe = recipe) -> Trained:
    return train(
        network,
        start,
        dataset,
        recipe,
        Augment(flip=True, crop=1),
        seed=1,
        teacher=(network, start),
        devices=group,
    )


def same(one: Trained, other: Trained, tolerance: float) -> None:
    for look, another in zip(one.history, other.history, strict=True):  # an image may be a tie
        assert abs(look.accuracy - another.accuracy) <= (1.01 / 13 if tolerance else 0)
    for name, value in one.weights.items():
        np.testing.assert_allclose(
            other.weights[name], value, rtol=tolerance, atol=tolerance, err_msg=name
        )


groups = [Devices(1, number) for number in range(8)]
with ThreadPoolExecutor(8) as threads:
    at_once = list(threads.map(trained, groups))
alone = trained(groups[0])
for group, one in zip(groups, at_once, strict=True):
    assert used[group] == {jax.local_devices()[group.start]}, (group, used[group])
    same(alone, one, 0)  # one program on each
scanned = replace(recipe, clip=1.0)  # which segments can't
same(trained(groups[0], scanned), trained(groups[5], scanned), 0)
half = Devices(4, 4)
same(alone, trained(half), 2e-3)
assert used[half] == set(jax.local_devices()[4:])
same(alone, trained(all_devices()), 2e-3)
assert used[all_devices()] == set(jax.local_devices())
accuracies = {
    float(right_of(structures(network), g.replicate(split(network, start)), dataset.test, g).mean())
    for g in (*groups, half)
}
assert len(accuracies) == 1
