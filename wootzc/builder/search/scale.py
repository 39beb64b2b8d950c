"""Whether a teacher that came trained sees pixels on the scale that it was trained with."""

from pathlib import Path

import numpy as np

from wootzc.backends.bits import unpacked
from wootzc.backends.data import rescaled, spread
from wootzc.backends.flax.train.evaluation import batch_for, labelled_right
from wootzc.builder.jobs.events import Warned
from wootzc.builder.jobs.jobs import Jobs
from wootzc.builder.jobs.store import Outcome
from wootzc.builder.search.judging import paired_error
from wootzc.diagnostics import fail
from wootzc.ir.space.recipe import FromFile

ENOUGH = 0.9  # accuracy at which no other scale is looked at
POINTS = 0.02  # that another must be better by
ERRORS = 3.0  # standard errors of the difference, likewise


def check_scale(jobs: Jobs, teacher: Outcome) -> None:
    """`WootzError` where the teacher is right far more often with pixels on another usual scale.

    All that is searched would be compared with a network that cannot see. Where the space states a
    scale it is a warning. A batch of validation images is looked at for each scale, by the program
    that has looked at all of them.
    """
    source, accuracy = jobs.space.teacher, float(teacher.done.result["accuracy"])
    if not isinstance(source, FromFile) or source.recipe is not None or accuracy >= ENOUGH:
        return
    part = jobs.dataset.validation
    batch = batch_for(len(part))
    looks = teacher.done.result["history"][0]["right"]
    places = spread(len(part), batch)
    own = unpacked(looks, len(part))[places]
    seen = {
        said: labelled_right(jobs.space.network, teacher.weights, other, batch)
        for said, other in rescaled(jobs.dataset, places)
    }
    best = max(seen, key=lambda said: float(np.mean(seen[said])))
    gain = float(np.mean(seen[best]) - np.mean(own))
    if gain < max(POINTS, ERRORS * paired_error(seen[best], own)):
        return
    message = (
        f"the network of {Path(source.path).name} is right on {np.mean(own):.1%} of "
        f"{len(own):,} validation images as pixels are scaled here, and on "
        f"{np.mean(seen[best]):.1%} with {{ {best} }}"
    )
    help = f"write {{ {best} }} behind the path of the images"
    stated = bool(jobs.space.data.mean) or not jobs.space.data.normalize
    if not stated:
        raise fail("WZ183", message, help, jobs.space.at("data"))
    jobs.events.emit(Warned(message=message, code="WZ183", help=help))
