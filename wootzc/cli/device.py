"""Commands about the device that networks run on: benchmark."""

import json as json_text
from pathlib import Path
from typing import Any

import click

from wootzc.cli.output import table
from wootzc.units import bytes_text


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Of onnxruntime."
)
@click.option(
    "--batch", type=click.IntRange(1, 65536), default=1, show_default=True, help="Images at once."
)
@click.option(
    "--provider",
    default="CPUExecutionProvider",
    show_default=True,
    help="What onnxruntime runs them on.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600),
    default=1.0,
    show_default=True,
    help="How long each network is measured.",
)
@click.option("--json", is_flag=True, help="All figures, for programs.")
def benchmark(
    files: tuple[Path, ...], threads: int, batch: int, provider: str, seconds: float, json: bool
) -> None:
    """Latency on onnxruntime, peak memory and size of networks, side by side.

    FILES are result folders, whose best network is taken as `export` writes it, and ONNX files. The
    first is what the others are compared with. They take turns, so that a machine that becomes
    slower does so for all.

    \b
      wootzc benchmark model.onnx build/model_smaller
      wootzc benchmark build/digits build/digits/export/tiny.int8.onnx --threads 2
    """
    from wootzc.builder.result import benchmark as found
    from wootzc.ir.space import OnRuntime

    target = OnRuntime(threads=threads, batch=batch, provider=provider)
    networks = found.benchmark(files, target, seconds=seconds)
    if json:
        click.echo(json_text.dumps(found.to_json(networks, target), indent=2))
        return
    header = ("network", "latency", "half within", "to first", "half within", "memory", "size")
    rows, rounds = [], 0
    for name, one in networks:
        own = one.latency
        assert own is not None, "benchmark measures every network"
        rounds = own.rounds
        rows.append((
            name,
            f"{own.median:.3f} ms",
            f"{own.low:.3f}–{own.high:.3f}",
            f"{own.ratio:.3f}×",
            f"{own.ratio_low:.3f}–{own.ratio_high:.3f}",
            "unknown" if one.memory is None else bytes_text(one.memory),
            bytes_text(one.size),
        ))  # fmt: skip
    click.echo(table(rows, header))
    images = "1 image" if batch == 1 else f"{batch:,} images"
    thread = "1 thread" if threads == 1 else f"{threads} threads"
    click.echo(
        f"\n{images}, {thread}, {provider}; {rounds} rounds of all in turn. "
        "Memory: activations of one image at their most."
    )


COMMANDS: tuple[Any, ...] = (benchmark,)
