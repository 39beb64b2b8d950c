"""Lowering: golden IR, and the way back from IR to text."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wootzc.diagnostics import render
from wootzc.grammar import Analysis, analyze, format_text, print_network
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.ir.plan import Plan
from wootzc.ir.space.recipe import OPTIMIZERS, SCHEDULES
from wootzc.ir.space.recipe_values import OPTIONS
from wootzc.ir.text import parse_plan, print_plan

ROOT = Path(__file__).parents[2]
CASES = sorted((Path(__file__).parent / "lower").glob("*.wz"))
SAMPLES = sorted((ROOT / "samples").glob("*.wz"))


def analyzed(path: Path) -> Analysis:
    analysis = analyze(path.read_text(encoding="utf-8"), str(path))
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    return analysis


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_golden(path: Path, expect: Callable[[Path, str], None]) -> None:
    spaces = analyzed(path).spaces
    named = [replace(s, data=replace(s.data, path=Path(s.data.path).name)) for s in spaces]
    expect(path, "\n".join(print_plan(Plan(space=space)) for space in named))


@pytest.mark.parametrize("path", [*CASES, *SAMPLES], ids=lambda path: path.stem)
def test_spaces_come_back_from_their_ir_text(path: Path) -> None:
    for space in analyzed(path).spaces:
        assert parse_plan(print_plan(Plan(space=space))).space == space


@pytest.mark.parametrize("path", [*CASES, *SAMPLES], ids=lambda path: path.stem)
def test_printed_networks_give_the_same_network_back(path: Path) -> None:
    for network in analyzed(path).networks:
        rates = tuple(0.5 * (i % 2) for i in range(len(network.modules)))
        for version in (network, prune_network(network, rates)):
            text = print_network(version)
            again = analyze(text)
            assert not again.diagnostics, render(again.diagnostics, again.sources)
            assert again.networks == (version,)
            assert format_text(text) == text


def test_biases_that_the_rule_would_not_give_are_printed() -> None:
    source = """network n {
  input(8x8x3)
  conv(3x3, 4, bias = true); norm
  conv(3x3, 4, bias = false)
  depthwise(3x3, bias = true); norm
  depthwise(3x3); relu
}
"""
    [network] = analyze(source).networks
    assert [getattr(layer, "bias", None) for layer in network.segments[0].body] == [
        True, None, False, True, None, True, None,
    ]  # fmt: skip
    assert analyze(print_network(network)).networks == (network,)


def test_networks_that_cannot_be_written_are_refused() -> None:
    [network] = analyze("network n { input(3); dense(2) }").networks
    renamed = replace(network, segments=(replace(network.segments[0], name="head"),))
    with pytest.raises(ValueError, match="head"):
        print_network(renamed)


def test_shortcuts_are_nothing_where_the_shape_stays() -> None:
    def body_length(width: int, stride: int) -> int:
        text = f"network n {{ input(8x8x4); norm; shortcut({width}, stride = {stride}) }}"
        [network] = analyze(text).networks
        return len(network.segments[0].body)

    assert [body_length(4, 1), body_length(8, 1), body_length(4, 2)] == [1, 3, 3]


def test_modules_without_a_name_get_the_next_free_one() -> None:
    source = """module m(width) { conv(3x3, width) }
network n {
  input(8x8x1)
  m(2)
  m(3) as m2
  m(4)
  norm
  m(5) as x
}
"""
    [network] = analyze(source).networks
    assert [s.name for s in network.segments] == ["m1", "m2", "m3", "plain1", "x"]


def test_a_file_may_hold_several_networks_and_spaces() -> None:
    space = """space {name} over {network} {{
  data "x.npz"
  rates {{ 0, 50% }}
  prune *
  minimize params
  subject to accuracy >= 50%
}}
"""
    source = "module m(width) { conv(3x3, width); conv(3x3, width) }\n"
    for network in ("p", "q"):
        source += f"network {network} {{ input(4x4x1); m(4); global_pool; dense(2) }}\n"
        source += space.format(name=f"over_{network}", network=network)
    analysis = analyze(source)
    assert not analysis.diagnostics
    assert [n.name for n in analysis.networks] == ["p", "q"]
    assert [s.network.name for s in analysis.spaces] == ["p", "q"]


def test_printing_is_for_any_network_type() -> None:
    """A vector goes in, and no module is there."""
    network: Network = analyze("network n { input(5); dense(4); tanh; dense(2) }").networks[0]
    assert print_network(network).splitlines()[1] == "  input(5)"


def test_words_of_statements_are_no_reserved_names() -> None:
    path = Path(__file__).parent / "format" / "keywords-as-names.wz"
    [space] = analyzed(path).spaces
    assert [m.name for m in space.network.modules] == ["data1", "prune", "all"]
    assert space.choices == ((0,), (0, 1), (0, 1))
    [search] = analyzed(path.with_stem("search-as-names")).spaces
    assert [m.name for m in search.network.modules] == ["propose", "precision", "budget"]
    assert (search.choices, search.budget.candidates) == (((0, 1),) * 3, 3)


def test_every_option_of_the_tables_has_its_range() -> None:
    named = {option for options in OPTIMIZERS.values() for option in options}
    named |= {option for _, options in SCHEDULES.values() for option in options}
    assert named | {"learning_rate"} == set(OPTIONS)
