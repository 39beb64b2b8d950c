"""What a user would do instead: PyTorch with Torch-Pruning, candidates in order of size.

    python3 -m venv .env-bench && .env-bench/bin/pip install -e ".[bench]"
    .env-bench/bin/python benchmarks/peers.py benchmarks/digits.wz --seeds 0 1 2
    .env-bench/bin/python benchmarks/peers.py benchmarks/cifar10_small.wz --data cifar10-train.zip

wootzc trains the teacher, which neither side pays for, and exports it to PyTorch. Then each way
looks for the smallest network within the file's limit: same weights, images, batches, fine-tuning
recipe, looks at the validation images. peers_torch.py is PyTorch's side. Each way is a process of
its own: `command` is all of it, imports included, by the clock and (`CPU`) by the processor, which
other work on the machine disturbs less; `search` ends with the answer and leaves out
loading, writing and the test images. wootzc runs twice: with nothing compiled before, and with
what the first run compiled.

The closing table is one step of fine-tuning, its batch and augmentation included, for the full
network and for the smallest candidate: rounds of steps on all sides in turn, the least round.

PyTorch's threads wait for each other at every operator: on a machine that does other work its steps
take many times as long. OMP_NUM_THREADS=1 in front of the command gives it one thread.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from peers_job import Prepared, prepare, ratios

from wootzc.ir.plan import Plan

AROUND = ("compile", "data", "teacher", "test", "write")  # stages of a build that are no search
COLUMNS = """way|seed|met|tried|block steps|fine-tuning steps|search s|of it compiling
command s|its CPU s|params|of full|MACs|of full|validation|test""".replace("\n", "|").split("|")


def arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, nargs="?", default=Path("benchmarks/digits.wz"))
    parser.add_argument("--data", help="as --set data=…")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--rounds", type=int, default=7, help="of steps that are timed")
    parser.add_argument("--steps", type=int, default=20, help="in a round")
    options = parser.parse_args(given)
    options.settings = dict(setting.split("=", 1) for setting in options.settings)
    options.settings |= {"data": options.data} if options.data else {}
    return options


def ours(prepared: Prepared, source: Path, given: dict[str, str], compiled: Path) -> dict[str, Any]:
    """`wootzc build` in a copy of the store. Compiled functions come from `compiled`, and go there.

    Gives result.json, and what the `command` took.
    """
    folder = Path(tempfile.mkdtemp(dir=prepared.folder))
    store = folder / "store"
    shutil.copytree(prepared.store, store)
    shutil.copytree(compiled, store / "xla", dirs_exist_ok=True)
    command = [sys.executable, "-m", "wootzc.cli", "build", str(source), "-q"]
    command += [f"--set={key}={value}" for key, value in given.items()]
    command += ["--store", str(store), "--out", str(folder / "out")]
    spent = timed(command, allowed=(0, 1))  # 1: no candidate was accurate enough
    shutil.copytree(store / "xla", compiled, dirs_exist_ok=True)
    if not (folder / "out" / "result.json").exists():
        sys.exit(f"this failed: {' '.join(command)}")
    result: dict[str, Any] = json.loads((folder / "out" / "result.json").read_text())
    assert result["teacher"]["reused"], "the teacher was trained before"
    return result | {"command": spent}


def peers(prepared: Prepared, way: str) -> dict[str, Any]:
    """The answer of peers_torch.py, and what the `command` took."""
    script = Path(__file__).with_name("peers_torch.py")
    spent = timed([sys.executable, str(script), str(prepared.folder), way], allowed=(0,))
    answer: dict[str, Any] = json.loads((prepared.folder / f"{way}.json").read_text())
    return answer | {"command": spent}


def timed(command: list[str], allowed: Sequence[int]) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    started, before = time.perf_counter(), os.times()
    code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
    if code not in allowed:
        sys.exit(f"this failed with {code}: {' '.join(command)}")
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    return time.perf_counter() - started, spent


def answer_of(result: dict[str, Any]) -> dict[str, Any]:
    """result.json in the words of peers_torch.py."""
    return {
        "met": result["objective_met"],
        "tried": result["candidates"]["tried"],
        "block steps": result["steps"]["blocks"],
        "steps": result["steps"]["finetune"],
        "seconds": sum(s for stage, s in result["seconds_now"].items() if stage not in AROUND),
        "compiling": sum(
            one["seconds"]
            for stage, one in result["compilations"]["stages"].items()
            if stage not in AROUND
        ),
        "command": result["command"],
        **{key: result["best"][key] for key in ("params", "macs", "accuracy", "test_accuracy")},
    }


def row(way: str, plan: Plan, answer: dict[str, Any]) -> str:
    assert plan.costs is not None
    cells = [
        way,
        str(plan.space.seed),
        "yes" if answer["met"] else "no",
        f"{answer['tried']:,}",
        f"{answer['block steps']:,}" if "block steps" in answer else "–",
        f"{answer['steps']:,}",
        f"{answer['seconds']:.1f}",
        f"{answer['compiling']:.1f}" if "compiling" in answer else "–",
        f"{answer['command'][0]:.1f}",
        f"{answer['command'][1]:.1f}",
        f"{answer['params']:,}",
        f"{answer['params'] / plan.costs['params'].full:.1%}",
        f"{answer['macs']:,}",
        f"{answer['macs'] / plan.costs['macs'].full:.1%}",
        f"{answer['accuracy']:.2%}",
        f"{answer['test_accuracy']:.2%}",
    ]
    return line(cells)


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def compared(options: argparse.Namespace, seed: int, folder: Path) -> Prepared:
    """All ways with one seed, a row each."""
    settings = options.settings | {"seed": str(seed)}
    prepared = prepare(options.source, settings, folder)
    given, compiled = {"explore": "predicted"} | settings, folder / "compiled"
    compiled.mkdir()
    for name in ("wootzc", "wootzc, compiled before"):
        result = ours(prepared, options.source, given, compiled)
        print(row(name, prepared.plan, answer_of(result)), flush=True)
    for way in ("candidates", "uniform"):
        print(row(f"PyTorch, {way}", prepared.plan, peers(prepared, way)), flush=True)
    return prepared


# One step on both sides


def our_steps(prepared: Prepared, rates: tuple[float, ...], steps: int) -> Callable[[], None]:
    """A round of fine-tuning steps as a build takes them."""
    from wootzc.backends.flax.device.parallel import training_devices
    from wootzc.backends.flax.net.model import structures
    from wootzc.backends.flax.train.batches import training_batches
    from wootzc.backends.flax.train.runners import runner
    from wootzc.backends.flax.train.step import initial_state
    from wootzc.backends.flax.train.strategy import choose_strategy
    from wootzc.backends.weights.slicing import prune_weights
    from wootzc.backends.weights.stored import split
    from wootzc.ir.net.prune import prune_network

    space = prepared.plan.space
    recipe = space.finetune
    devices = training_devices(recipe.batch)
    weights = prune_weights(space.network, prepared.teacher, rates, space.criteria, seed=space.seed)
    network = prune_network(space.network, rates)
    strategy = choose_strategy(network, recipe, devices, shared=True)
    endless = replace(recipe, steps=10**6)  # of batches; the schedule is the recipe's, in the step
    graphs = structures(network, devices.axis_name)
    run = runner(graphs, recipe, space.augment, devices, strategy)
    state = devices.replicate(initial_state(split(network, weights), recipe, space.seed))
    batches = training_batches(prepared.dataset.train, recipe.batch, endless.steps, space.seed)

    def take() -> None:
        nonlocal state
        state, _ = run(state, islice(batches, steps))

    return take


def their_steps(
    prepared: Prepared, rates: tuple[float, ...], steps: int, threads: int
) -> Callable[[], None]:
    """The same in PyTorch."""
    import torch
    from peers_torch import load, pruned, trainer

    peer = load(prepared.folder)
    advance = trainer(pruned(peer, ratios(prepared.plan.space.network, rates)), peer)
    rows = peer.order.repeat(-(-steps // len(peer.order)), 1)[:steps]

    def take() -> None:
        torch.set_num_threads(threads)
        advance(rows)

    return take


def step_table(prepared: Prepared, rounds: int, steps: int) -> None:
    import torch

    plan, threads = prepared.plan, sorted({torch.get_num_threads(), 1})
    assert plan.candidates is not None and plan.exploration_order is not None
    smallest = plan.candidates.values[plan.exploration_order.values[0]]
    networks = {
        "full": (0.0,) * len(smallest),
        "smallest candidate": tuple(plan.space.rates[i] for i in smallest),
    }
    print(f"\nms a step, batch {plan.space.finetune.batch}, least of {rounds} rounds of {steps};")
    print("PyTorch on so many threads, the best of them against wootzc:\n")
    heads = ["network", "wootzc", *(f"PyTorch on {n}" for n in threads), "wootzc / PyTorch"]
    print(line(heads) + "\n|" + " --- |" * len(heads))
    for name, rates in networks.items():
        sides = [our_steps(prepared, rates, steps)]
        sides += [their_steps(prepared, rates, steps, count) for count in threads]
        taken = [[seconds(take) for take in sides] for _ in range(rounds + 1)]
        least = [1000 * min(side) / steps for side in zip(*taken[1:], strict=True)]  # 0: compiles
        ratio = least[0] / min(least[1:])
        print(line([name, *(f"{ms:.2f}" for ms in least), f"{ratio:.2f}"]), flush=True)


def seconds(take: Callable[[], None]) -> float:
    started = time.perf_counter()
    take()
    return time.perf_counter() - started


def main() -> None:
    options = arguments(sys.argv[1:])
    print("command:", " ".join(["python", *sys.argv]))
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"load before: {os.getloadavg()[0]:.1f}")
    packages = ("jax", "flax", "optax", "numpy", "torch", "torch-pruning")
    print("versions:", ", ".join(f"{name} {version(name)}" for name in packages))
    print("\n" + line(COLUMNS) + "\n|" + " --- |" * len(COLUMNS), flush=True)
    for number, seed in enumerate(options.seeds, start=1):
        with tempfile.TemporaryDirectory() as folder:
            prepared = compared(options, seed, Path(folder))
            if number == len(options.seeds):
                step_table(prepared, options.rounds, options.steps)


if __name__ == "__main__":
    main()
