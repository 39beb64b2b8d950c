"""The pages of the layers: what each tells holds together."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from wootzc.ir.layers import (
    LAYERS,
    Branch,
    Dense,
    GroupNorm,
    Layer,
    Learned,
    Page,
    PRelu,
    ShapeError,
    has_filters,
)  # fmt: skip
from wootzc.ir.layers.signature import REQUIRED, Operator, operator_of
from wootzc.ir.layers.windows import Windowed

OPERATORS = [(layer, operator) for layer in LAYERS for operator in layer.operators]


def made(layer: type[Layer], operator: Operator) -> Layer:
    """A layer of that name, with nothing said that need not be."""
    needed = {
        p.name: p.kind.read(4) for p in operator.parameters if p.default is REQUIRED and not p.like
    }
    arms = {"arms": ((), ())} if layer is Branch else {}
    return layer(**needed, **operator.fixed, **arms)  # type: ignore[arg-type]


@pytest.mark.parametrize(("layer", "operator"), OPERATORS, ids=[o.name for _, o in OPERATORS])
def test_a_signature_is_that_of_the_dataclass(layer: type[Layer], operator: Operator) -> None:
    """Every parameter is a field, of the same default, and with the fixed ones they are all."""
    own = {field.name: field for field in fields(layer)}
    for parameter in operator.parameters:
        field = own[parameter.name]
        if parameter.default is REQUIRED or parameter.default is None:
            continue
        assert parameter.default == field.default
        assert type(parameter.default) is type(field.default)
    assert {p.like for p in operator.parameters} - {""} <= {p.name for p in operator.parameters}
    known = {p.name for o in layer.operators for p in o.parameters} | set(operator.fixed)
    assert known | {"span", "arms"} >= set(own)
    assert all(own[name].default is not MISSING for name in own if name not in known | {"arms"})


@pytest.mark.parametrize(("layer", "operator"), OPERATORS, ids=[o.name for _, o in OPERATORS])
def test_a_layer_is_written_by_the_name_that_makes_it(
    layer: type[Layer], operator: Operator
) -> None:
    one = made(layer, operator)
    written = operator_of(one)
    assert written is operator or operator.also
    assert not written.flaws(one)


def test_names_are_told_apart() -> None:
    names = [operator.name for _, operator in OPERATORS]
    aliases = [alias for _, operator in OPERATORS for alias in operator.aliases]
    assert len(set(names)) == len(names)
    assert len(set(aliases)) == len(aliases)
    assert not set(names) & set(aliases)


@pytest.mark.parametrize(("layer", "operator"), OPERATORS, ids=[o.name for _, o in OPERATORS])
def test_rules_hold_together(layer: type[Layer], operator: Operator) -> None:
    """What makes channels has a width and an array along it; the others index by what enters."""
    one = made(layer, operator)
    roles = {axis for array in one.arrays() for axis in array.axes if isinstance(axis, str)}
    assert has_filters(one) == ("out" in roles) == hasattr(one, "width")
    assert (one.channels == "joins") == isinstance(one, Branch)
    assert isinstance(one, Learned) == bool(one.arrays())
    shape = (4, 4, 32) if layer is not Dense else (32,)
    leaving = one.after(shape)
    if one.channels in ("passes", "mixes"):
        assert leaving[-1] == shape[-1]
    if one.vectors:
        assert one.channels == "joins" or len(one.after((32,))) == 1
    else:
        with pytest.raises(ShapeError, match="a vector enters"):
            one.after((32,))
    assert one.computed(shape).computed(shape) == one.computed(shape)
    assert one.computed(shape).after(shape) == leaving


def test_every_page_is_in_the_union() -> None:
    """By name: the classes that `slots=True` replaced are subclasses too."""
    pages = {*Page.__subclasses__(), *Windowed.__subclasses__()} - {Windowed}
    assert {page.__name__ for page in pages} == {one.__name__ for one in LAYERS}


LOWERINGS = {
    "backends/flax/net/model.py",
    "backends/flax/write/layers.py",
    "backends/torch/layers.py",
    "backends/onnx/layers.py",
    # constants that layers take in: what cannot becomes a layer
    "grammar/imports/onnx/merge_constants.py",
}


def test_only_lowerings_match_on_layers() -> None:
    """All else follows from the pages, so that a new one has nowhere to be forgotten."""
    case = re.compile(rf"case [^:\n]*\b({'|'.join(layer.__name__ for layer in LAYERS)})\(")
    root = Path(__file__).parents[2]
    found = {
        str(path.relative_to(root))
        for folder in ("ir", "grammar", "backends", "wootzc/builder", "wootzc/cli")
        for path in (root / folder).rglob("*.py")
        if case.search(path.read_text(encoding="utf-8"))
    }
    assert found - {"backends/flax/read/nnx_layers.py"} == LOWERINGS  # that one matches on Flax's
    for path in sorted(LOWERINGS - {"grammar/imports/onnx/merge_constants.py"}):
        assert "assert_never(layer)" in (root / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("layer", [GroupNorm, PRelu])
def test_a_layer_with_weights_is_named_in_few_files(layer: type[Layer]) -> None:
    """Its page, the union, six lowerings, and what reads it in the files of two other tools."""
    word = re.compile(rf"\b{layer.__name__}\b")
    root = Path(__file__).parents[2]
    named = [
        path
        for folder in ("ir", "grammar", "backends", "wootzc")
        for path in (root / folder).glob("**/*.py")
        if word.search(path.read_text(encoding="utf-8"))
    ]
    assert len(named) <= 10, named
