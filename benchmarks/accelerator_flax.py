"""The same steps written plainly in Flax NNX: what accelerator.py compares wootzc with.

Knows no wootzc. One jitted function a step, as in Flax's own examples.
"""

from itertools import cycle, islice

import jax
import jax.numpy as jnp
import optax
from accelerator_job import (
    LEARNING_RATE,
    MODULES,
    MOMENTUM,
    Job,
    introduce,
    read_job,
    tell,
    timed,
)
from flax import nnx


class Bottleneck(nnx.Module):
    def __init__(self, inputs, width, inner, stride, dtype, rngs):
        def conv(inputs, outputs, kernel, stride=1):
            return nnx.Conv(
                inputs,
                outputs,
                (kernel, kernel),
                stride,
                padding=kernel // 2,
                use_bias=False,
                dtype=dtype,
                rngs=rngs,
            )

        def norm(channels):
            return nnx.BatchNorm(channels, momentum=0.9, dtype=dtype, rngs=rngs)

        self.conv1, self.norm1 = conv(inputs, inner, 1), norm(inner)
        self.conv2, self.norm2 = conv(inner, inner, 3, stride), norm(inner)
        self.conv3, self.norm3 = conv(inner, width, 1), norm(width)
        changes = inputs != width or stride > 1
        self.shortcut = conv(inputs, width, 1, stride) if changes else None
        self.shortcut_norm = norm(width) if changes else None

    def __call__(self, x):
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = nnx.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        if self.shortcut is not None:
            x = self.shortcut_norm(self.shortcut(x))
        return nnx.relu(x + y)


def bottlenecks(kept, dtype, rngs):
    blocks, inputs = [], 64
    for stage, count in enumerate(MODULES):
        width = 256 * 2**stage
        for number in range(count):
            stride = 2 if stage and number == 0 else 1
            blocks.append(Bottleneck(inputs, width, kept(width // 4), stride, dtype, rngs))
            inputs = width
    return nnx.List(blocks)


class ResNet(nnx.Module):
    def __init__(self, kept, classes, dtype, rngs):
        self.stem = nnx.Conv(3, 64, (7, 7), 2, padding=3, use_bias=False, dtype=dtype, rngs=rngs)
        self.norm = nnx.BatchNorm(64, momentum=0.9, dtype=dtype, rngs=rngs)
        self.blocks = bottlenecks(kept, dtype, rngs)
        self.head = nnx.Linear(2048, classes, dtype=dtype, rngs=rngs)

    def boundaries(self, x):
        """What enters each block, and what leaves the last."""
        x = nnx.relu(self.norm(self.stem(x)))
        found = [nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))]
        for block in self.blocks:
            found.append(block(found[-1]))
        return found

    def __call__(self, x):
        return self.head(self.boundaries(x)[-1].mean(axis=(1, 2)))


class Students(nnx.Module):
    def __init__(self, kept, dtype, rngs):
        self.blocks = bottlenecks(kept, dtype, rngs)


@nnx.jit
def network_step(model, optimizer, images, labels):
    def loss_of(model):
        logits = model(images).astype(jnp.float32)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, gradients = nnx.value_and_grad(loss_of)(model)
    optimizer.update(model, gradients)
    return loss


@nnx.jit
def blocks_step(teacher, students, optimizer, images):
    found = teacher.boundaries(images)

    def loss_of(students):
        losses = [
            jnp.mean((block(x).astype(jnp.float32) - y.astype(jnp.float32)) ** 2)
            for block, x, y in zip(students.blocks, found[:-1], found[1:], strict=True)
        ]
        return sum(losses)

    loss, gradients = nnx.value_and_grad(loss_of)(students)
    optimizer.update(students, gradients)
    return loss


def whole(width):
    return width


def learning(model):
    return sum(value.size for value in jax.tree.leaves(nnx.state(model, nnx.Param)))


def run(job: Job, kind) -> None:
    dtype, rngs = jnp.dtype(job.precision), nnx.Rngs(0)
    batches = cycle(job.batches())
    sgd = optax.sgd(LEARNING_RATE, momentum=MOMENTUM)
    if kind == "blocks":
        teacher = ResNet(whole, job.classes, dtype, rngs)
        teacher.eval()
        model = Students(job.kept, dtype, rngs)
    else:
        model = ResNet(whole if kind == "teacher" else job.kept, job.classes, dtype, rngs)
    optimizer = nnx.Optimizer(model, sgd, wrt=nnx.Param)

    def round_of_steps():
        for images, labels in islice(batches, job.steps):
            if kind == "blocks":
                loss = blocks_step(teacher, model, optimizer, images)
            else:
                loss = network_step(model, optimizer, images, labels)
        return float(loss)

    tell(kind, timed(job, round_of_steps), learning(model), "nnx.jit")


def main() -> None:
    job = read_job()
    introduce(jax.devices()[0].device_kind, "jax", "flax", "optax", "numpy")
    for kind in job.kinds:
        run(job, kind)


if __name__ == "__main__":
    main()
