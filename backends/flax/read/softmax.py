"""A softmax at the end of a model, which wootzc leaves out: its networks end in logits.

JAX writes softmax(x) as exp(x − max x) / Σ exp(x − max x), and log_softmax(x) alike. The steps are
followed one by one; the last is the logits again.
"""

from dataclasses import replace

import numpy as np

from wootzc.backends.flax.read.traced_values import Tensor, Value

# Operation and what its operands are to the softmax → what its result is.
ARITHMETIC: dict[tuple[str, tuple[str, ...]], str] = {
    ("exp", ("shifted",)): "exp",
    ("exp", ("",)): "exp",
    ("log", ("sum",)): "log",
    ("div", ("exp", "sum")): "done",
    ("sub", ("", "max")): "shifted",
    ("sub", ("shifted", "log")): "done",
}
REDUCED = {("reduce_max", ""): "max", ("reduce_sum", ""): "sum", ("reduce_sum", "exp"): "sum"}
SAME = {"stop_gradient", "convert_element_type", "copy"}


def reduced(name: str, tensor: Tensor, axes: str, over: str) -> Tensor | None:
    """A maximum or sum over the channels alone, as a step of a softmax. `axes`: those left."""
    if over != "C" or axes.replace("-", "") != "N":
        return None
    state = REDUCED.get((name, tensor.softmax))
    return replace(tensor, axes="N", shape=tensor.shape[:1], softmax=state) if state else None


def step(name: str, inputs: list[Value]) -> Tensor | None:
    """The next step of a softmax; None where it is none."""
    tensors = [value for value in inputs if isinstance(value, Tensor)]
    if len({tensor.content for tensor in tensors}) != 1:
        return None
    largest = max(tensors, key=lambda tensor: len(tensor.axes.replace("-", "")))
    states = tuple(tensor.softmax for tensor in tensors)
    if name in SAME or (name == "max" and states == ("max",) and _is_lowest(inputs)):
        return tensors[0]
    state = ARITHMETIC.get((name, states))
    return replace(largest, softmax=state) if state and len(tensors) == len(inputs) else None


def _is_lowest(inputs: list[Value]) -> bool:
    return any(isinstance(v, np.ndarray) and (v == -np.inf).all() for v in inputs)
