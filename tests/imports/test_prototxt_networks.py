"""Caffe files of full-size networks: parameters and MACs as published, or worked out by hand."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from wootzc.grammar import analyze
from wootzc.grammar.imports import read_graph
from wootzc.ir.graph import INPUT, Graph
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.segment import How, segment
from wootzc.ir.layers.shapes import Shape, shape_after
from wootzc.ir.net.cost import Cost, body_cost, layer_cost, network_cost

HERE = Path(__file__).parent
FILES = HERE / "prototxt"


def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prototxt_writer", HERE / "prototxt_writer.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WRITER = writer()

ALEXNET = Cost(60_965_224, 724_406_816)
VGG16 = Cost(138_357_544, 15_470_264_320)
GOOGLENET = Cost(6_998_552, 1_582_671_872)
GOOGLENET_NORMED = Cost(6_624_904, 1_498_376_192)
RESNET50 = Cost(25_557_032, 4_089_184_256)
RESNET50_FIRST = Cost(25_557_032, 3_857_973_248)

COSTS = {
    "alexnet": ALEXNET,
    "alexnet_old": ALEXNET,
    "vgg16_old": VGG16,
    "googlenet_train_val": GOOGLENET,
    "googlenet_old": GOOGLENET,
    "googlenet_normed": GOOGLENET_NORMED,
    "resnet50": RESNET50,
    "resnet50_first": RESNET50_FIRST,
}


def read(name: str) -> Graph:
    return read_graph(str(FILES / f"{name}.prototxt"))


def graph_cost(graph: Graph) -> Cost:
    """Node by node, without `decompose`: shapes follow the edges."""
    shapes: dict[str, Shape] = {INPUT: graph.input}
    total = Cost(0, 0)
    for node in graph.nodes:
        entering = [shapes[name] for name in node.inputs]
        match node.operation:
            case "add" | "scale":
                shapes[node.name] = entering[0]
            case "concat":
                shapes[node.name] = (*entering[0][:-1], sum(shape[-1] for shape in entering))
            case layer:
                total = total.plus(layer_cost(layer, entering[0]))
                shapes[node.name] = shape_after(layer, entering[0])
    assert shapes[graph.output] == (1000,)
    return total


def test_the_files_are_as_they_were_written() -> None:
    written = dict(WRITER.files())
    assert {path.stem for path in map(Path, written)} == set(COSTS)
    for name, text in written.items():
        if os.environ.get("WOOTZC_UPDATE_EXPECT"):
            (FILES / name).write_text(text, encoding="utf-8")
        assert (FILES / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", COSTS)
def test_costs_are_the_published_ones(name: str) -> None:
    graph = read(name)
    assert graph_cost(graph) == COSTS[name]
    body = tuple(piece.layer for piece in decompose(graph))
    assert body_cost(body, graph.input) == COSTS[name]


# ---- the same figures from the papers' tables alone


def conv(kernel: int, into: int, out: int, side: int, bias: bool, group: int = 1) -> Cost:
    weights = kernel * kernel * (into // group) * out
    return Cost(weights + out * bias, weights * side * side)


def dense(into: int, out: int) -> Cost:
    return Cost(into * out + out, into * out)


def total(parts: Iterator[Cost]) -> Cost:
    return Cost(*map(sum, zip(*parts, strict=True)))


def alexnet_by_hand() -> Iterator[Cost]:
    sides = {"conv1": 55, "conv2": 27, "conv3": 13, "conv4": 13, "conv5": 13}
    into = 3
    for part in WRITER.ALEXNET:
        if not isinstance(part, str):
            name, width, kernel, _, _, group = part
            yield conv(kernel, into, width, sides[name], True, group)
            into = width
    yield from (dense(6 * 6 * 256, 4096), dense(4096, 4096), dense(4096, 1000))


def vgg16_by_hand() -> Iterator[Cost]:
    into, side = 3, 224
    for width, count in WRITER.VGG16:
        for _ in range(count):
            yield conv(3, into, width, side, True)
            into = width
        side //= 2
    yield from (dense(7 * 7 * 512, 4096), dense(4096, 4096), dense(4096, 1000))


def googlenet_by_hand(normed: bool) -> Iterator[Cost]:
    def unit(kernel: int, into: int, out: int, side: int) -> Cost:
        made = conv(kernel, into, out, side, not normed)
        return made.plus(Cost(2 * out, 0)) if normed else made

    yield unit(7, 3, 64, 112)
    yield unit(1, 64, 64, 56)
    yield unit(3, 64, 192, 56)
    into, sides = 192, {"3": 28, "4": 14, "5": 7}
    for name, (one, reduce3, three, reduce5, five, projection) in WRITER.INCEPTIONS.items():
        side = sides[name[0]]
        yield unit(1, into, one + reduce3 + reduce5 + projection, side)
        yield unit(3, reduce3, three, side)
        yield unit(3 if normed else 5, reduce5, five, side)
        into = one + three + five + projection
    yield dense(1024, 1000)


def resnet50_by_hand(stride_first: bool) -> Iterator[Cost]:
    def normed(kernel: int, into: int, out: int, side: int) -> Cost:
        return conv(kernel, into, out, side, False).plus(Cost(2 * out, 0))

    yield normed(7, 3, 64, 112)
    into, before = 64, 56
    for stage, (width, count) in enumerate(WRITER.RESNET50):
        side = 56 >> stage
        for block in range(count):
            yield normed(1, into, width, side if stride_first else before)
            yield normed(3, width, width, side)
            yield normed(1, width, 4 * width, side)
            if block == 0:
                yield normed(1, into, 4 * width, side)
            into, before = 4 * width, side
    yield dense(2048, 1000)


def test_costs_follow_from_the_tables_of_the_papers() -> None:
    assert total(alexnet_by_hand()) == ALEXNET
    assert total(vgg16_by_hand()) == VGG16
    assert total(googlenet_by_hand(normed=False)) == GOOGLENET
    assert total(googlenet_by_hand(normed=True)) == GOOGLENET_NORMED
    assert total(resnet50_by_hand(stride_first=False)) == RESNET50
    assert total(resnet50_by_hand(stride_first=True)) == RESNET50_FIRST


# ---- what else there is to know of them


@pytest.mark.parametrize(
    ("name", "zoo"),
    [("resnet50", "resnet50"), ("googlenet_normed", "googlenet"), ("vgg16_old", "vgg16")],
)
def test_costs_are_those_of_the_zoo(name: str, zoo: str) -> None:
    source = f"""space s over {zoo} {{
      data "x.npz"; rates {{ 0, 50% }}; prune * by l1; sample 3 seed 1; maximize accuracy
    }}"""
    analysis = analyze(source)
    (space,) = analysis.spaces
    assert network_cost(space.network) == COSTS[name]


@pytest.mark.parametrize(("new", "old"), [("alexnet", "alexnet_old")])
def test_both_syntaxes_give_one_graph(new: str, old: str) -> None:
    assert read(new) == read(old)


def test_a_file_for_training_gives_the_network_of_the_test_phase() -> None:
    """Auxiliary heads and data layers aside, it is the network of the file for deployment."""
    train, deploy = read("googlenet_train_val"), read("googlenet_old")
    assert (train.nodes, train.output) == (deploy.nodes, deploy.output)
    assert train.notes == (
        "`data` does not say how many channels its images have: 3 here",
        "left out: `loss1/loss`, `loss1/top-1`, `loss1/top-5`, `loss2/loss`, `loss2/top-1` and "
        "`loss2/top-5`, with 14 layers that lead only there",
    )
    assert deploy.notes == (
        "the final Softmax `prob` is left out: training and accuracy go by the scores before it",
    )


@pytest.mark.parametrize("how", ["structure", "names"])
def test_modules_are_found_by_prefix_and_by_structure(how: How) -> None:
    def modules(name: str) -> list[str]:
        graph = read(name)
        return [m.name for m in segment("net", graph.input, decompose(graph), how).modules]

    letters = {"2": "abc", "3": "abcd", "4": "abcdef", "5": "abc"}
    assert modules("resnet50") == [f"res{s}{b}" for s, blocks in letters.items() for b in blocks]
    assert modules("googlenet_old") == ["conv2", *(f"inception_{n}" for n in WRITER.INCEPTIONS)]


@pytest.mark.parametrize("braces", ["", "{ modules by file }"])
def test_modules_that_a_file_marks_reach_a_space(braces: str, tmp_path: Path) -> None:
    (tmp_path / "deploy.prototxt").write_text((FILES / "graphs" / "modules.prototxt").read_text())
    source = f"""network net from "deploy.prototxt" {braces}
    space s over net {{
      data "x.npz"; rates {{ 0, 50% }}; prune m2 by l1; all; minimize params
      subject to accuracy >= 80%
    }}"""
    (tmp_path / "a.wz").write_text(source)  # paths are relative to a file that is there
    analysis = analyze(source, str(tmp_path / "a.wz"))
    assert not analysis.diagnostics
    (space,) = analysis.spaces
    assert [m.name for m in space.network.modules] == ["m1", "m2"]
    assert space.choices == ((0,), (0, 1))
