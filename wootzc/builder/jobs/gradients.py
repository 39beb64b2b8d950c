"""The job of criteria that read images: what a sweep with gradients through the teacher says.

One sweep serves all modules, trunks and criteria. Without such a criterion there is none.
"""

import time

from wootzc.backends.weights.importance import NOTHING, Saliencies
from wootzc.backends.weights.slicing import Pruner
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.events import GradientsFinished, GradientsStarted
from wootzc.builder.jobs.keys import gradients_key
from wootzc.builder.jobs.store import Done, Store, Weights
from wootzc.ir.net.criteria import reads_images
from wootzc.ir.space import Space

LOOKED_AT = 512  # training images, at most


def pruner_of(context: Context, teacher: Weights) -> Pruner:
    """What cuts a teacher's weights as the space says."""
    space, seen = context.space, saliencies(context, teacher)
    return Pruner(space.network, teacher, space.criteria, space.seed, seen)


def saliencies(context: Context, teacher: Weights) -> Saliencies:
    """What the space's criteria read of images, found in the store or measured."""
    space, store = context.space, context.store
    if not images_are_read(space):
        return NOTHING
    count = min(LOOKED_AT, len(context.dataset.train))
    key = gradients_key(context.keys.teacher, count)
    done = store.find(key)
    if done is None:
        with store.locked([key], context.waiting):
            done = store.find(key) or _measured(context, teacher, key, count)
    assert done.weights is not None, "this job makes arrays"
    return done.weights


def _measured(context: Context, teacher: Weights, key: str, count: int) -> Done:
    from wootzc.backends.flax.train.saliency import channel_saliencies

    network, seed = context.space.network, context.space.seed
    context.events.emit(GradientsStarted(images=count))
    started = time.perf_counter()
    found = channel_saliencies(network, teacher, context.dataset.train, count=count, seed=seed)
    seconds = time.perf_counter() - started
    done = context.store.finish(key, "gradients", "teacher", {"images": count}, seconds, found)
    context.events.emit(GradientsFinished(images=count, seconds=seconds))
    return done


def known_saliencies(space: Space, store: Store, teacher: str, images: int) -> Saliencies | None:
    """Those of a build that is over: of the teacher with this key, and so many training images.

    None where the store has them no more.
    """
    if not images_are_read(space):
        return NOTHING
    done = store.find(gradients_key(teacher, min(LOOKED_AT, images)))
    return None if done is None else done.weights


def images_are_read(space: Space) -> bool:
    """Whether any criterion of it goes by training images."""
    between = (s.criterion for m in space.network.modules for s in (*m.entering, *m.leaving))
    return any(map(reads_images, (*space.criteria, *between)))
