"""Activations: one function of each number."""

from dataclasses import dataclass
from typing import ClassVar, Literal, assert_never, get_args

from wootzc.ir.layers.layer_page import Page, Rule
from wootzc.ir.layers.signature import REAL, Operator, Parameter
from wootzc.ir.layers.steps import Steps, Tensor

ActivationKind = Literal[
    "relu", "relu6", "leaky_relu", "elu", "gelu", "gelu_tanh", "swish", "hard_swish",
    "sigmoid", "hard_sigmoid", "tanh",
]  # fmt: skip

SLOPE = 0.01

_ALIASES = {
    "gelu": ("gelu_erf",),
    "leaky_relu": ("leaky", "leakyrelu"),
    "hard_swish": ("hardswish",),
    "hard_sigmoid": ("hardsigmoid",),
}


def _operator(name: str, kind: str, also: bool = False) -> Operator:
    slope = (Parameter("slope", REAL, SLOPE),) if kind == "leaky_relu" else ()
    return Operator(name, slope, {"kind": kind}, _ALIASES.get(name, ()), also)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation(Page):
    """`gelu` is the exact one (erf), `gelu_tanh` its approximation."""

    kind: ActivationKind = "relu"
    slope: float = SLOPE  # below zero; of leaky_relu alone

    operators: ClassVar[tuple[Operator, ...]] = (
        *(_operator(kind, kind) for kind in get_args(ActivationKind)),
        _operator("silu", "swish", also=True),
    )
    channels: ClassVar[Rule] = "passes"
    activates: ClassVar[bool] = True

    def steps(self, x: Tensor, out: Steps) -> Tensor:
        match self.kind:
            case "swish":
                return out.step("over", x, out.in_turn(x, "over"), shape=x.shape)
            case "gelu":
                gate = out.in_turn(x, "over", "over", "over")
            case "gelu_tanh":
                inner = out.step("over", x, out.in_turn(x, "new", "over"), shape=x.shape)
                gate = out.in_turn(inner, "over", "over", "over")
            case (
                "relu" | "relu6" | "leaky_relu" | "elu" | "hard_swish" | "sigmoid" | "hard_sigmoid"
                | "tanh"
            ):  # fmt: skip
                return out.in_turn(x, "over")
            case _:
                assert_never(self.kind)
        return out.in_turn(out.step("over", x, gate, shape=x.shape), "over")
