"""Recipes: how to train. Names of optimisers and schedules are optax's; nothing here imports it."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Final, Literal

# Optimiser → the keyword arguments wootzc passes on; the first positional one is the learning rate.
# A test holds this table against the installed optax.
OPTIMIZERS: dict[str, tuple[str, ...]] = {
    "sgd": ("momentum", "nesterov"),
    "adam": ("b1", "b2", "eps", "nesterov"),
    "adamw": ("b1", "b2", "eps", "weight_decay", "nesterov"),
    "nadam": ("b1", "b2", "eps"),
    "radam": ("b1", "b2", "eps", "threshold"),
    "adabelief": ("b1", "b2", "eps"),
    "rmsprop": ("decay", "eps", "momentum", "nesterov", "centered"),
    "adagrad": ("initial_accumulator_value", "eps"),
    "lamb": ("b1", "b2", "eps", "weight_decay"),
    "lars": ("weight_decay", "trust_coefficient", "momentum", "nesterov"),
    "lion": ("b1", "b2", "weight_decay"),
    "yogi": ("b1", "b2", "eps"),
}

# Schedule → (optax function, keyword arguments). Steps and the peak rate are filled in.
SCHEDULES: dict[str, tuple[str, tuple[str, ...]]] = {
    "constant": ("constant_schedule", ()),
    "cosine": ("cosine_decay_schedule", ("alpha", "exponent")),
    "warmup_cosine": ("warmup_cosine_decay_schedule", ("warmup_steps", "init_value", "end_value")),
    "linear": ("linear_schedule", ("end_value",)),
    "polynomial": ("polynomial_schedule", ("power", "end_value")),
    "exponential": ("exponential_decay", ("transition_steps", "decay_rate", "end_value")),
}


Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    name: str = "sgd"
    learning_rate: float = 0.1
    options: tuple[tuple[str, float], ...] = ()  # sorted by name; booleans as 0.0 and 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    name: str = "constant"
    options: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run. Defaults of a stage (teacher, pretrain, finetune) come from the grammar."""

    steps: int  # where `epochs` is given, what these come to for as many images as are expected
    epochs: float | None = None  # passes over the training images, in the place of steps
    least: int = 1  # steps that `epochs` come to, however few images there are
    most: int | None = None  # likewise, however many
    batch: int = 64  # images per step, over all devices
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    weight_decay: float = 0.0  # decoupled from no optimiser: added to the gradient of kernels
    clip: float | None = None  # global norm that gradients are clipped to
    label_smoothing: float = 0.0
    every: int = 0  # steps between two looks at the validation data; 0: it follows from the steps
    patience: int | None = None  # looks without a better accuracy that end training (see `train`)
    distill: float = 0.0  # weight of the teacher's soft targets against the labels, in [0, 1]
    temperature: float = 1.0  # softens both sides of distillation
    reconstruct: int = 0  # training images that least squares refits blocks on, before any step
    precision: Precision = "float32"  # of activations and gradients; parameters stay float32


NOMINAL_IMAGES = 10_000  # training images that epochs are counted on where there is no telling
LOOKS = 10  # at the validation images in a run, where the recipe does not say how often
OFTEN = 10  # steps that lie between two looks at the least


def expected(recipe: Recipe, images: int) -> Recipe:
    """The recipe with the steps that its epochs come to for as many training images."""
    if recipe.epochs is None:
        return recipe
    steps = max(recipe.least, ceil(recipe.epochs * images / recipe.batch - 1e-9))
    return replace(recipe, steps=steps if recipe.most is None else min(steps, recipe.most))


def in_steps(recipe: Recipe, images: int) -> Recipe:
    """What is run on as many training images: steps in the place of epochs, a pace for the looks.

    Recipes that come to the same are equal, however they were written.
    """
    recipe = expected(recipe, images)
    every = recipe.every or pace(recipe.steps)
    return replace(recipe, epochs=None, least=1, most=None, every=every)


def pace(steps: int) -> int:
    """Steps between two looks where the recipe does not say: about ten looks in a run."""
    return max(OFTEN, -(-steps // LOOKS))


@dataclass(frozen=True, slots=True, kw_only=True)
class FromFile:
    """A teacher that is read: safetensors, or an ONNX model. With a `recipe` it is trained on."""

    path: str
    recipe: Recipe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Random changes to training images; evaluation sees none of them."""

    flip: bool = False  # left-right, one half of the images
    crop: int = 0  # pixels of zero padding before a random crop back to size


# Of pixels from 0 to 1, as torchvision's models were trained with.
IMAGENET: Final = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where images come from and how they are split. `kind` "auto" goes by the file's name."""

    path: str
    kind: Literal["auto", "npz", "folder", "zip", "parquet"] = "auto"
    validation: float = 0.15  # fraction of the training images held out for the search
    test: float = 0.15  # likewise for the final figure; used only where the data has no test split
    limit: int | None = None  # use this many images of the training part, spread over the classes
    normalize: bool = True  # to mean 0, deviation 1 per channel, with the training images' figures
    mean: tuple[float, ...] = ()  # to subtract instead, of pixels from 0 to 1: one, or per channel
    std: tuple[float, ...] = ()  # to divide by, likewise
    stream: bool = False  # read batches from disk instead of holding all in memory
