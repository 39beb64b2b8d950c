"""A flax.nnx model → jaxpr, with its layers as single operations.

While the model is traced, `__call__` of every kind of module in it is replaced: convolutions,
dense layers, batch norms and dropout leave one marked operation each, and all other modules leave
their place in the model as a named scope. JAX's own `jit` is off meanwhile, so that no trace with
marks stays in its caches.
"""

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import jax
import jax.core
import jax.extend.core
from flax import nnx

from wootzc.backends.flax.read.nnx_layers import LAYERS
from wootzc.diagnostics import fail
from wootzc.ir.graph import Refused

HELP = (
    "describe the network in a .wz file instead, and give the model's arrays as its weights: "
    "wootzc.weights_from_nnx(network, model, example_input)"
)
SWITCHES = {  # arguments that models have for evaluation
    "train": False, "training": False, "is_training": False,
    "deterministic": True, "use_running_average": True,
}  # fmt: skip

HARMLESS: dict[str, tuple[Any, ...] | None] = {  # arguments of layers, and what changes nothing
    "deterministic": (None, True), "use_running_average": (None, True),
    "mask": None, "rngs": None, "out_sharding": None,  # no value does in evaluation mode
}  # fmt: skip

layer_p = jax.extend.core.Primitive("wootzc_layer")  # one layer of `Traced.layers`


layer_p.def_abstract_eval(lambda x, *, number, result: result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    jaxpr: Any  # a closed one
    layers: tuple[tuple[str, Any], ...]  # the place and the module of every marked operation
    silent: tuple[str, ...]  # places of what was not called, whole parts by their own place


def trace(model: nnx.Module, example: Any) -> Traced:
    """The model in evaluation mode on an input like `example`. Raises `WootzError`."""
    model = nnx.clone(model)
    model.eval()
    places = {
        id(module): ".".join(str(part) for part in path) for path, module in nnx.iter_modules(model)
    }
    layers: list[tuple[str, Any]] = []
    called: set[str] = set()
    given = switches(model)
    struct = jax.ShapeDtypeStruct(example.shape, example.dtype)
    with _marked(model, places, layers, called), jax.disable_jit():
        try:
            jaxpr = jax.make_jaxpr(lambda x: model(x, **given))(struct)
        except Refused as refused:
            name = type(model).__name__
            raise fail("WZ151", f"{name}: {refused.message}", refused.help) from None
        except Exception as error:  # whatever a model may do
            reason = str(error).strip().splitlines()[:1]
            raise fail(
                "WZ150",
                f"{type(model).__name__} cannot be traced: {type(error).__name__}: "
                f"{reason[0] if reason else ''}",
                f"is the example input what the model takes? If so, {HELP}",
            ) from error
    return Traced(jaxpr=jaxpr, layers=tuple(layers), silent=_silent(model, called))


def _silent(model: nnx.Module, called: set[str]) -> tuple[str, ...]:
    """Places of modules that could have been called but were not, nor anything in them."""
    heard = {place[:end] for place in called for end in _ends(place)}
    places = {
        ".".join(str(part) for part in path)
        for path, module in nnx.iter_modules(model)
        if path and callable(module)
    }
    silent = {place for place in places if place not in heard}
    inner = {p for p in silent if any(p[:end] in silent for end in _ends(p)[:-1])}
    return tuple(sorted(silent - inner))


def _ends(place: str) -> list[int]:
    """Where the places end that lead to a place: those of "a.b" in "a.b.c", and its own."""
    return [*(i for i, letter in enumerate(place) if letter == "."), len(place)]


def switches(model: nnx.Module) -> dict[str, bool]:
    """The arguments of `SWITCHES` that the model takes, by which it is called in evaluation."""
    parameters = inspect.signature(type(model).__call__).parameters
    return {name: value for name, value in SWITCHES.items() if name in parameters}


@contextmanager
def _marked(
    model: nnx.Module, places: dict[int, str], layers: list[tuple[str, Any]], called: set[str]
) -> Generator[None]:
    """All `__call__`s of the model's classes replaced. `called`: places, as they are called."""

    def place_of(module: Any) -> str | None:
        return places.get(id(module))

    def layer(original: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(original)

        @wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            (_, self), (_, x), *others = signature.bind(*args, **kwargs).arguments.items()
            place = place_of(self)
            if place is None:
                return original(*args, **kwargs)
            called.add(place)
            if not isinstance(x, jax.core.Tracer):
                return original(*args, **kwargs)
            _check_arguments(place, dict(others))
            result = jax.eval_shape(lambda x: original(self, x), x)
            layers.append((place, self))
            aval = jax.core.ShapedArray(result.shape, result.dtype)
            with jax.named_scope(place):
                return layer_p.bind(x, number=len(layers) - 1, result=aval)

        return call

    def scope(original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            place = place_of(self)
            if not place:
                return original(self, *args, **kwargs)
            called.add(place)
            with jax.named_scope(place):
                return original(self, *args, **kwargs)

        return call

    classes: set[Any] = {
        cls
        for _, module in nnx.iter_modules(model)
        for cls in type(module).__mro__
        if "__call__" in vars(cls) and issubclass(cls, nnx.Module)
    }
    originals = {cls: vars(cls)["__call__"] for cls in classes}
    try:
        for cls, original in originals.items():
            cls.__call__ = (layer if cls in LAYERS else scope)(original)
        yield
    finally:
        for cls, original in originals.items():
            cls.__call__ = original


def _check_arguments(place: str, given: dict[str, Any]) -> None:
    """Raises `Refused` for what makes a layer compute something else than in evaluation mode."""
    for name, value in given.items():
        same = HARMLESS.get(name, ())
        if same is None or any(value is one for one in same):
            continue
        shown = f"{name}={value}" if isinstance(value, bool | int | float | str) else f"`{name}`"
        raise Refused(
            f"`{place}` is called with {shown}, which is not what it does in evaluation mode",
            f"call it without `{name}`, or with what the model is to be evaluated with",
        )


def where(eqn: Any) -> str:
    """The line of the user's source that an operation comes from: "net.py:12"."""
    traceback = eqn.source_info.traceback
    for frame in traceback.frames if traceback else ():
        file = frame.file_name.replace("\\", "/")
        ours = any(part in file for part in ("/jax/", "/flax/", "/wootzc/backends/", "/contextlib"))
        if not ours and "/backends/flax/from_nnx" not in file:
            return f"{file.rpartition('/')[2]}:{frame.line_num}"
    return "unknown place"


def scope_of(eqn: Any) -> str:
    """The place in the model of the innermost module that an operation stands in."""
    stack = eqn.source_info.name_stack.stack
    return stack[-1].name if stack else ""
