"""What goes out of a result folder and comes back: the report, a teacher from a file."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wootzc.builder import Options, Store, build
from wootzc.builder.jobs.records import Records
from wootzc.builder.search.judging import Teacher
from wootzc.diagnostics import WootzError

Command = Callable[..., subprocess.CompletedProcess[str]]
QUICK = {"teacher.steps": "20", "pretrain.steps": "5", "finetune.steps": "5"}


@pytest.fixture(scope="module")
def result(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(source, result folder, store) of a quick build."""
    file, store = make_space(target="40%"), tmp_path_factory.mktemp("store")
    build(file, Options(out=file.parent / "out", store=store, overrides=QUICK))
    return file, file.parent / "out", store


def test_a_teacher_from_a_file_gives_what_the_trained_one_gave(
    result: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    from safetensors.numpy import save_file

    file, out, store = result
    (key,) = (one.key for one in Records(store / "jobs").sound() if one.kind == "teacher")
    done = Store(store).find(key)
    assert done is not None and done.weights is not None
    weights = done.weights
    save_file(weights, file.parent / "teacher.safetensors")
    text = file.read_text()
    start = text.index("  teacher {")
    end = text.index("\n", start)
    other = file.parent / "from_file.wz"
    other.write_text(text[:start] + '  teacher from "teacher.safetensors"' + text[end:])
    steps = {key: value for key, value in QUICK.items() if not key.startswith("teacher")}
    built = build(other, Options(out=tmp_path / "out", store=store, overrides=steps))
    trained = json.loads((out / "result.json").read_text())
    assert built.summary["teacher"]["steps"] == 0
    (look,) = built.summary["teacher"]["history"]  # which images were right stays in the store
    assert look == {"step": 0, "loss": None, "accuracy": trained["teacher"]["validation_accuracy"]}
    assert "right" not in json.dumps(trained["teacher"])
    images = trained["data"]["validation"]
    stored = [one for kind, one, _ in Store(store).jobs() if kind in ("teacher", "candidate")]
    for made in stored:
        seen = Teacher.of(made, images)
        assert seen.looks[seen.kept].mean() == made["accuracy"]
    assert built.summary["best"]["accuracy"] == trained["best"]["accuracy"]
    assert built.summary["best"]["rates"] == trained["best"]["rates"]

    weights.pop("plain1/0/kernel")
    save_file(weights, file.parent / "teacher.safetensors")
    with pytest.raises(WootzError, match="plain1/0/kernel"):
        build(other, Options(out=tmp_path / "out", store=store, overrides=steps))


def test_the_report_is_made_anew_from_the_folder(
    result: tuple[Path, Path, Path], tmp_path: Path, wootzc: Command
) -> None:
    page = tmp_path / "page.html"
    done = wootzc("report", result[1], "-o", page)
    assert done.returncode == 0, done.stderr
    assert page.read_text() == (result[1] / "report.html").read_text()
