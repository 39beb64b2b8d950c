"""Bodies: statements → layers, with the shape followed through every one of them.

Module calls are inlined here. A shape of None means that it is not known: an error was reported,
or a module is checked by itself, for its names only. Then calls are still checked, but no layers
made, so that one mistake does not cause ten messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from wootzc.diagnostics import Advice, Span
from wootzc.grammar import syntax
from wootzc.grammar.arguments import ANY, REQUIRED, Parameter, bind
from wootzc.grammar.arms import mismatch
from wootzc.grammar.names import meant, nearest
from wootzc.grammar.operators import ALIASES, BUILT_IN, JOINS, OPERATORS, SHORTCUT
from wootzc.grammar.report import Report
from wootzc.grammar.values import Scope, evaluate
from wootzc.ir.layers import Body, Branch, Conv, DepthwiseConv, Layer, Norm
from wootzc.ir.limits import MAX_LAYERS
from wootzc.ir.shapes import Shape, ShapeError, shape_after

MAX_BRANCHES = 32  # branches within branches


class Draft(NamedTuple):
    """A layer; with `auto_bias` it has a bias unless a norm directly follows."""

    layer: Layer
    auto_bias: bool = False


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

    `incomplete`: definitions may be missing from `modules`, so unknown names may be known.
    """

    report: Report
    modules: Mapping[str, syntax.ModuleDefinition]
    broken: frozenset[str]
    incomplete: bool = False
    used: set[str] = field(default_factory=set)
    use: Use | None = None
    layers: int = 0
    depth: int = 0

    def block(self, block: syntax.Block, scope: Scope, shape: Shape | None) -> Lowered:
        drafts: list[Draft] = []
        for statement in block.statements:
            made, shape = self.statement(statement, scope, shape)
            drafts += made
        return drafts, shape

    def statement(self, statement: syntax.Statement, scope: Scope, shape: Shape | None) -> Lowered:
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
                        "leave `as …` out, or move the call to the top of the network",
                    )  # fmt: skip
                if name.text in self.modules:
                    return self.module(statement, scope, shape)
                return self.layer(statement, scope, shape)

    # layers

    def layer(self, call: syntax.Call, scope: Scope, shape: Shape | None) -> Lowered:
        operator = OPERATORS.get(call.name.text)
        if operator is None:
            if call.name.text == "shortcut":
                return self.shortcut(call, scope, shape)
            self.unknown(call.name)
            return [], None
        values = bind(
            call.name, operator.parameters, call.arguments, scope, self.report, self.note()
        )
        if values is None or shape is None:
            return [], None
        auto = "bias" in values and values["bias"] is None
        if auto:
            values = {**values, "bias": True}
        layer: Any = operator.make(**values, span=call.span)
        return self.follow([Draft(layer, auto)], shape, call.name.text)

    def shortcut(self, call: syntax.Call, scope: Scope, shape: Shape | None) -> Lowered:
        values = bind(call.name, SHORTCUT, call.arguments, scope, self.report, self.note())
        if values is None or shape is None:
            return [], None
        width, stride = values["width"], values["stride"]
        if shape[-1] == width and stride == (1, 1):
            return [], shape
        conv = Conv(width=width, kernel=(1, 1), stride=stride, span=call.span)
        return self.follow([Draft(conv), Draft(Norm(span=call.span))], shape, "shortcut")

    def follow(self, drafts: list[Draft], shape: Shape, name: str) -> Lowered:
        """The shape after new layers; a layer that does not fit is reported."""
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
                    _shape_help(error, name, draft.layer.span),
                )
                return [], None
        return drafts, shape

    # branches

    def branches(self, branch: syntax.Branches, scope: Scope, shape: Shape | None) -> Lowered:
        name = branch.name
        if self.report.has_hole(branch.span) or not self.is_branch(branch):
            for arm in branch.arms:
                self.block(arm, scope, None)
            return [], None
        self.depth += 1
        if self.depth > MAX_BRANCHES:
            raise TooLarge
        arms: list[Body] = []
        ends: list[Shape] = []
        good = shape is not None
        for arm in branch.arms:
            drafts, after = self.block(arm, scope, shape)
            good = good and after is not None
            arms.append(settle_bias(drafts))
            ends += [after] if after is not None else []
        self.depth -= 1
        if not good or shape is None:
            return [], None
        join: Any = name.text
        layer = Branch(join=join, arms=tuple(arms), span=name.span)
        try:
            shape_after(layer, shape)
        except ShapeError:
            if (found := mismatch(branch, ends, shape)) is not None:
                message = f"{found.message}{self.note()}"
                self.report.error(found.span, "WZ030", message, found.help)
                return [], None
        return self.follow([Draft(layer)], shape, name.text)

    def is_branch(self, branch: syntax.Branches) -> bool:
        """Whether its name, arguments and number of arms are those of a branch."""
        name = branch.name
        if name.text not in JOINS:
            known = name.text in BUILT_IN or name.text in self.modules
            near = ALIASES.get(name.text) or nearest(name.text, JOINS)
            self.report.error(
                name.span, "WZ027" if known else "WZ010",
                f"`{name.text}` takes no arms in braces" if known
                else f"there is no branch `{name.text}`",
                meant(near) if near in JOINS and not known
                else "arms belong to add, concat and scale",
            )  # fmt: skip
            return False
        if branch.arguments:
            self.report.error(
                name.span, "WZ013", f"`{name.text}` takes no arguments",
                f"as in `{name.text} {{ {{ … }} {{ … }} }}`",
            )  # fmt: skip
        least = 2
        if len(branch.arms) < least or (name.text == "scale" and len(branch.arms) != least):
            wanted = "exactly two arms" if name.text == "scale" else "at least two arms"
            self.report.error(
                name.span, "WZ027", f"`{name.text}` needs {wanted}, not {len(branch.arms)}",
                "an arm is layers in braces; `{ }` passes its input on",
            )  # fmt: skip
            return False
        return True

    # modules

    def module(self, call: syntax.Call, scope: Scope, shape: Shape | None) -> Lowered:
        """The layers of a module that is called inside a body: it is written out in place."""
        definition = self.modules[call.name.text]
        self.used.add(call.name.text)
        inner = self.bind_module(definition, call, scope)
        if inner is None or shape is None or call.name.text in self.broken:
            return [], None
        return self.block(definition.body, inner, shape)

    def bind_module(
        self, definition: syntax.ModuleDefinition, call: syntax.Call, scope: Scope
    ) -> Scope | None:
        """The parameters of a module at one call; None after an error or where one is unknown."""
        parameters = self.parameters(definition.parameters)
        return bind(call.name, parameters, call.arguments, scope, self.report, self.note())

    def parameters(self, given: tuple[syntax.Parameter, ...]) -> tuple[Parameter, ...]:
        ordered = sorted(given, key=lambda parameter: parameter.default is not None)
        return tuple(Parameter(p.name.text, ANY, self.default(p)) for p in ordered)

    def default(self, parameter: syntax.Parameter) -> Any:
        if parameter.default is None:
            return REQUIRED
        value = evaluate(parameter.default, {}, self.report)
        return 1 if value is None else value  # where None, an error was reported

    # messages

    def note(self) -> str:
        if self.use is None:
            return ""
        return f" (in module `{self.use.name}`, made in line {self.report.line(self.use.span)})"

    def unknown(self, name: syntax.Name) -> None:
        known = [*BUILT_IN, *self.modules]
        near = ALIASES.get(name.text.lower()) or nearest(name.text, known)
        if name.text.lower() in _NEEDLESS:
            self.report.error(
                name.span, "WZ010", f"there is no layer `{name.text}`",
                Advice(f"remove it: {_NEEDLESS[name.text.lower()]}", ""),
            )  # fmt: skip
        elif name.text == "input":
            self.report.error(
                name.span, "WZ031", "`input` stands once, as the first statement of a network",
                "move it to the top of its network; into a module goes what leaves the one before",
            )  # fmt: skip
        elif name.text in JOINS:
            self.report.error(
                name.span, "WZ027", f"`{name.text}` needs arms in braces",
                f"as in `{name.text} {{ {{ … }} {{ … }} }}`; `{{ }}` passes its input on",
            )  # fmt: skip
        elif near is not None or not self.incomplete:
            if near is not None:  # so that what was meant is not called unused
                self.used.add(near)
            self.report.error(
                name.span, "WZ010", f"there is no layer or module `{name.text}`",
                meant(near) if near
                else f"define it: module {name.text}() {{ … }}; docs/language.md lists the layers",
            )  # fmt: skip


# What other tools have as layers, and why it is none here.
_NEEDLESS = {
    "softmax": "a network ends in scores, and the loss does the rest",
    "log_softmax": "a network ends in scores, and the loss does the rest",
    "identity": "an empty arm, `{ }`, passes its input on",
    "pass": "an empty arm, `{ }`, passes its input on",
    "return": "what the last layer gives is what leaves",
    "output": "what the last layer gives is what leaves",
}


def settle_bias(drafts: list[Draft]) -> Body:
    """The layers, each with its bias decided: none where a norm directly follows."""
    layers: list[Layer] = []
    for index, (layer, auto) in enumerate(drafts):
        follower = drafts[index + 1].layer if index + 1 < len(drafts) else None
        if auto and isinstance(layer, Conv | DepthwiseConv):
            layer = replace(layer, bias=not isinstance(follower, Norm))
        layers.append(layer)
    return tuple(layers)


def _shape_help(error: ShapeError, name: str, span: Span) -> str | None:
    text = str(error)
    if name == "add":
        return "bring the arms to one shape, as in { shortcut(width, stride = stride) }"
    if "vector enters" in text:
        return "it stands after global_pool, flatten or dense; move it before them"
    if "put global_pool" in text:
        return Advice(
            "write `global_pool` before it, which averages each channel, or `flatten`, which keeps "
            "every pixel", "global_pool; ", at=Span(span.file, span.start, span.start),
        )  # fmt: skip
    if "groups" in text:
        return "choose a number of groups that divides both numbers of channels"
    if "window" in text:
        return "use a smaller window, padding = same, or fewer strides before it"
    return None
