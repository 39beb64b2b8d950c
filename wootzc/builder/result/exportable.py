"""A network that `export` can write: the best of a result folder, or another that was tried."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from wootzc.backends.weights.parameters import Weights
from wootzc.builder.jobs.gradients import known_saliencies
from wootzc.builder.jobs.store import Store
from wootzc.builder.result.chosen import choose
from wootzc.builder.result.origins import NOWHERE, origins_of, origins_text
from wootzc.builder.result.replay import (
    load_best,
    load_example,
    load_manifest,
    normalisation,
)
from wootzc.builder.result.summary import read_summary
from wootzc.builder.result.verdict import UNJUDGED
from wootzc.driver import compile
from wootzc.files import missing_result
from wootzc.ir.net.network import Network
from wootzc.ir.net.prune import prune_network
from wootzc.units import percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Exportable:
    """A network of a result folder, whole and as it was built."""

    folder: Path
    network: Network
    weights: Weights
    classes: tuple[str, ...]
    mean: Any  # float32 [channels]
    std: Any
    which: str
    suffix: str = ""  # of the default names
    parts: Callable[[], dict[str, bytes]] | None = None  # its files; None: they stand in best/

    def read(self, name: str) -> bytes:
        """A file as best/ has it."""
        if self.parts is not None:
            return self.parts()[name]
        path = self.folder / "best" / name
        if not path.is_file():
            raise missing_result(path)
        return path.read_bytes()


def load_exportable(folder: Path) -> Exportable:
    """The best network. Raises `WootzError` where the folder is damaged."""
    manifest = load_manifest(folder, ("weights_sha256", "classes", "normalize"))
    network, weights = load_best(folder)
    mean, std = normalisation(folder, manifest, network)
    return Exportable(
        folder=folder,
        network=network,
        weights=weights,
        classes=tuple(manifest["classes"]),
        mean=mean,
        std=std,
        which="the best network",
    )


def load_candidate(best: Exportable, number: int, store: Path | str | None) -> Exportable:
    """What stood at place `number`, from 1, among those tried in the folder of `best`.

    `store`: None where result.json says. Raises `WootzError` where there is none of that number or
    the store has lost its weights.
    """
    folder = best.folder
    tried = read_summary(folder)
    chosen = choose(folder, tried, number, store)
    space = compile(folder / "plan.wzir", ()).space
    network = prune_network(space.network, chosen.tried.rates)
    met = "meets the objective" if chosen.tried.met else "misses the objective"
    if not chosen.tried.met and chosen.tried.accuracy >= (tried.target_accuracy or 1.0):
        paused = chosen.tried.reason == "paused"
        among = " once corrected for the choice among those that were tried"
        met += f": {UNJUDGED}" if paused else among

    @cache
    def made() -> dict[str, bytes]:
        from wootzc.builder.result.parts import parts

        images, labels, _ = load_example(folder, best.network)
        kept = Store(store or tried.store)
        teacher = kept.find(tried.teacher.key)
        seen = known_saliencies(space, kept, tried.teacher.key, tried.data.train)
        origins = NOWHERE
        if teacher is not None and teacher.weights is not None and seen is not None:
            origins = origins_of(space, teacher.weights, chosen.tried.rates, seen)
        made = parts(
            network,
            chosen.weights,
            classes=best.classes,
            mean=best.mean,
            std=best.std,
            images=images,
            labels=labels,
        )
        return made | {"origins.json": origins_text(origins).encode()}

    return replace(
        best,
        network=network,
        weights=chosen.weights,
        which=f"candidate {number}, validation accuracy {percent(chosen.tried.accuracy)}"
        f"{'' if tried.int8 is None else ' as int8'}, which {met}",
        suffix=f"-{number}",
        parts=made,
    )
