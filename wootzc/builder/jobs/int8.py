"""Networks of a build in 8 bits, for spaces that `quantize int8`: made once, kept in the store.

Limits of accuracy are then held by what onnxruntime makes of the quantised network on the
validation images, against the teacher in float32. Training, and what the search expects of it, is
of float32: `loss` is what quantising is taken to cost on top.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

import numpy as np

from wootzc.backends.bits import packed
from wootzc.backends.onnx.runtime import need_installed
from wootzc.backends.weights.parameters import Weights
from wootzc.builder.jobs.context import Context
from wootzc.builder.jobs.pauses import trained_weights
from wootzc.builder.jobs.store import Done, Outcome, job_key
from wootzc.ir.net.network import Network

VERSION = 1  # of what is quantised how
MODEL = "model"  # its bytes, as the store keeps them


@dataclass
class InInt8:
    """The quantised networks of one build."""

    context: Context
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)  # by job: what came of it
    losses: list[float] = field(default_factory=list)  # of accuracy, the teacher's first

    @property
    def wanted(self) -> bool:
        return self.context.space.quantize == "int8"

    def judged(self, network: Network, outcome: Outcome) -> Mapping[str, Any]:
        """The result of a run by which its limits are judged: of a paused one as it stands."""
        result = outcome.done.result
        if not self.wanted or result["reason"] == "paused":
            return result
        key = outcome.done.key
        if key not in self.seen:
            self.seen[key] = self.of(key, network, trained_weights(outcome.weights)).result
            lost = float(result["accuracy"]) - float(self.seen[key]["accuracy"])
            self.losses.append(max(0.0, lost))
        made = self.seen[key]
        look = {"step": result["steps"], "loss": None, **made}
        return {**result, "accuracy": made["accuracy"], "history": [look]}

    @property
    def loss(self) -> float:
        """What an accuracy in float32 must be beyond that in int8: the median of those seen.

        Of two the lower: one network that falls apart in int8 says nothing of the others.
        """
        return median_low(self.losses) if self.losses else 0.0

    @property
    def first_loss(self) -> float:
        """The same, whatever was tried: the teacher's."""
        return self.losses[0] if self.losses else 0.0

    def of(self, key: str, network: Network, weights: Weights) -> Done:
        """The network of a job, quantised. `result`: its accuracy on validation images, and bits.

        `key`: of the job that made the weights.
        """
        need_installed("int8 is made")
        import onnxruntime

        from wootzc.backends.onnx import to_onnx
        from wootzc.backends.onnx.int8 import IMAGES, labelled_right, quantized

        own = job_key(
            "int8", version=VERSION, of=key, images=IMAGES, runtime=onnxruntime.__version__
        )
        if done := self.context.store.find(own):
            return done
        data = self.context.dataset
        model = to_onnx(network, weights, classes=data.classes, mean=data.mean, std=data.std)
        model = quantized(model, data.train)
        right = labelled_right(model, data.validation)
        result = {"accuracy": float(right.mean()), "right": packed(right)}
        content = np.frombuffer(model.SerializeToString(), np.uint8)
        return self.context.store.finish(own, "int8", network.name, result, 0.0, {MODEL: content})
