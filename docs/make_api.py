"""Write docs/api.md from the docstrings: `python docs/make_api.py`. A test holds it up to date."""

import dataclasses
import functools
import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wootzc.builder.jobs.events import Event
from wootzc.ir.layers import LAYERS

# What others may build on. A name that is not here may change without notice.
PUBLIC: dict[str, tuple[str, ...]] = {
    "wootzc": (
        "prune", "build",
        "compile", "zoo", "import_network", "from_nnx", "weights_from_nnx",
        "WootzError", "Diagnostic", "Span",
    ),
    "wootzc.diagnostics": ("fail",),
    "wootzc.builder.pruned": ("Pruned",),
    "wootzc.networks": ("Imported",),
    "wootzc.grammar": ("analyze", "Analysis", "format_text", "print_network"),
    "wootzc.ir.array": ("Array",),
    "wootzc.ir.layers": ("Layer", *(layer.__name__ for layer in LAYERS), "walk"),
    "wootzc.ir.net.network": ("Network", "Module", "Plain", "Auxiliary", "segment_shapes"),
    "wootzc.ir.graph": ("Graph", "Node", "Piece", "Refused"),
    "wootzc.ir.graph.decompose": ("decompose",),
    "wootzc.ir.graph.segment": ("segment", "segment_modules", "chain_weights"),
    "wootzc.ir.net.coupling": ("couple", "couple_module", "Coupling", "Group"),
    "wootzc.ir.net.prune": ("prune_network", "prune_module", "kept_width"),
    "wootzc.ir.net.cost": ("network_cost", "body_cost", "layer_cost", "Cost"),
    "wootzc.ir.net.metrics": ("Metric", "METRICS", "costs"),
    "wootzc.ir.net.cost_tables": ("network_costs", "variant_costs", "VariantCosts"),
    "wootzc.ir.space": (
        "Space", "Tie", "Ordered", "RateLimit", "CostLimit", "Objective", "All", "Sample", "Listed",
        "Proposed", "Measured",
    ),
    "wootzc.ir.space.recipe": ("Data", "Recipe", "FromFile", "Optimizer", "Schedule"),
    "wootzc.ir.space.space_costs": ("with_measured",),
    "wootzc.ir.plan": (
        "Plan", "Complete", "Costs", "CostTable", "Grammar", "Rule", "Windows", "Block",
        "Selection", "Expanded", "Costed", "Blocked", "Composed",
    ),
    "wootzc.ir.plan.cost_model": ("CostModel",),
    "wootzc.ir.diagram.feasible": ("holds",),
    "wootzc.ir.diagram.space_diagram": ("SpaceDiagram",),
    "wootzc.ir.diagram.merge_states": ("TooLarge",),
    "wootzc.ir.propose": ("proposals", "Proposals"),
    "wootzc.ir.sequence": ("shared_windows", "rows_with", "linked_runs", "TooMany"),
    "wootzc.ir.selection": ("Problem", "Choice", "choose"),
    "wootzc.ir.passes": (
        "PASSES", "run", "Pass", "having", "complete", "inserted", "replaced", "available",
        "parse_pipeline", "pipeline_text", "ExpandSpace", "EstimateCost", "MineSubsequences",
        "SelectBlocks",
        "Compose", "Order", "SegmentModules",
    ),
    "wootzc.ir.text": ("print_plan", "parse_plan", "print_network", "parse_network"),
    "wootzc.backends.data": ("load",),
    "wootzc.backends.weights.slicing": ("prune_weights",),
    "wootzc.backends.weights.stored": ("initial_weights",),
    "wootzc.backends.flax.train.saliency": ("channel_saliencies",),
    "wootzc.backends.checkpoints": ("read_checkpoint",),
    "wootzc.backends.onnx": ("to_onnx",),
    "wootzc.builder.result.summary": ("Summary",),
    "wootzc.builder": ("Options", "Built", "Interrupted"),
    "wootzc.builder.jobs.events": ("Event", *(one.__name__ for one in typing.get_args(Event))),
}  # fmt: skip

PROPERTIES = (property, functools.cached_property)

HEAD = """# The public API

Made from the docstrings by `python docs/make_api.py`. What stands here keeps its meaning until the
next major version; everything else may change. All of it is typed. `import wootzc` loads no JAX;
modules under `wootzc.builder` and `wootzc.backends.flax` do.

[embedding.md](embedding.md) shows what to do with it, [passes.md](passes.md) how to write a pass,
[samples/embedding](../samples/embedding) whole programs.
"""


def api_text() -> str:
    return HEAD + "".join(_module(name, names) for name, names in PUBLIC.items())


def _module(name: str, names: tuple[str, ...]) -> str:
    module = importlib.import_module(name)
    parts = [f"\n## {name}\n", _first_paragraph(module), ""]
    for each in names:
        parts += _entry(each, inspect.unwrap(getattr(module, each)))  # of what is cached too
    return "\n".join(parts) + "\n"


def _entry(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value) or inspect.isfunction(value):
        said = _first_paragraph(value)
        if said.startswith(f"{name}("):  # what a dataclass says of itself: its signature again
            said = ""
        yield f"**`{_wrapped(name + _signature(value))}`**" + ("  " if said else "")
        yield from [said] if said else ()
        yield from _methods(value)
    elif isinstance(value, types.UnionType):
        members = " | ".join(member.__name__ for member in typing.get_args(value))
        yield f"**`{name}`** = `{members}`"
    else:
        yield f"**`{name}`**: `{type(value).__name__}` of {len(value)}"
    yield ""


def _methods(value: Any) -> Iterator[str]:
    """Public methods and properties of a class, one line each."""
    if not inspect.isclass(value):
        return
    fields = (
        {f.name for f in dataclasses.fields(value)} if dataclasses.is_dataclass(value) else set()
    )
    for name, member in vars(value).items():
        if (
            name.startswith("_")
            or name in fields
            or not isinstance(member, (types.FunctionType, *PROPERTIES))
        ):
            continue
        shown = name if isinstance(member, PROPERTIES) else name + _signature(member)
        yield f"- `{shown}` {_first_line(member)}".rstrip()


def _signature(value: Any) -> str:
    if inspect.isclass(value) and not dataclasses.is_dataclass(value):
        return ""
    text = str(inspect.signature(value))
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", text)  # annotations that were quoted
    text = re.sub(r"\b([A-Za-z_]\w*\.)+(\w+)", r"\2", text)  # names without their modules
    text = re.sub(r"ndarray\[tuple\[Any, \.\.\.\], dtype\[(\w+)\]\]", r"NDArray[\1]", text)
    text = re.sub(r"<(?:function|built-in method) (\w+) [^>]*>", r"\1", text)
    text = re.sub(r"Annotated\[str, [^\]]*\]", "str", text)  # a name that is looked up
    return re.sub(r" -> None$|, span: Span = Span\([^)]*\)", "", text)


def _wrapped(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _first_paragraph(value: Any) -> str:
    return " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())


def _first_line(value: Any) -> str:
    getter = getattr(value, "fget", getattr(value, "func", value))
    return (inspect.getdoc(getter) or "").split("\n")[0]


if __name__ == "__main__":
    target = Path(__file__).parent / "api.md"
    target.write_text(api_text(), encoding="utf-8")
    print(f"wrote {target}")
