"""`latency on …`: what latency is measured on; `from …`: as it was measured before."""

from pathlib import Path
from typing import Any

from wootzc.diagnostics import Advice, Span, write
from wootzc.files import damage, read_file
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import COUNT, Kind
from wootzc.grammar.check.edits import remove
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Value
from wootzc.grammar.lower.data import read_flags
from wootzc.grammar.lower.program import resolve
from wootzc.grammar.syntax.near_misses import did_you_mean, meant
from wootzc.ir.net.metrics import MEASURED
from wootzc.ir.space import OnCommand, OnJax, OnRuntime, Space, Target
from wootzc.ir.space.space_costs import goes_by, with_measured
from wootzc.ir.text.cost_file import FORMS, Misfit, read_costs

TARGETS = ("onnxruntime", "jax", "command")
PLACE = "{model}"  # in a command
MOST_BYTES = 1 << 26  # of a table


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
_PROVIDERS = {
    "cuda": "CUDAExecutionProvider", "gpu": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider", "trt": "TensorrtExecutionProvider",
    "coreml": "CoreMLExecutionProvider", "openvino": "OpenVINOExecutionProvider",
    "rocm": "ROCMExecutionProvider", "directml": "DmlExecutionProvider",
}  # fmt: skip
_RUNTIMES = ("cpu", "gpu", "ort", "onnx", "host", "local")


def read_target(statement: syntax.Latency | None, report: Report) -> Target:
    """onnxruntime on one thread where nothing is said."""
    if statement is None or statement.target is None:
        return OnRuntime()
    match statement.target.text:
        case "onnxruntime":
            return OnRuntime(**_settings(statement, SETTINGS, report))
        case "jax":
            return OnJax(**_settings(statement, {"batch": SETTINGS["batch"]}, report))
        case "command":
            return _command(statement, report)
        case other:
            report.error(
                statement.target.span, "WZ308", f"latency is not measured on `{other}`",
                write(
                    f'onnxruntime {{ provider "{_PROVIDERS[other.lower()]}" }}',
                    ", if this onnxruntime has it",
                ) if other.lower() in _PROVIDERS and statement.settings is None
                else meant("onnxruntime") if other.lower() in _RUNTIMES
                else did_you_mean(
                    other, TARGETS, "there are onnxruntime, jax, and command for all others"
                ),
            )  # fmt: skip
            return OnRuntime()


def with_table(
    space: Space, statement: syntax.Latency | None, block: Span, report: Report
) -> Space:
    """The space with the table of latency that it names, and what is limited in whole units.

    `block`: what is written of the space itself, not of one that it builds on.
    """
    if statement is None:
        return space
    if not MEASURED & goes_by(space):
        if block.start <= statement.span.start <= block.end:
            report.warn(
                statement.span, "WZ310", "nothing in this space goes by latency",
                "say `minimize latency`, or limit it: subject to latency <= 60%",
            )  # fmt: skip
        return space
    if space.quantize == "int8" and isinstance(space.latency, OnJax):
        report.error(
            statement.span, "WZ270", "JAX runs networks in float32, and this space quantises them",
            "say `latency on onnxruntime`, or a command; or `quantize none`",
        )  # fmt: skip
    source = statement.table
    if source is None:
        return space
    path = Path(resolve(source.value, source.span.file))
    try:
        if path.suffix.lower() not in FORMS:
            raise Misfit(f"it is no file of {' or '.join(FORMS)}")
        with damage(Misfit):
            content = read_file(path, MOST_BYTES)
        return with_measured(space, read_costs(content, path.suffix.lower(), space))
    except Misfit as error:
        said = f"{path.name} is no table of this space's latency: {error}"
    except FileNotFoundError:
        said = f"there is no file `{source.value}`: looked for {path}"
    except OSError as error:
        said = f"can't read {path.name}: {error.strerror}"
    report.error(source.span, "WZ311", said, "`wootzc plan FILE.wz --latency TABLE.csv` writes one")
    return space


def _settings(statement: syntax.Latency, known: dict[str, Kind], report: Report) -> dict[str, Any]:
    """Those of a target that runs in wootzc itself."""
    if statement.command is not None and statement.target is not None:
        report.error(
            statement.command.span, "WZ308", f"{statement.target.text} runs in wootzc itself",
            write(f'latency on command "{statement.command.value} {PLACE}"', at=statement.span),
        )  # fmt: skip
    aliases = {name: said for name, said in _ALIASES.items() if said.split()[0] in known}
    return read_flags(statement.settings, known, "latency", report, aliases)


def _command(statement: syntax.Latency, report: Report) -> Target:
    if statement.settings is not None:
        report.error(
            statement.settings.span, "WZ308", "a command has no settings",
            remove(
                statement.settings.span, report,
                "what it measures is its own: write what it needs into the command",
            ),
        )  # fmt: skip
    if statement.command is None or PLACE not in statement.command.value:
        given = statement.command
        as_in = 'as in `latency on command "{} {}"`, which prints milliseconds'
        report.error(
            given.span if given else statement.span, "WZ308",
            f"a command names the file to measure as {PLACE}",
            Advice(as_in.format(given.value, PLACE), f'"{given.value} {PLACE}"') if given
            else as_in.format("./measure.sh", PLACE),
        )  # fmt: skip
        return OnRuntime()
    return OnCommand(command=statement.command.value)
