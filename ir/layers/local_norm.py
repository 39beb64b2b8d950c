"""Local response normalisation."""

from dataclasses import dataclass
from typing import ClassVar

from wootzc.ir.layers.layer_page import Page, Rule
from wootzc.ir.layers.signature import AMOUNT, COUNT, Operator, Parameter
from wootzc.ir.layers.steps import Steps, Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalNorm(Page):
    """Local response normalisation over neighbouring channels (Krizhevsky et al. 2012, §3.3).

    x / (k + alpha / size × Σ x²)^beta, the sum over `size` channels around each.
    """

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    operators: ClassVar[tuple[Operator, ...]] = (
        Operator(
            "lrn",
            (
                Parameter("size", COUNT, 5),
                Parameter("alpha", AMOUNT, 1e-4),
                Parameter("beta", AMOUNT, 0.75),
                Parameter("k", AMOUNT, 1.0),
            ),
            aliases=("local_norm", "localnorm", "local_response_norm", "localresponsenorm"),
        ),
    )
    channels: ClassVar[Rule] = "mixes"
    normalizes: ClassVar[bool] = True

    def steps(self, x: Tensor, out: Steps) -> Tensor:
        """In ONNX there is one for images and odd sizes; else a window runs along the channels."""
        x = out.in_order(x)
        if len(x.shape) == 3 and self.size % 2:
            return out.in_turn(x, "new")
        squares = out.step("over", x, x, shape=x.shape)
        power = out.in_turn(squares, "view", "new", "view", "over", "over", "new")
        return out.step("over", x, power, shape=x.shape)
