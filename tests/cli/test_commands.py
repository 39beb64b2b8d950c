"""The command line as a user runs it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent.parent.parent / "samples"
NAMES = sorted(path.name for path in SAMPLES.glob("*.wz"))
Command = Callable[..., subprocess.CompletedProcess[str]]


def test_all_samples_check_and_are_formatted(wootzc: Command) -> None:
    files = [SAMPLES / name for name in NAMES]
    checked = wootzc("check", *files)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": ok") == len(NAMES) >= 5
    formatted = wootzc("fmt", "--check", "--diff", *files)
    assert formatted.returncode == 0, formatted.stdout


def test_files_that_build_will_need_are_noted(tmp_path: Path, wootzc: Command) -> None:
    body = "prune * rates { 0, 50% }; minimize params; subject to accuracy >= 80%"
    over = "over cifar_resnet20(classes = 3)"
    (tmp_path / "a.wz").write_text(
        f'space a {over} {{ data "x.npz"; teacher from "w.onnx"; {body} }}\n'
        f'space b {over} {{ data "x.npz"; teacher from "w.onnx" {{ steps 5 }}; {body} }}\n'
    )
    done = wootzc("check", tmp_path / "a.wz")
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert done.returncode == 0
    assert [Path(note.split()[1]).name for note in notes] == ["x.npz", "w.onnx"]


@pytest.mark.parametrize("command", ["check", "plan", "explain"])
def test_norms_that_were_put_back_are_noted(command: str, wootzc: Command) -> None:
    done = wootzc(command, SAMPLES / "onnx.wz")
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    (note,) = [line for line in notes if "can't be pruned" not in line]
    assert note.startswith("note: network digits_onnx: 15 convolutions have a bias and no norm")
    imported = wootzc("import", SAMPLES / "digits.onnx")
    assert "note: 15 convolutions" in imported.stderr and "norm" in imported.stdout
    as_it_is = wootzc("import", SAMPLES / "digits.onnx", "--norms", "folded")
    assert "norm" not in as_it_is.stderr and "norm" not in as_it_is.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_plans(name: str, wootzc: Command) -> None:
    done = wootzc("plan", SAMPLES / name, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["candidates"]["count"] >= 5
    assert figures["full"]["params"] >= figures["candidates"]["params"]["max"]


def test_the_digits_sample_is_as_large_as_promised(wootzc: Command) -> None:
    figures = json.loads(wootzc("plan", SAMPLES / "digits.wz", "--json").stdout)
    assert len([m for m in figures["modules"] if len(m["rates"]) > 1]) >= 8
    assert figures["candidates"]["count"] >= 200


@pytest.mark.parametrize(
    ("stage", "beginning"),
    [
        ("ir", "plan {"),
        ("plan", "plan("),
        ("dag", "digraph"),
        ("mermaid", "flowchart"),
        ("ast", "File"),
    ],
)
def test_plan_emits_every_stage(stage: str, beginning: str, wootzc: Command) -> None:
    done = wootzc("plan", SAMPLES / "listed.wz", "--emit", stage)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(beginning) and len(done.stdout) > 100


def test_opt_goes_on_from_its_own_output(tmp_path: Path, wootzc: Command) -> None:
    half = wootzc("opt", SAMPLES / "listed.wz", "-p", "expand-space,estimate-cost")
    assert half.returncode == 0, half.stderr
    (tmp_path / "half.wzir").write_text(half.stdout)
    rest = "mine-subsequences,select-blocks,compose,order"
    resumed = wootzc("opt", tmp_path / "half.wzir", "-p", rest)
    assert resumed.stdout == wootzc("opt", SAMPLES / "listed.wz").stdout
    timed = wootzc("opt", SAMPLES / "listed.wz", "--time-passes")
    assert "expand-space" in timed.stderr and timed.stdout == resumed.stdout
    assert "// after compose" in wootzc("opt", SAMPLES / "listed.wz", "--print-ir-after-all").stdout


def test_explain(wootzc: Command) -> None:
    file = SAMPLES / "digits.wz"
    assert "prunable" in wootzc("explain", file, "module", "a1").stdout
    assert "used by" in wootzc("explain", file, "block", "0").stdout
    assert "by cost; scores decide" in wootzc("explain", file, "candidate", "3").stdout
    assert wootzc("explain", file, "a1").stdout == wootzc("explain", file, "module", "a1").stdout
    wrong = wootzc("explain", file, "module", "zz")
    assert wrong.returncode == 1 and "known: plain1, a1" in wrong.stderr


def test_fmt_rewrites_and_reports(tmp_path: Path, wootzc: Command) -> None:
    text = (SAMPLES / "digits.wz").read_text()
    file = tmp_path / "untidy.wz"
    file.write_text(text.replace("  basic(16)", "basic( 16 )"))
    assert wootzc("fmt", "--check", file).returncode == 1
    assert "-basic( 16 )" in wootzc("fmt", "--diff", file).stdout
    assert wootzc("fmt", file).stdout == f"formatted {file}\n"
    assert file.read_text() == text
    assert wootzc("fmt", "-", stdin=text).stdout == text


def test_fmt_keeps_line_ends_and_a_byte_order_mark(tmp_path: Path, wootzc: Command) -> None:
    text = (SAMPLES / "digits.wz").read_text(encoding="utf-8")
    file = tmp_path / "windows.wz"
    windows = "\ufeff" + text.replace("\n", "\r\n")
    file.write_bytes(windows.replace("  basic(16)", "basic( 16 )").encode())
    assert wootzc("fmt", file).stdout == f"formatted {file}\n"
    assert file.read_bytes() == windows.encode()
    assert wootzc("fmt", "--check", file).returncode == 0


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "wootzc", "check", str(SAMPLES / "digits.wz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and ": ok" in done.stdout


def test_fmt_checks_standard_input(wootzc: Command) -> None:
    text = (SAMPLES / "digits.wz").read_text()
    untidy = text.replace("  basic(16)", "basic( 16 )")
    assert wootzc("fmt", "-", stdin=untidy).stdout == text
    checked = wootzc("fmt", "--check", "-", stdin=untidy)
    assert (checked.returncode, checked.stdout) == (1, "would format -\n")
    shown = wootzc("fmt", "--diff", "-", stdin=untidy)
    assert shown.returncode == 0
    assert "\n-basic( 16 )" in shown.stdout and "\n+  basic(16)" in shown.stdout
    assert wootzc("fmt", "--check", "--diff", "-", stdin=untidy).returncode == 1
    for option in ("--check", "--diff"):
        tidy = wootzc("fmt", option, "-", stdin=text)
        assert (tidy.returncode, tidy.stdout) == (0, "")


def test_the_syntax_tree_takes_no_settings(wootzc: Command) -> None:
    for option in (("--set", "sample=3"), ("--seed", "1")):
        done = wootzc("plan", SAMPLES / "digits.wz", "--emit", "ast", *option)
        assert done.returncode == 2 and "leave out --set" in done.stderr
        assert done.stdout == ""


def test_mistakes_end_in_diagnostics_and_exit_codes(tmp_path: Path, wootzc: Command) -> None:
    missing = wootzc("check", tmp_path / "none.wz")
    assert missing.returncode == 1 and "WZ130" in missing.stderr
    (tmp_path / "binary.wz").write_bytes(b"\xff\xfe\x00")
    assert "WZ131" in wootzc("plan", tmp_path / "binary.wz").stderr
    (tmp_path / "empty.wz").write_text("")
    assert "Traceback" not in wootzc("build", tmp_path / "empty.wz").stderr
    assert wootzc("plan", SAMPLES / "digits.wz", "--no-such-option").returncode == 2
    assert wootzc("plan", SAMPLES / "digits.wz", "--set", "nonsense").returncode == 2
    unknown = wootzc("plan", SAMPLES / "digits.wz", "--set", "techer.steps=3")
    assert unknown.returncode == 1 and "teacher" in unknown.stderr
    space = wootzc("plan", SAMPLES / "digits.wz", "--space", "nope")
    assert space.returncode == 1 and "digits" in space.stderr


def test_plan_of_a_space_is_silent_on_the_others(tmp_path: Path, wootzc: Command) -> None:
    (tmp_path / "two.wz").write_text(
        "module m { conv(3x3, 8); relu; conv(3x3, 8); relu }\n"
        "network n { input(8x8x1); m as a; m as b; global_pool; dense(4) }\n"
        'space one over n { data "x.npz"; sample 900; minimize params; '
        "subject to accuracy >= 50% }\n"
        "space two from one { sample 800 }\n"
        "space three from two { seed 1 }\n"
    )

    def warned(space: str) -> str:
        done = wootzc("plan", tmp_path / "two.wz", "--space", space)
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert "sample 900" in warned("one") and "sample 800" not in warned("one")
    assert "sample 800" in warned("three")  # which builds on two


def test_build_names_missing_data(tmp_path: Path, wootzc: Command) -> None:
    done = wootzc("build", SAMPLES / "digits.wz", "--set", f"data={tmp_path}/none.npz")
    assert done.returncode == 1
    assert "none.npz" in done.stderr and "Traceback" not in done.stderr


def test_a_size_that_is_none_is_a_mistake_of_usage(wootzc: Command) -> None:
    done = wootzc("build", SAMPLES / "digits.wz", "--memory", "much")
    assert done.returncode == 2
    assert "'much' is no size; write for example 500M or 4G" in done.stderr


def test_version_help_and_completion(wootzc: Command) -> None:
    assert wootzc("--version").stdout.startswith("wootzc, version ")
    commands = [
        "build",
        "check",
        "clean",
        "explain",
        "export",
        "fmt",
        "opt",
        "plan",
        "report",
        "verify",
    ]
    listed = wootzc("--help").stdout
    assert all(f"\n  {command}" in listed for command in commands)
    for shell in ("bash", "zsh", "fish"):
        assert "_WOOTZC_COMPLETE" in wootzc("completion", shell).stdout
