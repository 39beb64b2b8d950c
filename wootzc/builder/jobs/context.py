"""What every part of a build works with."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeVar

from wootzc.backends.data import Dataset
from wootzc.backends.flax.device.parallel import Parallel
from wootzc.builder.jobs.events import Waiting
from wootzc.builder.jobs.keys import Keys
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.jobs.store import Store
from wootzc.ir.plan import Complete
from wootzc.ir.space import Space

Kind = TypeVar("Kind", bound="Context")


@dataclass(frozen=True)
class Context:
    """One plan over one data set, and where its jobs are kept and told of."""

    plan: Complete
    dataset: Dataset
    store: Store
    events: Events
    parallel: Parallel = "auto"
    memory: int | None = None  # bytes, for training blocks; None: half of what is free
    disk: int | None = None  # bytes, for the teacher's activations; None: a tenth
    teacher_file: str | None = None  # as `Keys` has it: one file, however often a plan is replaced

    @property
    def space(self) -> Space:
        return self.plan.space

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.plan, self.dataset.fingerprint, self.teacher_file)

    def become(self, kind: type[Kind], **more: Any) -> Kind:
        """The same build as another kind of context, with these fields changed or added."""
        own = {field.name: getattr(self, field.name) for field in fields(Context)}
        return kind(**{**own, **more})

    def waiting(self) -> None:
        """Called while another build on the same store does a job."""
        self.events.emit(Waiting())
