"""The figures that a space speaks of: a record each, and no other place that knows one by name.

The language, the passes, the search, the screen, the results and the report go by these records. A
cost that can be counted needs its record alone. One that is measured has no `count`: whoever
measures it gives its table (`VariantCosts.tables`), and all else is as for the others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Literal, NamedTuple, TypeAlias

from wootzc import units
from wootzc.ir.joining import GREATEST, SUM, Joining
from wootzc.ir.layers import Body
from wootzc.ir.layers.shapes import Shape
from wootzc.ir.net.cost import body_cost
from wootzc.ir.net.exported import (
    body_memory,
    body_size,
    body_size_int8,
    entering_memory_int8,
    entering_size_int8,
)
from wootzc.ir.reflect import OneOf

Count: TypeAlias = Callable[[Body, Shape], int]  # of a body that a shape enters
Numbers: TypeAlias = Literal["none", "int8"]  # what a network is quantised to


class Counted(NamedTuple):
    """How a cost is counted."""

    body: Count
    entering: Callable[[Shape], int] = lambda shape: 0  # of a network, what its input adds


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What there is to know of a metric. Costs are whole numbers: of segments, then joined."""

    name: str  # as files say it
    heading: str  # of a column
    unit: str  # behind an exact figure: 1,234 parameters
    title: str  # on its own: MACs per image
    hint: str | None = None  # what a reader may ask: of one image
    meaning: str = ""  # where the name does not say it
    note: str = ""  # how other tools count it
    aliases: Mapping[str, str] = field(default_factory=dict)  # other words for it, and what to say
    best: Literal["least", "greatest"] = "least"
    known: Literal["counted", "measured", "trained"]  # from shapes; on a device; after training
    count: Count | None = None  # if it can be; hashable, as a function is
    int8: Counted | None = None  # of a quantised network, where that is otherwise
    joining: Joining = SUM  # of its parts' costs, that of a network
    scales: Mapping[str, int] = field(default_factory=dict)  # of units in limits: "KB" is 1000
    text: Callable[[float], str] = units.count  # a short figure for people
    amount: Callable[[int], str] = "{:,}".format  # an exact one, as limits say it

    def __post_init__(self) -> None:
        if self.known == "counted" and self.count is None:
            raise ValueError(f"{self.name} is known by counting, but no `count` says how")

    @property
    def verb(self) -> Literal["minimize", "maximize"]:
        return "minimize" if self.best == "least" else "maximize"

    def short(self, value: float) -> str:
        """12.3 k params."""
        return f"{self.text(value)} {self.heading}"

    def exact(self, value: int) -> str:
        """12,345 parameters."""
        return f"{value:,} {self.unit}"


BYTES = {
    **dict.fromkeys(("bytes", "byte", "B"), 1),
    **{prefix + "B": 1000**power for power, prefix in enumerate(("k", "M", "G"), 1)},
    **{prefix + "iB": 1024**power for power, prefix in enumerate(("K", "M", "G"), 1)},
    "KB": 1000,
}

_BUILTIN = (
    Metric(
        name="params",
        heading="params",
        unit="parameters",
        title="parameters",
        aliases=dict.fromkeys(("parameters", "weights"), ""),
        known="counted",
        count=lambda body, shape: body_cost(body, shape).params,
    ),
    Metric(
        name="macs",
        heading="MACs",
        unit="MACs",
        title="MACs per image",
        hint="of one image",
        meaning="multiply-accumulates of one image",
        note="1 MAC = 2 FLOPs",
        aliases={
            **dict.fromkeys(("flops", "mflops"), "1 MAC is 2 FLOPs"),
            "compute": "",
        },
        known="counted",
        count=lambda body, shape: body_cost(body, shape).macs,
    ),
    Metric(
        name="size",
        heading="size",
        unit="bytes of the file",
        title="size of the file",
        meaning="bytes of the exported ONNX file",
        aliases=dict.fromkeys(("model_size", "modelsize", "file_size", "flash", "disk"), ""),
        known="counted",
        count=body_size,
        int8=Counted(body_size_int8, entering_size_int8),
        scales=BYTES,
        text=lambda value: units.bytes_text(round(value)),
        amount="{:,} bytes".format,
    ),
    Metric(
        name="memory",
        heading="memory",
        unit="bytes of activations",
        title="peak memory per image",
        hint="of one image",
        meaning="bytes of activations at the peak, for one image",
        aliases=dict.fromkeys(("ram", "sram", "peak_memory", "activations"), ""),
        known="counted",
        count=body_memory,
        int8=Counted(partial(body_memory, int8=True), entering_memory_int8),
        joining=GREATEST,
        scales=BYTES,
        text=lambda value: units.bytes_text(round(value)),
        amount="{:,} bytes".format,
    ),
    Metric(
        name="latency",
        heading="latency",
        unit="ns",
        title="latency of a batch",
        meaning="time that a batch takes on the device",
        aliases=dict.fromkeys(("time", "speed", "fps", "milliseconds", "runtime"), ""),
        known="measured",
        scales={"ms": 10**6, "us": 10**3, "ns": 1, "s": 10**9},
        text=units.milliseconds_text,
        amount=lambda value: f"{value / 1e6:,.6f}".rstrip("0").rstrip(".") + " ms",
    ),
    Metric(
        name="accuracy",
        heading="accuracy",
        unit="accuracy",
        title="accuracy",
        aliases=dict.fromkeys(("acc", "top1", "precision", "score"), ""),
        best="greatest",
        known="trained",
        text=units.percent,
    ),
)

# By name, in the order in which they are shown. More may be put in: before anything is compiled.
METRICS: dict[str, Metric] = {metric.name: metric for metric in _BUILTIN}
MEASURED = {metric.name for metric in _BUILTIN if metric.known == "measured"}


def costs() -> dict[str, Metric]:
    """Those that are known before anything is trained: the first is the one that counts where the
    objective names none.
    """
    return {name: one for name, one in METRICS.items() if one.known != "trained"}


def counts(quantize: Numbers = "none") -> dict[str, Counted]:
    """How to count those costs that can be counted."""
    return {
        name: one.int8 if quantize == "int8" and one.int8 is not None else Counted(one.count)
        for name, one in costs().items()
        if one.count is not None
    }


def exact_text(values: Mapping[str, int]) -> str:
    """1,234 parameters, 5,678 MACs."""
    return ", ".join(METRICS[name].exact(value) for name, value in values.items())


def short_text(values: Mapping[str, float]) -> str:
    """12.3 k params, 4.5 M MACs."""
    return ", ".join(METRICS[name].short(value) for name, value in values.items())


# Names in fields of the IR: what may stand there is looked up when a text is read.
MetricName: TypeAlias = Annotated[str, OneOf(lambda: METRICS)]
CostName: TypeAlias = Annotated[str, OneOf(costs)]
