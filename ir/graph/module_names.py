"""Modules by the names of nodes: as a file groups them, as a user says; and names for modules.

A name is looked at as the layers' places in one another: "layer1.0.conv1", "Mixed_3b/Branch_0/…",
"res2a_branch2a". PyTorch's exporter repeats the outer places in the inner ones,
"/layer1/layer1.0/conv1/Conv", and Caffe's ResNets call the norms behind res2a_branch2a
bn2a_branch2a: both are read as the same place.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import translate
from functools import reduce

from wootzc.ir.graph.folded_norms import SUFFIX
from wootzc.ir.graph.graph import Chain, Piece, Refused
from wootzc.ir.graph.runs import Run, makes_channels, prunable_groups
from wootzc.ir.layers import LAYERS, Branch
from wootzc.ir.layers.shapes import Shape

LONGEST = 60  # characters of a module's name
SHORTCUTS = ("shortcut", "shortcut_if_fits", "input")  # names that the language adds to layers'
TAKEN = frozenset({*(o.name for layer in LAYERS for o in layer.operators), *SHORTCUTS})
_PLAIN = re.compile(r"plain\d*")
_TOKEN = re.compile(r"[^./_:]+")
_CAFFE = re.compile(r"^(bn|scale)(?=\d)")


def place(name: str) -> str:
    """A node's name as a dotted path: "/layer1/layer1.0/conv1/Conv" → "layer1.0.conv1.Conv"."""
    parts: list[str] = []
    for part in filter(None, _CAFFE.sub("res", name).split("/")):
        if parts and part.startswith(f"{parts[-1]}."):
            parts[-1] = part
        else:
            parts.append(part)
    return ".".join(parts)


def places(piece: Piece) -> list[str]:
    """Where a piece's nodes stand. The join that ends a branch does not count.

    PyTorch's DenseNets, for one, put layers together where the next one begins.
    """
    names = piece.names
    if isinstance(piece.layer, Branch) and len(names) > 2:
        names = names[:-1]
    return [place(name) for name in names]


def common_place(piece_places: Iterable[str]) -> str:
    """The longest place that all of these are in, or are: "" if none."""
    found = [*piece_places]
    return reduce(_common, found) if found else ""


def _common(a: str, b: str) -> str:
    end = 0
    for left, right in zip(_TOKEN.finditer(a), _TOKEN.finditer(b), strict=False):
        if a[: left.end()] != b[: right.end()]:
            break
        end = left.end()
    return a[:end]


def _ends(text: str) -> Iterator[int]:
    """Where the parts of a place end."""
    return (token.end() for token in _TOKEN.finditer(text))


# Modules as a file's names group them


@dataclass(slots=True, eq=False)
class _Scope:
    """A place, and the pieces that lie in it whole."""

    pieces: list[int] = field(default_factory=list)
    inner: dict[str, "_Scope"] = field(default_factory=dict)


def named_runs(chain: Chain, shapes: Sequence[Shape]) -> list[Run]:
    """The smallest places whose pieces stand in a row and have something to prune.

    Raises `Refused` where there are none.
    """
    root = _Scope()
    for number, piece in enumerate(chain):
        where = common_place(places(piece))
        scope = root
        scope.pieces.append(number)
        for end in _ends(where):
            scope = scope.inner.setdefault(where[:end], _Scope())
            scope.pieces.append(number)
    runs = sorted(_smallest(root, chain, shapes))
    if not runs:
        example = next((name for piece in chain for name in piece.names), "")
        raise Refused(
            f"the names of this network's nodes, such as `{example}`, tell no modules",
            "leave `modules by names` out: modules are then found by structure",
        )
    return runs


def _smallest(root: _Scope, chain: Chain, shapes: Sequence[Shape]) -> list[Run]:
    """Runs of scopes none of whose inner scopes has any; a stack, for names nest as they like."""
    makers = {number for number, piece in enumerate(chain) if makes_channels(piece.layer)}
    order = [root]
    for scope in order:
        order += scope.inner.values()
    runs: dict[int, list[Run]] = {}
    for scope in reversed(order):
        found = [run for inner in scope.inner.values() for run in runs.pop(id(inner))]
        first, last = (scope.pieces[0], scope.pieces[-1]) if scope.pieces else (0, -1)
        in_a_row = last - first + 1 == len(scope.pieces)
        if not found and in_a_row and makers & set(scope.pieces) not in (set(), makers):
            if prunable_groups(chain, shapes, (first, last + 1)):
                found = [(first, last + 1)]
        runs[id(scope)] = found
    return runs[id(root)]


# Modules as a user says


def chosen_runs(chain: Chain, modules: Mapping[str, tuple[str, ...]]) -> dict[str, Run]:
    """The pieces of each module, by patterns of their nodes' names. Raises `Refused`."""
    if not modules:
        raise Refused(
            "the file marks no modules", "leave `modules by file` out, or name modules yourself"
        )
    owner: dict[int, str] = {}
    runs: dict[str, Run] = {}
    for name, patterns in modules.items():
        runs[name] = run = _chosen(name, _matching(name, patterns, chain), chain)
        for number in range(*run):
            if owner.setdefault(number, name) != name:
                shown = chain[number].names[-1]
                raise Refused(
                    f"`{shown}` is in the modules `{owner[number]}` and `{name}`",
                    "a layer is in one module at most",
                    name,
                )
    return runs


def _matching(name: str, patterns: Sequence[str], chain: Chain) -> set[str]:
    """The nodes that a module's patterns name."""
    known = [node for piece in chain for node in piece.names]
    spelled: dict[str, list[str]] = {}
    for node in known:
        for spelling in {node, place(node)}:
            spelled.setdefault(spelling, []).append(node)
    matched: set[str] = set()
    for pattern in patterns:
        if pattern in spelled:
            matched.update(spelled[pattern])
            continue
        expression = re.compile(translate(pattern))
        found = [n for s, nodes in spelled.items() if expression.match(s) for n in nodes]
        if not found:
            close = get_close_matches(pattern, _patterns(spelled, pattern), n=3, cutoff=0.3)
            raise Refused(
                f"module `{name}`: no layer is called `{pattern}`",
                f"close to it are {', '.join(f'`{c}`' for c in close)}" if close else None,
                name,
            )
        matched.update(found)
    # A norm that was put back comes with its convolution: the file's names tell nothing of it.
    matched.update(node for node in known if node.removesuffix(SUFFIX) in matched)
    return matched


def _patterns(names: Iterable[str], near: str) -> list[str]:
    """What could be meant: names, or all that begins as some of them do, if `near` has a star."""
    if not near.endswith("*"):
        return list(names)
    starts = {f"{name[: part.start()]}*": None for name in names for part in _TOKEN.finditer(name)}
    return [start for start in starts if start != "*"]


def _chosen(name: str, matched: set[str], chain: Chain) -> Run:
    """The pieces that are made of these nodes: whole ones, in a row."""
    numbers: list[int] = []
    for number, piece in enumerate(chain):
        core = piece.names[:-1] if isinstance(piece.layer, Branch) else piece.names
        outside = [node for node in core if node not in matched]
        if core and not outside:
            numbers.append(number)
        elif len(outside) < len(core):
            raise Refused(
                f"module `{name}` has a part of the branch that ends in `{piece.names[-1]}`, but "
                f"not `{outside[0]}`",
                "a branch is in a module with all of its arms, or with none",
                name,
            )
    if not numbers:  # a join alone, which comes with its arms
        help = "name the layers of a branch's arms"
        raise Refused(f"module `{name}` has no layers", help, name)
    first, last = numbers[0], numbers[-1]
    between = [n for n in range(first, last) if n not in set(numbers)]
    if between:
        shown = ", ".join(f"`{chain[n].names[-1]}`" for n in between[:3] if chain[n].names)
        more = f" and {len(between) - 3} more" if len(between) > 3 else ""
        raise Refused(
            f"the layers of module `{name}` do not stand in a row: between them are {shown}{more}",
            "add patterns for these, or make several modules",
            name,
        )
    return first, last + 1


# What to call modules


def identifiers(chain: Chain, runs: Sequence[Run]) -> list[str]:
    """A name for each module: where its layers stand, if nothing else stands there, or blockN."""
    where = [common_place(places(piece)) for piece in chain]
    makers = [n for n, piece in enumerate(chain) if makes_channels(piece.layer)]
    shared = [common_place(where[n] for n in makers if a <= n < b) for a, b in runs]
    inside = Counter(where[n][:end] for n in makers for end in _ends(where[n]))
    given: list[str | None] = []
    for (a, b), text in zip(runs, shared, strict=True):
        own = sum(1 for n in makers if a <= n < b)
        alone = (outer for outer in _around(text) if inside.get(outer) == own < len(makers))
        given.append(_identifier(next(alone, "")))
    taken = {name for name in given if name is not None}
    if len(taken) < sum(name is not None for name in given):  # two places spelled alike
        given = [None] * len(runs)
        taken = set()
    names: list[str] = []
    number = 0
    for name in given:
        number += 1
        while name is None and f"block{number}" in taken:
            number += 1
        names.append(name or f"block{number}")
    return names


def _around(text: str) -> Iterator[str]:
    """The places that a place is in, from the outermost on, and itself."""
    return (text[: match.start()] for match in re.finditer(r"\.|$", text))


def _identifier(text: str) -> str | None:
    """A place as a name of the language; None where it is none."""
    name = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")
    if not name or not name[0].isalpha() or len(name) > LONGEST:
        return None
    return None if name in TAKEN or _PLAIN.fullmatch(name) else name
