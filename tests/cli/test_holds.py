"""What `plan` and `check` say of the whole space, beside what is taken from it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from wootzc.units import count, large

Command = Callable[..., subprocess.CompletedProcess[str]]
Said = Callable[..., str]
SOURCE = """space s over resnet101(classes = 10) {
  data "x.npz"
  rates { 0, 30%, 50%, 70% }
  prune layer* by l1
  tie layer1_1, layer1_2
  where params <= 50%
  sample 20 seed 1
  minimize params
  subject to accuracy >= teacher - 1.0 points
  subject to macs <= 60%
}
"""


@pytest.fixture
def said(wootzc: Command, tmp_path: Path) -> Said:
    def told(*arguments: str) -> str:
        done = wootzc(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return told


def test_a_space_too_large_to_list_is_counted(tmp_path: Path, said: Said) -> None:
    (tmp_path / "s.wz").write_text(SOURCE)
    figures = json.loads(said("plan", "s.wz", "--json"))
    holds, taken = figures["holds"], figures["candidates"]
    tie, limit, goal = holds["constraints"]
    assert taken["count"] == 20
    assert tie["candidates"] == 4**32
    assert holds["candidates"] == limit["candidates"] == holds["at_least"] < 4**32
    assert tie["alone"] == {k: tie[k] for k in ("candidates", "at_least", "at_most")}
    assert limit["candidates"] < limit["alone"]["candidates"] < 4**33
    assert goal["alone"]["candidates"] > goal["at_most"]
    assert goal["goal"] and goal["at_least"] <= goal["at_most"] <= limit["candidates"]
    for metric in ("params", "macs"):
        assert holds[metric]["min"] <= taken[metric]["min"] <= taken[metric]["max"]
        assert taken[metric]["max"] <= holds[metric]["max"] <= figures["full"][metric]
    shown = large(holds["candidates"])
    assert " × 10^" in shown
    text = said("plan", "s.wz")
    assert f"space       {shown} candidates\n" in text
    left = f"params <= {figures['full']['params'] // 2:,} leaves {shown} candidates; alone, "
    assert f"{left}{large(limit['alone']['candidates'])} candidates\n" in text
    assert "candidates  20 taken" in text
    assert f"space s: {shown} candidates" in said("check", "s.wz")


def test_of_very_many_constraints_some_are_told_of(tmp_path: Path, said: Said) -> None:
    many = "\n".join(f"  where params <= {50 + k}%" for k in range(30))
    small = SOURCE.replace("resnet101", "cifar_resnet20")
    (tmp_path / "s.wz").write_text(small.replace("  where params <= 50%", many))
    figures = json.loads(said("plan", "s.wz", "--json"))["holds"]
    assert len(figures["constraints"]) == 12 and figures["constraints_left_out"] == 20
    assert figures["candidates"] == figures["constraints"][1]["candidates"] < 4**8


def test_candidates_to_be_proposed_are_told_from_others(tmp_path: Path, said: Said) -> None:
    (tmp_path / "s.wz").write_text(SOURCE)
    proposing = ("--set", "propose=7", "--set", "explore=predicted")
    figures = json.loads(said("plan", "s.wz", *proposing, "--json"))
    taken = figures["candidates"]
    assert taken["proposed"]
    assert taken["count"] == taken["within_cost_limits"] == 7
    text = said("plan", "s.wz", *proposing)
    assert "candidates  7 taken, 7 within the cost limits\n  a sample in place of those" in text
    assert "in place of" not in said("plan", "s.wz")


def test_large_numbers_are_rounded_to_two_figures() -> None:
    assert large(9_999_999_999) == "9,999,999,999"
    assert large(4**33) == "7.4 × 10^19"
    assert large(10**20 - 1) == "1.0 × 10^20"
    assert large(10**5000) == "1.0 × 10^5000"
    assert count(999_951) == "1 M" and count(999_400) == "999 k"
