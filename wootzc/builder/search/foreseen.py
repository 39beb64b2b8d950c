"""What a build will not be able to tell, known before it starts: by `check` and `plan` too.

No JAX here, and no image is read.
"""

from collections.abc import Iterator
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.data import Survey, count_parts
from wootzc.backends.data.formats import PartName
from wootzc.backends.data.npz import LAYOUTS
from wootzc.builder.search.judging import ASSUMED, images_needed
from wootzc.diagnostics import Diagnostic
from wootzc.ir.space import AccuracyLimit, Space
from wootzc.ir.space.recipe import FromFile

CONFIDENCE = 0.9  # of a limit that names none
TELLING = 50  # images; fewer may all be guessed wrong by a network that knows better
SHARES: Final[dict[PartName, str]] = {  # of the training images, and where they are said
    "validation": "data validation",
    "test": "data test",
}
ROUGHLY = 1.25  # the number that is needed is an estimate: who has nearly as many is not warned


def foreseen(
    space: Space,
    accuracy: float | None = None,  # of the teacher; None: not known yet
    images: int | None = None,  # on the validation side; None: to be counted
) -> Iterator[Diagnostic]:
    """Warnings, where the data is there and can be counted cheaply."""
    teacher = space.teacher
    given = isinstance(teacher, FromFile) and teacher.recipe is None
    tells = any(_tells_drops(limit) for limit in space.objective.limits)
    shares = any(place in space.spans for place in SHARES.values())
    if not given and not tells and not shares and not _beyond_one(space):
        return
    counted = count_parts(space.data)
    if counted is not None:
        yield from shares_of_nothing(space, counted)
        yield from scaled_twice(space, counted)
        images = counted.images["validation"] if images is None else images
    if images is not None:
        yield from too_few_images(space, images, accuracy, counted)
    if given and counted is not None:
        yield from seen_before(space, counted)


def too_few_images(
    space: Space, images: int, accuracy: float | None = None, counted: Survey | None = None
) -> Iterator[Diagnostic]:
    """Where the validation images can't tell a drop as small as the limit allows from none."""
    more = "(data … { validation 30% })"
    if counted is not None and "validation" in counted.own:
        more = f"to its own part, {counted.keys.get('validation', 'val/')} say"
    for limit in space.objective.limits:
        if not isinstance(limit, AccuracyLimit) or not _tells_drops(limit):
            continue
        confidence = limit.confidence or CONFIDENCE
        right = ASSUMED if accuracy is None else accuracy
        needed = images_needed(limit.value, right, confidence)
        if images >= needed / ROUGHLY:
            continue
        of = f", where the network is right on {right:.0%}" if accuracy is None else ""
        yield Diagnostic(
            limit.span,
            "WZ180",
            f"{images:,} validation images can hardly tell a drop of {_points(limit.value)} "
            f"from none: about {needed:,} would be needed{of}",
            f"give more images to validation {more}, or allow a larger drop",
            "warning",
        )


def shares_of_nothing(space: Space, counted: Survey) -> Iterator[Diagnostic]:
    """Where a part is asked for as a share of the training images, and the data brings it."""
    for part, place in SHARES.items():
        share = getattr(space.data, part)
        if part in counted.own and place in space.spans and share:
            yield Diagnostic(
                space.at(place),
                "WZ339",
                f"the data has a {part} part of its own, so `{part} {100 * share:g}%` of the "
                "training images does nothing",
                f"leave it out; for more {part} images put them into that part",
                "warning",
            )


def scaled_twice(space: Space, counted: Survey) -> Iterator[Diagnostic]:
    """Where figures are of pixels from 0 to 255, and the images' bytes count from 0 to 1."""
    if not counted.bytes_each or not (largest := _beyond_one(space)):
        return
    texts = (
        ", ".join(f"{x / 255:.3g}" for x in each) for each in (space.data.mean, space.data.std)
    )
    mean, std = texts
    yield Diagnostic(
        space.at("data"),
        "WZ336",
        f"`mean` and `std` are those of pixels from 0 to 1, and {largest:g} is beyond that",
        f"figures of pixels from 0 to 255 are divided by 255: `mean({mean}); std({std})`",
        "warning",
    )


def _beyond_one(space: Space) -> float:
    """The largest figure of `mean`, where no pixel from 0 to 1 has it; else 0."""
    largest = max(space.data.mean, default=0.0)
    return largest if largest > 1 else 0.0


def no_better_than_guessing(
    space: Space,
    accuracy: float,  # of the teacher
    labels: NDArray[np.int32],  # of the validation images
) -> Iterator[Diagnostic]:
    """Where a teacher knows nothing that a search could keep: images scaled otherwise, say."""
    guess = float(np.bincount(labels).max()) / len(labels)
    if len(labels) < TELLING or accuracy > guess + 2 * sqrt(guess * (1 - guess) / len(labels)):
        return
    if isinstance(space.teacher, FromFile):
        what = (
            "its images may want another scale (data … { normalize imagenet }, { mean(0.5); "
            "std(0.5) } or { normalize off }), or its classes another order (docs/data.md)"
        )
    else:
        what = "train it longer, or with another learning rate (teacher { … })"
    yield Diagnostic(
        space.span,
        "WZ182",
        f"the teacher is right on {accuracy:.1%} of {len(labels):,} validation images, and the "
        f"commonest class alone is {guess:.1%} of them: it knows no more than guessing",
        what,
        "warning",
    )


def seen_before(space: Space, counted: Survey) -> Iterator[Diagnostic]:
    """Where a teacher that came trained may know the images that judge it."""
    parts = [part for part in ("validation", "test") if part not in counted.own]
    if not isinstance(space.teacher, FromFile) or not parts:
        return
    way_out = "put images that it has never seen into val/ and test/, beside train/"
    if counted.keys:
        layouts = LAYOUTS[1:]  # those with such parts
        fits = [one for one in layouts if one["train"][0] == counted.keys["train"]]
        arrays = (fits or layouts)[0]
        names = [key for part in ("validation", "test") for key in arrays[part]]
        beside = " and ".join(arrays["train"])
        way_out = f"save images that it has never seen as {', '.join(names)}, beside {beside}"
    yield Diagnostic(
        space.span,
        "WZ181",
        f"the {' and '.join(parts)} images are split off the training images, and the teacher is "
        f"from {space.teacher.path}: if it was trained on them, it looks better than it is, and "
        "so does what is pruned from it",
        f"{way_out} (docs/data.md)",
        "warning",
    )


def _points(drop: float) -> str:
    return f"{100 * drop:g} point{'' if drop == 0.01 else 's'}"


def _tells_drops(limit: object) -> bool:
    return isinstance(limit, AccuracyLimit) and limit.below_teacher and limit.value > 0
