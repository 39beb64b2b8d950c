"""Networks: a chain of named modules with plain layers between them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from wootzc.diagnostics import Span, write
from wootzc.grammar import syntax
from wootzc.grammar.arguments import AMOUNT, Kind, Parameter, bind
from wootzc.grammar.lower_body import BodyLowering, Draft, TooLarge, Use, settle_bias
from wootzc.grammar.names import nearest
from wootzc.grammar.operators import BUILT_IN
from wootzc.grammar.report import Report
from wootzc.grammar.values import Scope, Value, number_of
from wootzc.ir.cost import network_cost
from wootzc.ir.layers import Body
from wootzc.ir.limits import MAX_COST, MAX_LAYERS, MAX_MODULES, MAX_SIDE
from wootzc.ir.network import Auxiliary, Module, Network, Plain, Segment
from wootzc.ir.shapes import Shape, shape_after_body, shape_text

_RESERVED = "plain"  # plain1, plain2, … are the layers outside of modules


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
        self.segments.append(Plain(name=f"{_RESERVED}{self.plain}", body=body, span=body[0].span))


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
            f"it may have at most {MAX_LAYERS:,} layers, and 32 branches within branches",
        )  # fmt: skip
        return None
    finally:
        lowering.use = None
        lowering.depth = 0
    if shape is None or entering is None:
        return None
    _check_auxiliaries(made.auxiliaries, made.segments, entering, shape, lowering)
    if lowering.report.errors > errors:
        return None
    network = Network(
        name=definition.name.text,
        input=entering,
        segments=tuple(made.segments),
        auxiliaries=tuple(made.auxiliaries),
        span=definition.name.span,
    )
    if max(network_cost(network)) > MAX_COST:
        lowering.report.error(
            definition.name.span, "WZ025",
            f"network `{network.name}` has more parameters or MACs than can be counted",
            "look for a width or an input size with a digit too many",
        )  # fmt: skip
        return None
    return network


def named(definition: syntax.NetworkDefinition, lowering: BodyLowering) -> Network | None:
    """A network of empty modules, for what asks for their names only; None if they are unknown."""
    statements = [s for s in definition.body.statements if not _is_input(s)]
    errors = lowering.report.errors
    try:
        names = _Names(statements, lowering)
    except TooLarge:
        return None
    if lowering.report.errors > errors or any(map(names.unknown, statements)):
        return None
    return Network(
        name=definition.name.text,
        input=(1,),
        segments=tuple(Module(name=n, body=()) for s in statements for n, _ in names.of(s)),
        span=definition.name.span,
    )


def _segments(
    definition: syntax.NetworkDefinition, lowering: BodyLowering, scope: Scope
) -> tuple[_Segments, Shape | None, Shape | None]:
    """Segments, the shape that leaves the last and the one that enters the first."""
    statements = definition.body.statements
    entering = shape = _read_input(definition, lowering, scope)
    has_input = bool(statements) and _is_input(statements[0])
    rest = statements[1:] if has_input else statements
    names = _Names(rest, lowering)
    made = _Segments()
    for statement in rest:
        if isinstance(statement, syntax.Auxiliary):
            _auxiliary(statement, made, lowering, scope, shape)
            continue
        use = names.of(statement)
        if not use:
            if isinstance(statement, syntax.Call):  # a target was dealt with by `_Names`
                statement = replace(statement, target=None)
            drafts, shape = lowering.statement(statement, scope, shape)
            made.waiting += drafts
            continue
        for name, span in use:
            lowering.use = Use(name, span)
            drafts, shape = _module_body(statement, lowering, scope, shape)
            made.module(name, settle_bias(drafts), _definition_of(statement), span)
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


def _check_auxiliaries(
    auxiliaries: list[Auxiliary],
    segments: list[Segment],
    entering: Shape,
    leaving: Shape,
    lowering: BodyLowering,
) -> None:
    """A head ends in one score per class, as the network does."""
    for head in auxiliaries:
        shape = entering
        for segment in segments[: head.after + 1]:
            shape = shape_after_body(segment.body, shape)
        if (after := shape_after_body(head.body, shape)) != leaving:
            lowering.report.error(
                head.span, "WZ038",
                f"an auxiliary head ends in {shape_text(after)}, but the network in "
                f"{shape_text(leaving)}",
                "end both with a dense layer of one score per class",
            )  # fmt: skip
        if any(segment.name == head.name for segment in segments):
            lowering.report.error(
                head.span, "WZ021", f"this head is called `{head.name}`, but so is a module",
                "give the module another name",
            )  # fmt: skip


def _module_body(
    statement: syntax.Statement, lowering: BodyLowering, scope: Scope, shape: Shape | None
) -> tuple[list[Draft], Shape | None]:
    if isinstance(statement, syntax.InlineModule):
        drafts, shape = lowering.block(statement.body, scope, shape)
        kind = "module `" + statement.name.text + "`"
    else:
        assert isinstance(statement, syntax.Call)
        if statement.name.text not in lowering.modules:
            lowering.unknown(statement.name)
            return [], None
        drafts, shape = lowering.module(statement, scope, shape)
        kind = "module `" + statement.name.text + "`"
    if shape is not None and not drafts:
        lowering.report.error(
            statement.span, "WZ033", f"{kind} has no layers", "give it layers, or leave it out"
        )
        return [], None
    return drafts, shape


def _definition_of(statement: syntax.Statement) -> str:
    return statement.name.text if isinstance(statement, syntax.Call) else ""


def _is_input(statement: syntax.Statement) -> bool:
    return isinstance(statement, syntax.Call) and statement.name.text == "input"


def _read_input(
    definition: syntax.NetworkDefinition, lowering: BodyLowering, scope: Scope
) -> Shape | None:
    statements = definition.body.statements
    first = statements[0] if statements else None
    broken = f"network {definition.name.text}" in lowering.broken  # its shapes would mislead
    if isinstance(first, syntax.Call) and first.name.text == "input":
        if _check_sizes(first.arguments or (), lowering.report):
            return None
        values = bind(first.name, INPUT, first.arguments, scope, lowering.report)
        if values is not None and first.arguments:
            _check_order(values["shape"], first.arguments[0].value, lowering.report)
        return None if values is None or broken else values["shape"]
    if not broken and not any(map(_is_input, statements)):
        lowering.report.error(
            definition.name.span, "WZ031",
            f"network `{definition.name.text}` does not begin with its input",
            "let it begin with: input(32x32x3)   // height x width x channels",
        )  # fmt: skip
    return None


def _check_sizes(arguments: Sequence[syntax.Argument], report: Report) -> bool:
    """Report sizes of an input that are written `32, 32, 3`, `32*32*3` or without channels."""
    values = [argument.value for argument in arguments]
    numbers = _factors(values[0]) if len(values) == 1 else values
    if not numbers or not all(isinstance(number, syntax.Number) for number in numbers):
        return False
    texts = [number.text for number in numbers if isinstance(number, syntax.Number)]
    if len(texts) not in (2, 3):
        return False
    span = Span(values[0].span.file, values[0].span.start, values[-1].span.end)
    report.error(
        span, "WZ014", "the sizes of an input are written with an x",
        write("x".join([*texts, *["3"] * (3 - len(texts))]), ": height x width x channels"),
    )  # fmt: skip
    return True


def _factors(expression: syntax.Expression) -> list[syntax.Expression]:
    """The factors of a product of several; none where it is no product."""
    match expression:
        case syntax.Binary(operator="*", left=left, right=right):
            return [*(_factors(left) or [left]), right]
        case _:
            return []


def _check_order(shape: Shape, written: syntax.Expression, report: Report) -> None:
    """Warn of an input that looks like channels x height x width."""
    if len(shape) != 3:
        return
    channels, height, width = shape
    if channels in (1, 3, 4) and width > 4 and (height == width or channels > 1 < height // 8):
        report.warn(
            written.span, "WZ221",
            f"{shape_text(shape)} is an image of {width} channels, {channels} pixels high: it "
            "looks like channels first",
            write(
                shape_text((height, width, channels)),
                ": an input is height x width x channels",
            ),
        )  # fmt: skip


class _Names:
    """The names of a network's modules: given with `as`, or the definition's with a number."""

    def __init__(self, statements: Iterable[syntax.Statement], lowering: BodyLowering):
        self.lowering = lowering
        self.explicit: dict[str, Span] = {}
        self.numbers: dict[str, int] = {}
        self.named: dict[int, list[tuple[str, Span]]] = {}
        for statement in statements:
            given = list(self._given(statement))
            self.named[id(statement)] = [
                (name, span) for name, span in given if self._accept(name, span)
            ]
        if len(self.explicit) > MAX_MODULES:
            raise TooLarge

    def of(self, statement: syntax.Statement) -> list[tuple[str, Span]]:
        """Names and spans of the modules a statement makes; empty for plain layers."""
        given = self.named[id(statement)]
        if given or not isinstance(statement, syntax.Call):
            return given
        if statement.name.text not in self.lowering.modules:
            return []
        base = statement.name.text
        number = self.numbers.get(base, 0) + 1
        while f"{base}{number}" in self.explicit:
            number += 1
        self.numbers[base] = number
        return [(f"{base}{number}", statement.span)]

    def unknown(self, statement: syntax.Statement) -> bool:
        """Whether a statement may make modules whose names can't be told."""
        if not isinstance(statement, syntax.Call) or statement.target is not None:
            return False
        name = statement.name.text
        known = {*BUILT_IN, *self.lowering.modules}
        return name not in known and nearest(name, known) not in BUILT_IN

    def _given(self, statement: syntax.Statement) -> Iterator[tuple[str, Span]]:
        match statement:
            case syntax.InlineModule(name=name):
                yield name.text, name.span
            case syntax.Call(name=called, target=syntax.Target() as target):
                dots = "(…)" if statement.arguments else ""
                if called.text not in self.lowering.modules and called.text in BUILT_IN:
                    self.lowering.report.error(
                        target.span, "WZ020",
                        f"`{called.text}` is a layer; `as` names modules",
                        f"wrap it: module {target.name.text} {{ {called.text}{dots} }}",
                    )  # fmt: skip
                else:  # a layer that there is not was to be a module
                    yield from self._targets(target)
            case _:
                return

    def _targets(self, target: syntax.Target) -> Iterator[tuple[str, Span]]:
        if target.numbers is None:
            yield target.name.text, target.name.span
            return
        numbers = number_range(target.numbers, "WZ019", self.lowering.report)
        if numbers is None:
            return
        base = target.name.text
        if base[-1].isdigit():
            base = base.rstrip("0123456789")
            made = f"{target.name.text}{numbers.start}"
            self.lowering.report.error(
                target.span, "WZ225",
                f"this makes `{made}` and not `{base}{numbers.start}`: a range adds its numbers to "
                "the whole name",
                write(f"{base}[{numbers.start}..{numbers.stop - 1}]"),
            )  # fmt: skip
        if (count := numbers.stop - numbers.start) > MAX_MODULES:
            self.lowering.report.error(
                target.numbers.span, "WZ019",
                f"{count:,} modules are too many; a network has at most {MAX_MODULES:,}",
            )  # fmt: skip
            return
        for number in numbers:
            yield f"{base}{number}", target.span

    def _accept(self, name: str, span: Span) -> bool:
        report = self.lowering.report
        if name in self.explicit:
            report.error(
                span, "WZ021", f"there are two modules `{name}` in this network",
                "every module needs a name of its own; `as a[1..3]` gives a1, a2, a3",
            )  # fmt: skip
            return False
        if name.startswith(_RESERVED) and name[len(_RESERVED) :].isdigit():
            report.error(
                span, "WZ017", f"`{name}` is the name of the layers between modules",
                "choose a name other than plain1, plain2, …",
            )  # fmt: skip
        self.explicit[name] = span
        return True


def number_range(numbers: syntax.NumberSpan, code: str, report: Report) -> range | None:
    """The whole numbers of `[1..3]`, or those it must have meant; None after an error."""
    texts = numbers.first.text, numbers.last.text
    first, last = (number_of(text.lstrip(".")) for text in texts)
    if not isinstance(first, int) or not isinstance(last, int) or last < first:
        backwards = isinstance(first, int) and isinstance(last, int)
        report.error(
            numbers.span, code, "a range goes from a whole number to one that is not smaller",
            write(f"[{last}..{first}]") if backwards else "as in `a[1..3]`, for a1, a2 and a3",
        )  # fmt: skip
        return None
    if texts[1].startswith("."):
        report.error(
            numbers.span, code, "a range is written with two dots",
            write(f"[{first}..{last}]", safe=True),
        )  # fmt: skip
    return range(first, last + 1)
