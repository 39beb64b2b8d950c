"""Networks from files of other tools: `network n from "model.onnx" { … }`."""

from dataclasses import dataclass, field, replace

from wootzc.diagnostics import Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import COUNT, Parameter, bind
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.report import Report
from wootzc.grammar.imports import read_graph
from wootzc.grammar.lower.network import INPUT
from wootzc.grammar.lower.program import resolve
from wootzc.grammar.lower.resolved import Resolved
from wootzc.grammar.syntax.near_misses import did_you_mean
from wootzc.ir.graph import Chain, Graph, Refused
from wootzc.ir.graph.decompose import decompose
from wootzc.ir.graph.folded_norms import with_norms_put_back
from wootzc.ir.graph.segment import How, segment
from wootzc.ir.layers import has_filters, walk
from wootzc.ir.layers.shapes import Shape

WAYS = ("structure", "names", "file")
SETTINGS = {"input": INPUT, "classes": (Parameter("number", COUNT),)}


@dataclass(kw_only=True)
class _Wishes:
    """What the braces say: the input's shape, the scores wanted, how modules are found, norms."""

    input: Shape | None = None
    classes: int | None = None
    how: str | None = None
    folded: bool = False  # norms stay in the convolutions that they were folded into
    modules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)  # of the modules


def lower_import(item: syntax.ImportedNetwork, report: Report) -> Resolved | None:
    """Read, decompose and segment the file; None after errors, all of them reported."""
    wishes = _wishes(item, report)
    if wishes is None:
        return None
    path = resolve(item.path.value, item.path.span.file)
    try:
        graph = read_graph(path, wishes.input)
        if not wishes.folded:
            graph = with_norms_put_back(graph)
        how = wishes.modules or how_of(wishes.how, graph)
        chain = read = decompose(graph)
        if wishes.classes is not None:
            chain = _with_classes(read, wishes.classes)
        network = segment(item.name.text, graph.input, chain, how)
    except Refused as refused:
        at = wishes.spans.get(refused.module or "", item.path.span)
        report.error(at, "WZ090", refused.message, refused.help)
        return None
    except OSError as error:
        reason = error.strerror or str(error)
        report.error(
            item.path.span, "WZ091", f"can't read `{item.path.value}`: {reason}",
            "paths are relative to the file they stand in",
        )  # fmt: skip
        return None
    has_weights = any(node.weights for node in graph.nodes)
    return Resolved(
        network=network,
        weights=path if has_weights else None,
        notes=graph.notes,
        file=item.path.value,
        new_head=[piece.layer for piece in chain] != [piece.layer for piece in read],
    )


def how_of(word: str | None, graph: Graph) -> How:
    """How modules are found: as the word says; else as the file marks them, or by structure."""
    match word:
        case "names":
            return "names"
        case "file":
            return graph.modules
        case None if graph.modules:
            return graph.modules
        case _:
            return "structure"


def _with_classes(chain: Chain, classes: int) -> Chain:
    """The chain, its last layer with weights as wide as there are classes."""
    for index in reversed(range(len(chain))):
        piece = chain[index]
        layer = piece.layer
        if has_filters(layer) and layer.parts == 1:
            new = replace(piece, layer=replace(layer, width=classes))
            return (*chain[:index], new, *chain[index + 1 :])
        if piece.weights or any(has_filters(x) for _, x in walk((piece.layer,))):
            break
    raise Refused(
        "the network does not end in a dense layer or a convolution that could be replaced",
        "leave `classes(…)` out: the network keeps the classes it has",
    )


def _wishes(item: syntax.ImportedNetwork, report: Report) -> _Wishes | None:
    wishes = _Wishes()
    errors = report.errors
    seen: set[str] = set()
    for statement in item.statements:
        match statement:
            case syntax.Call(name=name, arguments=arguments) if name.text in SETTINGS:
                values = bind(name, SETTINGS[name.text], arguments, {}, report) or {}
                wishes.input = values.get("shape", wishes.input)
                wishes.classes = values.get("number", wishes.classes)
                _once(name.text, statement, seen, report)
            case syntax.Call() if "layers" in seen:
                pass  # they are all one mistake
            case syntax.Call(name=name):
                seen.add("layers")
                report.error(
                    name.span, "WZ092", f"the layers come from the file: no `{name.text}` here",
                    "in these braces stand `input(…)`, `classes(…)`, `modules by …`, "
                    "`norms folded` and `module NAME { \"…\" }`",
                )  # fmt: skip
            case syntax.Grouping(how=how):
                if how.text not in WAYS:
                    report.error(
                        how.span, "WZ092", f"modules cannot be found by `{how.text}`",
                        did_you_mean(how.text, WAYS),
                    )  # fmt: skip
                wishes.how = how.text
                _once("modules by", statement, seen, report)
            case syntax.Norms(how=how):
                if how.text != "folded":
                    report.error(
                        how.span, "WZ092", f"`norms {how.text}` says nothing",
                        write("norms folded", ", or leave it out: norms are then put back",
                              at=statement.span),
                    )  # fmt: skip
                wishes.folded = True
                _once("norms", statement, seen, report)
            case syntax.FoundModule(name=name, patterns=()):
                report.error(
                    statement.span, "WZ092", f"module `{name.text}` names no layers of the file",
                    f"`wootzc import {item.path.value} --names` lists the names it gives them",
                )  # fmt: skip
            case syntax.FoundModule(name=name, patterns=patterns):
                _check_name(name, wishes, report)
                wishes.modules[name.text] = tuple(pattern.value for pattern in patterns)
                wishes.spans[name.text] = statement.span
    return wishes if report.errors == errors else None


def _once(what: str, statement: syntax.ImportStatement, seen: set[str], report: Report) -> None:
    if what in seen:
        report.error(statement.span, "WZ092", f"`{what}` stands here twice", "remove one of them")
    seen.add(what)


def _check_name(name: syntax.Name, wishes: _Wishes, report: Report) -> None:
    if name.text in wishes.modules:
        report.error(
            name.span, "WZ021", f"there are two modules `{name.text}` in this network",
            "every module needs a name of its own",
        )  # fmt: skip
    if name.text in BUILT_IN or (name.text.startswith("plain") and name.text[5:].isdigit()):
        report.error(
            name.span, "WZ017", f"`{name.text}` is built in, so no module can have its name",
            "rename it",
        )  # fmt: skip
