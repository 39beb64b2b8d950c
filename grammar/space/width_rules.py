"""`keep` for kinds of layers, and `multiple of`: rules inside of modules, for every rate."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from wootzc.grammar import syntax
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import whole_of
from wootzc.ir.layers import Body, Conv, Layer, has_filters, walk
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.layers.signature import operator_of
from wootzc.ir.net.coupling import couple
from wootzc.ir.net.network import Module, Network, module_shapes

# What `keep` takes beside names of modules: layers whose channels no rate removes.
KINDS = ("conv", "depthwise", "grouped", "dense", "add", "concat", "scale")
MOST = 1024


def divide_patterns(
    patterns: Iterable[syntax.Pattern], network: Network
) -> tuple[list[syntax.Pattern], list[syntax.Pattern]]:
    """Patterns that speak of modules, and those that name a kind of layer.

    A module of the same name comes first.
    """
    names = {module.name for module in network.modules}
    kinds = [
        p
        for p in patterns
        if p.last is None and p.numbers is None
        and p.glob.text in {*KINDS, *BUILT_IN} and p.glob.text not in names
    ]  # fmt: skip
    return [p for p in patterns if p not in kinds], kinds


def kept_layers(
    keeps: Iterable[syntax.Keep], network: Network, report: Report
) -> Mapping[str, tuple[str, ...]]:
    """For each module the paths of the layers that `keep` names by their kind."""
    kinds = [kind for keep in keeps for kind in divide_patterns(keep.patterns.named, network)[1]]
    found: dict[str, tuple[str, ...]] = {}
    used: set[str] = set()
    for module in network.modules:
        for path, layer in walk(module.body):
            mine = {kind.glob.text for kind in kinds if _is_kind(layer, kind.glob.text)}
            if mine:
                used |= mine
                found[module.name] = (*found.get(module.name, ()), path)
    for kind in kinds:
        name = kind.glob.text
        if name not in KINDS:
            report.error(
                kind.span, "WZ093", f"`{name}` layers have no filters of their own to keep",
                f"`keep` takes modules, and the kinds {', '.join(KINDS)}",
            )  # fmt: skip
        elif name not in used:
            report.error(
                kind.span, "WZ093",
                f"no module of network `{network.name}` has a {name} layer to keep",
                remove(
                    kind.span, report,
                    "remove it: every layer outside of modules is kept as it is",
                ),
            )  # fmt: skip
    return found


def check_kinds(
    keeps: Iterable[syntax.Keep], network: Network, pruned: Collection[int], report: Report
) -> None:
    """Warn of kinds that keep no channels of the modules at positions `pruned`.

    Each is looked at alone: of two kinds that keep the same, neither is without effect.
    """
    modules = module_shapes(network)
    own = (modules[position] for position in sorted(pruned))
    bodies = dict.fromkeys((module.body, shape) for module, shape in own)
    for kind in (
        kind for keep in keeps for kind in divide_patterns(keep.patterns.named, network)[1]
    ):
        name = kind.glob.text
        if name in KINDS and all(_without_effect(name, *body) for body in bodies):
            report.warn(
                kind.span, "WZ093", f"`keep {name}` has no effect",
                remove(
                    kind.span, report,
                    f"no pruned module would lose channels at its {name} layers; remove it",
                ),
            )  # fmt: skip


def _without_effect(kind: str, body: Body, shape: Shape) -> bool:
    kept = tuple(path for path, layer in walk(body) if _is_kind(layer, kind))
    return not kept or couple(body, shape, kept=kept).groups == couple(body, shape).groups


def _is_kind(layer: Layer, kind: str) -> bool:
    if kind == "grouped":
        return isinstance(layer, Conv) and layer.groups > 1
    return kind in KINDS and operator_of(layer).name == kind


@dataclass(frozen=True, slots=True)
class Multiple:
    """What a rate leaves of groups of at least `least` filters is a multiple of `of`."""

    of: int
    least: int = 0


# Where nothing is said. Kernels are fast at multiples of 8; a narrow layer would lose its choices.
MULTIPLE = Multiple(8, least=16)


def read_multiple(statement: syntax.Multiple | None, report: Report) -> Multiple:
    """`multiple of 8`; the default where it is not said, or is a mistake."""
    if statement is None:
        return MULTIPLE
    said = f"`multiple of` takes a whole number from 1 to {MOST:,}"
    known = range(1, MOST + 1)
    value = whole_of(statement.number, known, said, "as in `multiple of 8`", report, "WZ094")
    return MULTIPLE if value is None else Multiple(value)


def with_rules(
    network: Network, kept: Mapping[str, tuple[str, ...]], multiple: Multiple
) -> Network:
    """The network, its modules bound by these rules; those too narrow for a multiple have none."""

    def bound(module: Module) -> Module:
        module = replace(module, kept=kept.get(module.name, ()))
        layers = (layer for _, layer in walk(module.body) if has_filters(layer))
        if all(layer.width < multiple.least for layer in layers):
            return module
        return replace(module, multiple=multiple.of, multiple_from=multiple.least)

    segments = tuple(bound(s) if isinstance(s, Module) else s for s in network.segments)
    return replace(network, segments=segments)
