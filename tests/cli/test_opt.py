"""`wootzc opt` as compiler people use it: pipes, selective printing, verification."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def opt(wootzc: Command) -> Command:
    return partial(wootzc, "opt", cwd=SAMPLES)


def test_stages_of_a_pipe_make_what_one_run_makes(opt: Command) -> None:
    whole = opt("listed.wz")
    half = opt("-", "-p", "expand-space,estimate-cost", stdin=(SAMPLES / "listed.wz").read_text())
    assert half.returncode == 0, half.stderr
    rest = "mine-subsequences,select-blocks,compose,order"
    resumed = opt("-", "-p", rest, stdin=half.stdout)
    assert resumed.stdout == whole.stdout


def test_a_plan_from_standard_input_takes_no_settings(opt: Command) -> None:
    plan = opt("listed.wz", "-p", "expand-space").stdout
    refused = opt("-", "--set", "seed=3", stdin="// made by hand\n" + plan)
    assert refused.returncode == 1 and "WZ137" in refused.stderr


def test_other_commands_read_standard_input_too(opt: Command, wootzc: Command) -> None:
    source = (SAMPLES / "listed.wz").read_text()
    for command in (("plan", "-"), ("explain", "-", "block", "0"), ("plan", "-", "--emit", "ast")):
        named = wootzc(*("listed.wz" if word == "-" else word for word in command), cwd=SAMPLES)
        piped = wootzc(*command, stdin=source, cwd=SAMPLES)
        assert piped.returncode == 0 and piped.stdout == named.stdout, piped.stderr
    compiled = opt("listed.wz").stdout
    assert (
        wootzc("plan", "-", stdin=compiled, cwd=SAMPLES).stdout
        == wootzc("plan", "listed.wz", cwd=SAMPLES).stdout
    )
    assert wootzc("fmt", "-", stdin=source.replace("{", "{  "), cwd=SAMPLES).stdout == source
    done = wootzc("build", "-", stdin=source, cwd=SAMPLES)
    assert done.returncode == 1 and "WZ138" in done.stderr


def test_standard_input_that_is_no_text_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wootzc.cli", "opt", "-"], input=b"\xff\xfe", capture_output=True
    )
    assert done.returncode == 1 and b"WZ131" in done.stderr


def test_ir_is_printed_around_the_passes_that_are_named(opt: Command) -> None:
    done = opt("listed.wz", "--print-ir-before", "compose", "--print-ir-after", "compose")
    assert done.stdout.count("// before") == done.stdout.count("// after") == 1
    before, after = done.stdout.split("// after compose")
    assert "composition" not in before and "composition" in after
    wrong = opt("listed.wz", "--print-ir-after", "compost")
    assert wrong.returncode == 2 and "compose" in wrong.stderr


def test_verification_can_be_left_out(opt: Command) -> None:
    unsound = opt("listed.wz", "-p", "expand-space").stdout
    assert opt("-", "--no-verify-each", "-p", "estimate-cost", stdin=unsound).returncode == 0
    broken = unsound.replace("choices = ((0,", "choices = ((9,", 1)
    assert broken != unsound
    done = opt("-", "-p", "estimate-cost", stdin=broken)
    assert done.returncode == 1 and "WZ084" in done.stderr
