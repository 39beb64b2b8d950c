"""A whole build on a tiny space: its folder, reuse, resumption, the baseline."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from wootzc.builder import Built, Options, build
from wootzc.builder.jobs.events import log_name
from wootzc.builder.jobs.records import Records
from wootzc.builder.result.replay import verify_result
from wootzc.builder.result.summary_text import summary_text
from wootzc.diagnostics import WootzError
from wootzc.files import load_json


def run(file: Path, store: Path, out: Path, **options: Any) -> tuple[Built, list[str]]:
    """A build and the kinds of its events, in order."""
    kinds: list[str] = []
    listener = [lambda event: kinds.append(log_name(event))]
    return build(file, Options(out=out, store=store, **options), listener), kinds


@pytest.fixture(scope="module")
def built(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Built]:
    """(source, store, result) of one finished build."""
    file, store = make_space(), tmp_path_factory.mktemp("store")
    result, _ = run(file, store, file.parent / "out")
    return file, store, result


def outcome(built: Built) -> dict[str, Any]:
    """The part of a result that may not depend on when or how often it was built."""
    summary = built.summary
    keep = ("candidate", "rates", "params", "macs", "start_accuracy", "accuracy", "steps")
    return {
        "teacher": summary["teacher"]["validation_accuracy"],
        "tried": [{key: one[key] for key in keep} for one in summary["tried"]],
        "test": summary["best"]["test_accuracy"],
        "weights": (built.out / "best" / "weights.safetensors").read_bytes(),
    }


def test_the_folder_is_complete_and_verifies(built: tuple[Path, Path, Built]) -> None:
    _, _, result = built
    best = {"network.wz", "weights.safetensors", "model.py", "example.npz", "manifest.json"}
    best.add("origins.json")
    assert {p.name for p in (result.out / "best").iterdir()} == best
    outside = {"best", "result.json", "report.html", "plan.wzir", "log.jsonl"}
    assert {p.name for p in result.out.iterdir()} == outside
    assert len(list(verify_result(result.out))) == 5
    assert result.objective_met
    tried = result.summary["tried"]
    assert [one["met"] for one in tried] == [False] * (len(tried) - 1) + [True]


def test_the_figures_agree_with_each_other(built: tuple[Path, Path, Built]) -> None:
    summary = built[2].summary
    assert summary == load_json(built[2].out / "result.json")
    blocks = summary["blocks"]
    assert blocks["trained"] + blocks["from_store"] == blocks["used"] + blocks["unused"]
    assert summary["steps"]["blocks"] == 10 * len(blocks["list"])
    candidates = summary["candidates"]
    assert candidates["tried"] + candidates["spared"] == candidates["within_cost_limits"] == 8
    costs = [one["params"] for one in summary["tried"]]
    assert costs == sorted(costs)
    compiled = summary["compilations"]
    stages = compiled["stages"].values()
    assert compiled["stages"].keys() <= summary["seconds_now"].keys()
    assert compiled["count"] == sum(stage["count"] for stage in stages)
    assert compiled["count"] + compiled["from_cache"] > 0
    assert f"{compiled['count']} programs in" in summary_text(built[2].result, str(built[2].out))


def test_the_model_predicts_without_wootzc(built: tuple[Path, Path, Built]) -> None:
    model = built[2].out / "best" / "model.py"
    blocked = "import sys; sys.modules['wootzc'] = None; import runpy; "
    code = blocked + f"runpy.run_path({str(model)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    source = model.read_text()
    assert "safetensors" in source and "import pickle" not in source
    assert "allow_pickle=True" not in source


def test_the_same_build_again_trains_nothing(built: tuple[Path, Path, Built]) -> None:
    file, store, first = built
    again, kinds = run(file, store, file.parent / "again")
    assert not {k for k in kinds if k.endswith("_started")} - {"build_started"}
    assert outcome(again) == outcome(first)


def test_the_same_seed_in_a_new_store_gives_the_same_bits(
    built: tuple[Path, Path, Built], tmp_path: Path
) -> None:
    file, _, first = built
    again, _ = run(file, tmp_path / "store", tmp_path / "out")
    assert outcome(again) == outcome(first)
    other, _ = run(file, tmp_path / "store", tmp_path / "other", overrides={"seed": "5"})
    assert outcome(other)["weights"] != outcome(first)["weights"]


def test_an_edited_rate_list_trains_only_what_is_new(
    built: tuple[Path, Path, Built], make_space: Any, tmp_path: Path
) -> None:
    _, store, first = built
    known = {block["name"] for block in first.summary["blocks"]["list"]}
    file = make_space(rates="50%, 75%, 85%")
    _, kinds = run(file, store, tmp_path / "out")
    assert "teacher_reused" in kinds and "teacher_started" not in kinds
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    trained = [event["name"] for event in log if event["event"] == "block_finished"]
    assert any("0.85" in name for name in trained)
    assert not known & set(trained)


def test_the_baseline_trains_no_blocks(built: tuple[Path, Path, Built], tmp_path: Path) -> None:
    file, store, _ = built
    result, kinds = run(file, store, tmp_path / "out", baseline=True)
    assert "teacher_reused" in kinds and "block_finished" not in kinds
    assert result.summary["blocks"]["used"] == 0
    assert result.summary["steps"]["blocks"] == 0


def test_an_objective_out_of_reach_writes_the_closest(make_space: Any, tmp_path: Path) -> None:
    file = make_space(target="100%")
    settings = {"teacher.steps": "1", "pretrain.steps": "1", "finetune.steps": "1"}
    result, _ = run(file, tmp_path / "store", tmp_path / "out", overrides=settings)
    assert not result.objective_met
    accuracies = [one["accuracy"] for one in result.summary["tried"]]
    assert len(accuracies) == 8
    assert result.summary["best"]["accuracy"] == max(accuracies)
    assert (tmp_path / "out" / "best" / "manifest.json").exists()


def test_verify_notices_a_changed_file(built: tuple[Path, Path, Built], tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(built[2].out, folder)
    weights = folder / "best" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(WootzError, match="not the file that was built"):
        list(verify_result(folder))
    with pytest.raises(WootzError, match="give the folder above"):
        list(verify_result(folder / "best"))
    (folder / "best" / "manifest.json").unlink()
    with pytest.raises(WootzError, match="missing"):
        list(verify_result(folder))


def start(file: Path, store: Path, out: Path) -> subprocess.Popen[bytes]:
    # A shell that runs the tests in the background has them ignore Ctrl-C; this undoes it.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from wootzc.cli import main; main()"
    )
    arguments = ["build", str(file), "--store", str(store), "--out", str(out)]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def wait_for(log: Path, event: str, process: subprocess.Popen[bytes]) -> None:
    """Until this kind of event stands in the log."""
    for _ in range(3000):
        if log.exists() and f'"event": "{event}"' in log.read_text():
            return
        assert process.poll() is None, f"the build ended before {event}"
        time.sleep(0.02)
    raise AssertionError(f"no {event} within a minute")


def test_a_build_killed_in_every_stage_ends_in_the_same_result(
    built: tuple[Path, Path, Built], tmp_path: Path
) -> None:
    file, _, first = built
    store, out = tmp_path / "store", tmp_path / "out"
    for event in ("teacher_started", "blocks_started", "candidate_started"):
        process = start(file, store, out)
        wait_for(out / "log.jsonl", event, process)
        process.kill()
        process.wait()
        (out / "log.jsonl").unlink()
    resumed, kinds = run(file, store, out)
    assert "teacher_reused" in kinds, "the finished teacher was lost"
    assert outcome(resumed) == outcome(first)


def test_runs_that_were_paused_go_on_out_of_the_store(make_space: Any, tmp_path: Path) -> None:
    file, store = Path(make_space(rates="25%, 50%, 75%")), tmp_path / "store"
    text = file.read_text().replace("explore ascending", "explore predicted")
    file.write_text(text.replace("every 10", "every 5"))
    whole, _ = run(file, store, tmp_path / "out")
    records = Records(store / "jobs")
    rows = [one for one in records.sound() if one.kind == "candidate"]
    later = [one for one in rows if one.result["begun"]]
    polished = [one for one in records.sound() if one.kind == "polish"]
    for one in (*later, *polished):  # as if it had been killed after a rung
        records.path(one.key).unlink()
    assert later and len(later) < len(rows)
    again, kinds = run(file, store, tmp_path / "again")
    assert kinds.count("candidate_finished") == len(later)
    assert outcome(again) == outcome(whole)
    best, same = (load_file(r.out / "best" / "weights.safetensors") for r in (whole, again))
    assert all(np.array_equal(best[name], same[name]) for name in best)


def test_ctrl_c_ends_cleanly(built: tuple[Path, Path, Built], tmp_path: Path) -> None:
    file, _, _ = built
    out = tmp_path / "out"
    process = start(file, tmp_path / "store", out)
    wait_for(out / "log.jsonl", "teacher_started", process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert '"interrupted"' in (out / "log.jsonl").read_text()


def test_data_that_does_not_fit_the_network_is_told_before_training(
    make_space: Any, tmp_path: Path
) -> None:
    file = make_space()
    np.savez(
        file.parent / "quadrants.npz",
        images=np.zeros((8, 5, 5, 1), np.uint8),
        labels=np.arange(8) % 4,
    )
    with pytest.raises(WootzError, match="WZ11"):
        run(file, tmp_path / "store", tmp_path / "out")
