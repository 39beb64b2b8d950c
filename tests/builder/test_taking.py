"""The best so far of an interrupted search, and candidates that are chosen by their number."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

import wootzc.builder.run
from wootzc.builder import Built, Interrupted, Options, Store, build
from wootzc.builder.jobs.events import CandidateChosen, Event, Listener, log_name
from wootzc.builder.jobs.pauses import trained_weights
from wootzc.builder.report import report_html
from wootzc.builder.result.earlier import went_as_far
from wootzc.builder.result.export import export_result
from wootzc.builder.result.replay import verify_result
from wootzc.builder.result.summary_text import summary_text
from wootzc.builder.result.verdict import verdict
from wootzc.cli import cli
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.files import load_json

# The search goes on after the first candidate that meets the limit.
QUICK = {"teacher.steps": "40", "pretrain.steps": "2", "finetune.steps": "4", "explore": "all"}


class At:
    """Interrupts a build as it comes to one candidate, and once more at a later event."""

    def __init__(self, position: int, again: str | None = None):
        self.position, self.again = position, again
        self.kinds: list[str] = []

    def __call__(self, event: Event) -> None:
        self.kinds.append(log_name(event))
        if isinstance(event, CandidateChosen) and event.position == self.position:
            raise KeyboardInterrupt
        if log_name(event) == self.again:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def source(make_space: Any) -> Path:
    file = Path(make_space(rates="25%, 50%", target="30%"))
    file.write_text(file.read_text().replace("explore", "polish off\n  explore"))
    return file


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def whole(source: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A build whose search came to its end."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return build(source, Options(out=out, store=store, overrides=QUICK))


def built(
    source: Path, store: Path, out: Path, listener: Listener | None = None, **options: Any
) -> Built:
    listeners = [] if listener is None else [listener]
    return build(source, Options(out=out, store=store, overrides=QUICK, **options), listeners)


def tensors(folder: Path) -> dict[str, Any]:
    return load_file(folder / "best" / "weights.safetensors")


def stored(store: Path, built: Built, number: int) -> dict[str, Any]:
    done = Store(store).find(built.summary["tried"][number - 1]["key"])
    assert done is not None and done.weights is not None
    return trained_weights(done.weights)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


# Interrupted


def test_the_best_so_far_is_a_whole_result_and_the_next_build_replaces_it(
    source: Path, store: Path, whole: Built, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(Interrupted) as interrupted:
        built(source, store, out, At(4))
    partial = interrupted.value.built
    assert partial.objective_met
    assert partial.summary == load_json(out / "result.json")
    assert partial.summary["search"]["ended"] == "interrupted"
    first = whole.summary["tried"][:3]
    assert [one["key"] for one in partial.summary["tried"]] == [one["key"] for one in first]
    assert partial.summary["best"]["params"] == min(o["params"] for o in first if o["met"])
    assert len(list(verify_result(out))) == 5
    words = "interrupted: the best so far; the same command again goes on"
    assert words in summary_text(partial.result, str(out))
    assert words in report_html(partial.result, compile(out / "plan.wzir", ()))

    again = built(source, store, out)
    assert [o["key"] for o in again.summary["tried"]] == [o["key"] for o in whole.summary["tried"]]
    assert again.summary["search"]["ended"] == "all"
    assert same(tensors(out), tensors(whole.out))


def test_interrupted_again_a_build_writes_nothing(
    source: Path, store: Path, whole: Built, tmp_path: Path
) -> None:
    listener = At(4, again="interrupted")
    with pytest.raises(KeyboardInterrupt) as interrupted:
        built(source, store, tmp_path / "out", listener)
    assert not isinstance(interrupted.value, Interrupted)
    assert not (tmp_path / "out" / "result.json").exists()


def test_without_a_candidate_that_met_nothing_is_written(
    source: Path, store: Path, whole: Built, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt) as interrupted:
        built(source, store, tmp_path / "out", At(1))
    assert not isinstance(interrupted.value, Interrupted)
    assert not (tmp_path / "out" / "result.json").exists()


def test_a_result_that_went_as_far_is_not_replaced_by_less(
    source: Path, store: Path, whole: Built, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole.out, out)
    before = (out / "result.json").read_bytes()
    with pytest.raises(KeyboardInterrupt) as interrupted:
        built(source, store, out, At(4))
    assert not isinstance(interrupted.value, Interrupted)
    assert (out / "result.json").read_bytes() == before


def test_a_result_without_its_plan_went_nowhere(whole: Built, tmp_path: Path) -> None:
    """What cannot be compared is no reason to throw away what the search has found."""
    out = tmp_path / "out"
    shutil.copytree(whole.out, out)
    (out / "plan.wzir").unlink()
    search: Any = None  # it is not even asked
    assert not went_as_far(out, search)


def test_nor_where_the_data_is_named_by_a_relative_path(
    source: Path, store: Path, whole: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    out = tmp_path / "out"
    built(Path(source.name), store, out)
    before = (out / "result.json").read_bytes()
    with pytest.raises(KeyboardInterrupt) as interrupted:
        built(Path(source.name), store, out, At(4))
    assert not isinstance(interrupted.value, Interrupted)
    assert (out / "result.json").read_bytes() == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("position", [1, 3])
def test_what_a_signal_leaves(
    source: Path,
    store: Path,
    whole: Built,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    code: int,
    position: int,
) -> None:
    """With a candidate that met the objective a result, without one a word; always its code."""
    build = wootzc.builder.run.build

    def shot(event: Event) -> None:
        if isinstance(event, CandidateChosen) and event.position == position:
            os.kill(os.getpid(), number)

    def signalled(source: Path, options: Options, listeners: Sequence[Any]) -> Built:
        return build(source, options, [*listeners, shot])

    monkeypatch.setattr(wootzc.builder.run, "build", signalled)
    out = tmp_path / "out"
    arguments = ["build", str(source), "--store", str(store), "--out", str(out)]
    arguments += [word for setting in QUICK.items() for word in ("--set", "=".join(setting))]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert done.return_value == code, done.output
    assert (out / "result.json").exists() == (position > 1)
    if position > 1:
        assert "objective met" in done.stdout
        said = f"interrupted: the best of 2 tried is in {out}/best; run the same command again"
        assert said in done.stderr
    else:
        assert done.stderr.startswith("\ninterrupted: every finished job is kept")


# Taken


def test_another_candidate_becomes_the_best_without_training(
    source: Path, store: Path, whole: Built, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole.out, out)
    kinds: list[str] = []
    taken = built(source, store, out, lambda event: kinds.append(log_name(event)), take=2)
    assert not {k for k in kinds if k.endswith("_started")} - {"build_started", "test_started"}
    entry = whole.summary["tried"][1]
    assert taken.summary["taken"] == 2
    assert taken.summary["best"]["candidate"] == entry["candidate"]
    assert taken.summary["best"]["accuracy"] == entry["accuracy"]
    assert taken.summary["tried"] == whole.summary["tried"]
    assert same(tensors(out), stored(store, whole, 2))
    assert len(list(verify_result(out))) == 5
    painted = summary_text(taken.result, str(out), lambda text, kind: f"<{kind}> {text}")
    kind = verdict(taken.result).kind
    assert painted.startswith(f"\n<{kind}> candidate 2, taken by hand: objective met")
    assert "taken by hand" in (out / "report.html").read_text()
    again = built(source, store, out)
    assert again.summary["taken"] is None
    assert same(tensors(out), tensors(whole.out))


def test_a_result_of_other_settings_is_not_taken_from(
    source: Path, store: Path, whole: Built
) -> None:
    other = Options(out=whole.out, store=store, overrides=QUICK | {"finetune.steps": "5"}, take=1)
    with pytest.raises(WootzError, match="WZ172"):
        build(source, other)
    with pytest.raises(WootzError, match="WZ172"):
        build(source, Options(out=whole.out, store=store, overrides=QUICK | {"seed": "9"}, take=1))


@pytest.mark.parametrize("number", [0, 9, 1000])
def test_a_number_that_was_not_tried_lists_what_was(
    source: Path, store: Path, whole: Built, number: int
) -> None:
    for attempt in (
        lambda: built(source, store, whole.out, take=number),
        lambda: export_result(whole.out, "onnx", None, candidate=number),
    ):
        with pytest.raises(WootzError, match="WZ170") as error:
            attempt()
        assert "those in" in str(error.value) and "are 1 to 8" in str(error.value)
        assert str(error.value).count("params") == str(error.value).count(" % ± ") == 8


def test_nothing_is_taken_from_a_folder_without_a_result(
    source: Path, store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "none"
    heard: list[Event] = []
    with pytest.raises(WootzError, match=r"WZ145(.|\n)*build it first"):
        built(source, store, out, heard.append, take=1)
    assert heard == [] and not out.exists()


def test_nor_is_jax_loaded_to_say_so(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wootzc.builder.run", None)
    done = CliRunner().invoke(cli, ["build", str(source), "-o", str(tmp_path), "--take", "1"])
    assert isinstance(done.exception, WootzError)
    assert [one.code for one in done.exception.diagnostics] == ["WZ145"]


def test_data_that_is_missing_is_told_before_a_folder_is_made(
    source: Path, store: Path, tmp_path: Path
) -> None:
    out, data = tmp_path / "none", {"data": str(tmp_path / "gone.npz")}
    with pytest.raises(WootzError, match=r"WZ100.*gone"):
        build(source, Options(out=out, store=store, overrides=data))
    assert not out.exists()


# Exported


def test_a_candidate_is_exported_from_the_store(store: Path, whole: Built, tmp_path: Path) -> None:
    done = export_result(whole.out, "flax", tmp_path / "two", candidate=2)
    assert same(load_file(tmp_path / "two" / "weights.safetensors"), stored(store, whole, 2))
    assert done.params == whole.summary["tried"][1]["params"]
    assert done.which.startswith("candidate 2, validation accuracy")
    default = export_result(whole.out, "safetensors", None, candidate=2)
    assert {path.name for path in default.files} == {"tiny-2.safetensors", "tiny-2.wz"}
    model = export_result(whole.out, "onnx", tmp_path / "two.onnx", candidate=2)
    check_replay(tmp_path / "two", model.files[0])


def check_replay(flax: Path, model: Path) -> None:
    """The ONNX model gives the logits that the candidate's own example file has."""
    import onnxruntime

    with np.load(flax / "example.npz") as example:
        images, logits = example["images"], example["logits"]
    session = onnxruntime.InferenceSession(str(model))
    meta = session.get_modelmeta().custom_metadata_map
    mean, std = (np.float32(json.loads(meta[key])) for key in ("mean", "std"))
    (given,) = session.run(None, {session.get_inputs()[0].name: nchw((images - mean) / std)})
    assert np.allclose(given, logits, atol=1e-4 * np.abs(logits).max())


def nchw(images: Any) -> Any:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2).astype(np.float32))


def test_a_store_that_lost_a_candidate_is_told(store: Path, whole: Built, tmp_path: Path) -> None:
    with pytest.raises(WootzError, match=r"WZ171.*no weights of candidate 2"):
        export_result(whole.out, "onnx", None, candidate=2, store=tmp_path)
    old = tmp_path / "old"
    shutil.copytree(whole.out, old)
    summary = json.loads((old / "result.json").read_text())
    del summary["version"], summary["sealed"]
    (old / "result.json").write_text(json.dumps(summary))
    with pytest.raises(WootzError, match=r"WZ210(.|\n)*build again"):
        export_result(old, "onnx", None, candidate=2)
