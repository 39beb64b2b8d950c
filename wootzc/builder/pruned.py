"""What `wootzc.prune` returns."""

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wootzc.builder.result.chance import plus_minus
from wootzc.builder.result.export import Form, export_result
from wootzc.builder.result.replay import load_best
from wootzc.builder.result.verdict import percent_of, verdict
from wootzc.builder.run import Built
from wootzc.diagnostics import WootzError, fail
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.net.network import Network
from wootzc.units import percent


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Pruned(Built):
    """A network that was pruned: in memory, and in the folder `out` as `wootzc build` writes it."""

    network: Network
    weights: dict[str, NDArray[Any]]

    @property
    def accuracy(self) -> float:
        """A fraction, on test images, which the search has not seen."""
        return self.result.best.test_accuracy

    @property
    def params(self) -> int:
        """How many weights are left."""
        return self.result.best.costs["params"]

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self.result.best.costs["macs"]

    def to_onnx(self, path: str | Path) -> Path:
        """Write an ONNX file: images [batch, channels, height, width], normalised, to scores."""
        return self._export("onnx", Path(path))

    def to_torch(self, folder: str | Path) -> Path:
        """Write a folder with model.py, plain PyTorch, and its weights."""
        return self._export("torch", Path(folder))

    def report(self) -> Path:
        """The page that shows the search: an HTML file."""
        return self.out / "report.html"

    def _export(self, form: Form, target: Path) -> Path:
        if not self._is_there():
            raise fail(
                "WZ146",
                f"what stands in {self.out} is no longer this result",
                "prune again; give every result an `out` of its own",
            )
        export_result(self.out, form, target)
        return target

    def _is_there(self) -> bool:
        try:
            _, weights = load_best(self.out)
        except WootzError:
            return False
        return weights.keys() == self.weights.keys() and all(
            np.array_equal(weights[name], value) for name, value in self.weights.items()
        )

    def __repr__(self) -> str:
        lines = (
            f"{name}  {before} → {after}  ({change})"
            for name, before, after, change in self._rows()
        )
        return "\n  ".join((f"{self._verdict()}; {self.out}", *lines))

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{cell}</th>" for cell in ("", "before", "after", ""))
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self._rows()
        )
        caption = html.escape(self._verdict())
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"

    def _verdict(self) -> str:
        return f"{verdict(self.result).headline}: {self.result.objective}"

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        """What is told of the network: a name, before, after, and the change."""
        teacher, best = self.result.teacher, self.result.best
        for one in map(METRICS.__getitem__, teacher.costs):
            before, after = (one.text(each.costs[one.name]) for each in (teacher, best))
            share = percent_of(best.costs[one.name], teacher.costs[one.name])
            yield one.heading, before, after, share
        whole = {
            "validation": (teacher.validation_accuracy, teacher.validation_error),
            "test": (teacher.test_accuracy, teacher.test_error),
        }
        pruned = {
            "validation": (best.accuracy, best.error),
            "test": (best.test_accuracy, best.test_error),
        }
        for part in whole:
            before, after = (percent(a) + plus_minus(e) for a, e in (whole[part], pruned[part]))
            change = f"{100 * (pruned[part][0] - whole[part][0]):+.2f} points"
            yield f"{part} accuracy", before, after, change
