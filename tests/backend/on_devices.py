"""Run by test_devices.py: train, distil, train, refit and score blocks on N devices.

Saves every figure. With a coordinator, and how many hosts there are and which this is, the devices
are those of all hosts together, and each saves what it has.
"""

import sys
from contextlib import ExitStack
from pathlib import Path

import jax
import numpy as np

from wootzc.backends.data import Dataset, Split
from wootzc.backends.data.images import Stored
from wootzc.backends.flax.device.parallel import all_devices, join, together, training_devices
from wootzc.backends.flax.train.blocks import BlockJob, train_blocks
from wootzc.backends.flax.train.boundary_activations import Activations, Room
from wootzc.backends.flax.train.evaluation import evaluate, predict
from wootzc.backends.flax.train.reconstruct import reconstruct
from wootzc.backends.flax.train.scores import score_variants
from wootzc.backends.flax.train.train import train
from wootzc.backends.weights.slicing import Pruner, prune_weights
from wootzc.backends.weights.stored import initial_weights, to_bytes
from wootzc.ir.layers import Activation, Branch, Conv, Dense, Dropout, GlobalPool, Norm
from wootzc.ir.net.network import Auxiliary, Module, Network, Plain
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe


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


count, out = int(sys.argv[1]), Path(sys.argv[2])
if sys.argv[3:]:
    join(sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    assert all_devices().count == jax.local_device_count() < count
    joined = ExitStack()  # open to the end
    joined.enter_context(together())
assert jax.device_count() == all_devices().count == count
assert training_devices(16).count == count
assert training_devices(12).count == {1: 1, 8: 6}[count]
assert training_devices(7).count == {1: 1, 8: 7 if jax.process_count() == 1 else 1}[count]

residual = Branch(join="add", arms=((Conv(width=4), Norm(), Activation(), Conv(width=4)), ()))
network = Network(
    name="tiny",
    input=(4, 4, 2),
    segments=(
        Plain(name="plain1", body=(Conv(width=4), Norm())),
        Module(name="m1", body=(residual, Norm(), Activation())),
        Plain(name="plain2", body=(GlobalPool(), Dropout(rate=0.2), Dense(width=3))),
    ),
    auxiliaries=(
        Auxiliary(
            name="aux1",
            after=1,
            weight=0.3,
            body=(Conv(width=3), Norm(), GlobalPool(), Dropout(rate=0.2), Dense(width=3)),
        ),
    ),
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
sgd = Optimizer(learning_rate=0.05, options=(("momentum", 0.9),))
augment = Augment(flip=True, crop=1)
start = initial_weights(network, seed=0)
teacher = train(
    network,
    start,
    dataset,
    Recipe(steps=6, batch=16, optimizer=sgd, every=3, clip=1.0),
    augment,
    seed=1,
    strategy="loop",
)
distil = Recipe(steps=4, batch=12, optimizer=sgd, every=4, distill=0.5)
strategy = "scan" if count > 1 else "loop"
student = train(
    network,
    start,
    dataset,
    distil,
    augment,
    seed=2,
    teacher=(network, teacher.weights),
    strategy=strategy,  # type: ignore[arg-type]
)
sliced = prune_weights(network, teacher.weights, [0.5], ["l1"])
job = BlockJob(
    start=0, rates=(0.5,), weights={n: v for n, v in sliced.items() if n.startswith("m1/")}
)
(block,) = train_blocks(
    network, teacher.weights, [job], dataset, Recipe(steps=4, batch=16), augment, seed=3
)
pruner = Pruner(network, teacher.weights, ["l1"], seed=4)
refitted = reconstruct(pruner, [(0, 0.5)], dataset.train, images=45, samples=20)
seen = dataset.validation.batch(np.arange(13))
scores = dict(score_variants(pruner, refitted, seen))
score = scores[0, 0.5]
unaugmented = Recipe(steps=4, batch=16)
kept = Activations(network, dataset.train, unaugmented, 3, Room(memory=10**8))
both = [
    train_blocks(
        network, teacher.weights, [job], dataset, unaugmented, seed=3, activations=activations
    )[0]
    for activations in (None, kept)
]
assert kept.held == {1, 2}
for name, value in both[0].weights.items():  # the same programs on the same batches
    np.testing.assert_array_equal(value, both[1].weights[name], err_msg=name)
figures = [
    evaluate(network, teacher.weights, dataset.test),
    teacher.accuracy,
    student.accuracy,
    *(look.loss or 0 for look in teacher.history),
    block.loss_first,
    block.loss_last,
    score.loss,
    score.accuracy,
    both[1].loss_first,
    both[1].loss_last,
]
logits = predict(network, start, dataset.test.batch(np.arange(9)).images)
arrays = (
    {f"trained:{name}": value for name, value in student.weights.items()}
    | {f"block:{name}": value for name, value in block.weights.items()}
    | {f"refitted:{name}": value for name, value in refitted[0, 0.5].items()}
    | {"figures": np.array(figures, np.float32), "logits": logits}
)
out.write_bytes(to_bytes(arrays))
