"""Bodies: statements → layers, with the shape followed through every one of them.

Module calls are inlined here. A shape of None means that it is not known: an error was reported,
or a module is checked by itself, for its names only. Then calls are still checked, but no layers
made, so that one mistake does not cause ten messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from wootzc.diagnostics import Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import ANY, REQUIRED, Parameter, bind
from wootzc.grammar.check.arms import is_branch, is_fitting, mismatch
from wootzc.grammar.check.calls import (
    in_order,
    known_words,
    report_unknown,
    shape_help,
)
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.elsewhere import habit_of
from wootzc.grammar.check.operators import (
    BUILT_IN,
    CLASSES,
    FITTING,
    OPERATORS,
    SHORTCUT,
)
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Scope, Value, at_shape, evaluate, value_text
from wootzc.grammar.lower.layers import Draft, settle, settle_bias, written_out
from wootzc.grammar.syntax.near_misses import meant, nearest
from wootzc.ir.layers import Branch, Conv, Norm
from wootzc.ir.layers.maxima import MAX_LAYERS
from wootzc.ir.layers.shapes import Shape, ShapeError, shape_after

MAX_BRANCHES = 32  # branches within branches
MAX_CALLS = 100  # modules within modules


class Use(NamedTuple):
    """Which module of a network is being made, for messages about its inside."""

    name: str
    span: Span


class TooLarge(Exception):
    """A network of more layers than anyone means."""


Lowered = tuple[list[Draft], Shape | None]


@dataclass(kw_only=True)
class BodyLowering:
    """`modules`: all definitions. `broken`: those whose errors have been reported already.
    `constants`: those of the file, which every body may use.

    `incomplete`: definitions may be missing from `modules`, so unknown names may be known.
    """

    report: Report
    modules: Mapping[str, syntax.ModuleDefinition]
    broken: frozenset[str]
    constants: Scope = field(default_factory=dict)
    networks: frozenset[str] = frozenset()  # names that are none of a layer
    incomplete: bool = False
    used: set[str] = field(default_factory=set)
    use: Use | None = None
    vector: Span | None = None  # the input of the network that is being made, where it is one
    layers: int = 0
    depth: int = 0
    calls: list[str] = field(default_factory=list)  # modules that are being written out

    def block(self, block: syntax.Block, scope: Scope, shape: Shape | None) -> Lowered:
        """Layers of statements between braces, one after the other."""
        drafts: list[Draft] = []
        for statement in block.statements:
            made, shape = self.statement(statement, scope, shape)
            drafts += made
        return drafts, shape

    def statement(self, statement: syntax.Statement, scope: Scope, shape: Shape | None) -> Lowered:
        """Layers of one statement, and the shape behind them: None where that cannot be known."""
        match statement:
            case syntax.Branches():
                return self.branches(statement, scope, shape)
            case syntax.InlineModule(name=name):
                self.report.error(
                    name.span, "WZ020", f"module `{name.text}` is defined inside another body",
                    "as in `module NAME { … }`, at the top of a network or of the file",
                )  # fmt: skip
                return [], None
            case syntax.Auxiliary(span=span):
                self.report.error(
                    span, "WZ037", "an auxiliary head stands in a network, between its modules",
                    "move it out of this body",
                )  # fmt: skip
                return [], None
            case syntax.Call(name=name, target=target):
                if target is not None:
                    self.report.error(
                        target.span, "WZ020",
                        "`as` names modules of a network; this call is inside another body",
                        remove(
                            target.span, self.report,
                            "leave `as …` out, or move the call to the top of the network",
                        ),
                    )  # fmt: skip
                if (layers := in_order(statement, self.modules)) is not None:
                    self.report.error(
                        statement.span, "WZ317",
                        "layers follow each other, and are no arguments of each other",
                        write("; ".join(layers)),
                    )  # fmt: skip
                    return [], None
                call = self.resolved(statement, scope)
                if call is None:
                    return [], None
                if call.name.text in self.modules:
                    return self.module(call, scope, shape)
                return self.layer(call, scope, shape)

    def resolved(self, call: syntax.Call, scope: Scope) -> syntax.Call | None:
        """The call with a parameter's value in the place of its name: `act`, which is `relu`.

        Layers and modules come first. None where the value is not known, or is none of them.
        """
        name = call.name
        if name.text in BUILT_IN or name.text in self.modules or name.text not in scope:
            return call
        value = scope[name.text]
        if isinstance(value, str) and (value in OPERATORS or value in self.modules):
            return replace(call, name=replace(name, text=value))
        if value is not None:
            near = nearest(value, (*OPERATORS, *self.modules)) if isinstance(value, str) else None
            self.report.error(
                name.span, "WZ240",
                f"`{name.text}` is `{value_text(value)}` here, which is no layer or module"
                + self.note(),
                meant(near) if near else f"give it the name of one: {name.text} = relu",
            )  # fmt: skip
        return None

    # layers

    def layer(self, call: syntax.Call, scope: Scope, shape: Shape | None) -> Lowered:
        """Layers of a call of an operator, with its arguments checked."""
        operator = OPERATORS.get(call.name.text)
        if operator is None:
            if call.name.text == "shortcut":
                return self.shortcut(call, scope, shape)
            if call.name.text == FITTING:
                self.report.error(
                    call.span, "WZ243", f"`{FITTING}` is an arm of `add` by itself",
                    write(FITTING, " without arguments") if call.arguments is not None
                    else f"as in `add {{ {{ … }} {{ {FITTING} }} }}`, with other arms beside it",
                )  # fmt: skip
                return [], None
            self.unknown(call)
            return [], None
        settled = written_out(operator.name, call.arguments)
        if settled is None:
            names = at_shape(scope, shape)
            values = bind(
                call.name, operator.parameters, call.arguments, names, self.report, self.note()
            )
            settled = None if values is None else settle(operator, values)
        if settled is None or shape is None:
            return [], None
        layer: Any = CLASSES[operator.name](**settled.fields, span=call.span)
        habit = habit_of(call, settled.fields, shape)
        made = self.follow(
            [Draft(layer, settled.auto_bias)], shape, call.name.text, habit and habit.help
        )
        if habit is not None and made[1] is not None:
            self.report.warn(call.span, habit.code, habit.message + self.note(), habit.help)
        return made

    def shortcut(self, call: syntax.Call, scope: Scope, shape: Shape | None) -> Lowered:
        """`shortcut(width)`: nothing, or a 1x1 convolution and a norm where shapes differ."""
        names = at_shape(scope, shape)
        values = bind(call.name, SHORTCUT, call.arguments, names, self.report, self.note())
        if values is None or shape is None:
            return [], None
        width, stride = values["width"], values["stride"]
        if shape[-1] == width and stride == (1, 1):
            return [], shape
        conv = Conv(width=width, kernel=(1, 1), stride=stride, span=call.span)
        return self.follow([Draft(conv), Draft(Norm(span=call.span))], shape, "shortcut")

    def follow(
        self, drafts: list[Draft], shape: Shape, name: str, help: str | None = None
    ) -> Lowered:
        """The shape after new layers; a layer that does not fit is reported, with `help` if any."""
        self.layers += len(drafts)
        if self.layers > MAX_LAYERS:
            raise TooLarge
        for draft in drafts:
            try:
                shape = shape_after(draft.layer, shape)
            except ShapeError as error:
                message = str(error).replace(type(draft.layer).__name__, f"`{name}`", 1)
                self.report.error(
                    draft.layer.span,
                    "WZ030",
                    message + self.note(),
                    help
                    or self.image_help(shape, first=self.layers == len(drafts))
                    or shape_help(error, name, draft.layer.span),
                )
                return [], None
        return drafts, shape

    def image_help(self, shape: Shape, *, first: bool) -> str | None:
        """Advice on `input(224)` before a layer that reads an image."""
        if self.vector is None or len(shape) != 1 or not first:
            return None
        side = shape[0]
        return write(
            f"input({side}x{side}x3)", ": height x width x channels; now a vector enters",
            at=self.vector,
        )  # fmt: skip

    # branches

    def branches(self, branch: syntax.Branches, scope: Scope, shape: Shape | None) -> Lowered:
        """An `add`, `concat` or `scale`, whose arms `shape` enters. Raises `TooLarge`."""
        name = branch.name
        if self.report.has_hole(branch.span) or not is_branch(branch, self.modules, self.report):
            for arm in branch.arms:
                self.block(arm, scope, None)
            return [], None
        self.depth += 1
        if self.depth > MAX_BRANCHES:
            raise TooLarge
        fitting = [arm for arm in branch.arms if name.text == "add" and is_fitting(arm)]
        if len(fitting) == len(branch.arms):
            fitting = []
        made = {id(arm): self.block(arm, scope, shape) for arm in branch.arms if arm not in fitting}
        self.depth -= 1
        leaving = {after for _, after in made.values()}
        if shape is None or None in leaving:
            return [], None
        if leaving == {shape}:
            made |= {id(arm): ([], shape) for arm in fitting}
        if len(made) == 1:
            return next(iter(made.values()))
        arms = [made[id(arm)] for arm in branch.arms if id(arm) in made]
        join: Any = name.text
        layer = Branch(
            join=join, arms=tuple(settle_bias(drafts) for drafts, _ in arms), span=name.span
        )
        try:
            shape_after(layer, shape)
        except ShapeError:
            ends = [after for _, after in arms if after is not None]
            if (found := mismatch(branch, ends, shape)) is not None:
                self.report.error(name.span, "WZ030", f"{found[0]}{self.note()}", found[1])
                return [], None
        return self.follow([Draft(layer)], shape, name.text)

    # modules

    def module(self, call: syntax.Call, scope: Scope, shape: Shape | None) -> Lowered:
        """The layers of a module that is called inside a body: it is written out in place."""
        definition = self.modules[call.name.text]
        self.used.add(call.name.text)
        inner = self.bound(call, definition.parameters, at_shape(scope, shape))
        if inner is None or shape is None or call.name.text in self.broken:
            return [], None
        if len(self.calls) == MAX_CALLS:
            if call.name.text not in self.calls:
                raise TooLarge
            self.report.error(
                call.name.span, "WZ018", f"module `{call.name.text}` contains itself without end",
                "a module is given to itself as a parameter: give it another, or a layer",
            )  # fmt: skip
            return [], None
        self.calls.append(call.name.text)
        drafts, after = self.block(definition.body, inner, shape)
        self.calls.pop()
        self.layers += not drafts  # or empty modules within modules would never end
        if self.layers > MAX_LAYERS:
            raise TooLarge
        return drafts, after

    def bound(
        self,
        call: syntax.Call | syntax.SpaceDefinition,
        parameters: tuple[syntax.Parameter, ...],
        scope: Scope,
    ) -> dict[str, Value | None] | None:
        """Constants, and parameters at one call; None where an argument is wrong or not known."""
        name = call.name if isinstance(call, syntax.Call) else call.network
        known = {*scope, *OPERATORS, *self.modules}
        if not self.incomplete and not known_words(call.arguments or (), known, self.report):
            return None
        required_first = sorted(parameters, key=lambda parameter: parameter.default is not None)
        kinds = tuple(Parameter(p.name.text, ANY, p.default or REQUIRED) for p in required_first)
        values = bind(name, kinds, call.arguments, scope, self.report, self.note())
        if values is None:
            return None
        given = {
            p.name.text: values[p.name.text]
            for p in parameters if values[p.name.text] is not p.default
        }  # fmt: skip
        outside = {"channels": scope["channels"]} if "channels" in scope else {}
        return self.scope(parameters, given, outside)

    def scope(
        self,
        parameters: tuple[syntax.Parameter, ...],
        given: Mapping[str, Value | None],
        outside: Scope,
    ) -> dict[str, Value | None]:
        """Constants, and parameters as they are given or by default, which may name those before.

        None stands for what is not known. `outside`: what defaults may name besides.
        """
        inner: dict[str, Value | None] = dict(self.constants)
        for parameter in parameters:
            name, default = parameter.name.text, parameter.default
            if name in given or default is None:
                inner[name] = given.get(name)
            else:
                inner[name] = evaluate(default, {**outside, **inner}, self.report)
        return inner

    # messages

    def note(self) -> str:
        if self.use is None:
            return ""
        return f" (in module `{self.use.name}`, made in line {self.report.line(self.use.span)})"

    def unknown(self, call: syntax.Call) -> None:
        meant = report_unknown(call, (*BUILT_IN, *self.modules), self.networks, self.incomplete,
                               self.report)  # fmt: skip
        if meant is not None:  # so that it is not called unused
            self.used.add(meant)
