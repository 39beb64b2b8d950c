"""Which layer reads which, which of them make the scores, and which blob enters."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from wootzc.grammar.imports.prototxt.entries import Entries, Entry
from wootzc.grammar.syntax.near_misses import did_you_mean, quoted
from wootzc.ir.graph import Refused
from wootzc.ir.graph.graph import leading_to

Reference: TypeAlias = int | str  # the number of a layer, or a blob that enters

ENDS = ("Softmax", "ArgMax")  # behind the scores: wootzc works on the scores themselves
_NO_RESULT = ("Silence", "HDF5Output")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """The layers that lead to the scores, by number, each with what it reads."""

    reads: dict[int, tuple[Reference, ...]]  # in the order of the file
    readers: Counter[Reference]  # how often it is read
    output: int
    input: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Head:
    """Where a network may end: a loss before a softmax before an accuracy before any other end."""

    rank: int
    weight: float
    layer: int


def wires_of(entries: Entries, inputs: Iterable[str]) -> Wires:
    """`inputs`: blobs that enter by `input: …`. Raises `Refused`."""
    layers = entries.layers
    reads = _connected(entries, inputs)
    heads = sorted(_heads(layers, reads))
    if not heads:
        raise layers[-1].refuse("leads nowhere, nor does any other: the network has no output")
    main = heads[-1].layer
    output, ends = _scores_before(main, layers, reads)
    if isinstance(output, str):
        raise layers[main].refuse(f"reads `{output}`, the input: there is no network between")
    needed = leading_to([output], dict(enumerate(reads)))
    enters = {ref for n in needed for ref in reads[n] if isinstance(ref, str)}
    if len(enters) > 1:
        raise Refused(
            f"{layers[0].fields.place.file} has {len(enters)} inputs, {quoted(sorted(enters))}",
            "wootzc prunes networks that read one image",
        )
    kept = {n: reads[n] for n in sorted(needed)}
    return Wires(
        reads=kept,
        readers=Counter(ref for refs in kept.values() for ref in refs),
        output=output,
        input=min(enters),
        notes=(
            *(_end_note(layers[n]) for n in ends if layers[n].type in ENDS),
            *_left_out(layers, reads, [head.layer for head in heads[:-1]], needed),
        ),
    )


def _connected(entries: Entries, inputs: Iterable[str]) -> list[tuple[Reference, ...]]:
    """What each layer reads. A top that is a bottom too (in place) hides the blob it replaces."""
    blobs: dict[str, Reference] = {name: name for name in inputs}
    for source in entries.sources:
        blobs |= {top: top for top in source.tops}
    reads: list[tuple[Reference, ...]] = []
    for number, entry in enumerate(entries.layers):
        for bottom in entry.bottoms:
            if bottom not in blobs:
                raise entry.refuse(
                    f"reads `{bottom}`, which no layer before it makes",
                    did_you_mean(bottom, blobs, "blobs are made before they are read"),
                )
        reads.append(tuple(blobs[bottom] for bottom in entry.bottoms))
        for top in entry.tops:
            if top in blobs and top not in entry.bottoms:
                raise entry.refuse(
                    f"makes `{top}`, as a layer before it does",
                    "only a layer that reads a blob may write it again",
                )
            blobs[top] = reads[-1][0] if entry.type == "Split" else number
    return reads


def _heads(layers: tuple[Entry, ...], reads: list[tuple[Reference, ...]]) -> Iterable[_Head]:
    read = {ref for refs in reads for ref in refs}
    for number, entry in enumerate(layers):
        if entry.type.endswith("Loss"):
            weights = entry.fields.numbers("loss_weight")
            yield _Head(rank=3, weight=weights[0] if weights else 1.0, layer=number)
        elif entry.type == "Accuracy":
            yield _Head(rank=1, weight=0.0, layer=number)
        elif number not in read and entry.type not in ("Split", *_NO_RESULT):
            yield _Head(rank=2 if entry.type in ENDS else 0, weight=1.0, layer=number)


def _scores_before(
    number: Reference, layers: tuple[Entry, ...], reads: list[tuple[Reference, ...]]
) -> tuple[Reference, list[int]]:
    """What a head measures, and the layers at its end that go."""
    ends: list[int] = []
    while isinstance(number, int) and (
        layers[number].type in ("Accuracy", *ENDS) or layers[number].type.endswith("Loss")
    ):
        ends.append(number)
        number = reads[number][0]
    return number, ends


def _end_note(entry: Entry) -> str:
    return (
        f"the final {entry.type} `{entry.name}` is left out: "
        "training and accuracy go by the scores before it"
    )


def _left_out(
    layers: tuple[Entry, ...],
    reads: list[tuple[Reference, ...]],
    heads: list[int],
    needed: set[int],
) -> Iterable[str]:
    """A note on heads other than the one chosen, and the layers that lead to them alone."""
    scores = {head: _scores_before(head, layers, reads)[0] for head in heads}
    others = [
        head for head in heads if isinstance(scores[head], int) and scores[head] not in needed
    ]
    if not others:
        return
    only = leading_to(others, dict(enumerate(reads))) - needed - set(others)
    names = quoted(layers[n].name for n in sorted(others))
    layers_there = "1 layer that leads" if len(only) == 1 else f"{len(only)} layers that lead"
    yield f"left out: {names}, with {layers_there} only there"
