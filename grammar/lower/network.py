"""Networks: a chain of named modules with plain layers between them."""

from dataclasses import dataclass, field, replace

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import AMOUNT, Kind, Parameter, bind
from wootzc.grammar.check.input_order import report_sizes, warn_order
from wootzc.grammar.check.values import Scope, Value
from wootzc.grammar.lower.body import MAX_BRANCHES, MAX_CALLS, BodyLowering, TooLarge, Use
from wootzc.grammar.lower.layers import Draft, settle_bias
from wootzc.grammar.lower.module_targets import RESERVED, ModuleNames, is_input
from wootzc.grammar.lower.series import at_turn, check_series
from wootzc.ir.layers import Body
from wootzc.ir.layers.maxima import MAX_COST, MAX_LAYERS, MAX_SIDE
from wootzc.ir.layers.shapes import Shape, shape_after_body, shape_text
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.network import Auxiliary, Module, Network, Plain, Segment, head_shapes


def _input_shape(value: Value) -> Shape:
    shape = (value,) if isinstance(value, int) else value
    if isinstance(shape, tuple) and len(shape) in (1, 3):
        if all(1 <= size <= MAX_SIDE for size in shape):
            return shape
    raise ValueError


INPUT = (
    Parameter(
        "shape",
        Kind("height x width x channels, such as 32x32x3, or a number for a vector", _input_shape),
    ),
)
AUXILIARY = (Parameter("weight", AMOUNT, 0.3),)  # Szegedy et al. 2015, §5
_HEAD = syntax.Name(text="auxiliary")


@dataclass(kw_only=True)
class _Segments:
    """Segments as they come; layers wait in `waiting` until a module ends their segment."""

    segments: list[Segment] = field(default_factory=list)
    auxiliaries: list[Auxiliary] = field(default_factory=list)
    waiting: list[Draft] = field(default_factory=list)
    plain: int = 0

    def module(self, name: str, body: Body, definition: str, span: Span) -> None:
        self.close()
        self.segments.append(Module(name=name, body=body, definition=definition, span=span))

    def close(self) -> None:
        if not self.waiting:
            return
        self.plain += 1
        body = settle_bias(self.waiting)
        self.waiting = []
        self.segments.append(Plain(name=f"{RESERVED}{self.plain}", body=body, span=body[0].span))


def lower_network(
    definition: syntax.NetworkDefinition, lowering: BodyLowering, scope: Scope
) -> Network | None:
    """The network, or None after errors, all of them reported.

    `scope`: values of the network's parameters; where one is not known, None comes back too.
    """
    lowering.layers = 0
    errors = lowering.report.errors
    try:
        made, shape, entering = _segments(definition, lowering, scope)
    except TooLarge:
        lowering.report.error(
            definition.name.span, "WZ025",
            f"network `{definition.name.text}` is too large when its modules are written out",
            f"it may have at most {MAX_LAYERS:,} layers, {MAX_BRANCHES} branches within branches, "
            f"and {MAX_CALLS} modules within modules",
        )  # fmt: skip
        return None
    finally:
        lowering.use = None
        lowering.depth = 0
        lowering.calls.clear()
    if shape is None or entering is None:
        return None
    network = Network(
        name=definition.name.text,
        input=entering,
        segments=tuple(made.segments),
        auxiliaries=tuple(made.auxiliaries),
        span=definition.name.span,
    )
    _check_auxiliaries(network, shape, lowering)
    if lowering.report.errors > errors:
        return None
    if max(network_cost(network)) > MAX_COST:
        lowering.report.error(
            definition.name.span, "WZ025",
            f"network `{network.name}` has more parameters or MACs than can be counted",
            "look for a width or an input size with a digit too many",
        )  # fmt: skip
        return None
    return network


def _segments(
    definition: syntax.NetworkDefinition, lowering: BodyLowering, scope: Scope
) -> tuple[_Segments, Shape | None, Shape | None]:
    """Segments, the shape that leaves the last and the one that enters the first."""
    statements = definition.body.statements
    entering = shape = _read_input(definition, lowering, scope)
    has_input = bool(statements) and is_input(statements[0])
    rest = [
        (isinstance(s, syntax.Call) and lowering.resolved(s, scope)) or s  # what a parameter names
        for s in (statements[1:] if has_input else statements)
    ]
    names = ModuleNames(rest, lowering)
    made = _Segments()
    for statement in rest:
        if isinstance(statement, syntax.Auxiliary):
            _auxiliary(statement, made, lowering, scope, shape)
            continue
        use = names.of(statement)
        if not use:
            if isinstance(statement, syntax.Call):  # `ModuleNames` has told what is wrong with `as`
                statement = replace(statement, target=None)
            drafts, shape = lowering.statement(statement, scope, shape)
            made.waiting += drafts
            continue
        if id(statement) not in names.clashing:
            check_series(statement, len(use), lowering.report)
        for turn, (name, span) in enumerate(use):
            lowering.use = Use(name, span)
            drafts, shape = _module_body(at_turn(statement, turn), lowering, scope, shape)
            definition_of = statement.name.text if isinstance(statement, syntax.Call) else ""
            made.module(name, settle_bias(drafts), definition_of, span)
            lowering.use = None
            if shape is None:
                break  # its twins have the same errors
    made.close()
    if not made.segments and shape is not None:
        lowering.report.error(
            definition.name.span, "WZ033", f"network `{definition.name.text}` has no layers",
            "add layers and modules after its input",
        )  # fmt: skip
        return made, None, None
    return made, shape, entering


def _auxiliary(
    statement: syntax.Auxiliary,
    made: _Segments,
    lowering: BodyLowering,
    scope: Scope,
    shape: Shape | None,
) -> None:
    """A head on what leaves the module before it; the network goes on as if it were not there."""
    head = replace(_HEAD, span=statement.span)
    values = bind(head, AUXILIARY, statement.arguments, scope, lowering.report)
    drafts, after = lowering.block(statement.body, scope, shape)
    if shape is not None and (made.waiting or not made.segments):
        lowering.report.error(
            statement.span, "WZ037", "an auxiliary head stands directly behind a module",
            "move it there: it reads what leaves that module",
        )  # fmt: skip
    elif values is not None and after is not None:
        number = len(made.auxiliaries) + 1
        made.auxiliaries.append(
            Auxiliary(
                name=f"aux{number}",
                after=len(made.segments) - 1,
                weight=values["weight"],
                body=settle_bias(drafts),
                span=statement.span,
            )
        )


def _check_auxiliaries(network: Network, leaving: Shape, lowering: BodyLowering) -> None:
    """A head ends in one score per class, as the network does."""
    for head, shape in zip(network.auxiliaries, head_shapes(network), strict=True):
        if (after := shape_after_body(head.body, shape)) != leaving:
            lowering.report.error(
                head.span, "WZ038",
                f"an auxiliary head ends in {shape_text(after)}, but the network in "
                f"{shape_text(leaving)}",
                "end both with a dense layer of one score per class",
            )  # fmt: skip
        if any(segment.name == head.name for segment in network.segments):
            lowering.report.error(
                head.span, "WZ021", f"this head is called `{head.name}`, but so is a module",
                "give the module another name",
            )  # fmt: skip


def _module_body(
    statement: syntax.Statement, lowering: BodyLowering, scope: Scope, shape: Shape | None
) -> tuple[list[Draft], Shape | None]:
    assert isinstance(statement, syntax.InlineModule | syntax.Call)
    if isinstance(statement, syntax.InlineModule):
        drafts, shape = lowering.block(statement.body, scope, shape)
    elif statement.name.text not in lowering.modules:
        lowering.unknown(statement)
        return [], None
    else:
        drafts, shape = lowering.module(statement, scope, shape)
    if shape is not None and not drafts:
        lowering.report.error(
            statement.span, "WZ033", f"module `{statement.name.text}` has no layers",
            "give it layers, or leave it out",
        )  # fmt: skip
        return [], None
    return drafts, shape


def _read_input(
    definition: syntax.NetworkDefinition, lowering: BodyLowering, scope: Scope
) -> Shape | None:
    statements = definition.body.statements
    first = statements[0] if statements else None
    broken = f"network {definition.name.text}" in lowering.broken  # its shapes would mislead
    if isinstance(first, syntax.Call) and first.name.text == "input":
        if report_sizes(first.arguments or (), lowering.report):
            return None
        values = bind(first.name, INPUT, first.arguments, scope, lowering.report)
        if values is not None and first.arguments:
            warn_order(values["shape"], first.arguments[0].value, lowering.report)
            lowering.vector = first.span if len(values["shape"]) == 1 else None
        return None if values is None or broken else values["shape"]
    if not broken and not any(map(is_input, statements)):
        lowering.report.error(
            definition.name.span, "WZ031",
            f"network `{definition.name.text}` does not begin with its input",
            "let it begin with: input(32x32x3)   // height x width x channels",
        )  # fmt: skip
    return None
