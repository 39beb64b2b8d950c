"""What the modules of a network are called: `basic(16) as a[1..3]`."""

from collections.abc import Iterable, Iterator

from wootzc.diagnostics import Advice, Span, write
from wootzc.grammar import syntax
from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Scope, number_of
from wootzc.grammar.lower.body import BodyLowering, TooLarge
from wootzc.grammar.syntax.near_misses import did_you_mean, nearest
from wootzc.ir.layers.maxima import MAX_MODULES
from wootzc.ir.net.network import Module, Network

RESERVED = "plain"  # plain1, plain2, … are the layers outside of modules


def named(definition: syntax.NetworkDefinition, lowering: BodyLowering) -> Network | None:
    """A network of empty modules, for what asks for their names only; None if they are unknown."""
    statements = [s for s in definition.body.statements if not is_input(s)]
    try:
        names = ModuleNames(statements, lowering)
    except TooLarge:
        return None
    if names.lost or names.clashing or any(map(names.unknown, statements)):
        return None
    return Network(
        name=definition.name.text,
        input=(1,),
        segments=tuple(Module(name=n, body=()) for s in statements for n, _ in names.of(s)),
        span=definition.name.span,
    )


def is_input(statement: syntax.Statement) -> bool:
    return isinstance(statement, syntax.Call) and statement.name.text == "input"


class ModuleNames:
    """The names of a network's modules: given with `as`, or the definition's with a number."""

    def __init__(self, statements: Iterable[syntax.Statement], lowering: BodyLowering):
        self.lowering = lowering
        self.explicit: dict[str, Span] = {}
        self.numbers: dict[str, int] = {}
        self.named: dict[int, list[tuple[str, Span]]] = {}
        self.clashing: set[int] = set()  # statements, some of whose names others have
        self.lost = False  # a mistake leaves open what some are called
        for statement in statements:
            given = list(self._given(statement))
            accepted = [(name, span) for name, span in given if self._accept(name, span)]
            self.named[id(statement)] = accepted
            if len(accepted) < len(given):
                self.clashing.add(id(statement))
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
                if called.text not in self.lowering.modules and called.text in BUILT_IN:
                    self.lowering.report.error(
                        target.span, "WZ020",
                        f"`{called.text}` is a layer; `as` names modules",
                        _wrapped(statement, target, self.lowering.report),
                    )  # fmt: skip
                    self.lost = True
                else:  # a layer that there is not was to be a module
                    yield from self._targets(target)
            case _:
                return

    def _targets(self, target: syntax.Target) -> Iterator[tuple[str, Span]]:
        if target.numbers is None:
            yield target.name.text, target.name.span
            return
        numbers = number_range(
            target.numbers, "WZ019", self.lowering.report, self.lowering.constants
        )
        if numbers is None:
            self.lost = True
            return
        base = target.name.text
        if base[-1].isdigit():
            base = base.rstrip("0123456789")  # go on with what was meant
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
            self.lost = True
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
        if name.startswith(RESERVED) and name[len(RESERVED) :].isdigit():
            report.error(
                span, "WZ017", f"`{name}` is the name of the layers between modules",
                "choose a name other than plain1, plain2, …",
            )  # fmt: skip
            self.lost = True
        self.explicit[name] = span
        return True


def number_range(
    numbers: syntax.NumberSpan, code: str, report: Report, constants: Scope | None = None
) -> range | None:
    """The whole numbers of `[1..3]`, or those it must have meant; None where these are unknown."""
    texts = numbers.first.text, numbers.last.text
    known = constants or {}
    for number in (numbers.first, numbers.last):
        if number.text[0].isidentifier() and number.text not in known:
            report.error(
                number.span, "WZ315",
                f"`{number.text}` is no number, and there is no constant of that name",
                did_you_mean(number.text, known, "as in `a[1..3]`, for a1, a2 and a3"),
            )  # fmt: skip
            return None
    first, last = (
        known[text] if text[0].isidentifier() else number_of(text.lstrip(".")) for text in texts
    )
    if not isinstance(first, int) or not isinstance(last, int) or last < first:
        backwards = isinstance(first, int) and isinstance(last, int)
        report.error(
            numbers.span, code, "a range goes from a whole number to one that is not smaller",
            write(f"[{last}..{first}]") if backwards else "as in `a[1..3]`, for a1, a2 and a3",
        )  # fmt: skip
        return range(last, first + 1) if isinstance(first, int) and isinstance(last, int) else None
    if texts[1].startswith("."):
        report.error(
            numbers.span, code, "a range is written with two dots",
            write(f"[{first}..{last}]", safe=True),
        )  # fmt: skip
    return range(first, last + 1)


def _wrapped(statement: syntax.Call, target: syntax.Target, report: Report) -> str:
    """Advice on `conv(3x3, 16) as a`."""
    span = statement.span
    called = report.sources.get(span.file, "")[span.start : target.span.start].split()[:-1]
    module = f"module {target.name.text} {{ {' '.join(called)} }}"
    return Advice(f"wrap it: {module}", module, at=span)
