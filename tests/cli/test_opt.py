"""`wootzc opt` as compiler people use it: pipes, selective printing, verification."""

import os
import subprocess
import sys
from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "samples"


def opt(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return wootzc("opt", *arguments, stdin=stdin)


def wootzc(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wootzc.cli", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=SAMPLES,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )


def test_stages_of_a_pipe_make_what_one_run_makes() -> None:
    whole = opt("listed.wz")
    half = opt("-", "-p", "expand-space,estimate-cost", stdin=(SAMPLES / "listed.wz").read_text())
    assert half.returncode == 0, half.stderr
    rest = "mine-subsequences,select-blocks,compose,order"
    resumed = opt("-", "-p", rest, stdin=half.stdout)
    assert resumed.stdout == whole.stdout


def test_a_plan_from_standard_input_takes_no_settings() -> None:
    plan = opt("listed.wz", "-p", "expand-space").stdout
    refused = opt("-", "--set", "seed=3", stdin="// made by hand\n" + plan)
    assert refused.returncode == 1 and "WZ137" in refused.stderr


def test_other_commands_read_standard_input_too() -> None:
    source = (SAMPLES / "listed.wz").read_text()
    for command in (("plan", "-"), ("explain", "-", "block", "0"), ("plan", "-", "--emit", "ast")):
        named = wootzc(*("listed.wz" if word == "-" else word for word in command))
        piped = wootzc(*command, stdin=source)
        assert piped.returncode == 0 and piped.stdout == named.stdout, piped.stderr
    compiled = opt("listed.wz").stdout
    assert wootzc("plan", "-", stdin=compiled).stdout == wootzc("plan", "listed.wz").stdout
    assert wootzc("fmt", "-", stdin=source.replace("{", "{  ")).stdout == source
    done = wootzc("build", "-", stdin=source)
    assert done.returncode == 1 and "WZ138" in done.stderr


def test_standard_input_that_is_no_text_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wootzc.cli", "opt", "-"], input=b"\xff\xfe", capture_output=True
    )
    assert done.returncode == 1 and b"WZ131" in done.stderr


def test_ir_is_printed_around_the_passes_that_are_named() -> None:
    done = opt("listed.wz", "--print-ir-before", "compose", "--print-ir-after", "compose")
    assert done.stdout.count("// before") == done.stdout.count("// after") == 1
    before, after = done.stdout.split("// after compose")
    assert "composition" not in before and "composition" in after
    wrong = opt("listed.wz", "--print-ir-after", "compost")
    assert wrong.returncode == 2 and "compose" in wrong.stderr


def test_verification_can_be_left_out() -> None:
    unsound = opt("listed.wz", "-p", "expand-space").stdout
    assert opt("-", "--no-verify-each", "-p", "estimate-cost", stdin=unsound).returncode == 0
    broken = unsound.replace("choices = ((0,", "choices = ((9,", 1)
    assert broken != unsound
    done = opt("-", "-p", "estimate-cost", stdin=broken)
    assert done.returncode == 1 and "WZ084" in done.stderr
