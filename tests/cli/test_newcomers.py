"""Mistakes of someone who does not know the command line yet: told at once, with a way out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from wootzc.cli import cli
from wootzc.cli.explain_text import explain_text
from wootzc.diagnostics import WootzError
from wootzc.driver import compile

SAMPLES = Path(__file__).parent.parent.parent / "samples"
DIGITS = str(SAMPLES / "digits.wz")
ONNX = str(SAMPLES / "digits.onnx")


def test_the_summary_of_every_command_is_shown_whole() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    assert "..." not in shown.split("Commands:")[1]
    assert all(name in shown for name in cli.commands)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["build", DIGITS, "--workers", "4"], "--workers belongs to --on"),
        (["build", DIGITS, "-q", "-v"], "contradict"),
        (["plan", DIGITS, "--emit", "plan", "--json"], "give one of them"),
        (["plan", DIGITS, "--latency", "x.csv", "--json"], "give one of them"),
        (["plan", DIGITS, "--latency", "x.txt"], "x.csv or x.json"),
        (["opt", DIGITS, "-o", "plan.txt"], "plan.wzir"),
        (["opt", DIGITS, "-o", ""], "FILE.wzir"),
        (["init", ONNX, "images", "-o", "net.txt"], "net.wz"),
        (["import", ONNX, "--out", ONNX], "digits.wz"),
        (["import", ONNX, "--weights", "w.npz"], "w.safetensors"),
        (["build", DIGITS, "--memory", "lots"], "500M"),
        (["build", DIGITS, "--host", "4/4"], "0/4 for the first of four"),
        (["build", DIGITS, "--hosts", "here"], "NAME:PORT"),
        (["build", DIGITS, "--on", "here"], "ray://HOST:10001"),
    ],
)
def test_options_that_make_no_sense_are_usage(typed: list[str], words: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        cli.main(typed, standalone_mode=False)
    assert words in caught.value.format_message()


def test_a_build_without_its_images_ends_before_anything_is_done(tmp_path: Path) -> None:
    """Also of a compiled plan: no result folder is made, nothing is said to begin."""
    source = tmp_path / "sub" / "net.wz"
    source.parent.mkdir()
    source.write_text(
        'space s over cifar_resnet20 { data "none.npz"; prune * rates { 0, 50% }; sample 3; '
        "minimize params; subject to accuracy >= 80% }\n"
    )
    plan = source.with_suffix(".wzir")
    cli.main(["opt", str(source), "-o", str(plan)], standalone_mode=False)
    for file in (source, plan):
        out = tmp_path / "out"
        with pytest.raises(WootzError) as caught:
            cli.main(["build", str(file), "-o", str(out)], standalone_mode=False)
        (found,) = caught.value.diagnostics
        assert found.code == "WZ100" and "none.npz" in found.message
        assert not out.exists()


def test_a_file_in_another_folder_finds_what_lies_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for folder in ("home", "sub"):
        (tmp_path / folder).mkdir()
    shutil.copy(SAMPLES / "digits.npz", tmp_path / "home")
    (tmp_path / "sub" / "net.wz").write_text(
        "space s over cifar_resnet20(classes = 10, input = 8x8x1) "
        '{ data "~/digits.npz"; sample 3; minimize params; subject to accuracy >= 80% }\n'
    )
    assert cli.main(["check", "sub/net.wz"], standalone_mode=False) == 0
    assert "not there" not in capsys.readouterr().err


def test_what_there_is_to_explain_is_told() -> None:
    plan = compile(Path(DIGITS))
    assert explain_text(plan, ("t1",)) == explain_text(plan, ("trunk", "t1"))
    assert explain_text(plan, ("a1",)) == explain_text(plan, ("module", "a1"))
    for what in (("a9",), ("modul", "a1"), ("candidate",), ("block", "1", "2")):
        with pytest.raises(WootzError) as caught:
            explain_text(plan, what)
        (found,) = caught.value.diagnostics
        assert found.code == "WZ136" and "a1, a2" in str(found.help) and "t1" in str(found.help)
    for kind in ("module", "trunk", "block", "candidate"):
        with pytest.raises(WootzError, match="WZ135"):
            explain_text(plan, (kind, "x9"))


def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    """And what is to be written is, however little is read of what is printed."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "wootzc", "import", ONNX, "--weights", "w.safetensors"],
        stdout=write, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    os.close(write)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert (tmp_path / "w.safetensors").stat().st_size > 10_000
