"""The operations of a traced model → a graph.

A tensor is what one node makes, or a function of single numbers of such (a curve): what that is
gets decided when something other than arithmetic reads it. Sums of two tensors are adds, products
scales.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
from flax import nnx

from wootzc.backends.flax.read import pools, softmax
from wootzc.backends.flax.read.curves import POINTS, Curve
from wootzc.backends.flax.read.nnx_layers import layer_of
from wootzc.backends.flax.read.nodes import Nodes
from wootzc.backends.flax.read.trace import Traced, layer_p, scope_of, where
from wootzc.backends.flax.read.traced_values import (
    Content,
    Origin,
    Tensor,
    Value,
    alike,
    constant,
    fits,
    is_key,
    number,
    relabelled,
    unknown,
)
from wootzc.ir.graph import INPUT, Graph, Refused
from wootzc.ir.graph.expressible import flaws
from wootzc.ir.graph.vectors import as_vectors
from wootzc.ir.layers import Flatten
from wootzc.ir.layers.shapes import Shape, shape_text

ELEMENTWISE = frozenset(
    """abs add add_any and atan2 ceil clamp convert_element_type copy copy_p cos div eq erf erf_inv
    erfc exp exp2 expm1 floor ge gt integer_pow is_finite le log log1p logistic lt max min mul ne
    neg not or pow reduce_precision rem round rsqrt select_n sign sin sqrt square stop_gradient sub
    tan tanh""".split()
)
CALLS = {  # primitives that stand for others, and where they have them
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr", "checkpoint": "jaxpr", "remat2": "jaxpr",
}  # fmt: skip
MOST_CURVES = 32  # contents that one is remembered to be a function of


class GraphOfModel:
    """Runs a jaxpr on tensors. Raises `Refused` for what no layer of ours does."""

    def __init__(self, traced: Traced, input: Shape):
        self.traced = traced
        self.nodes = Nodes(input, {place for place, _ in traced.layers})
        self.called: set[int] = set()
        self.dropouts: set[str] = set()  # places: they may be called again
        self.notes = [
            f"`{place}` is left out: the model does not call it in evaluation mode"
            for place in traced.silent
        ]
        self.eqn: Any = None  # the outermost one that runs now: inner ones may come from caches

    def graph(self, name: str) -> Graph:
        """The graph of all that was traced, from images to logits. Raises `Refused`."""
        closed = self.traced.jaxpr
        (variable,) = closed.jaxpr.invars
        tensor = Tensor(self.nodes.content(INPUT), "NHWC", variable.aval.shape)
        consts = [constant(const) for const in closed.consts]
        results = self.run(closed.jaxpr, [*consts, tensor], outermost=True)
        if len(results) != 1 or not isinstance(results[0], Tensor):
            raise Refused(f"the model returns {len(results)} arrays; wootzc needs one, the logits")
        result = results[0]
        if result.softmax not in {"", "done"} or result.axes.replace("-", "") != "NC":
            raise Refused(
                f"the model returns {shape_text(result.shape)}; wootzc needs [batch, classes]"
            )
        if result.softmax:
            self.notes.append("the final softmax is left out: the network ends in logits")
        output = self.nodes.materialised(result.content)
        graph = Graph(
            name=name,
            input=self.nodes.shapes[INPUT],
            nodes=tuple(self.nodes.nodes),
            output=output,
            notes=tuple(self.notes),
        )
        return as_vectors(graph, self.nodes.shapes, ".flatten")

    @property
    def scope(self) -> str:
        return scope_of(self.eqn)

    def run(self, jaxpr: Any, inputs: Sequence[Value], *, outermost: bool = False) -> list[Value]:
        """The results of a jaxpr. Raises `Refused` at the first equation that is no layer."""
        known: dict[Any, Value] = dict(zip([*jaxpr.constvars, *jaxpr.invars], inputs, strict=True))

        def value(atom: Any) -> Value:
            literal = isinstance(atom, jax.extend.core.Literal)
            return np.asarray(atom.val) if literal else known[atom]

        for eqn in jaxpr.eqns:
            if outermost:
                self.eqn = eqn
            results = self.apply(eqn, [value(atom) for atom in eqn.invars])
            known |= zip(eqn.outvars, results, strict=True)
        return [value(atom) for atom in jaxpr.outvars]

    def apply(self, eqn: Any, inputs: list[Value]) -> Sequence[Value]:
        """What one equation makes; constants are computed, not traced."""
        name = eqn.primitive.name
        if name in CALLS:
            inner = eqn.params[CALLS[name]]
            consts = [constant(const) for const in getattr(inner, "consts", ())]
            return self.run(getattr(inner, "jaxpr", inner), [*consts, *inputs])
        if not any(isinstance(value, Tensor) for value in inputs):
            return self.constants(eqn, inputs)
        return [self.result(eqn, name, inputs)]

    def constants(self, eqn: Any, inputs: list[Value]) -> Sequence[Value]:
        """What an operation makes that reads none of the image."""
        if eqn.primitive is layer_p:
            raise Refused(f"`{self.traced.layers[eqn.params['number']][0]}` reads no image")
        try:
            results = eqn.primitive.bind(*map(jnp.asarray, inputs), **eqn.params)
        except Exception as error:  # whatever a primitive may need to run
            raise self.unknown(eqn.primitive.name, "it without an image") from error
        made = [constant(r) for r in (results if eqn.primitive.multiple_results else [results])]
        if any(is_key(value) for value in (*inputs, *made)):
            raise self.unknown(eqn.primitive.name, "random numbers")
        return made

    def result(self, eqn: Any, name: str, inputs: list[Value]) -> Tensor:
        """What an operation on at least one tensor makes."""
        first = next(value for value in inputs if isinstance(value, Tensor))
        if name in ELEMENTWISE:
            return self.elementwise(eqn, inputs)
        if name == "concatenate":
            return self.concatenate(eqn, inputs)
        match name:
            case "reshape" | "expand_dims":
                return self.reshape(eqn, first)
            case "squeeze":
                return self.squeeze(eqn, first)
            case "broadcast_in_dim":
                return self.broadcast(eqn, first)
            case "transpose":
                axes = "".join(first.axes[i] for i in eqn.params["permutation"])
                return replace(first, axes=axes, shape=eqn.outvars[0].aval.shape)
            case "reduce_sum" | "reduce_max":
                return pools.reduced(self.nodes, eqn, self.eqn, first)
            case "reduce_window_sum" | "reduce_window_max" if not first.softmax:
                return pools.windowed(self.nodes, eqn, self.eqn, first)
            case layer_p.name:
                return self.layer(eqn, first)
            case _:
                raise self.unknown(name)

    def unknown(self, name: str, what: str = "it") -> Refused:
        return unknown(name, where(self.eqn), what)

    def layer(self, eqn: Any, tensor: Tensor) -> Tensor:
        """A call of a Flax module that is known as a layer."""
        place, module = self.traced.layers[eqn.params["number"]]
        if isinstance(module, nnx.Dropout):
            return self.dropout(place, module, tensor)
        if tensor.softmax:
            raise self.unknown(place, "a softmax that is not the model's result")
        if not fits(tensor):
            shape = shape_text(tensor.shape)
            raise Refused(f"`{place}` reads {shape}, which is no image of the network")
        if id(module) in self.called:
            raise Refused(
                f"`{place}` is called twice; wootzc's layers have their weights for themselves"
            )
        self.called.add(id(module))
        layer, weights = layer_of(module, place, tensor.content.image)
        made = self.nodes.made(layer, tensor.content, place, weights)
        return Tensor(made, tensor.axes, eqn.outvars[0].aval.shape)

    def dropout(self, place: str, drop: nnx.Dropout, tensor: Tensor) -> Tensor:
        """It counts in training alone: what no layer of ours does is left out, and said."""
        layer, _ = layer_of(drop, place, tensor.content.image)
        reason = ""
        if drop.broadcast_dims:
            reason = "it drops whole rows, channels or images; wootzc drops single numbers"
        elif tensor.softmax or not fits(tensor):
            reason = "what it reads is no image of the network"
        elif found := flaws(layer):
            reason = f"it {found[0]}"
        if reason:
            self.notes.append(f"the dropout `{place}` is left out: {reason}")
        if reason or not drop.rate:
            return tensor
        name = place if place not in self.dropouts else self.nodes.named("", place)
        self.dropouts.add(place)
        return replace(tensor, content=self.nodes.made(layer, tensor.content, name, {}))

    def concatenate(self, eqn: Any, inputs: list[Value]) -> Tensor:
        """Features joined along channels."""
        tensors = [value for value in inputs if isinstance(value, Tensor)]
        if len(tensors) < len(inputs) or len({tensor.axes for tensor in tensors}) > 1:
            raise self.unknown("concatenate", "a concatenation with constants, or of unlike axes")
        if tensors[0].axes[eqn.params["dimension"]] != "C" or any(t.softmax for t in tensors):
            raise self.unknown("concatenate", "a concatenation that is not along channels")
        contents = [tensor.content for tensor in tensors]
        image = (*contents[0].image[:-1], sum(content.image[-1] for content in contents))
        made = self.nodes.joined("concat", contents, image, self.scope)
        return Tensor(made, tensors[0].axes, eqn.outvars[0].aval.shape)

    # Arithmetic

    def elementwise(self, eqn: Any, inputs: list[Value]) -> Tensor:
        """Arithmetic number by number, kept as it is until it is known what layer it belongs to."""
        name = eqn.primitive.name
        tensors = [value for value in inputs if isinstance(value, Tensor)]
        if any(tensor.softmax for tensor in tensors):
            if (step := softmax.step(name, inputs)) is None:
                raise self.unknown(name, "a softmax that is not the model's result")
            return step
        largest = max(tensors, key=lambda tensor: np.prod(tensor.content.image))
        if not all(alike(tensor, largest) for tensor in tensors):
            raise self.unknown(name, "arithmetic between tensors whose axes differ")
        content = pools.averaged(self.nodes, self.scope, name, inputs)
        if content is None:
            operands = tuple(v.content if isinstance(v, Tensor) else v for v in inputs)
            content = Content(largest.content.image)
            content.origin = Origin(name, operands, where(self.eqn), self.scope)
            content.curves = _curves(eqn, inputs, tensors)
            content.curves[content] = POINTS
        return Tensor(content, largest.axes, eqn.outvars[0].aval.shape)

    # Axes

    def reshape(self, eqn: Any, tensor: Tensor) -> Tensor:
        """A flatten, or axes of size 1 that come and go."""
        shape = eqn.outvars[0].aval.shape
        if shape == tensor.shape:
            return tensor
        axes = relabelled(tensor, shape)
        if axes is not None:
            return replace(tensor, axes=axes, shape=shape)
        flat = (tensor.shape[0], int(np.prod(tensor.content.image)))
        if tensor.axes == "NHWC" and fits(tensor) and shape == flat and not tensor.softmax:
            name = self.nodes.named(self.scope, "flatten")
            return Tensor(self.nodes.made(Flatten(), tensor.content, name, {}), "NC", shape)
        raise self.unknown("reshape", f"{shape_text(tensor.shape)} reshaped to {shape_text(shape)}")

    def squeeze(self, eqn: Any, tensor: Tensor) -> Tensor:
        """Axes of size 1 left out. Raises `Refused` where batch or channels would be."""
        dropped = {axis % len(tensor.shape) for axis in eqn.params["dimensions"]}
        axes = "".join(a for i, a in enumerate(tensor.axes) if i not in dropped)
        if axes[:1] != "N" or ("C" in tensor.axes) != ("C" in axes):
            raise self.unknown("squeeze", "the batch or the channels squeezed")
        return replace(tensor, axes=axes, shape=eqn.outvars[0].aval.shape)

    def broadcast(self, eqn: Any, tensor: Tensor) -> Tensor:
        """Repeated pixels stay single ones: what multiplies by them repeats them itself."""
        shape = eqn.outvars[0].aval.shape
        axes = ["-"] * len(shape)
        for old, new in enumerate(eqn.params["broadcast_dimensions"]):
            axes[new] = tensor.axes[old]
            if shape[new] != tensor.shape[old] and tensor.axes[old] in "NC":
                raise self.unknown("broadcast_in_dim", "channels repeated")
        return replace(tensor, axes="".join(axes), shape=shape)


def _curves(eqn: Any, inputs: list[Value], tensors: list[Tensor]) -> dict[Content, Curve]:
    """The result of an operation as a function of all that its operands are functions of."""
    constants = [number(value) for value in inputs if isinstance(value, np.ndarray)]
    if None in constants:
        return {}
    shared = [b for b in tensors[0].content.curves if all(b in t.content.curves for t in tensors)]

    def at(value: Value, base: Content) -> Any:
        if isinstance(value, Tensor):
            return value.content.curves[base]
        return np.full(POINTS.shape, value.flat[0], value.dtype)

    def curve(base: Content) -> Curve:
        operands = (jnp.asarray(at(value, base)) for value in inputs)
        return np.asarray(eqn.primitive.bind(*operands, **eqn.params))

    try:
        return {base: curve(base) for base in shared[:MOST_CURVES]}
    except TypeError:  # half precision, whose curves these are not
        return {}
