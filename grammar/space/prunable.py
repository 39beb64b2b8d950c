"""What a module or trunk must have, so that its rates and its criterion can be followed."""

from collections.abc import Mapping, Sequence

from wootzc.diagnostics import UNKNOWN, Advice, Span
from wootzc.grammar.check.edits import add
from wootzc.grammar.check.report import Report
from wootzc.grammar.lower.resolved import by_patterns
from wootzc.grammar.space.rates import SpaceRates, StatedRates, percent
from wootzc.grammar.syntax.brackets import blanked
from wootzc.ir.layers import Dense, Layer, walk
from wootzc.ir.net.coupling import Coupling, couple_module, couple_network
from wootzc.ir.net.criteria import CRITERIA
from wootzc.ir.net.network import Module, Network, module_shapes
from wootzc.ir.net.norm_after import norm_after
from wootzc.ir.net.prune import kept_width, kept_widths
from wootzc.ir.net.trunk import Trunk


def check_filters(
    network: Network, rates: SpaceRates, report: Report, file: str | None = None
) -> None:
    """Every pruned module has filters to remove, and keeps some at each of its rates.

    Modules and rates that no file asks for are dropped where they cannot be.
    """
    modules = module_shapes(network)
    for position, of_module in sorted(rates.of_module.items()):
        module, shape = modules[position]
        coupling = couple_module(module, shape)
        if all(group.whole for group in coupling.groups):
            if not of_module.stated:
                del rates.of_module[position]
                continue
            report.error(
                of_module.span, "WZ043", f"module `{module.name}` has no filters to remove",
                add(
                    f"keep {module.name}", of_module.span, report,
                    f"what `keep` says of its layers leaves none; say that it stays whole, add: "
                    f"keep {module.name}",
                ) if module.kept
                else by_patterns(file) if file
                else add(
                    f"keep {module.name}", of_module.span, report,
                    "the layers that make a module's output stay whole, so give "
                    f"`{module.name}` an inner convolution, or add: keep {module.name}",
                ) if len(rates.of_module) > 1
                else "the layers that make a module's output stay whole: give it an inner one",
            )  # fmt: skip
            continue
        _check_widths(module, coupling, of_module, report)
        if CRITERIA[of_module.criterion].reads == "norms":
            _check_norms(module, coupling, of_module, report)


def check_channels(
    network: Network,
    cut: Sequence[Trunk],
    stated: Mapping[str, StatedRates],
    report: Report,
) -> None:
    """Each rate leaves channels in every group of its trunk, and its criterion can judge them."""
    groups = couple_network(network).groups if cut else ()
    for trunk in cut:
        for rate, span in (stated[trunk.name].rates or {}).items():
            least = min((groups[g] for g in trunk.groups), key=lambda one: kept_width(one, rate))
            if kept_width(least, rate) == 0:
                report.error(
                    span, "WZ042",
                    f"the rate {percent(rate)} leaves no channel in trunk `{trunk.name}`, whose "
                    f"smallest group has {least.width}", "use a smaller rate",
                )  # fmt: skip
                break
        makers = [maker for g in trunk.groups for maker in groups[g].makers]
        bare = [maker for maker in makers if norm_after(network, maker) is None]
        criterion = stated[trunk.name].criterion
        if CRITERIA[criterion].reads == "norms" and bare:
            report.error(
                stated[trunk.name].span, "WZ124",
                f"`{criterion}` cannot judge trunk `{trunk.name}`: no norm follows {bare[0]}",
                _by_l1(stated[trunk.name].span, report),
            )  # fmt: skip


def _check_norms(
    module: Module, coupling: Coupling, of_module: StatedRates, report: Report
) -> None:
    """A criterion may go by the norm behind a filter: each layer that loses some needs one."""
    layers = dict(walk(module.body))
    losing = [
        group
        for group in coupling.groups
        if any(kept_width(group, rate) < group.width for rate in of_module.rates or ())
    ]
    for width, maker in ((group.width, maker) for group in losing for maker in group.makers):
        if norm_after(module.body, maker) is None:
            what = f"`{of_module.criterion}` cannot judge module `{module.name}`: no norm follows"
            kind, span = _kind(layers[maker]), layers[maker].span
            if span == UNKNOWN:  # the network comes from a file
                report.error(
                    of_module.span, "WZ124", f"{what} its {kind} of {width} filters",
                    "PyTorch's ONNX exporters put norms into the convolutions unless told not to "
                    "(docs/models.md): export it with norms, or write `by l1`",
                )  # fmt: skip
                return
            report.error(
                of_module.span, "WZ124", f"{what} its {kind} in line {report.line(span)}",
                _by_l1(of_module.span, report),
            )  # fmt: skip
            return


def _by_l1(statement: Span, report: Report) -> Advice:
    source = report.sources[statement.file][statement.start : statement.end]
    at = statement.start + blanked(source).index("bn_scale")
    place = Span(statement.file, at, at + len("bn_scale"))
    return Advice("put a `norm` after that layer, or write `by l1`", "l1", at=place)


def _kind(layer: Layer) -> str:
    return "dense layer" if isinstance(layer, Dense) else "convolution"


def _check_widths(
    module: Module, coupling: Coupling, of_module: StatedRates, report: Report
) -> None:
    assert of_module.rates is not None
    for rate, span in sorted(of_module.rates.items()):
        widths = kept_widths(coupling, rate)
        if 0 not in widths:
            continue
        if not of_module.stated_rates:
            of_module.rates = {r: s for r, s in of_module.rates.items() if r != rate}
            continue
        group = coupling.groups[widths.index(0)]
        parts = f" in {group.partitions} parts" if group.partitions > 1 else ""
        report.error(
            span, "WZ042",
            f"the rate {percent(rate)} leaves no filter in module `{module.name}`, "
            f"whose smallest layer has {group.width}{parts}",
            "use a smaller rate, widen the layer, or give these modules rates of their own: "
            f"prune {module.name} by l1 rates {{ 0, 30% }}",
        )  # fmt: skip
