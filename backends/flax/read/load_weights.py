"""The arrays of an nnx model as weights of a network that was written for it."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import jax.extend.core
from flax import nnx

from wootzc.backends.flax.read.compare import check_results
from wootzc.backends.flax.read.nnx_layers import Arrays, layer_of
from wootzc.backends.flax.read.trace import layer_p, trace
from wootzc.backends.weights.parameters import network_parameters
from wootzc.diagnostics import fail
from wootzc.ir.graph import Refused
from wootzc.ir.layers.shapes import Shape, shape_text
from wootzc.ir.net.network import Network


def weights_of(network: Network, model: nnx.Module, example_input: Any) -> Arrays:
    """See `wootzc.weights_from_nnx`."""
    traced = trace(model, example_input)
    waiting: list[tuple[str, Arrays]] = []
    for number, image in _calls(traced.jaxpr.jaxpr):
        place, module = traced.layers[number]
        if isinstance(module, nnx.Dropout):  # has no arrays
            continue
        try:
            waiting.append((place, layer_of(module, place, image)[1]))
        except Refused as refused:
            raise fail("WZ151", f"{type(model).__name__}: {refused.message}") from None
    weights: Arrays = {}
    parameters = network_parameters(network).items()
    for path, own in groupby(parameters, key=lambda item: item[0].rpartition("/")[0]):
        wanted = {name.rpartition("/")[2]: shape for name, shape in own}
        found = next((entry for entry in waiting if _shapes(entry[1]) == wanted), None)
        if found is None:
            shown = ", ".join(f"{name} {shape_text(shape)}" for name, shape in wanted.items())
            raise fail(
                "WZ152",
                f"{type(model).__name__} calls no layer that could be `{path}` ({shown})",
                "does the network describe this model?",
            )
        waiting.remove(found)
        weights |= {f"{path}/{name}": value for name, value in found[1].items()}
    if waiting:
        raise fail(
            "WZ152",
            f"`{waiting[0][0]}` of {type(model).__name__} is no layer of network {network.name}",
            "does the network describe this model?",
        )
    help = "compare their layers; arms of a branch must stand in the order of the model's calls"
    check_results(network, weights, model, example_input, help)
    return weights


def _calls(jaxpr: Any) -> Iterator[tuple[int, Shape]]:
    """The marked layers, in the order in which they are called, and what enters each."""
    for eqn in jaxpr.eqns:
        if eqn.primitive is layer_p:
            yield eqn.params["number"], eqn.invars[0].aval.shape[1:]
        for inner in jax.extend.core.jaxprs_in_params(eqn.params):
            yield from _calls(inner)


def _shapes(arrays: Arrays) -> dict[str, Shape]:
    return {name: value.shape for name, value in arrays.items()}
