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

from wootzc.backends.flax import from_nnx_softmax as softmax
from wootzc.backends.flax.from_nnx_curves import POINTS, Curve
from wootzc.backends.flax.from_nnx_layers import layer_of
from wootzc.backends.flax.from_nnx_nodes import Nodes
from wootzc.backends.flax.from_nnx_trace import Traced, layer_p, scope_of, where
from wootzc.backends.flax.from_nnx_values import (
    Content,
    Origin,
    Tensor,
    Value,
    alike,
    fits,
    number,
    relabelled,
    unknown,
    window_counts,
)
from wootzc.ir.graph import INPUT, Graph, Refused
from wootzc.ir.graph_vectors import as_vectors
from wootzc.ir.layers import Flatten, GlobalPool, Pool
from wootzc.ir.shapes import Shape, shape_after, shape_text

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
        self.notes: list[str] = []
        self.eqn: Any = None  # the outermost one that runs now: inner ones may come from caches

    def graph(self, name: str) -> Graph:
        closed = self.traced.jaxpr
        (variable,) = closed.jaxpr.invars
        tensor = Tensor(self.nodes.content(INPUT), "NHWC", variable.aval.shape)
        consts = [np.asarray(const) for const in closed.consts]
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
        return as_vectors(graph, self.nodes.shapes)

    @property
    def scope(self) -> str:
        return scope_of(self.eqn)

    def run(self, jaxpr: Any, inputs: Sequence[Value], *, outermost: bool = False) -> list[Value]:
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
        name = eqn.primitive.name
        if name in CALLS:
            inner = eqn.params[CALLS[name]]
            consts = [np.asarray(const) for const in getattr(inner, "consts", ())]
            return self.run(getattr(inner, "jaxpr", inner), [*consts, *inputs])
        if not any(isinstance(value, Tensor) for value in inputs):
            results = eqn.primitive.bind(*map(jnp.asarray, inputs), **eqn.params)
            many = eqn.primitive.multiple_results
            return [np.asarray(r) for r in (results if many else [results])]
        return [self.result(eqn, name, inputs)]

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
                return self.reduce(eqn, first)
            case "reduce_window_sum" | "reduce_window_max" if not first.softmax:
                return self.window(eqn, first)
            case layer_p.name if not first.softmax:
                return self.layer(eqn, first)
            case _:
                raise self.unknown(name)

    def unknown(self, name: str, what: str = "it") -> Refused:
        return unknown(name, where(self.eqn), what)

    def layer(self, eqn: Any, tensor: Tensor) -> Tensor:
        place, module = self.traced.layers[eqn.params["number"]]
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

    def concatenate(self, eqn: Any, inputs: list[Value]) -> Tensor:
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
        name = eqn.primitive.name
        tensors = [value for value in inputs if isinstance(value, Tensor)]
        if any(tensor.softmax for tensor in tensors):
            if (step := softmax.step(name, inputs)) is None:
                raise self.unknown(name, "a softmax that is not the model's result")
            return step
        largest = max(tensors, key=lambda tensor: np.prod(tensor.content.image))
        if not all(alike(tensor, largest) for tensor in tensors):
            raise self.unknown(name, "arithmetic between tensors whose axes differ")
        content = self.averaged(name, inputs)
        if content is None:
            operands = tuple(v.content if isinstance(v, Tensor) else v for v in inputs)
            content = Content(largest.content.image)
            content.origin = Origin(name, operands, where(self.eqn), self.scope)
            content.curves = _curves(eqn, inputs, tensors)
            content.curves[content] = POINTS
        return Tensor(content, largest.axes, eqn.outvars[0].aval.shape)

    def averaged(self, name: str, inputs: list[Value]) -> Content | None:
        """A sum over windows, divided by how many pixels of the image each of them has."""
        if name != "div" or not isinstance(inputs[0], Tensor) or not inputs[0].content.windows:
            return None
        source, pool = inputs[0].content.windows
        divisor = inputs[1]
        if not isinstance(divisor, np.ndarray) or divisor.ndim != 4:
            return None
        counts = window_counts(pool, source.image)[None]
        if divisor.shape[-1] != 1 and (divisor == divisor[..., :1]).all():
            divisor = divisor[..., :1]
        if not np.array_equal(divisor[:1], counts):
            return None
        counted = replace(pool, count_padding=False)
        return self.nodes.made(counted, source, self.nodes.named(self.scope, "avg_pool"), {})

    # Axes

    def reshape(self, eqn: Any, tensor: Tensor) -> Tensor:
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

    # Pooling

    def reduce(self, eqn: Any, tensor: Tensor) -> Tensor:
        """A sum or maximum over height and width; over channels it may be part of a softmax."""
        name, shape = eqn.primitive.name, eqn.outvars[0].aval.shape
        over = "".join(tensor.axes[axis] for axis in eqn.params["axes"]).replace("-", "")
        axes = "".join(a for i, a in enumerate(tensor.axes) if i not in eqn.params["axes"])
        if step := softmax.reduced(name, tensor, axes, over):
            return step
        if set(over) != {"H", "W"} or not fits(tensor) or tensor.softmax:
            raise self.unknown(name, f"a reduction over other axes than height and width ({over})")
        is_max = name == "reduce_max"
        pool = GlobalPool(kind="max" if is_max else "avg", keep_dims=True)
        pooled = self.nodes.named(self.scope, "global_pool")
        made = self.nodes.made(pool, tensor.content, pooled, {})
        if is_max:
            return Tensor(made, axes, shape)
        pixels = np.asarray(np.prod(tensor.content.image[:2]), np.float32)
        return Tensor(self.times(made, pixels), axes, shape)

    def window(self, eqn: Any, tensor: Tensor) -> Tensor:
        p, ones = eqn.params, (1, 1, 1, 1)
        straight = tensor.axes == "NHWC" and fits(tensor)
        undilated = tuple(p["base_dilation"]) == tuple(p["window_dilation"]) == ones
        size, stride, padding = p["window_dimensions"], p["window_strides"], p["padding"]
        if not straight or not undilated or {size[0], size[-1], stride[0], stride[-1]} != {1}:
            raise self.unknown(eqn.primitive.name, "windows over other axes, or dilated ones")
        is_max = eqn.primitive.name == "reduce_window_max"
        (top, bottom), (left, right) = padding[1], padding[2]
        padded = any((top, bottom, left, right))
        pool = Pool(
            kind="max" if is_max else "avg",
            size=(size[1], size[2]),
            stride=(stride[1], stride[2]),
            padding=((top, bottom), (left, right)) if padded else "valid",
            count_padding=padded and not is_max,
        )
        shape = eqn.outvars[0].aval.shape
        if is_max:
            name = self.nodes.named(self.scope, "max_pool")
            return Tensor(self.nodes.made(pool, tensor.content, name, {}), "NHWC", shape)
        self.nodes.materialised(tensor.content)
        average = Content(shape_after(pool, tensor.content.image))
        average.windows = (tensor.content, pool)
        average.origin = Origin(eqn.primitive.name, (), where(self.eqn), self.scope)
        average.curves[average] = POINTS
        return Tensor(self.times(average, np.asarray(size[1] * size[2], np.float32)), "NHWC", shape)

    def times(self, mean: Content, count: Any) -> Content:
        """The sum of so many numbers, of which the mean is known."""
        total = Content(mean.image, windows=mean.windows)
        total.curves = {mean: POINTS * count, total: POINTS}
        total.origin = Origin("mul", (mean, count), where(self.eqn), self.scope)
        return total


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

    return {
        base: np.asarray(
            eqn.primitive.bind(*(jnp.asarray(at(v, base)) for v in inputs), **eqn.params)
        )
        for base in shared[:MOST_CURVES]
    }
