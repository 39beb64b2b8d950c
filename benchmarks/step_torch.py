"""The PyTorch side of step.py: channels last, on so many threads."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

Arrays = dict[str, NDArray[Any]]
Run = Callable[[int], None]


def network(source: str, weights: Arrays) -> nn.Module:
    """The network that `model_source` wrote, in training mode."""
    names: dict[str, Any] = {"__name__": "model", "__file__": "model.py"}
    exec(source, names)
    net: nn.Module = names["Net"]()
    net.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return net.to(memory_format=torch.channels_last).train()


def channels_last(array: NDArray[np.float32]) -> torch.Tensor:
    """[batch, height, width, channels] as PyTorch takes it; the memory stays as it is."""
    return torch.from_numpy(array).permute(0, 3, 1, 2)


def on(threads: int, work: Callable[[], object]) -> Run:
    def run(times: int) -> None:
        torch.set_num_threads(threads)
        for _ in range(times):
            work()

    return run


def steps(
    net: nn.Module,
    images: NDArray[np.float32],  # [batch, height, width, channels]
    labels: NDArray[np.int32],
    *,
    threads: int,
    learning_rate: float,
    momentum: float,
) -> Run:
    """The loop that a user writes."""
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate, momentum=momentum)
    x, y = channels_last(images), torch.from_numpy(labels).long()

    def step() -> None:
        loss = functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return on(threads, step)


def parts(
    net: nn.Module,
    entering: NDArray[np.float32],  # [batch, height, width, channels]
    gradient: NDArray[np.float32],  # of what leaves, likewise
    *,
    threads: int,
) -> dict[str, Run]:
    """Forward alone, and with it backward by weights, by input, by both."""
    x, g = channels_last(entering), channels_last(gradient)
    weights, moving = list(net.parameters()), x.clone().requires_grad_()

    def forward() -> None:
        with torch.no_grad():
            net(x)

    return {
        "forward": on(threads, forward),
        "by weights": on(threads, lambda: torch.autograd.grad(net(x), weights, g)),
        "by input": on(threads, lambda: torch.autograd.grad(net(moving), moving, g)),
        "by both": on(threads, lambda: torch.autograd.grad(net(moving), [moving, *weights], g)),
    }
