"""Random changes to training images, on the device.

Every sample has its own key: how a batch is spread over devices changes nothing.
"""

import jax
import jax.numpy as jnp
from jax import lax

from wootzc.ir.space.recipe import Augment


def augmented(
    images: jax.Array,  # [batch, height, width, channels]
    augment: Augment,
    keys: jax.Array,  # [batch]
) -> jax.Array:  # same shape
    """Each image flipped by chance and cropped from a padded one, by a key of its own."""
    if not (augment.flip or augment.crop):
        return images

    def one(image: jax.Array, key: jax.Array) -> jax.Array:
        flip_key, crop_key = jax.random.split(key)
        if augment.flip:
            image = jnp.where(jax.random.bernoulli(flip_key), image[:, ::-1], image)
        return _cropped(image, augment.crop, crop_key) if augment.crop else image

    return jax.vmap(one)(images, keys)


def _cropped(image: jax.Array, pixels: int, key: jax.Array) -> jax.Array:
    """A random window of the image's size out of the image with a zero border.

    Images come normalised, so zero is the mean of the training images.
    """
    padded = jnp.pad(image, ((pixels, pixels), (pixels, pixels), (0, 0)))
    top, left = jax.random.randint(key, (2,), 0, 2 * pixels + 1)
    return lax.dynamic_slice(padded, (top, left, 0), image.shape)
