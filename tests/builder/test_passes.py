"""Passes from outside of wootzc, and compiled plans, reach a build."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import wootzc
from wootzc.builder import Built, Options, build
from wootzc.builder.jobs.compiling import compiled
from wootzc.diagnostics import WootzError
from wootzc.driver import placed
from wootzc.ir.array import Array
from wootzc.ir.passes import PASSES, ExpandSpace, SelectBlocks, having, inserted, remaining, run
from wootzc.ir.plan import Block, Expanded, Plan
from wootzc.ir.space import Listed, Proposed
from wootzc.ir.text import print_plan

SHORT = {"teacher.steps": "4", "pretrain.steps": "2", "finetune.steps": "2"}
HARD = SHORT | {"subject": "accuracy >= 100%"}  # all are tried


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepFirst:
    """Keep the first candidates."""

    count: int
    name: ClassVar[str] = "keep-first"

    def __call__(self, plan: Plan) -> Plan:
        rows = having(plan, Expanded, self.name).candidates.values
        return replace(plan, candidates=Array(rows[: self.count]))


@dataclass(frozen=True, slots=True, kw_only=True)
class LargestLast:
    """Try candidates in the order of their sums of rates, the least pruned last."""

    name: ClassVar[str] = "largest-last"

    def __call__(self, plan: Plan) -> Plan:
        rows = having(plan, Expanded, self.name).candidates.values
        order = np.lexsort((np.arange(len(rows)), -rows.sum(axis=1).astype(int)))
        return replace(plan, exploration_order=Array(order.astype(np.int32)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstModuleOnly:
    """One block for each rate of the first module."""

    name: ClassVar[str] = "first-module-only"

    def __call__(self, plan: Plan) -> Plan:
        rows = having(plan, Expanded, self.name).candidates.values
        rates = [int(rate) for rate in np.unique(rows[:, 0]) if rate]
        return replace(plan, blocks=tuple(Block(start=0, rates=(rate,)) for rate in rates))


@dataclass(frozen=True, slots=True, kw_only=True)
class MyCandidates:
    """Two candidates of one's own."""

    name: ClassVar[str] = "my-candidates"

    def __call__(self, plan: Plan) -> Plan:
        return replace(plan, candidates=Array(np.array([[0, 0, 1], [1, 1, 1]], np.uint8)))


@pytest.fixture(scope="module")
def tiny(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """build(source, …) on one short space: all share a store."""
    file, store = make_space(rates="0, 50%"), tmp_path_factory.mktemp("store")

    def run_tiny(source: Any = None, overrides: Any = HARD, **options: Any) -> Built:
        out = tmp_path_factory.mktemp("out")
        given = Options(out=out, store=store, overrides=overrides, **options)
        return build(file if source is None else source, given)

    run_tiny.file = file  # type: ignore[attr-defined]
    return run_tiny


def tried(built: Built) -> list[list[float]]:
    return [one["rates"] for one in built.summary["tried"]]


def test_candidates_a_pass_removes_are_not_tried(tiny: Any) -> None:
    built = tiny(passes=inserted(PASSES, KeepFirst(count=3), after="expand-space"))
    assert sorted(tried(built)) == [[0, 0, 0], [0, 0, 0.5], [0, 0.5, 0]]
    assert built.summary["candidates"]["in_space"] == 3


def test_what_passes_leave_open_is_completed_and_their_order_stays(tiny: Any) -> None:
    built = tiny(passes=[ExpandSpace(), LargestLast()])
    sums = [sum(rates) for rates in tried(built)]
    assert len(sums) == 8 and sums == sorted(sums, reverse=True)
    assert tried(built) != tried(tiny(passes=[ExpandSpace()]))


def test_blocks_a_pass_chooses_are_those_that_are_trained(tiny: Any) -> None:
    built = tiny(passes=[ExpandSpace(), FirstModuleOnly()])
    assert [block["name"] for block in built.summary["blocks"]["list"]] == ["a1(0.5)"]
    assert built.summary["blocks"]["planned"] == 1


def test_the_baseline_keeps_what_passes_did_but_for_the_blocks(tiny: Any) -> None:
    order = [ExpandSpace(), KeepFirst(count=4), LargestLast(), SelectBlocks(method="modules")]
    built = tiny(passes=order, baseline=True)
    assert tried(built) == [[0, 0.5, 0.5], [0, 0, 0.5], [0, 0.5, 0], [0, 0, 0]]
    assert built.summary["baseline"] and built.summary["blocks"]["planned"] == 0


def test_passes_see_the_candidates_that_scores_propose(tiny: Any) -> None:
    settings = HARD | {"propose": "4", "explore": "predicted"}
    plain = tiny(overrides=settings)
    first = wootzc.compile(plain.out / "plan.wzir").candidates
    assert first is not None and len(first) == 4
    kept = tiny(
        overrides=settings, passes=inserted(PASSES, KeepFirst(count=2), after="expand-space")
    )
    left = wootzc.compile(kept.out / "plan.wzir").candidates
    assert left == Array(first.values[:2].copy())


def test_a_plan_is_built_from_where_its_passes_left_off(tiny: Any, tmp_path: Path) -> None:
    start = wootzc.compile(tiny.file, (ExpandSpace(), KeepFirst(count=2)), overrides=HARD)
    file = tmp_path / "deep" / "plan.wzir"
    file.parent.mkdir()
    file.write_text(print_plan(placed(start, file)))
    whole = tiny(start, overrides={})
    assert sorted(tried(whole)) == [[0, 0, 0], [0, 0, 0.5]]
    assert tried(tiny(file, overrides={})) == tried(whole)
    last = tiny(file, overrides={}, passes=[LargestLast()])
    assert tried(last) == [[0, 0, 0.5], [0, 0, 0]]


def test_a_plan_of_proposals_goes_on_as_its_file_would(tiny: Any) -> None:
    settings = HARD | {"propose": "4", "explore": "predicted"}
    for passes in ((), (ExpandSpace(),), PASSES):
        plan = wootzc.compile(tiny.file, passes, overrides=settings)
        made = compiled(plan)
        assert isinstance(made.plan.space.selection, Proposed) and made.note is None
        assert made.plan == wootzc.compile(tiny.file, overrides=settings)
    assert tried(tiny(plan, overrides={})) == tried(tiny(overrides=settings))


def test_candidates_that_unknown_passes_left_are_built_as_they_are(tiny: Any) -> None:
    settings = HARD | {"propose": "4", "explore": "predicted"}
    with_mine = compiled(tiny.file, [MyCandidates()], overrides=settings)
    removed = wootzc.compile(tiny.file, (ExpandSpace(), KeepFirst(count=2)), overrides=settings)
    for made, count in ((with_mine, 2), (compiled(removed), 2)):
        assert made.note is not None and isinstance(made.plan.space.selection, Listed)
        assert made.plan.candidates is not None and len(made.plan.candidates) == count
        assert not remaining(made.plan)
    built = tiny(with_mine.plan, overrides={})
    assert built.summary["candidates"]["in_space"] == 2
    assert all(rates in [[0, 0, 0.5], [0.5, 0.5, 0.5]] for rates in tried(built))


def test_a_space_is_built_without_text(tiny: Any) -> None:
    space = wootzc.compile(tiny.file, (), overrides=HARD).space
    rows = Listed(rows=Array(np.array([[1, 0, 1]], np.uint8)))
    assert tried(tiny(replace(space, selection=rows), overrides={})) == [[0.5, 0, 0.5]]
    with pytest.raises(WootzError, match="WZ137"):
        tiny(space, overrides={"seed": "3"})


# ---- the command line

PACKAGE = {
    "my_passes.py": '''
from dataclasses import dataclass, replace
from typing import ClassVar
from wootzc.ir.array import Array

@dataclass(frozen=True)
class KeepFirst:
    """Keep the first candidates."""
    count: int = 1
    name: ClassVar[str] = "keep-first"

    def __call__(self, plan):
        return replace(plan, candidates=Array(plan.candidates.values[: self.count].copy()))
''',
    "my_passes-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-passes\nVersion: 1.0\n",
    "my_passes-1.0.dist-info/entry_points.txt": (
        "[wootzc.passes]\nkeep-first = my_passes:KeepFirst\n"
    ),
}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that holds a package with a pass, as pip would have installed it."""
    for name, text in PACKAGE.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(text)
    return tmp_path / "site"


def wootzc_cli(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(Path(wootzc.__file__).parents[1])])
    return subprocess.run(
        [sys.executable, "-m", "wootzc.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": path},
    )


def test_a_plan_file_is_built_from_another_folder(
    tiny: Any, installed: Path, tmp_path: Path
) -> None:
    folder, settings = tiny.file.parent, [f"--set={k}={v}" for k, v in SHORT.items()]
    (tmp_path / "plans").mkdir()
    plan = tmp_path / "plans" / "plan.wzir"
    pipeline = "expand-space,keep-first{count=1}"
    made = wootzc_cli(
        installed, folder, "opt", "quadrants.wz", "-p", pipeline, "-o", str(plan), *settings
    )
    assert made.returncode == 0 and not made.stdout, made.stderr
    assert str(folder) not in plan.read_text(), "relative paths stay relative"
    store = ["--store", str(tmp_path / "store"), "-q"]
    done = wootzc_cli(installed, tmp_path, "build", "plans/plan.wzir", *store)
    assert "1 tried, 0 spared of 1" in done.stdout, done.stderr
    again = wootzc_cli(installed, tmp_path, "build", "build/quadrants/plan.wzir", "-o", "o", *store)
    assert "1 tried, 0 spared of 1" in again.stdout, again.stderr

    direct = ["build", "quadrants.wz", "-p", "expand-space,keep-frst", "-o", str(tmp_path / "d")]
    wrong = wootzc_cli(installed, folder, *direct, *settings, *store)
    assert wrong.returncode == 1 and "did you mean `keep-first`" in wrong.stderr
    direct[3] = pipeline
    assert (
        "1 tried, 0 spared of 1" in wootzc_cli(installed, folder, *direct, *settings, *store).stdout
    )


def test_a_plan_is_written_to_a_plan_file(tiny: Any, installed: Path) -> None:
    done = wootzc_cli(installed, tiny.file.parent, "opt", "quadrants.wz", "-o", "quadrants.wz")
    assert done.returncode == 2 and "quadrants.wzir" in done.stderr


def test_data_that_a_plan_names_and_that_is_gone_is_told(tiny: Any, tmp_path: Path) -> None:
    plan = wootzc.compile(tiny.file)
    file = tmp_path / "plan.wzir"
    file.write_text(print_plan(placed(plan, file)).replace("quadrants.npz", "gone.npz"))
    with pytest.raises(WootzError, match=r"WZ100.*gone.npz"):
        tiny(file, overrides={})


def test_our_passes_alone_change_nothing(tiny: Any) -> None:
    plan = run(wootzc.compile(tiny.file, ()), PASSES)
    assert compiled(tiny.file).plan == compiled(tiny.file, PASSES).plan == plan
