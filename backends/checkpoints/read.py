"""A checkpoint's tensors → the network's weights, one to one and complete, or what differs.

Nothing is guessed: the names of the tensors decide which naming a file has, every tensor must have
its place, and every weight of the network its tensor.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from wootzc.backends.checkpoints.convert import converted, torch_names, torch_shape
from wootzc.backends.checkpoints.names import Naming, namings
from wootzc.backends.python_source.classes import Learned, classes_of
from wootzc.backends.torch.layers import TORCH
from wootzc.backends.weights.parameters import Weights, network_parameters
from wootzc.backends.weights.stored import check_fits, raise_problems, some
from wootzc.diagnostics import fail
from wootzc.ir.layers.shapes import Shape, shape_text
from wootzc.ir.net.network import Network

Tensors = Mapping[str, NDArray[Any]]
Slots: TypeAlias = list[tuple[str, Learned]]  # by path: the layers that carry weights, in order
Value = TypeVar("Value")

NAMED = 8  # tensors that an error names before it only counts
_WRAPPERS = ("model.", "module.", "_orig_mod.")  # Lightning, DataParallel, torch.compile
_COUNTER = "num_batches_tracked"  # of PyTorch's norms; nothing here depends on it


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A network of the zoo, known by the names of a checkpoint's tensors."""

    network: str
    source: str  # "torchvision's and timm's resnet50"
    classes: int  # what its last layer gives


def read_checkpoint(network: Network, tensors: Tensors, *, new_head: bool = False) -> Weights:
    """The weights of `network` from a file's tensors: float32, named as ours.

    The tensors bear our names ("a1/0.0.2/kernel") or, where the network is built as one of the zoo,
    torchvision's or timm's. With `new_head` the last layer that has weights may be of another width
    in the file, or not be there: then it is left out of the result. Raises `WootzError`.
    """
    places = slots(network)
    expected = network_parameters(network)
    if any(name in expected for name in tensors):
        found = _from_own(network, tensors, *(places[-1:] if new_head else ()))
    else:
        found = _from_torch(network, _plain(tensors), places, new_head=new_head)
    return {name: found[name] for name in expected if name in found}


def recognised(shapes: Mapping[str, Shape]) -> Recognised | None:
    """Which network of the zoo a file holds, by the names of its tensors; None where none."""
    plain = _plain(shapes)
    naming = _naming(plain)
    head = plain.get(f"{naming.modules[-1]}.weight") if naming else None
    if naming is None or not head:
        return None
    return Recognised(network=naming.network, source=naming.source, classes=head[0])


def checkpoint_names(network: Network, tensors: Tensors) -> dict[str, str]:
    """What the file calls each weight that `read_checkpoint` takes from it."""
    expected = network_parameters(network)
    if any(name in expected for name in tensors):
        return {n: n for n, s in expected.items() if n in tensors and tensors[n].shape == s}
    original = _plain({name: name for name in tensors})
    places = slots(network)
    naming = _recognised(network, original, len(places))
    return {
        f"{path}/{parameter}": original[name]
        for module, (path, slot) in zip(naming.modules, places, strict=True)
        for parameter, theirs in torch_names(slot)
        if (name := f"{module}.{theirs}") in original
        and converted(slot, parameter, tensors[original[name]]) is not None
    }


def slots(network: Network) -> Slots:
    """As they are written: a branch's arms come one after the other."""
    return [(path, one) for path, _, one in classes_of(network, TORCH).learned()]


def _from_own(network: Network, tensors: Tensors, *heads: tuple[str, Learned]) -> Weights:
    """Under our names; auxiliary heads are left out. `heads`: those that may not fit."""
    auxiliary = tuple(f"{one.name}/" for one in network.auxiliaries)
    kept = {n: np.asarray(t, np.float32) for n, t in tensors.items() if not n.startswith(auxiliary)}
    shapes = {f"{path}/{p}": s for path, head in heads for p, s in head.shapes.items()}
    if all(name in kept and kept[name].shape == shape for name, shape in shapes.items()):
        shapes = {}  # the head fits, or must
    kept = {name: value for name, value in kept.items() if name not in shapes}
    new = {name: np.empty(shape, np.float32) for name, shape in shapes.items()}
    check_fits(network, kept | new, "the file's tensors")
    return kept


def _plain(tensors: Mapping[str, Value]) -> dict[str, Value]:
    """PyTorch's tensors without counters, and without what wraps the model."""
    kept = {n: t for n, t in tensors.items() if n.rpartition(".")[2] != _COUNTER}
    while wrapper := _wrapper(kept):
        kept = {n.removeprefix(wrapper): t for n, t in kept.items()}
    return kept


def _wrapper(names: Collection[str]) -> str | None:
    """What all of the names begin with; several may have wrapped the model, in any order."""
    return next((w for w in _WRAPPERS if names and all(n.startswith(w) for n in names)), None)


def _from_torch(network: Network, tensors: Tensors, places: Slots, *, new_head: bool) -> Weights:
    """Under PyTorch's names; auxiliary heads are left out."""
    naming = _recognised(network, tensors, len(places))
    modules = naming.modules
    remaining = {n: t for n, t in tensors.items() if not n.startswith(naming.auxiliary)}
    if new_head and not _fits(places[-1][1], modules[-1], remaining):
        remaining = {n: t for n, t in remaining.items() if not n.startswith(f"{modules[-1]}.")}
        places, modules = places[:-1], modules[:-1]
    weights: Weights = {}
    missing: list[str] = []
    misshapen: list[str] = []
    for module, (path, slot) in zip(modules, places, strict=True):
        for parameter, theirs in torch_names(slot):
            name = f"{module}.{theirs}"
            if name not in remaining:
                missing.append(name)
                continue
            value = remaining.pop(name)
            array = converted(slot, parameter, value)
            if array is None:
                wanted = shape_text(torch_shape(slot, parameter))
                misshapen.append(f"{name} ({shape_text(value.shape)}, expected {wanted})")
            else:
                weights[f"{path}/{parameter}"] = array
    _raise_differences(network, naming, missing, list(remaining), misshapen)
    return weights


def _fits(slot: Learned, module: str, tensors: Tensors) -> bool:
    names = {parameter: f"{module}.{theirs}" for parameter, theirs in torch_names(slot)}
    return all(
        name in tensors and converted(slot, parameter, tensors[name]) is not None
        for parameter, name in names.items()
    )


def _recognised(network: Network, tensors: Collection[str], layers: int) -> Naming:
    """The naming of a network of so many layers that is nearest to the file's."""

    def distance(naming: Naming) -> int:
        return _distance(naming, tensors)

    best = min((n for n in namings() if len(n.modules) == layers), key=distance, default=None)
    if best is not None and distance(best) == 0:
        return best
    theirs = _naming(tensors)
    if theirs is not None:
        raise fail(
            "WZ153",
            f"the file holds the tensors of {theirs.source}, "
            f"but network {network.name} has other layers",
            "name the network that the file was saved from",
        )
    if best is None or distance(best) > layers // 2:
        raise fail(
            "WZ153",
            f"the file's tensors bear names that are not known for network {network.name}: "
            + (some(sorted(tensors), NAMED) or "none"),
            "known are wootzc's own, segment/path/parameter, and torchvision's and timm's "
            "for the networks of the zoo (docs/models.md)",
        )
    return best


def _distance(naming: Naming, tensors: Collection[str]) -> int:
    """How many of PyTorch's modules only the naming or only the file has."""
    modules = {name.rpartition(".")[0] for name in tensors}
    own = {m for m in modules if not f"{m}.".startswith(naming.auxiliary)}
    return len(own ^ set(naming.modules))


def _naming(tensors: Collection[str]) -> Naming | None:
    return next((naming for naming in namings() if _distance(naming, tensors) == 0), None)


def _raise_differences(
    network: Network,
    naming: Naming,
    missing: list[str],
    unexpected: list[str],
    misshapen: list[str],
) -> None:
    file = f"the file, read as {naming.source},"
    heads = all(name.startswith(f"{naming.modules[-1]}.") for name in misshapen)
    raise_problems(
        ("WZ154", f"{file} lacks tensors of network {network.name}", missing, None),
        ("WZ155", f"{file} holds tensors that network {network.name} has no place for",
         unexpected, None),
        ("WZ156", f"{file} holds tensors of other shapes than network {network.name}", misshapen,
         'only the classifier differs: with settings, `teacher from "…" { steps 1000 }`, '
         "it starts anew" if heads else None),
        most=NAMED,
    )  # fmt: skip
