"""How many bytes of activations steps need at once, one after the other. Nothing is run.

A value lives from the step that makes it to the last that reads it. It knows neither layers nor
files: `exported.py` says which steps a body is, `backends/onnx/liveness.py` which an ONNX file is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from wootzc.ir.layers.steps import Step, Value


def peak_bytes(
    steps: Sequence[Step[Value]],
    sizes: Mapping[Value, int],  # bytes of each value
    entering: Iterable[Value],
    leaving: Iterable[Value],  # these live to the end
    *,
    lent: bool,  # nothing writes over what enters
) -> int:
    """The most bytes that live at once. Takes time in proportion to the steps."""
    readers = Counter(value for step in steps for value in step.reads)
    readers.update(leaving)
    buffer = {value: value for value in entering}  # of each value; views share one
    kept = frozenset(buffer) if lent else frozenset()
    waiting = {value: readers[value] for value in buffer}  # by buffer: reads still to come
    living = {value: sizes[value] for value in buffer}
    total = peak = sum(living.values())
    for step in steps:
        entered = Counter(buffer[value] for value in step.reads if value in buffer)
        for value in step.makes:
            own = _shared(step, sizes[value], buffer, entered, waiting, sizes, kept)
            if own is None:
                own = value
                living[own] = sizes[value]
                total += sizes[value]
            buffer[value] = own
            waiting[own] = waiting.get(own, 0) + readers[value]
        peak = max(peak, total)
        for own, reads in entered.items():
            waiting[own] -= reads
        for own in {*entered, *(buffer[value] for value in step.makes)}:
            if waiting[own] == 0:
                total -= living.pop(own, 0)
    return peak


def _shared(
    step: Step[Value],
    size: int,
    buffer: Mapping[Value, Value],
    entered: Mapping[Value, int],
    waiting: Mapping[Value, int],
    sizes: Mapping[Value, int],
    kept: frozenset[Value],
) -> Value | None:
    """The buffer of what is read that a value of this size may lie in."""
    if step.how == "view":
        return buffer.get(step.reads[0])
    if step.how == "new":
        return None
    fitting = (
        buffer[value]
        for value in step.reads
        if value in buffer
        and buffer[value] not in kept
        and sizes[value] == size
        and waiting[buffer[value]] == entered[buffer[value]]
    )
    return next(fitting, None)
