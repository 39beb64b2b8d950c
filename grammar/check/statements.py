"""The statements of a space: which there are, and what may be said only once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.check.meanings import STATEMENTS
from wootzc.grammar.check.report import Report

KEYWORDS = tuple(STATEMENTS)  # how statements begin

# How each of them is written.
FORMS = {
    "data": 'data "digits.npz"', "augment": "augment { flip; crop(4) }",
    "teacher": "teacher { epochs 30 }", "pretrain": "pretrain { steps 200 }",
    "finetune": "finetune { epochs 3 }", "polish": "polish { epochs 6 }",
    "rates": "rates { 0, 30%, 50% }", "prune": "prune a*, b* by l1",
    "narrow": "narrow t* rates { 0, 25%, 50% }", "skip": "skip b2, b3",
    "keep": "keep a1",
    "multiple": "multiple of 8", "tie": "tie b2, b3",
    "where": "where macs <= 80%`, or `where nondecreasing(a1..b3)",
    "all": "all", "sample": "sample 500 seed 1",
    "configs": "configs { [0, 30%] [50%, 50%] }",
    "propose": "propose 500", "minimize": "minimize params", "maximize": "maximize accuracy",
    "subject": "subject to accuracy >= teacher - 1 points", "blocks": "blocks modules",
    "explore": "explore predicted", "certify": "certify 95%", "until": "until saving < 1%",
    "budget": "budget 30 minutes", "latency": "latency on onnxruntime { threads 1 }",
    "precision": "precision float32", "quantize": "quantize int8", "seed": "seed 1",
    "module": "module basic(width, stride = 1) { … }",
    "network": "network net { input(32x32x3); … }",
    "space": "space small over net { … }", "include": 'include "parts.wz"',
}  # fmt: skip

SECONDS = {"second": 1, "seconds": 1, "minute": 60, "minutes": 60, "hour": 3600, "hours": 3600}
BUDGET_UNITS = ("candidate", "candidates", *SECONDS)

Node = TypeVar("Node", bound=syntax.SpaceStatement)

# Of these a space may have several.
ADDING = (
    syntax.Prune | syntax.Narrow | syntax.Skip | syntax.Keep | syntax.Tie | syntax.WhereOrder
    | syntax.WhereCost | syntax.Subject
)  # fmt: skip


def keyword_of(statement: syntax.SpaceStatement) -> str:
    """How the statement begins in the source."""
    match statement:
        case syntax.Stage(name=name):
            return name
        case syntax.Choice(setting=setting):
            return setting
        case syntax.Goal(direction=direction):
            return direction
        case syntax.WhereOrder() | syntax.WhereCost():
            return "where"
        case syntax.Subject():
            return "subject"
        case _:
            return type(statement).__name__.lower()


def kind_of_budget(budget: syntax.Budget) -> Literal["candidates", "time"] | None:
    """By its unit; None where it has none, or an unknown one."""
    if budget.unit is None or budget.unit.text not in BUDGET_UNITS:
        return None
    return "time" if budget.unit.text in SECONDS else "candidates"


def topic(statement: syntax.SpaceStatement) -> str:
    """What a statement says of its space: one of the same topic takes its place."""
    match statement:
        case syntax.All() | syntax.Sample() | syntax.Configs() | syntax.Propose():
            return "says which candidates to try"
        case syntax.Goal():
            return "says what is best"
        case syntax.Budget():
            return f"has a budget of {kind_of_budget(statement)}"
        case (
            syntax.Subject(metric=about)
            | syntax.WhereCost(metric=about)
            | syntax.WhereOrder(relation=about)
        ):
            return f"{type(statement).__name__} {about.text}"
        case _:
            return f"has `{keyword_of(statement)}`"


@dataclass(kw_only=True)
class Statements:
    """The statements of a space by kind; repetitions have been reported and dropped."""

    kept: Sequence[syntax.SpaceStatement]

    def all(self, kind: type[Node]) -> list[Node]:
        return [s for s in self.kept if isinstance(s, kind)]

    def one(self, kind: type[Node]) -> Node | None:
        return next(iter(self.all(kind)), None)

    def stage(self, name: str) -> syntax.Stage | None:
        return next((s for s in self.all(syntax.Stage) if s.name == name), None)

    def choice(self, setting: str) -> syntax.Name | None:
        return next((s.value for s in self.all(syntax.Choice) if s.setting == setting), None)


def statements_of(definition: syntax.SpaceDefinition, report: Report) -> Statements:
    """The space's statements. Reports those that set again what another has set (WZ045)."""
    seen: dict[str, Span] = {}
    kept: list[syntax.SpaceStatement] = []
    for statement in definition.statements:
        said = topic(statement)
        if said in seen:
            report.error(
                statement.span, "WZ045", f"line {report.line(seen[said])} already {said}",
                "keep one of the two statements",
            )  # fmt: skip
            continue
        unknown = isinstance(statement, syntax.Budget) and kind_of_budget(statement) is None
        if not unknown and not isinstance(statement, ADDING):
            seen[said] = statement.span
        kept.append(statement)
    return Statements(kept=kept)
