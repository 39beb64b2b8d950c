"""Weights at rest: made, checked, saved and read. Imports no JAX.

One flat dict per network, named segment/path/parameter; a `.safetensors` file holds just that.
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from wootzc.backends.weights.parameters import (
    Weights,
    named_arrays,
    network_parameters,
    segment_weights,
)  # fmt: skip
from wootzc.diagnostics import UNKNOWN, Diagnostic, WootzError, fail
from wootzc.files import check_file, damage
from wootzc.ir.layers import Layer, walk_shapes
from wootzc.ir.layers.shapes import Shape, shape_text
from wootzc.ir.net.network import Network, head_shapes, walk_network

FLOATS = ("F64", "F32", "F16", "BF16")  # as safetensors calls them
NAMED = 5  # tensors that an error names before it only counts
MOST_TENSORS = 1 << 15  # of a file: the zoo's largest network has 2,000


def initial_weights(network: Network, seed: int) -> Weights:
    """Fresh weights: kernels by He et al. 2015 (fan in, normal), norms as the identity.

    Every array is drawn by its own name and the seed: another layer more changes no other.
    """
    return dict(_initial(walk_network(network), seed))


def initial_heads(network: Network, seed: int) -> tuple[Weights, ...]:
    """Fresh weights of the auxiliary heads, each named path/parameter."""
    heads = zip(network.auxiliaries, head_shapes(network), strict=True)
    return tuple(
        segment_weights(
            dict(_initial(walk_shapes(head.body, shape, f"{head.name}/"), seed)), head.name
        )
        for head, shape in heads
    )


def _initial(
    layers: Iterable[tuple[str, Layer, Shape]], seed: int
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    for name, array, size in named_arrays(layers):
        if array.start is not None:
            yield name, np.full(size, array.start, np.float32)
            continue
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        normal = np.random.default_rng(list(digest)).standard_normal(size, np.float32)
        yield name, normal * np.float32(np.sqrt(2 / np.prod(size[:-1])))


def split(network: Network, weights: Weights) -> tuple[Weights, ...]:
    """One dict per segment, named path/parameter: what its `Structure` takes."""
    return tuple(segment_weights(weights, segment.name) for segment in network.segments)


def join(network: Network, parts: Iterable[Mapping[str, Any]]) -> Weights:
    """The inverse of `split`, in the network's order of names."""
    found = {
        f"{segment.name}/{name}": np.asarray(value)
        for segment, part in zip(network.segments, parts, strict=True)
        for name, value in part.items()
    }
    return {name: found[name] for name in network_parameters(network)}


def check_fits(network: Network, weights: Weights, source: str = "the weights") -> None:
    """Raise one error that names what is missing, unknown, or of another shape."""
    expected = network_parameters(network)
    missing = [name for name in expected if name not in weights]
    unknown = [name for name in weights if name not in expected]
    misshapen = [
        f"{name} ({shape_text(weights[name].shape)}, expected {shape_text(shape)})"
        for name, shape in expected.items()
        if name in weights and weights[name].shape != shape
    ]
    raise_problems(
        ("WZ121", f"{source} lack tensors of network {network.name}", missing, None),
        ("WZ122", f"{source} hold tensors that network {network.name} does not have", unknown,
         None),
        ("WZ123", f"{source} hold tensors of other shapes than network {network.name}", misshapen,
         None),
    )  # fmt: skip


def raise_problems(
    *problems: tuple[str, str, list[str], str | None],  # code, message, tensors, help
    most: int = NAMED,  # tensors that are named before they are only counted
) -> None:
    """One error that lists everything, or nothing where no problem has a tensor."""
    diagnostics = [
        Diagnostic(UNKNOWN, code, f"{message}: {some(names, most)}", help)
        for code, message, names, help in problems
        if names
    ]
    if diagnostics:
        raise WootzError(diagnostics)


def some(names: list[str], most: int = NAMED) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def to_bytes(weights: Mapping[str, Any], metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file, which holds memory as it lies: row-major copies, where it lies otherwise.

    A single number stays one: NumPy would make a vector of it.
    """
    arrays = {n: np.ascontiguousarray(a).reshape(np.shape(a)) for n, a in weights.items()}
    return save(arrays, metadata)


def read(path: Path) -> Weights:
    """The tensors of a safetensors file, as float32; PyTorch's counters in norms are left out.

    Raises `WootzError`, for numbers too that are NaN or infinite.
    """
    import ml_dtypes  # noqa: F401  tells NumPy what bfloat16 is, which safetensors asks it for

    with _opened(path) as file:
        names = [n for n in file.keys() if not n.endswith("num_batches_tracked")]
        for name in names:
            if (held := file.get_slice(name).get_dtype()) not in FLOATS:
                raise fail("WZ125", f"{path}: tensor {name} holds {held}, expected floats")
        arrays = {name: file.get_tensor(name) for name in names}
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is then reported
        found = {name: value.astype(np.float32) for name, value in arrays.items()}
    for name, value in found.items():
        if not np.isfinite(value).all():
            raise fail(
                "WZ259",
                f"{path}: tensor {name} has numbers that are NaN or infinite",
                "training diverged before it was saved, or the file is damaged",
            )
    return found


def read_shapes(path: Path) -> dict[str, Shape]:
    """The shape of every tensor of a safetensors file; only its header is read."""
    with _opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}


@contextmanager
def _opened(path: Path) -> Generator[Any]:
    """The file, its header checked. All that is wrong with it is told here."""

    def unreadable(reason: str) -> WootzError:
        message = f"can't read weights from {path}: {reason}"
        return fail("WZ120", message, "expected a whole .safetensors file")

    try:
        check_file(path)
        with damage(unreadable), safe_open(path, framework="numpy") as file:
            if (count := len(file.keys())) > MOST_TENSORS:
                raise fail(
                    "WZ293",
                    f"{path} holds {count:,} tensors, and at most {MOST_TENSORS:,} are read",
                    "name the file of one network",
                )
            yield file
    except FileNotFoundError:
        raise fail("WZ120", f"no weights at {path}: there is no such file") from None
    except OSError as error:
        raise unreadable(str(error.strerror)) from None
