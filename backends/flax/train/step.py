"""Training steps as pure functions: state and batch in, state and loss out.

Trees are tuples with one dict (path/parameter → array) per segment.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from wootzc.backends.flax.net.model import Array, Structure, Values
from wootzc.backends.flax.train.augment import augmented
from wootzc.backends.flax.train.recipes import Told, initial_moments, kernels, transformation
from wootzc.backends.weights.parameters import Weights, is_statistic
from wootzc.ir.space.recipe import Augment, Optimizer, Recipe

Trees: TypeAlias = tuple[Values, ...]
Loss: TypeAlias = jax.Array  # scalar, float32
Tree = TypeVar("Tree")


class State(NamedTuple):
    """Everything a step moves. Auxiliary heads come behind the segments."""

    params: Trees  # kernels, biases, scales
    stats: Trees  # running means and variances of norms
    moments: tuple[Any, ...]  # the optimiser's state of each segment
    step: Array  # int32, scalar
    seed: Array  # uint32, scalar; never moves


def initial_state(parts: tuple[Weights, ...], recipe: Recipe, seed: int) -> State:
    """The state before the first step, on the host. `parts`: the weights of each segment."""
    params = tuple({k: v for k, v in part.items() if not is_statistic(k)} for part in parts)
    stats = tuple({k: v for k, v in part.items() if is_statistic(k)} for part in parts)
    moments = tuple(initial_moments(recipe.optimizer, p) for p in params)
    return State(params, stats, moments, np.array(0, np.int32), np.array(seed, np.uint32))


def merged(state: State) -> Trees:
    """Parameters and statistics of each segment together: what `Structure.evaluate` takes."""
    return tuple({**p, **s} for p, s in zip(state.params, state.stats, strict=True))


class Head(NamedTuple):
    """An auxiliary head: a second classifier, on what leaves segment number `after`."""

    structure: Structure
    after: int
    weight: float  # of its loss beside the network's


class Images(NamedTuple):
    """A batch: as it comes from the data, or augmented, with keys for what else is drawn."""

    images: Array  # [batch, height, width, channels], normalised
    labels: Array  # [batch] int32
    soft: Array | None = None  # [batch, classes] the teacher's logits, when distilling
    keys: jax.Array | None = None  # [batch] one random key per sample; none where nothing is drawn


def prepare(
    batch: Images, step: Array, seed: Array, augment: Augment, axis_name: str | None = None
) -> Images:
    """Draw the randomness of a step and augment its images with it."""
    keys = _sample_keys(batch.images.shape[0], step, seed, axis_name)
    images, labels = jnp.asarray(batch.images), jnp.asarray(batch.labels)
    seen = augmented(images, augment, _folded(keys, 0))
    return Images(seen, labels, batch.soft, _folded(keys, 1))


def prepared_keys(size: int, step: Array, seed: Array, axis_name: str | None = None) -> jax.Array:
    """The keys of a prepared batch of `size` images, where nobody needs the images."""
    return _folded(_sample_keys(size, step, seed, axis_name), 1)


def _sample_keys(size: int, step: Array, seed: Array, axis_name: str | None) -> jax.Array:
    """Each sample's key comes of seed, step and place in the batch.

    With several devices a sample keeps the key it has on one device.
    """
    first = 0 if axis_name is None else lax.axis_index(axis_name) * size
    key = jax.random.fold_in(jax.random.key(seed), step)
    return jax.vmap(partial(jax.random.fold_in, key))(first + jnp.arange(size))


def fold(keys: Array | None, number: int | Array) -> jax.Array | None:
    """Other keys, one per sample, for use `number`; none where nothing is drawn."""
    return None if keys is None else _folded(keys, number)


def _folded(keys: Array, number: int | Array) -> jax.Array:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


def classification_loss(
    logits: jax.Array,  # [batch, classes]
    batch: Images,
    told: Told,
) -> Loss:
    """Cross entropy to the labels, mixed with the distance to the teacher's soft targets.

    In float32, whatever the network computed in.
    """
    logits = logits.astype(jnp.float32)
    targets = jax.nn.one_hot(batch.labels, logits.shape[-1])
    targets = optax.smooth_labels(targets, told.label_smoothing)
    hard = optax.softmax_cross_entropy(logits, targets).mean()
    if batch.soft is None:
        return hard
    soft = distillation_loss(logits, batch.soft.astype(jnp.float32), told.temperature)
    return (1 - told.distill) * hard + told.distill * soft


def distillation_loss(
    student: jax.Array,  # [batch, classes] logits
    teacher: Array,  # same shape; no gradient flows into it
    temperature: Any,  # a number, or a scalar
) -> Loss:
    """KL(teacher ‖ student) of softened outputs, × temperature² (Hinton et al. 2015)."""
    softened = jax.nn.log_softmax(student / temperature)
    targets = jax.nn.softmax(lax.stop_gradient(teacher) / temperature)
    return optax.kl_divergence(softened, targets).mean() * temperature**2


def block_loss(
    student: jax.Array,  # [batch, height, width, channels] or [batch, channels]
    teacher: jax.Array,  # same shape; no gradient flows into it
) -> Loss:
    """Mean squared error over all axes, in float32."""
    goal = lax.stop_gradient(teacher).astype(jnp.float32)
    return jnp.mean((student.astype(jnp.float32) - goal) ** 2)


def correct(
    logits: jax.Array,  # [batch, classes]
    labels: jax.Array,  # [batch]
) -> jax.Array:  # [batch] bool
    return jnp.argmax(logits, axis=-1) == labels


def count_correct(
    logits: jax.Array,  # [batch, classes]
    labels: jax.Array,  # [batch]
    weights: jax.Array,  # [batch] 1 for a sample, 0 for padding
) -> jax.Array:  # scalar
    """How many images have their greatest logit at the label; `weights` is 0 for padding."""
    return jnp.sum(correct(logits, labels) * weights)


def forward(
    structures: tuple[Structure, ...],
    params: Trees,
    stats: Trees,
    x: Array,
    keys: jax.Array | None,
    moving: tuple[bool, ...],  # per segment: trained, or frozen in evaluation mode
) -> tuple[list[jax.Array], Trees]:
    """What leaves each segment in training mode, and their new running statistics."""
    outputs: list[jax.Array] = []
    moved: list[Values] = []
    for number, (structure, p, s) in enumerate(zip(structures, params, stats, strict=True)):
        if moving[number]:
            x, new = structure.train({**p, **s}, x, fold(keys, number))
            moved.append(new)
        else:
            x = structure.evaluate({**p, **s}, x)
            moved.append(s)
        outputs.append(x)
    return outputs, tuple(moved)


def network_step(
    structures: tuple[Structure, ...],
    optimizer: Optimizer,
    axis_name: str | None = None,
    heads: tuple[Head, ...] = (),
) -> Callable[..., tuple[State, Loss]]:
    """A step of a whole network against labels (and a teacher's logits).

    `heads` learn the same labels; what they add to the loss reaches the segments before them. The
    step is given the state, what it is told, the batch and, where some of the weights are to stay
    zero, masks: 1 for each parameter that moves, 0 for others.
    """
    count = len(structures)
    moving = (True,) * count

    def loss(params: Trees, stats: Trees, told: Told, batch: Images) -> tuple[Loss, Trees]:
        outputs, moved = forward(
            structures, params[:count], stats[:count], batch.images, batch.keys, moving
        )
        total = classification_loss(outputs[-1], batch, told)
        labelled = batch._replace(soft=None)
        for number, head in enumerate(heads, count):
            own = {**params[number], **stats[number]}
            logits, new = head.structure.train(own, outputs[head.after], fold(batch.keys, number))
            total += head.weight * classification_loss(logits, labelled, told)
            moved = (*moved, new)
        return total, moved

    def step(
        state: State, told: Told, batch: Images, masks: Trees | None = None
    ) -> tuple[State, Loss]:
        own = partial(loss, told=told, batch=batch)
        return learn(state, own, told, optimizer, axis_name, masks)

    return step


def block_step(
    structures: tuple[Structure, ...],
    moving: tuple[bool, ...],
    optimizer: Optimizer,
    axis_name: str | None = None,
) -> Callable[[State, Told, Trees, jax.Array, jax.Array, jax.Array], tuple[State, Loss]]:
    """A step of a block against the teacher's activations.

    The state holds the moving segments only; `frozen` the others, with all their weights.
    """

    def step(
        state: State,
        told: Told,
        frozen: Trees,
        entering: jax.Array,
        leaving: jax.Array,
        keys: jax.Array,
    ) -> tuple[State, Loss]:
        def loss(params: Trees, stats: Trees) -> tuple[Loss, Trees]:
            own, still = iter(zip(params, stats, strict=True)), iter(frozen)
            pairs = [next(own) if moves else (next(still), {}) for moves in moving]
            all_params, all_stats = zip(*pairs, strict=True)
            outputs, moved = forward(structures, all_params, all_stats, entering, keys, moving)
            kept = tuple(s for s, moves in zip(moved, moving, strict=True) if moves)
            return block_loss(outputs[-1], leaving), kept

        return learn(state, loss, told, optimizer, axis_name)

    return step


def learn(
    state: State,
    loss: Callable[[Trees, Trees], tuple[Loss, Trees]],
    told: Told,
    optimizer: Optimizer,
    axis_name: str | None,
    masks: Trees | None = None,  # as the parameters
) -> tuple[State, Loss]:
    """One optimiser step down `loss`, the gradient averaged over devices."""
    (value, stats), gradients = jax.value_and_grad(loss, has_aux=True)(state.params, state.stats)
    if axis_name is not None:
        value, gradients = lax.pmean((value, gradients), axis_name)
    if masks is not None:
        gradients = jax.tree.map(jnp.multiply, gradients, masks)
    gradients = clipped(gradients, told.clip)
    updated = [
        update(optimizer, told, p, m, g)
        for p, m, g in zip(state.params, state.moments, gradients, strict=True)
    ]
    params, moments = zip(*updated, strict=True)
    if masks is not None:  # some optimisers move a weight that has no gradient
        params = jax.tree.map(jnp.multiply, params, masks)
    return State(params, stats, moments, state.step + 1, state.seed), value


def update(
    optimizer: Optimizer, told: Told, params: Values, moments: Any, gradients: Values
) -> tuple[Values, Any]:
    """One segment's parameters and optimiser state after its gradients."""
    decays = kernels(params)
    falling = {
        n: g + told.weight_decay * params[n] if decays[n] else g for n, g in gradients.items()
    }
    changes, moments = transformation(optimizer, told.rate).update(falling, moments, params)
    return cast(Values, optax.apply_updates(params, changes)), moments


def clipped(gradients: Trees, limit: Any) -> Trees:
    """All gradients scaled so that their joint norm is at most `limit`."""
    return scaled(gradients, clip_scale(sum_of_squares(gradients), limit))


def sum_of_squares(tree: Any) -> jax.Array:
    return sum((jnp.vdot(x, x) for x in jax.tree.leaves(tree)), jnp.zeros(()))


def clip_scale(squares: jax.Array, limit: Any) -> jax.Array:
    """The factor that brings gradients with this sum of squares to a norm of at most `limit`."""
    return jnp.minimum(1.0, limit / (jnp.sqrt(squares) + 1e-12))


def scaled(tree: Tree, scale: jax.Array) -> Tree:
    return jax.tree.map(lambda x: x * scale, tree)
