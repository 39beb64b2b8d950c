"""Golden files, and what all tests of a run share.

A golden file is an input beside its `.expect`; WOOTZC_UPDATE_EXPECT=1 rewrites what differs.
"""

import gc
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import (
    AbstractContextManager,
    chdir,
    contextmanager,
    redirect_stderr,
    redirect_stdout,
)  # fmt: skip
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import settings

# The machines that run these tests are slow now and then; that is no failure. In CI the examples
# are the same every time.
settings.register_profile("wootzc", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("wootzc")

# A tenth of the time went into collections that found nothing: by default one for 700 new objects.
gc.set_threshold(50_000, 10, 20)

# One cache of compiled programs for all processes of a run, and nothing of earlier runs. XLA spends
# little on each, but where a file is marked `bits`. NumPy's threads only wait for each other where
# a process has a core to itself.
CHEAP = "JAX_DISABLE_MOST_OPTIMIZATIONS"
SHARED = {
    "OMP_NUM_THREADS": "1",
    CHEAP: "1",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",
}
CACHE = "JAX_COMPILATION_CACHE_DIR"

# Now, since the conftests of folders that are named on the command line import JAX next.
FIRST = CACHE not in os.environ  # pytest-xdist's workers inherit it
if FIRST:
    os.environ |= {**SHARED, CACHE: tempfile.mkdtemp(prefix="wootzc-tests-")}


def pytest_configure(config: pytest.Config) -> None:
    if FIRST:
        config.add_cleanup(lambda: shutil.rmtree(os.environ[CACHE], ignore_errors=True))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("torch"):
        pytest.importorskip("torch")


@pytest.fixture(autouse=True, scope="module")
def _as_users_compile(request: pytest.FixtureRequest) -> Iterator[None]:
    """What compares bits of different programs does so of programs as a build compiles them."""
    if request.node.get_closest_marker("bits") is None or CHEAP not in os.environ:
        yield
        return
    jax: Any = import_module("jax")  # only here: most tests do without

    def compile_cheaply(it: bool) -> None:
        jax.config.update(CHEAP.lower(), it)
        jax.clear_caches()

    kept = os.environ.pop(CHEAP)  # processes that are started inherit it
    compile_cheaply(False)
    yield
    os.environ[CHEAP] = kept
    compile_cheaply(True)


@pytest.fixture
def no_shared_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """For processes that are started: as a user has them."""
    for name in (CACHE, *SHARED):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def expect() -> Callable[[Path, str], None]:
    """Compare text with the `.expect` beside `source`."""

    def compare(source: Path, actual: str) -> None:
        golden = source.with_suffix(".expect")
        if os.environ.get("WOOTZC_UPDATE_EXPECT"):
            golden.write_text(actual, encoding="utf-8")
        assert golden.exists(), f"{golden.name} is missing; run with WOOTZC_UPDATE_EXPECT=1"
        assert actual == golden.read_text(encoding="utf-8")

    return compare


class Work:
    """Lines of Python that ran: the same on every machine, as seconds are not."""

    lines = 0


Worked = Callable[[], AbstractContextManager[Work]]


@pytest.fixture
def worked() -> Worked:
    """`with worked() as work: …`, and then `work.lines`."""

    @contextmanager
    def counting() -> Iterator[Work]:
        work, before, lines = Work(), sys.gettrace(), 0

        def count(frame: FrameType, event: str, arg: Any) -> Any:  # called for every line
            nonlocal lines
            if event == "line":
                lines += 1
            return count

        sys.settrace(count)
        try:
            yield work
        finally:
            sys.settrace(before)
            work.lines = lines

    return counting


class Command:
    """`wootzc("plan", "a.wz", cwd=folder)`: what a process would print, and its exit code.

    What only a process shows, imports and signals say, has tests that start one.
    """

    def __call__(
        self, *arguments: str | Path, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        from wootzc.cli import main

        words = ["wootzc", *map(str, arguments)]
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        with (
            pytest.MonkeyPatch.context() as patch,
            chdir(cwd or "."),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            patch.setattr(sys, "argv", words)
            patch.setattr(sys, "stdin", given)
            main()
        return subprocess.CompletedProcess(
            words, int(ended.value.code or 0), *map(_text, (out, err))
        )


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@pytest.fixture
def wootzc() -> Iterator[Command]:
    yield Command()
    gc.enable()  # commands turn it off
