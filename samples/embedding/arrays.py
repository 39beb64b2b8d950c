"""A model and images that are there in Python: pruned in one call, `wootzc.prune`.

    python samples/embedding/arrays.py

A small Flax network learns the digits; what comes back is a smaller one, in memory and as files.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from numpy.typing import NDArray

import wootzc
from wootzc.builder.pruned import Pruned

DIGITS = Path(__file__).parents[1] / "digits.npz"


class Block(nnx.Module):
    def __init__(self, width: int, rngs: nnx.Rngs):
        self.first = nnx.Conv(width, width, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(width, rngs=rngs)
        self.second = nnx.Conv(width, width, (3, 3), rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return nnx.relu(x + self.second(nnx.relu(self.norm(self.first(x)))))


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs):
        self.stem = nnx.Conv(1, 24, (3, 3), rngs=rngs)
        self.blocks = nnx.List([Block(24, rngs) for _ in range(3)])
        self.head = nnx.Linear(24, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=(1, 2)))


def train(model: Net, images: NDArray[Any], labels: NDArray[Any], steps: int) -> None:
    """As anyone would: nothing here is wootzc's."""
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)
    rng = np.random.default_rng(0)

    @nnx.jit
    def step(
        model: Net, optimizer: nnx.Optimizer[Net], images: jax.Array, labels: jax.Array
    ) -> None:
        def loss(model: Net) -> jax.Array:
            scores = model(images)
            return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

        optimizer.update(model, nnx.grad(loss)(model))

    for _ in range(steps):
        rows = rng.integers(0, len(images), 64)
        step(model, optimizer, images[rows], labels[rows])


def smaller(steps: int = 600, **options: Any) -> Pruned:
    with np.load(DIGITS) as digits:
        images, labels = digits["images"].astype(np.float32) / 16, digits["labels"]
    model = Net(nnx.Rngs(0))
    # The images that the model learns from are no test of it: hold some out for the search.
    train(model, images[:1000], labels[:1000], steps)
    return wootzc.prune(
        model,
        images[:1000],
        labels[:1000],
        validation=(images[1000:1400], labels[1000:1400]),
        test=(images[1400:], labels[1400:]),
        accuracy="teacher - 1 points",
        **options,
    )


if __name__ == "__main__":
    pruned = smaller(progress=True)
    print(f"{pruned.params:,} parameters, accuracy {pruned.accuracy:.1%} on test images")
    print(pruned.to_onnx(pruned.out / "export" / "small.onnx"), pruned.report())
