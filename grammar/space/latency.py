"""`latency on …`: what latency is measured on."""

from typing import Any

from wootzc.diagnostics import write
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import COUNT, Kind
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Value
from wootzc.grammar.lower.data import read_flags
from wootzc.grammar.syntax.near_misses import did_you_mean, meant
from wootzc.ir.space import OnCommand, OnRuntime, Target

TARGETS = ("onnxruntime", "command")
PLACE = "{model}"  # in a command


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise ValueError


SETTINGS: dict[str, Kind] = {
    "batch": COUNT,
    "threads": COUNT,
    "provider": Kind('the name of a provider, such as "CPUExecutionProvider"', _text),
}
_ALIASES = {"images": "batch {}", "batch_size": "batch {}", "cores": "threads {}",
            "device": "provider {}", "execution_provider": "provider {}"}  # fmt: skip
_RUNTIMES = ("cpu", "gpu", "ort", "onnx", "host", "local")


def read_target(statement: syntax.Latency | None, report: Report) -> Target:
    """onnxruntime on one thread where nothing is said."""
    if statement is None:
        return OnRuntime()
    match statement.target.text:
        case "onnxruntime":
            return _runtime(statement, report)
        case "command":
            return _command(statement, report)
        case other:
            report.error(
                statement.target.span, "WZ308", f"latency is not measured on `{other}`",
                meant("onnxruntime") if other.lower() in _RUNTIMES
                else did_you_mean(
                    other, TARGETS, "there are onnxruntime, and command for all others"
                ),
            )  # fmt: skip
            return OnRuntime()


def _runtime(statement: syntax.Latency, report: Report) -> OnRuntime:
    if statement.command is not None:
        report.error(
            statement.command.span, "WZ308", "onnxruntime runs in wootzc itself",
            write(f'latency on command "{statement.command.value} {PLACE}"', at=statement.span),
        )  # fmt: skip
    values: dict[str, Any] = read_flags(statement.settings, SETTINGS, "latency", report, _ALIASES)
    return OnRuntime(**values)


def _command(statement: syntax.Latency, report: Report) -> Target:
    if statement.settings is not None:
        report.error(
            statement.settings.span, "WZ308", "a command has no settings",
            "what it measures is its own: write what it needs into the command",
        )  # fmt: skip
    if statement.command is None or PLACE not in statement.command.value:
        place = statement.command.span if statement.command else statement.span
        report.error(
            place, "WZ308", f"a command names the file to measure as {PLACE}",
            'as in `latency on command "./measure.sh {model}"`, which prints milliseconds',
        )  # fmt: skip
        return OnRuntime()
    return OnCommand(command=statement.command.value)
