"""Refit layers by least squares after filters went (He, Zhang, Sun, ICCV 2017; ThiNet, ICCV 2017).

A layer that lost input channels gets the kernel that gives, from what is left of the full network's
activations, the closest to the full layer's output. All that the solution needs is the second
moments of the full layer's inputs: one sweep over images serves every rate. NumPy only.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.weights.importance import Indices
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.slicing import Cut, Pruner
from wootzc.ir.layers import Body, has_filters, walk
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.coupling import couple_module
from wootzc.ir.net.network import Module
from wootzc.ir.net.norm_after import norm_after
from wootzc.ir.net.prune import kept_width
from wootzc.ir.net.rate import Rate
from wootzc.ir.net.skip import is_skipped

# [groups, features + 1, features + 1]: sums of products over samples. Features are those of one
# group's kernel (height, width, channel), and last a constant 1: the corner counts the samples.
Moments: TypeAlias = NDArray[np.float64]

RIDGE = 1e-3  # weight of the change's square, × mean square of a feature × features per sample
MOST = 8192  # features whose moments are still held: 512 MiB


def losing_layers(module: Module, shape: Shape, rates: Collection[Rate]) -> tuple[str, ...]:
    """The paths of layers that lose input channels at one of the rates, and can be refitted.

    A depthwise convolution has one input channel per filter: where that goes, so does the filter.
    """
    coupling = couple_module(module, shape)
    left = [rate for rate in rates if not is_skipped(rate)]
    loses = [
        any(kept_width(group, rate) < group.width for rate in left) for group in coupling.groups
    ]
    return tuple(
        path
        for path, layer in walk(module.body)
        if has_filters(layer) and any(loses[g] for g in coupling.inputs[path])
    )


def refit_module(
    pruner: Pruner,
    number: int,  # of the module
    moments: Mapping[str, Moments],  # by path, of `losing_layers`; what is missing stays sliced
    rate: Rate,
) -> Weights:
    """As `Pruner.prune_module`, but what lost inputs makes up for it as well as it can.

    What a fit adds to every output goes into the layer's bias, or into the running mean of a norm
    right behind it; where there is neither, the fit adds nothing.
    """
    refitted = pruner.prune_module(number, rate)
    if rate == 0 or is_skipped(rate):
        return refitted
    body, weights = pruner.network.modules[number].body, pruner.parts[number]
    cut = pruner.cut(number, rate)
    for path, own in moments.items():
        norm = _norm_behind(body, path)
        if f"{norm}/mean" not in weights:  # it takes its mean from each image
            norm = None
        biased = f"{path}/bias" in weights
        kernel, constant = _refit_layer(
            weights[f"{path}/kernel"], own, cut, path, shift=biased or norm is not None
        )
        refitted[f"{path}/kernel"] = kernel
        if biased:
            refitted[f"{path}/bias"] = _added(refitted[f"{path}/bias"], constant)
        elif norm is not None:
            refitted[f"{norm}/mean"] = _added(refitted[f"{norm}/mean"], -constant)
    return refitted


def _norm_behind(body: Body, path: str) -> str | None:
    """The norm that this layer's outputs enter as they are."""
    *outer, last = path.split(".")
    following = ".".join([*outer, str(int(last) + 1)])
    return following if norm_after(body, path) == following else None


def _added(value: NDArray[Any], change: NDArray[np.float64]) -> NDArray[Any]:
    return (value + change).astype(value.dtype)


def _refit_layer(
    kernel: NDArray[Any],  # [kh, kw, in // groups, out] or [in, out]
    moments: Moments,
    cut: Cut,
    path: str,
    *,
    shift: bool,
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The kernel that is left, refitted, and what to add to every output."""
    entering = cut.indices(cut.coupling.inputs[path])
    leaving = cut.indices(cut.coupling.outputs[path])
    *sides, inputs, outputs = kernel.shape
    groups = len(moments)
    outputs //= groups
    window = np.arange(int(np.prod(sides)) * inputs).reshape(-1, inputs)
    kernels, constants = [], []
    for group in range(groups):
        own_in = entering[entering // inputs == group] - group * inputs
        own_out = leaving[leaving // outputs == group]
        target = kernel.reshape(-1, kernel.shape[-1])[:, own_out].astype(np.float64)
        fitted, constant = refit(moments[group], target, window[:, own_in].ravel(), shift=shift)
        kernels.append(fitted.reshape(*sides, len(own_in), len(own_out)))
        constants.append(constant)
    joined = np.ascontiguousarray(np.concatenate(kernels, axis=-1), kernel.dtype)
    return joined, np.concatenate(constants)


def refit(
    moments: NDArray[np.float64],  # [features + 1, features + 1], the last of a constant 1
    target: NDArray[np.float64],  # [features, outputs]
    kept: Indices,  # features that are left
    *,
    shift: bool,  # whether a constant may be added to each output
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # [kept, outputs], [outputs]
    """The weights of the `kept` features and the constants whose outputs are closest to `target`'s.

    What is solved for is the change against `target[kept]`. Its square costs a little, the more the
    fewer samples there are: directions that they do not show stay as they were. So do outputs that
    would come no closer.
    """
    features, outputs = target.shape
    removed = np.setdiff1d(np.arange(features), kept)
    unchanged = target[kept], np.zeros(outputs)
    samples = moments[-1, -1]
    if 0 in (len(kept), len(removed), samples) or not np.isfinite(moments).all():
        return unchanged
    free = np.append(kept, features) if shift else kept
    left = moments[np.ix_(free, free)]
    lost = moments[np.ix_(free, removed)] @ target[removed]  # [free, outputs]
    penalty = np.zeros(len(free))
    penalty[: len(kept)] = RIDGE * len(kept) / samples * moments[kept, kept].mean()
    try:
        change = np.linalg.solve(left + np.diag(penalty), lost)
    except np.linalg.LinAlgError:
        return unchanged
    gain = np.sum(change * (2 * lost - left @ change), axis=0)  # of squared error
    change = np.where(gain > 0, change, 0)
    return target[kept] + change[: len(kept)], change[-1] if shift else unchanged[1]
