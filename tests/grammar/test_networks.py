"""Networks with parameters, of the zoo, and what a space may say of them."""

from pathlib import Path

import numpy as np
import pytest

import wootzc
from wootzc.diagnostics import WootzError
from wootzc.grammar import Analysis, analyze
from wootzc.grammar.lower.named_networks import zoo_source
from wootzc.grammar.zoo import zoo_names
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import segment_shapes
from wootzc.ir.space import Space
from wootzc.ir.space.recipe import FromFile, Recipe

NETWORK = """
module part(width) {
  conv(3x3, width); norm; relu; depthwise(3x3); norm; relu; conv(1x1, 8); relu; conv(1x1, width)
}
network net(classes, input = 8x8x3) {
  input(input)
  part(16) as a[1..2]
  auxiliary(0.4) { global_pool; dense(classes) }
  part(24) as b1
  global_pool; dense(classes)
}
"""
REST = "minimize params; subject to accuracy >= 80%"


def space(over: str, statements: str = "", data: str = 'data "x.npz"') -> Space:
    analysis = check(over, statements, data)
    assert not [d for d in analysis.diagnostics if d.severity == "error"], analysis.diagnostics
    return analysis.spaces[0]


def check(over: str, statements: str = "", data: str = 'data "x.npz"') -> Analysis:
    text = f"rates {{ 0, 50% }}; prune *; {statements}; {data}; sample 5; {REST}"
    return analyze(f"{NETWORK}space s over {over} {{ {text} }}\n")


def codes(analysis: Analysis) -> list[str]:
    return [d.code for d in analysis.diagnostics if d.severity == "error"]


def test_a_space_gives_the_parameters_of_its_network() -> None:
    network = space("net(classes = 7, input = 16x16x1)").network
    assert network.input == (16, 16, 1)
    assert segment_shapes(network)[-1] == (7,)
    assert segment_shapes(space("net(5)").network)[-1] == (5,)


def test_a_network_that_needs_parameters_is_checked_without_them() -> None:
    analysis = analyze(NETWORK)
    assert analysis.diagnostics == () and analysis.networks == ()
    broken = analyze(NETWORK.replace("dense(classes)", "dense(clases)"))
    assert codes(broken) == ["WZ014", "WZ014"]


def test_an_auxiliary_head_is_beside_the_network() -> None:
    network = space("net(7)").network
    (head,) = network.auxiliaries
    assert (head.name, head.after, head.weight) == ("aux1", 1, 0.4)
    without = analyze(NETWORK.replace("auxiliary(0.4) { global_pool; dense(classes) }", "")
                      .replace("net(classes,", "net(classes = 7,")).networks[0]  # fmt: skip
    assert network_cost(network) == network_cost(without)


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ("net", "WZ012"),
        ("net(klasses = 3)", "WZ011"),
        ("net(3, 8x8x3, 4)", "WZ013"),
        ("nets", "WZ022"),
        ("resnet50(clases = 3)", "WZ011"),
        ("resnet51", "WZ022"),
    ],
)
def test_wrong_arguments_are_told_where_the_space_gives_them(over: str, code: str) -> None:
    analysis = check(over)
    assert codes(analysis) == [code]
    assert {d.span.file for d in analysis.diagnostics} == {"<text>"}


def test_a_network_of_the_zoo_that_cannot_be_says_where() -> None:
    analysis = check("vgg16(input = 2x2x3)")
    assert codes(analysis) == ["WZ039", "WZ030"]
    shape_error = analysis.diagnostics[-1]
    assert shape_error.span.file in analysis.sources


def test_a_network_of_the_file_comes_before_one_of_the_zoo() -> None:
    text = f"{NETWORK}network vgg16 {{ input(8x8x3); part(8) as x; global_pool; dense(3) }}\n"
    text += f'space s over vgg16 {{ data "x.npz"; rates {{ 0, 50% }}; prune x; {REST} }}'
    assert [m.name for m in analyze(text).spaces[0].network.modules] == ["x"]


def test_keep_takes_kinds_of_layers() -> None:
    kept = space("net(3)", "keep depthwise, b1").network
    assert [m.kept for m in kept.modules] == [("3",)] * 3
    assert codes(check("net(3)", "keep grouped")) == ["WZ093"]
    assert codes(check("net(3)", "keep relu")) == ["WZ093"]
    assert "WZ043" in codes(check("net(3)", "keep conv"))


def test_keep_of_a_kind_without_effect_is_told() -> None:
    def warnings(statements: str) -> list[tuple[str, str]]:
        analysis = check("cifar_resnet20(classes = 10)", statements)
        return [(d.code, d.message) for d in analysis.diagnostics if d.severity == "warning"]

    useless = ("WZ093", "`keep add` has no effect")
    assert warnings("keep add") == [useless]  # what leaves a module is whole anyway
    assert warnings("keep add; keep layer1_*, add") == [useless, useless]
    of_net = check("net(3)", "keep depthwise")
    assert not of_net.diagnostics
    unpruned = check("net(3)", "prune b1; keep depthwise; keep a*, b1")
    assert "WZ093" in [d.code for d in unpruned.diagnostics]


def test_the_reason_for_equal_rates_is_named() -> None:
    def helps(statements: str) -> set[str | None]:
        analysis = check("cifar_resnet20(classes = 10)", statements)
        return {d.help for d in analysis.diagnostics if d.code == "WZ059"}

    assert helps("multiple of 4") == set()
    assert helps("multiple of 64") == {
        "widths are multiples of 64 here; `multiple of 1` allows any"
    }
    rates = "prune layer1_0 rates { 0, 1% }; multiple of 4"
    assert helps(rates) == {"its layers are too narrow to tell them apart"}


def test_a_module_comes_before_a_kind_of_its_name() -> None:
    text = NETWORK.replace("as b1", "as grouped")
    analysis = analyze(f'{text}space s over net(3) {{ data "x"; rates {{ 0, 50% }}; prune *; '
                       f"keep grouped; sample 3; {REST} }}")  # fmt: skip
    assert codes(analysis) == [] and analysis.spaces[0].choices[-1] == (0,)


def test_multiple_of_reaches_every_module() -> None:
    assert {m.multiple for m in space("net(3)", "multiple of 4").network.modules} == {4}
    for wrong in ("0", "1.5", "5000"):
        assert codes(check("net(3)", f"multiple of {wrong}")) == ["WZ094"]


def test_normalization_may_be_given() -> None:
    data = space("net(3)", data='data "x.npz" { normalize imagenet }').data
    assert data.mean == (0.485, 0.456, 0.406) and data.normalize is True
    data = space("net(3)", data='data "x.npz" { mean(0.5); std(0.1, 0.2, 0.3) }').data
    assert data.std == (0.1, 0.2, 0.3) and data.mean == (0.5,)
    for wrong in ("mean(0.5)", "mean(0.5); std(0)", "mean(1); std(1); normalize off"):
        assert codes(check("net(3)", data=f'data "x.npz" {{ {wrong} }}')) == ["WZ071"]


def test_a_teacher_may_be_read_and_trained_on() -> None:
    read = space("net(3)", 'teacher from "w.safetensors"').teacher
    assert read == FromFile(path="w.safetensors")
    trained = space("net(3)", 'teacher from "w.safetensors" { steps 7 }').teacher
    assert isinstance(trained, FromFile) and isinstance(trained.recipe, Recipe)
    assert trained.recipe.steps == 7
    assert codes(check("net(3)", 'teacher from "w.pth"')) == ["WZ071"]


@pytest.mark.parametrize("name", zoo_names())
def test_the_source_of_a_zoo_network_is_that_network(name: str) -> None:
    analysis = analyze(zoo_source(name))
    assert analysis.diagnostics == ()
    assert analysis.networks == (wootzc.zoo(name),)


def test_the_zoo_in_python(tmp_path: Path) -> None:
    network = wootzc.zoo("cifar_resnet20", classes=3, input=(16, 16, 1))
    assert segment_shapes(network)[0] == (16, 16, 1) and segment_shapes(network)[-1] == (3,)
    with pytest.raises(WootzError, match="did you mean `resnet50`"):
        wootzc.zoo("resnet5")
    with pytest.raises(WootzError, match="did you mean `classes`"):
        wootzc.zoo("resnet50", clases=3)


@pytest.mark.parametrize(
    "arguments",
    [
        *({"classes": value} for value in (None, True, 0, -1, 1.5, "7", (3,))),
        *({"input": value} for value in (None, 224, (8, 8), (0, 0, 3), "8x8x3", (8, 8, True))),
    ],
    ids=str,
)
def test_arguments_of_the_zoo_in_python_are_checked(arguments: dict[str, object]) -> None:
    with pytest.raises(WootzError) as caught:
        wootzc.zoo("resnet18", **arguments)
    (diagnostic,) = caught.value.diagnostics
    ((name, value),) = arguments.items()
    assert diagnostic.code == "WZ014" and diagnostic.help
    assert diagnostic.message.startswith(f"`{name}` of `resnet18` must be ")
    assert diagnostic.message.endswith(f"not {value!r}")


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    network = wootzc.zoo("cifar_resnet20", classes=np.int64(3), input=list(np.array([8, 8, 1])))
    assert network == wootzc.zoo("cifar_resnet20", classes=3, input=(8, 8, 1))
