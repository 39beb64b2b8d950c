"""Least squares from second moments alone equals least squares on all samples."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wootzc.backends.weights import refit as fits
from wootzc.backends.weights.parameters import Weights
from wootzc.backends.weights.refit import losing_layers, refit, refit_module
from wootzc.backends.weights.slicing import Pruner
from wootzc.ir.layers import (
    Activation,
    Body,
    Branch,
    Conv,
    Dense,
    DepthwiseConv,
    GlobalPool,
    Norm,
)  # fmt: skip
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.network import Module, Network

Floats = NDArray[np.float64]


def moments_of(samples: Floats) -> Floats:
    rows = np.column_stack([samples, np.ones(len(samples))])
    return np.asarray(rows.T @ rows)


def alone(module: Module, shape: Shape, weights: Weights) -> Pruner:
    """A network of nothing but this module, with weights named path/parameter."""
    network = Network(name="alone", input=shape, segments=(module,))
    return Pruner(network, {f"{module.name}/{n}": v for n, v in weights.items()}, ["l1"])


def error(moments: Floats, target: Floats, kept: Any, fitted: Floats, constant: Floats) -> Floats:
    """Squared error of each output."""
    change = np.vstack([-target, constant])
    change[kept] += fitted
    return np.asarray(np.einsum("fo,fg,go->o", change, moments, change))


@pytest.mark.parametrize("shift", [True, False])
def test_equals_least_squares_on_the_samples(monkeypatch: pytest.MonkeyPatch, shift: bool) -> None:
    monkeypatch.setattr(fits, "RIDGE", 1e-12)
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 7)) + rng.normal(size=(200, 7)) + 0.5
    target, kept = rng.normal(size=(7, 3)), np.array([0, 2, 3, 6])
    inputs = np.column_stack([samples[:, kept], np.ones(200)]) if shift else samples[:, kept]
    expected = np.linalg.lstsq(inputs, samples @ target, rcond=None)[0]
    fitted, constant = refit(moments_of(samples), target, kept, shift=shift)
    np.testing.assert_allclose(fitted, expected[:4], atol=1e-8)
    np.testing.assert_allclose(constant, expected[4] if shift else np.zeros(3), atol=1e-8)


@given(
    seed=st.integers(0, 2**32 - 1),
    features=st.integers(1, 8),
    count=st.integers(0, 12),
    rank=st.integers(0, 3),
    scale=st.sampled_from([0.0, 1e-12, 1.0, 1e12]),
    shift=st.booleans(),
)
def test_the_error_never_grows(
    seed: int, features: int, count: int, rank: int, scale: float, shift: bool
) -> None:
    """Also of few samples, of samples that depend on each other, and of none."""
    rng = np.random.default_rng(seed)
    samples = scale * rng.normal(size=(count, rank)) @ rng.normal(size=(rank, features))
    target = rng.normal(size=(features, 2))
    kept = np.flatnonzero(rng.random(features) < 0.5)
    moments = moments_of(samples)
    fitted, constant = refit(moments, target, kept, shift=shift)
    assert np.isfinite(fitted).all() and np.isfinite(constant).all()
    before = error(moments, target, kept, target[kept], np.zeros(2))
    after = error(moments, target, kept, fitted, constant)
    assert (after <= before * (1 + 1e-9) + 1e-9 * scale).all()


def test_without_samples_or_with_bad_ones_nothing_changes() -> None:
    target, kept = np.ones((3, 2)), np.array([0, 2])
    for moments in (np.zeros((4, 4)), np.full((4, 4), np.nan), np.full((4, 4), np.inf)):
        fitted, constant = refit(moments, target, kept, shift=True)
        np.testing.assert_array_equal(fitted, target[kept])
        np.testing.assert_array_equal(constant, 0)


def test_a_direction_that_no_sample_shows_stays_as_it_was() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(50, 3)) * [1, 0, 1]
    target = rng.normal(size=(3, 2))
    fitted, _ = refit(moments_of(samples), target, np.array([0, 1]), shift=True)
    np.testing.assert_array_equal(fitted[1], target[1])
    assert not np.array_equal(fitted[0], target[0])


def test_which_layers_lose_inputs() -> None:
    gate: Body = (GlobalPool(keep_dims=True), Dense(width=4), Activation(), Dense(width=8))
    body: Body = (
        Conv(width=8),  # loses filters only
        Norm(),
        DepthwiseConv(),  # its filters go with its inputs
        Branch(join="scale", arms=((), gate)),
        Conv(width=8, groups=2),
        Conv(width=6),
        Conv(width=6),  # what enters is kept
    )
    module = Module(name="m", body=body, kept=("5",))
    shape = (8, 8, 6)
    assert losing_layers(module, shape, [0.5, 0.1]) == ("3.1.1", "3.1.3", "4", "5")
    assert losing_layers(module, shape, [0.0, 0.05]) == ()
    assert losing_layers(module, shape, []) == ()


@pytest.mark.parametrize("behind", ["bias", "norm", "relu"])
def test_a_constant_goes_where_it_can(behind: str) -> None:
    """A channel that is always 1 is removed; what it gave must come from elsewhere."""
    after: Body = (Norm(),) if behind == "norm" else (Activation(), Norm())
    wide = Conv(width=6, kernel=(1, 1), bias=behind == "bias")
    module = Module(name="m", body=(Conv(width=4, bias=True), Activation(), wide, *after))
    rng = np.random.default_rng(1)
    weights = {
        "0/kernel": rng.normal(size=(3, 3, 2, 4)).astype(np.float32),
        "0/bias": np.array([0, 0, 0, 1], np.float32),
        "2/kernel": rng.normal(size=(1, 1, 4, 6)).astype(np.float32),
    } | {
        f"{2 + len(after)}/{name}": np.full(6, 0.5, np.float32)
        for name in ("scale", "bias", "mean", "var")
    }  # fmt: skip
    if behind == "bias":
        weights["2/bias"] = rng.normal(size=6).astype(np.float32)
    weights["0/kernel"][..., 3] = 0
    samples = np.maximum(rng.normal(size=(5000, 4)), 0)
    samples[:, 3] = 1
    moments = {"2": moments_of(samples)[None]}
    pruner = alone(module, (4, 4, 2), weights)
    sliced, found = pruner.prune_module(0, 0.25), refit_module(pruner, 0, moments, 0.25)
    moved = {name for name in found if not np.allclose(found[name], sliced[name], atol=1e-5)}
    constant = weights["2/kernel"][0, 0, 3]
    match behind:
        case "bias":
            assert moved == {"2/bias"}
            np.testing.assert_allclose(found["2/bias"], weights["2/bias"] + constant, atol=1e-5)
        case "norm":
            assert moved == {"3/mean"}
            np.testing.assert_allclose(found["3/mean"], weights["3/mean"] - constant, atol=1e-5)
        case _:
            assert moved == {"2/kernel"}  # a norm behind an activation sees something else


def test_each_group_is_fitted_by_itself() -> None:
    module = Module(name="m", body=(Conv(width=4), Conv(width=6, groups=2), Conv(width=2)))
    rng = np.random.default_rng(2)
    weights = {
        "0/kernel": rng.normal(size=(3, 3, 2, 4)) * [1, 2, 4, 3],  # 1 and 2 stay
        "1/kernel": rng.normal(size=(3, 3, 2, 6)) * [1, 2, 3, 3, 1, 2],  # 2, 3 stay
        "2/kernel": rng.normal(size=(3, 3, 6, 2)),
    }
    samples = rng.normal(size=(2, 3000, 9, 2))
    samples[0, ..., 0] = 3 * samples[0, ..., 1]  # what goes follows from what stays
    samples[1, ..., 1] = -samples[1, ..., 0]
    moments = {"1": np.stack([moments_of(part.reshape(3000, 18)) for part in samples])}
    pruner = alone(module, (6, 6, 2), weights)
    sliced, found = pruner.prune_module(0, 0.5), refit_module(pruner, 0, moments, 0.5)
    kernel = weights["1/kernel"]
    assert {name for name in found if not np.array_equal(found[name], sliced[name])} == {"1/kernel"}
    assert found["1/kernel"].shape == sliced["1/kernel"].shape == (3, 3, 1, 2)
    expected = np.concatenate(
        [
            kernel[:, :, 1:, 2:3] + 3 * kernel[:, :, :1, 2:3],
            kernel[:, :, :1, 3:4] - kernel[:, :, 1:, 3:4],
        ],
        axis=-1,
    )
    np.testing.assert_allclose(found["1/kernel"], expected, atol=1e-4)


def test_fitting_needs_no_jax() -> None:
    code = "import sys, wootzc.backends.weights.refit; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
