"""Sources that nobody wrote in good faith: they end in diagnostics, and soon, and in few words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = 2 * 2**30  # bytes of address space, of which Python with NumPy takes a part
CPU = 60  # seconds; what it catches takes minutes
NINES = "9" * 5_000

WZ: dict[str, tuple[bytes, str]] = {
    "zeros": (bytes(10_000_000), "WZ007"),
    "no-utf8": (b"network n { input(3) } \xff\xfe", "WZ131"),
    "utf16": ("network n { input(3) }".encode("utf-16"), "WZ131"),
    "one-long-line": (b"//" + b"x" * 5_000_000, "WZ007"),
    "blank-lines": (b"\n" * 5_000_000, "WZ007"),
    "a-device": (b'include "/dev/zero"\n', "WZ007"),
    "a-network-of-zeros": (b'network n from "zeros.onnx"\n', "WZ090"),
    "a-text-of-zeros": (b'network n from "zeros.prototxt"\n', "WZ090"),
    "itself": (b'include "itself.wz"\n', "WZ009"),
    "circle": (b'include "back.wz"\n', "WZ009"),
    "chain": (b'include "c1.wz"\n', "WZ008"),
    "exponent": (f"network n {{ input(3); dense(1e{NINES}) }}\n".encode(), "WZ005"),
    "small-exponent": (b"network n { input(3); dense(1e-99999999999999999999) }\n", "WZ014"),
    "percent-exponent": (b"network n { input(3); dense(1e9999999%) }\n", "WZ014"),
}
WZIR: dict[str, tuple[str, str]] = {
    "deep": ("plan {\n" + "a {\n" * 50_000, "WZ080"),
    "deep-tuple": (f"plan(a = {'(' * 50_000}{')' * 50_000})\n", "WZ080"),
    "minus-signs": (f"plan(a = {'-' * 50_000}1)\n", "WZ080"),
    "power": ("plan(training_order = (9**9**9,))\n", "WZ080"),
    "digits": (f"plan(training_order = ({NINES},))\n", "WZ080"),
    "huge-array": ("plan {\n  candidates = uint8[4294967296, 4294967296] {\n  }\n}\n", "WZ083"),
    "one-long-line": (f"plan({'x' * 3_000_000})\n", "WZ080"),
}


# The process limits itself: to fork this one, with threads of JAX in it, is asking for trouble.
BOUNDED = f"""
import resource, runpy
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU}, {CPU}))
runpy.run_module("wootzc.cli", run_name="__main__", alter_sys=True)
"""


def wootzc(*arguments: str, cwd: Path, stdin: int | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, *arguments],
        stdin=stdin,
        capture_output=True,
        cwd=cwd,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    told = done.stderr.decode()
    assert done.returncode == 1, told[-2_000:]
    assert "Traceback" not in told
    return told


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, _) in WZ.items():
        (folder / f"{name}.wz").write_bytes(content)
    (folder / "back.wz").write_text('include "circle.wz"\n')
    for number in range(1, 300):
        (folder / f"c{number}.wz").write_text(f'include "c{number + 1}.wz"\n')
    for name in ("zeros.onnx", "zeros.prototxt"):
        (folder / name).symlink_to("/dev/zero")
    return folder


def test_check_tells_what_is_wrong_with_each(folder: Path) -> None:
    told = wootzc("check", *(f"{name}.wz" for name in WZ), "/dev/zero", cwd=folder)
    assert len(told) < 20_000
    codes = [line[6:11] for line in told.splitlines() if line.startswith("error[")]
    assert codes == [*(code for _, code in WZ.values()), "WZ007"]


@pytest.mark.parametrize("name", WZIR)
def test_opt_reads_no_such_plan(name: str, tmp_path: Path) -> None:
    text, code = WZIR[name]
    (tmp_path / f"{name}.wzir").write_text(text)
    told = wootzc("opt", f"{name}.wzir", cwd=tmp_path)
    assert told.startswith(f"error[{code}]") and len(told) < 5_000


def test_standard_input_may_never_end(tmp_path: Path) -> None:
    with open("/dev/zero", "rb") as endless:
        told = wootzc("check", "-", cwd=tmp_path, stdin=endless.fileno())
    assert told.startswith("error[WZ007]")
