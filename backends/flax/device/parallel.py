"""Devices: the only file that knows how many there are, and of which kind.

One device: plain `jax.jit`. Several: `jax.pmap` over them, every tree replicated along a leading
device axis, every batch cut into equal parts; gradients and batch-norm statistics are averaged over
the axis, so that the numbers are those of one device up to rounding.

Several hosts (`join`): within `together` their devices are one group. Each host runs the same
program on the same data, and works on its own part of a batch.

Several candidates at once: each on a group of devices of its own, driven by a thread. One device
gives the same bits as any other.
"""

import hashlib
import os
import platform
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import jax
import numpy as np
from jax.experimental.multihost_utils import broadcast_one_to_all, process_allgather
from numpy.typing import NDArray

from wootzc.backends.flax.device.allocator import keep_freed_memory
from wootzc.backends.flax.device.compiles import trim_cache

Strategy = Literal["segments", "loop", "scan"]
Parallel = Literal["auto", "data", "candidates"]
Function = Callable[..., Any]
Tree = TypeVar("Tree")

AXIS = "devices"
SCANNED_STEPS = 32  # per call of the device, at most
UNTOLD_MEMORY = 4 * 2**30  # bytes
COMPILE_COST = 1000  # calls: compiling a network takes seconds, a call about a millisecond
# The emitters that XLA has by default set up MLIR for every kernel. Of small programs, of which
# there are many, that is a third of compiling; of large ones their kernels are faster.
CHEAP = {"xla_cpu_use_fusion_emitters": False}
SMALL_SHARE = 32  # images of a batch for one device: below, several candidates at once pay more
PATIENCE = 600  # seconds after which JAX ends what is left of hosts that were joined
LONGEST = 1024  # bytes that all hosts are told at once

_together = ContextVar("together", default=False)


@dataclass(frozen=True, slots=True)
class Devices:
    """A group of devices: `count` of them, on each host as many, from its number `start` on."""

    count: int
    start: int = 0
    hosts: int = 1

    @property
    def each(self) -> int:
        """Of these on one host."""
        return self.count // self.hosts

    @property
    def local(self) -> list[Any]:  # `jax.Device` is no type to pyright
        return self._of(None)

    def _of(self, host: int | None) -> list[Any]:
        return jax.local_devices(host)[self.start : self.start + self.each]

    @property
    def axis_name(self) -> str | None:
        """Over which collectives sum; None where one device sees the whole batch."""
        return AXIS if self.count > 1 else None

    @property
    def accelerated(self) -> bool:
        """They have memory of their own."""
        return jax.default_backend() != "cpu"

    def compile(
        self, function: Function, donate: tuple[int, ...] = (), *, whole: bool = False
    ) -> Function:
        """`function` on every device. Arguments and results carry a device axis if several.

        `whole`: it is the step of a whole network or block, of which there are few.
        """
        if self.count == 1:  # it runs where its arguments are
            options = CHEAP if self.local[0].platform == "cpu" and not whole else None
            return jax.jit(function, donate_argnums=donate, compiler_options=options)
        devices = self.local
        if self.hosts > 1:
            devices = [one for host in range(self.hosts) for one in self._of(host)]
        mapped = jax.pmap(function, axis_name=AXIS, devices=devices, donate_argnums=donate)
        if devices[0].platform != "cpu":
            return mapped

        def one_at_a_time(*arguments: Any) -> Any:
            # Virtual CPU devices share one pool of threads: with several steps in flight, devices
            # waiting in an all-reduce can hold every thread that the others need (XLA then aborts).
            return jax.block_until_ready(mapped(*arguments))

        return one_at_a_time

    def replicate(self, tree: Tree) -> Tree:
        """A tree of host arrays on every device."""
        if self.count == 1:
            # A copy of our own: steps give their buffers away, and NumPy's may be borrowed.
            return jax.device_put(tree, self.local[0], may_alias=False)
        along = self._along

        def copied(array: NDArray[Any]) -> jax.Array:
            return jax.device_put(np.broadcast_to(array, (self.each, *np.shape(array))), along)

        return jax.tree.map(copied, tree)

    def everywhere(self, tree: Tree) -> Tree:
        """As `replicate`, of numbers that a compiled function is called with: they stay on the host
        until then.
        """
        if self.count == 1:
            return tree
        return jax.tree.map(lambda a: np.broadcast_to(a, (self.each, *np.shape(a))), tree)

    def first(self, tree: Tree) -> Tree:
        """The inverse of `replicate`: NumPy arrays of the first device."""
        if self.count == 1:
            return jax.device_get(tree)
        return jax.tree.map(lambda a: np.asarray(a.addressable_shards[0].data)[0], tree)

    def spread(self, array: NDArray[Any], axis: int = 0) -> NDArray[Any] | jax.Array:
        """Cut a batch axis into one equal part per device; the device axis comes first.

        Of several hosts each gets what its devices work on.
        """
        if self.count == 1:  # the first device takes what is on the host as it is
            return jax.device_put(array, self.local[0]) if self.start else array
        shape = array.shape
        cut = (*shape[:axis], self.count, shape[axis] // self.count, *shape[axis + 1 :])
        host = jax.process_index() if self.hosts > 1 else 0
        return np.moveaxis(array.reshape(cut), axis, 0)[host * self.each : (host + 1) * self.each]

    def place(self, array: NDArray[Any]) -> jax.Array:
        """`spread`, put where a compiled function leaves its results.

        What is on the host and what is on a device are compiled for apart.
        """
        where = self.local[0] if self.count == 1 else self._along
        return jax.device_put(self.spread(array), where)

    def gather(self, array: Any) -> NDArray[Any]:
        """The inverse of `spread` along the first axis, on every host."""
        values = np.asarray(array)
        if self.count == 1:
            return values
        if self.hosts > 1:
            values = process_allgather(values).reshape(-1, *values.shape[1:])
        return values.reshape(-1, *values.shape[2:])

    @property
    def _along(self) -> jax.sharding.Sharding:
        """One part of the first axis on each device."""
        mesh = jax.sharding.Mesh(self.local, (AXIS,))
        return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(AXIS))


def training_devices(batch: int, group: Devices | None = None) -> Devices:
    """As many devices of the group, or of all local ones, as divide the batch evenly."""
    group = group or all_devices()
    for count in range(group.count, 0, -group.hosts):
        if batch % count == 0:
            return replace(group, count=count)
    return training_devices(batch, replace(group, count=group.each, hosts=1))  # each host all of it


def all_devices() -> Devices:
    """Of this host; within `together`, of all that it was joined with too."""
    hosts = jax.process_count() if _together.get() else 1
    return Devices(jax.local_device_count() * hosts, hosts=hosts)


@contextmanager
def together() -> Generator[None]:
    """Within, all hosts run the same programs in the same order, over the devices of all."""
    token = _together.set(True)
    try:
        yield
    finally:
        _together.reset(token)


def join(coordinator: str | None, hosts: int | None, host: int | None) -> tuple[int, int]:
    """Bring several hosts together; which this is, and how many there are.

    Returns once all of them have called this. Before anything else of JAX is used. `coordinator`: a
    free port of host 0, as "name:port". None: what Slurm, Open MPI, Kubernetes or TPUs say. Raises
    `ValueError` where they say nothing, `RuntimeError` where not all come together.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(coordinator, hosts, host, heartbeat_timeout_seconds=PATIENCE)
    return jax.process_index(), jax.process_count()


def leave() -> None:
    """The last word between hosts that were joined: waits until all have said it."""
    jax.distributed.shutdown()


def told_by_first(words: bytes) -> bytes:
    """What host 0 gives, on all hosts: at most `LONGEST` bytes, of which none is 0."""
    given = np.frombuffer(words.ljust(LONGEST, b"\0"), np.uint8)
    return np.asarray(broadcast_one_to_all(given)).astype(np.uint8).tobytes().rstrip(b"\0")


def candidate_groups(
    parallel: Parallel, batch: int, candidates: int, platform: str | None = None
) -> tuple[Devices, ...]:
    """The groups of devices that fine-tune candidates: as many candidates run at once.

    data: one group of all. candidates: as many equal groups as there are devices, or candidates if
    these are fewer. auto: `candidates` if a batch over all devices leaves each fewer than
    `SMALL_SHARE` images, too few to keep it busy; `data` otherwise.
    """
    devices = all_devices()
    at_once = min(devices.count, candidates)
    small = batch < SMALL_SHARE * devices.count
    if at_once < 2 or devices.hosts > 1 or parallel == "data" or (parallel == "auto" and not small):
        return (devices,)
    # Steps over several virtual CPU devices must not be in flight at once: see `compile`.
    size = 1 if (platform or jax.default_backend()) == "cpu" else devices.count // at_once
    return tuple(Devices(size, size * number) for number in range(at_once))


def free_memory() -> int:
    """Bytes that nobody uses: of the fullest local device, if these are accelerators; else of the
    machine, within the limit of its container.
    """
    stats = [device.memory_stats() for device in jax.local_devices() if device.platform != "cpu"]
    told = [one["bytes_limit"] - one["bytes_in_use"] for one in stats if one]
    return min(told) if told else free_memory_of_machine(Path("/"))


def free_memory_of_machine(root: Path) -> int:
    """As Linux tells it below `root`; elsewhere what any machine that trains has."""
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return UNTOLD_MEMORY
    kibibytes = {name: amount for name, _, amount in (line.partition(":") for line in lines)}
    free = 1024 * int(kibibytes["MemAvailable"].split()[0])
    group = root / "sys/fs/cgroup"
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        stat = (group / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):  # no control groups of version 2, or "max": no limit
        return free
    given_back = sum(int(line.split()[1]) for line in stat if line.startswith("inactive_file "))
    return min(free, max(limit - used + given_back, 0))


def chunk_size(distances: Sequence[int]) -> int:
    """How many steps to scan in one call when the loop stops after each of `distances` steps.

    The cheapest size: what a chunk leaves over runs step by step, and needs a program of its own.
    """

    def cost(size: int) -> int:
        calls = sum(n * (d // size + d % size) for d, n in Counter(distances).items())
        both = size > 1 and any(d >= size for d in distances) and any(d % size for d in distances)
        return calls + both * COMPILE_COST

    return min(range(1, SCANNED_STEPS + 1), key=cost)


def leave_accelerators() -> None:
    """This process computes on the processor only, if it has not begun: others have the rest."""
    jax.config.update("jax_platforms", "cpu")


def configure(cache_dir: Path | None) -> None:
    """Keep memory from one step to the next, and compiled functions in a folder of `cache_dir` from
    one run to the next.

    One folder per processor: XLA complains of machine code made for another one. Small functions
    too: reading one takes a tenth of the time. Who has set JAX_COMPILATION_CACHE_DIR keeps them
    there, as every program of JAX does.
    """
    keep_freed_memory()
    if cache_dir is None or os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    trim_cache(cache_dir)
    folder = cache_dir / _processor()
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    if jax.default_backend() == "cpu":  # caches for GPUs, whose path would be part of every key
        jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    # An entry cut short by a kill is compiled again: nothing that a user must know.
    message = "Error (reading|writing) persistent compilation cache"
    warnings.filterwarnings("ignore", message=message, category=UserWarning)


def _processor() -> str:
    """A name for what this machine's compiled code can rely on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = [platform.processor()]
    features = [line for line in lines if line.startswith(("model name", "flags", "Features"))]
    digest = hashlib.sha256("\n".join(sorted(set(features or lines[:1]))).encode())
    return f"{platform.machine()}-{digest.hexdigest()[:12]}"
