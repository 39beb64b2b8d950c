"""The PyTorch side of peers.py: the loop that a user of Torch-Pruning writes. Knows no wootzc.

    python benchmarks/peers_torch.py FOLDER candidates|uniform

FOLDER is what peers.py wrote: the teacher as PyTorch (model.py, weights.safetensors), data.npz,
job.json. Networks are pruned and fine-tuned from the smallest to the largest, until the first that
is accurate enough; what was found goes to FOLDER/WAY.json.

candidates  the candidates of the space: one ratio for each layer that the space may prune, filters
            ranked by the ℓ1 norm of the layer that makes them
uniform     what Torch-Pruning's README begins with: one ratio for every layer but the classifier,
            90 %, 80 %, … 10 %, filters ranked by the ℓ1 norms of all layers that lose them
"""

import copy
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch_pruning as tp
from torch import nn
from torch.nn import functional

Job = dict[str, Any]  # job.json, as peers.py writes it


class Split(NamedTuple):
    images: torch.Tensor  # [n, channels, height, width], normalised
    labels: torch.Tensor  # [n]


class Peer(NamedTuple):
    """What every candidate starts from."""

    teacher: nn.Module
    job: Job
    train: Split
    validation: Split
    test: Split
    order: torch.Tensor  # [steps, batch] positions in `train`: the batches that wootzc takes too


def load(folder: Path) -> Peer:
    """The teacher and its data. Its logits must be those that wootzc computed."""
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    assert spec is not None and spec.loader is not None
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    teacher: nn.Module = model.load()
    arrays = {name: torch.from_numpy(array) for name, array in np.load(folder / "data.npz").items()}
    parts = {
        part: Split(arrays[f"{part}_images"], arrays[f"{part}_labels"])
        for part in ("train", "validation", "test")
    }
    with torch.inference_mode():
        logits = teacher(parts["validation"].images[: len(arrays["logits"])])
    torch.testing.assert_close(logits, arrays["logits"], rtol=1e-3, atol=1e-3)
    job = json.loads((folder / "job.json").read_text())
    return Peer(teacher=teacher, job=job, order=arrays["order"], **parts)


# Pruning


def pruned(peer: Peer, ratios: dict[str, float]) -> nn.Module:
    """A copy of the teacher without these shares of the channels of its layers, by name."""
    net = copy.deepcopy(peer.teacher)
    layers = {name: net.get_submodule(name) for name in peer.job["layers"]}
    pruner = tp.pruner.BasePruner(
        net,
        torch.zeros_like(peer.train.images[:1]),
        importance=tp.importance.MagnitudeImportance(p=1, group_reduction="first", normalizer=None),
        pruning_ratio=0.0,
        pruning_ratio_dict={layers[name]: ratio for name, ratio in ratios.items()},
        ignored_layers=[layer for name, layer in layers.items() if name not in ratios],
    )
    pruner.step()
    return net


def uniformly_pruned(peer: Peer, ratio: float) -> nn.Module:
    net = copy.deepcopy(peer.teacher)
    pruner = tp.pruner.BasePruner(
        net,
        torch.zeros_like(peer.train.images[:1]),
        importance=tp.importance.MagnitudeImportance(p=1),
        pruning_ratio=ratio,
        ignored_layers=[net.get_submodule(peer.job["layers"][-1])],
    )
    pruner.step()
    return net


def networks(peer: Peer, way: str) -> Iterator[nn.Module]:
    """From the smallest to the largest."""
    if way == "uniform":
        yield from (uniformly_pruned(peer, tenths / 10) for tenths in range(9, 0, -1))
        return
    for candidate in peer.job["candidates"]:
        net = pruned(peer, candidate["ratios"])
        if costs(net, peer) != (candidate["params"], candidate["macs"]):
            raise SystemExit(f"{costs(net, peer)} params and MACs, but wootzc says {candidate}")
        yield net


def costs(net: nn.Module, peer: Peer) -> tuple[int, int]:
    """Parameters, and MACs of one image: convolutions and dense layers, as wootzc counts them."""
    macs = 0

    def count(layer: nn.Module, _: Any, out: torch.Tensor) -> None:
        nonlocal macs
        macs += layer.weight[0].numel() * out[0].numel()

    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode():
        net.eval()(peer.train.images[:1])
    for hook in hooks:
        hook.remove()
    return sum(p.numel() for p in net.parameters()), macs


# Training


def trainer(net: nn.Module, peer: Peer) -> Callable[[Iterable[torch.Tensor]], None]:
    """A function that takes one step for each batch of positions."""
    recipe, augment = peer.job["recipe"], peer.job["augment"]
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": kernels, "weight_decay": recipe["weight_decay"]}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=recipe["learning_rate"], **recipe["options"])
    schedule = (
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe["steps"])
        if recipe["cosine"]
        else None
    )

    def advance(batches: Iterable[torch.Tensor]) -> None:
        net.train()
        for rows in batches:
            images = augmented(peer.train.images[rows], **augment)
            loss = functional.cross_entropy(net(images), peer.train.labels[rows])
            optimizer.zero_grad()
            loss.backward()
            if recipe["clip"] is not None:
                nn.utils.clip_grad_norm_(net.parameters(), recipe["clip"])
            optimizer.step()
            if schedule is not None:
                schedule.step()

    return advance


def augmented(images: torch.Tensor, flip: bool, crop: int) -> torch.Tensor:
    count, channels, height, width = images.shape
    if flip:
        flipped = torch.rand(count, 1, 1, 1) < 0.5
        images = torch.where(flipped, images.flip(3), images)
    if crop:
        padded = functional.pad(images, (crop, crop, crop, crop))
        top, left = torch.randint(0, 2 * crop + 1, (2, count, 1))
        rows = (top + torch.arange(height))[:, None, :, None]
        columns = (left + torch.arange(width))[:, None, None, :]
        each, channel = torch.arange(count)[:, None, None, None], torch.arange(channels)
        images = padded[each, channel[None, :, None, None], rows, columns]
    return images


@torch.inference_mode()
def accuracy(net: nn.Module, split: Split) -> float:
    net.eval()
    parts = zip(split.images.split(256), split.labels.split(256), strict=True)
    right = sum(int((net(images).argmax(1) == labels).sum()) for images, labels in parts)
    return right / len(split.labels)


class Tuned(NamedTuple):
    """The best weights by validation accuracy are in the network."""

    start: float  # accuracy before the first step
    accuracy: float
    steps: int
    seconds: float  # in training steps alone


def fine_tune(net: nn.Module, peer: Peer) -> Tuned:
    """Until the accuracy asked for is seen, patience ends, or the steps do."""
    torch.manual_seed(peer.job["seed"])
    recipe, target = peer.job["recipe"], peer.job["target"]
    advance = trainer(net, peer)
    seen = [accuracy(net, peer.validation)]
    best = copy.deepcopy(net.state_dict())
    done, seconds = 0, 0.0
    for stop in peer.job["looks"]:
        stale = len(seen) - 1 - seen.index(max(seen))
        if seen[-1] >= target or (recipe["patience"] and stale >= recipe["patience"]):
            break
        started = time.perf_counter()
        advance(peer.order[done:stop])
        seconds += time.perf_counter() - started
        done = stop
        seen.append(accuracy(net, peer.validation))
        if seen[-1] == max(seen):
            best = copy.deepcopy(net.state_dict())
    net.load_state_dict(best)
    return Tuned(start=seen[0], accuracy=max(seen), steps=done, seconds=seconds)


def search(peer: Peer, way: str) -> dict[str, Any]:
    """The first network that is accurate enough; if there is none, the nearest to it."""
    started = time.perf_counter()
    tried: list[Tuned] = []
    best: tuple[float, nn.Module] | None = None
    for net in networks(peer, way):
        tuned = fine_tune(net, peer)
        tried.append(tuned)
        if best is None or tuned.accuracy > best[0]:
            best = tuned.accuracy, net
        if tuned.accuracy >= peer.job["target"]:
            break
    seconds = time.perf_counter() - started
    assert best is not None, "there is at least one candidate"
    params, macs = costs(best[1], peer)
    steps = sum(one.steps for one in tried)
    return {
        "met": best[0] >= peer.job["target"],
        "tried": len(tried),
        "steps": steps,
        "seconds": seconds,
        "ms": 1000 * sum(one.seconds for one in tried) / max(1, steps),
        "params": params,
        "macs": macs,
        "accuracy": best[0],
        "test_accuracy": accuracy(best[1], peer.test),
        "starts": [one.start for one in tried],
    }


if __name__ == "__main__":
    folder, way = Path(sys.argv[1]), sys.argv[2]
    answer = search(load(folder), way)
    (folder / f"{way}.json").write_text(json.dumps(answer))
