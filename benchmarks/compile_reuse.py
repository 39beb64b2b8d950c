"""Seconds of compilation for the training steps of N candidates: whole networks against modules.

python benchmarks/compile_reuse.py [--counts 1 3 10 30 100] [--whole-up-to 100] [--side 8]

A ResNet of 16 modules, each at 30, 50 or 70 %, drawn anew for every candidate, which takes one
step. Each side runs in a process of its own with an empty cache of compiled programs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

COUNTS = [1, 3, 10, 30, 100]
RATES = (0.3, 0.5, 0.7)
SIDES = {"whole": "loop", "modules": "segments"}  # → strategy


def work(side: str, counts: list[int], pixels: int) -> None:
    """Step through candidates; print a line of JSON at each of `counts`."""
    import jax
    from strategies import SGD, noise, residual

    from wootzc.backends.flax.device.compiles import compilations
    from wootzc.backends.flax.device.parallel import configure, training_devices
    from wootzc.backends.flax.net.model import structures
    from wootzc.backends.flax.train.batches import training_batches
    from wootzc.backends.flax.train.runners import runner
    from wootzc.backends.flax.train.step import initial_state
    from wootzc.backends.weights.stored import initial_weights, split
    from wootzc.ir.layers import Activation, Conv, Dense, GlobalPool, Norm
    from wootzc.ir.net.network import Module, Network, Plain
    from wootzc.ir.net.prune import prune_network
    from wootzc.ir.space.recipe import Augment, Recipe

    bodies = [
        residual(width, 2 if width > 16 and i == 0 else 1)
        for width, modules in ((16, 6), (32, 5), (64, 5))
        for i in range(modules)
    ]
    network = Network(
        name="resnet16",
        input=(pixels, pixels, 3),
        segments=(
            Plain(name="plain1", body=(Conv(width=16), Norm(), Activation())),
            *(Module(name=f"m{i}", body=body) for i, body in enumerate(bodies)),
            Plain(name="plain2", body=(GlobalPool(), Dense(width=10))),
        ),
    )
    recipe, images = Recipe(steps=1, batch=8, optimizer=SGD), noise(pixels)
    devices = training_devices(recipe.batch)
    rates = np.random.default_rng(0).choice(RATES, (max(counts), len(bodies)))
    variants = set()
    before, began, processor = compilations(), time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as cache:
        configure(Path(cache))
        for number, row in enumerate(rates, 1):
            pruned = prune_network(network, tuple(map(float, row)))
            graphs = structures(pruned)
            variants |= set(graphs)
            run = runner(graphs, recipe, Augment(), devices, SIDES[side])  # type: ignore[arg-type]
            parts = split(pruned, initial_weights(pruned, seed=0))
            state = devices.replicate(initial_state(parts, recipe, seed=0))
            run(state, training_batches(images, recipe.batch, recipe.steps, seed=0))
            if number in counts:
                done = compilations().since(before)
                said = {
                    "programs": done.count,
                    "xla": done.seconds,
                    "clock": time.perf_counter() - began,
                    "processor": time.process_time() - processor,
                    "variants": len(variants),
                    "jax": jax.__version__,
                }
                print(json.dumps({"count": number, **said}), flush=True)


def measured(side: str, counts: list[int], pixels: int) -> dict[int, dict[str, Any]]:
    command = [sys.executable, __file__, "--work", side, "--side", str(pixels), "--counts"]
    said = subprocess.check_output([*command, *map(str, counts)], text=True)
    return {line["count"]: line for line in map(json.loads, said.splitlines())}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="candidates")
    parser.add_argument("--whole-up-to", type=int, default=100, help="each compiles for seconds")
    parser.add_argument("--side", type=int, default=8, help="pixels")
    parser.add_argument("--work", choices=list(SIDES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.counts, options.side)
        return
    modules = measured("modules", options.counts, options.side)
    few = [count for count in options.counts if count <= options.whole_up_to]
    whole = measured("whole", few, options.side)
    print(f"jax {modules[options.counts[0]]['jax']}; seconds of XLA by the clock, then of the")
    print("processor for everything (compiling, tracing, the steps themselves)")
    print("| candidates | segments seen | whole: programs | XLA s | processor s ", end="")
    print("| modules: programs | XLA s | processor s | ratio of processor s |")
    print("| --- " * 9 + "|")
    for count in options.counts:
        ours, theirs = modules[count], whole.get(count)
        cells = [f"{count}", f"{ours['variants']}"]
        if theirs is None:
            cells += ["not run", "", ""]
        else:
            cells += [f"{theirs['programs']}", f"{theirs['xla']:.1f}", f"{theirs['processor']:.1f}"]
        cells += [f"{ours['programs']}", f"{ours['xla']:.1f}", f"{ours['processor']:.1f}"]
        cells += [f"{theirs['processor'] / ours['processor']:.1f}" if theirs else ""]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
