"""Options and arguments that several commands share."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from wootzc.diagnostics import fail
from wootzc.units import bytes_of

if TYPE_CHECKING:
    from wootzc.ir.plan.cost_model import CostModel

Function = TypeVar("Function", bound=Callable[..., Any] | click.Command)


class _Options(Protocol):
    def __call__(self, function: Function, /) -> Function: ...


def _together(*options: _Options) -> _Options:
    """Several options as one decorator; `--help` shows them in this order."""

    def decorated(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


# What is typed → what is meant. They are `type` of options, so they never see None.


def _bytes(given: str) -> int:
    try:
        return bytes_of(given)
    except ValueError:
        raise click.BadParameter(f"{given!r} is no size; write for example 500M or 4G") from None


def fraction(given: str) -> float:
    """90% or 0.9."""
    try:
        value = float(given.rstrip("% ")) / (100 if "%" in given else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise click.BadParameter(f"{given!r} is no accuracy: write for example 90% or 0.9")
    return value


def _size(given: str) -> tuple[int, ...]:
    sizes = given.split("x")
    if len(sizes) != 3 or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise click.BadParameter(f"{given!r} is no size: write for example --input 224x224x3")
    return tuple(map(int, sizes))


def _meeting(given: str) -> str:
    name, _, port = given.rpartition(":")
    if given == "auto" or (name and port.isdecimal()):
        return given
    raise click.BadParameter(f"{given!r} is no address: write NAME:PORT, or auto")


def _host(given: str) -> tuple[int, int]:
    number, _, count = given.partition("/")
    if number.isdecimal() and count.isdecimal() and int(number) < int(count):
        return int(number), int(count)
    raise click.BadParameter(f"{given!r} is no host: write 0/4 for the first of four, then 1/4")


def _address(given: str) -> str:
    if given == "ray" or given.startswith("ray://"):
        return given
    raise click.BadParameter(f"{given!r} is no address: write ray, or ray://HOST:10001")


def _pairs(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> Any:
    """A callback: of all that are given at once."""
    pairs = {}
    for item in given:
        key, equals, value = item.partition("=")
        if not equals:
            raise click.BadParameter(f"{item!r} is not KEY=VALUE; write for example seed=3")
        pairs[key.strip()] = value.strip()
    return pairs


class FileOf(click.Path):
    """A file that is written in one form, which its name must say."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(path_type=Path, dir_okay=False)
        self.suffixes = suffixes

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix.lower() not in self.suffixes:
            stem = str(path.with_suffix("")) if path.name else "FILE"
            names = " or ".join(stem + suffix for suffix in self.suffixes)
            self.fail(f"{value} has another suffix than what is written there: {names}", param, ctx)
        return path


class StorePath(click.Path):
    """A folder, or an address with a scheme, as it is."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return value if "://" in os.fspath(value) else super().convert(value, param, ctx)


STORE = StorePath(path_type=Path, file_okay=False)

# FILE: a .wz source (or a .wzir plan where that makes sense).
source_argument = click.argument("file", type=click.Path(path_type=Path))

store_option = click.option(
    "--store",
    type=STORE,
    help="Where finished jobs are kept: a folder, or s3://BUCKET/PREFIX (gs://, az://; extra "
    "objects). Default: $WOOTZC_STORE or the user's cache folder.",
)

shape_option = click.option(
    "--input",
    "shape",
    type=_size,
    metavar="HxWxC",
    help="The size of the images that enter, where the model leaves it open.",
)

memory_options = _together(
    click.option(
        "--memory",
        type=_bytes,
        metavar="SIZE",
        help="For blocks trained side by side and the teacher's activations: 500M, 4G. On each "
        "accelerator, if there are any. It changes no result. Default: half of what is free.",
    ),
    click.option(
        "--disk",
        type=_bytes,
        metavar="SIZE",
        help="For the teacher's activations while blocks are trained, beside the store, where "
        "memory is short. Default: a tenth of what is free.",
    ),
)

cluster_options = _together(
    click.option(
        "--on",
        type=_address,
        metavar="ADDRESS",
        help="Let workers on Ray (extra ray) do all training: `ray` starts a cluster on this "
        "machine, `ray://HOST:10001` uses one (docs/cluster.md).",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="With --on: how many. Default: one for each accelerator, else one a machine.",
    ),
    click.option(
        "--hosts",
        type=_meeting,
        metavar="NAME:PORT",
        help="Train each network over the devices of several hosts, of which each runs this "
        "command: a free port of host 0, or `auto` under Slurm and the like "
        "(docs/cluster.md).",
    ),
    click.option(
        "--host",
        type=_host,
        metavar="N/COUNT",
        help="With --hosts NAME:PORT: which one this is, from 0, and how many there are.",
    ),
)


def override_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`overrides`, as `analyze` takes them, and `space`."""

    @wraps(command)
    def given(*, settings: dict[str, str], seed: int | None, **others: Any) -> Any:
        seeded = {} if seed is None else {"seed": str(seed)}
        return command(overrides=settings | seeded, **others)

    return _together(
        click.option(
            "--set",
            "settings",
            multiple=True,
            callback=_pairs,
            metavar="KEY=VALUE",
            help="Override a setting: data=other.zip, teacher.steps=50, sample=20. Repeatable.",
        ),
        click.option("--seed", type=int, help="Overrides the file's seed."),
        click.option("--space", metavar="NAME", help="Which space, where the file has several."),
    )(given)


passes_option = click.option(
    "-p",
    "--passes",
    "pipeline",
    metavar="PIPELINE",
    help='For example "expand-space,mine-subsequences{method=sequitur}". Default: all of them.',
)

calibrate_option = click.option(
    "--calibrate",
    type=STORE,
    metavar="STORE",
    help="Fit the cost model of `blocks optimal` to what builds on this store measured.",
)


def calibrated(store: Path | str | None) -> "CostModel | None":
    """The cost model that `--calibrate` asks for."""
    if store is None:
        return None
    from wootzc.builder.jobs.measured import calibrate
    from wootzc.builder.jobs.store import Store, is_store

    if not is_store(store):
        raise fail("WZ099", f"there is no store in {store}", "name the folder given to `--store`")
    return calibrate(Store(store))
