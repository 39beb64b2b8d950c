"""The store: finished means safe on disk; damage means not finished; two builds share."""

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.builder.jobs import places
from wootzc.builder.jobs.checkpoints import Checkpoint
from wootzc.builder.jobs.locks import FileLocks
from wootzc.builder.jobs.records import Record, Records
from wootzc.builder.jobs.store import Store, default_root, is_store, job_key
from wootzc.diagnostics import WootzError

WEIGHTS = {"a1/0/kernel": np.arange(12, dtype=np.float32).reshape(3, 4).T}  # not contiguous


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_finished_job_is_found_with_its_weights(store: Store) -> None:
    store.finish("k", "block", "a1(0.5)", {"loss": 0.5}, 1.5, WEIGHTS)
    done = store.find("k")
    assert done is not None and done.weights is not None
    assert (done.result, done.seconds) == ({"loss": 0.5}, 1.5)
    np.testing.assert_array_equal(done.weights["a1/0/kernel"], WEIGHTS["a1/0/kernel"])
    assert store.find("other") is None


def test_a_damaged_or_missing_artifact_counts_as_never_finished(store: Store) -> None:
    store.finish("k", "block", "b", {}, 1.0, WEIGHTS)
    (artifact,) = store.root.glob("artifacts/*/*.safetensors")
    artifact.write_bytes(artifact.read_bytes()[:20])
    assert store.find("k") is None
    artifact.unlink()
    assert store.find("k") is None


def artifact(store: Store, key: str) -> Path:
    (path,) = store.root.glob(f"artifacts/*/{key}.*.safetensors")
    return path


def record(store: Store, key: str) -> Path:
    return store.root / "jobs" / key[:2] / f"{key}.json"


def told(store: Store, key: str = "k") -> list[str]:
    """What a store that is opened anew says of a record that it does not give."""
    messages: list[str] = []
    again = Store(store.root, messages.append)
    assert again.find(key) is None and again.find(key) is None
    return messages


@pytest.mark.parametrize("place", [0, 9, 60, -1, -20])
def test_a_flipped_bit_counts_as_never_finished(store: Store, place: int) -> None:
    store.finish("k", "block", "a1(0.5)", {"loss": 0.5}, 1.5, WEIGHTS)
    (artifact,) = store.root.glob("artifacts/*/*.safetensors")
    content = bytearray(artifact.read_bytes())
    content[place] ^= 1
    artifact.write_bytes(content)
    (message,) = told(store)
    assert "block a1(0.5) is damaged" in message and "made again" in message
    store.finish("k", "block", "a1(0.5)", {"loss": 0.5}, 1.5, WEIGHTS)
    assert store.find("k") is not None


@pytest.mark.parametrize("with_artifact", [True, False])
@pytest.mark.parametrize("result", ["no JSON", "{}", "[]", "3", '{"loss": 0.25}', "[" * 9999, b"x"])
@pytest.mark.parametrize("hashed", [True, False])
def test_a_record_that_is_another_counts_as_never_finished(
    store: Store, result: str | bytes, with_artifact: bool, hashed: bool
) -> None:
    store.finish("k", "block", "b", {"loss": 0.5}, 1.5, WEIGHTS if with_artifact else None)
    path = record(store, "k")
    fields = json.loads(path.read_text())
    if not hashed:
        fields["sha256"] = None
    written = result if isinstance(result, bytes) else result.encode()
    path.write_bytes(json.dumps({**fields, "result": "HERE"}).encode().replace(b'"HERE"', written))
    assert len(told(store)) == 1
    store.finish("k", "block", "b", {"loss": 0.5}, 1.5, WEIGHTS if with_artifact else None)
    assert store.find("k") is not None
    assert all(isinstance(found, dict) for _, found, _ in store.jobs())


def test_an_artifact_of_another_job_counts_as_never_finished(store: Store) -> None:
    for key in ("k", "kk"):
        store.finish(key, "block", "b", {"loss": 0.5}, 1.5, {"w": np.full(3, len(key))})
    artifact(store, "k").write_bytes(artifact(store, "kk").read_bytes())
    assert len(told(store)) == 1


def test_eight_bit_floats_count_as_never_finished(store: Store) -> None:
    header = json.dumps({"w": {"dtype": "F8_E4M3", "shape": [2], "data_offsets": [0, 2]}}).encode()
    store.finish("k", "block", "b", {"loss": 0.5}, 1.5, WEIGHTS)
    artifact(store, "k").write_bytes(len(header).to_bytes(8, "little") + header + b"ab")
    fields = json.loads(record(store, "k").read_text())
    sealed = Record(**fields).sealed(artifact(store, "k").read_bytes())
    record(store, "k").write_text(json.dumps(asdict(sealed)))
    (message,) = told(store)
    assert "those that were written" not in message


def test_folders_in_place_of_files_are_put_aside(store: Store) -> None:
    store.finish("k", "block", "b", {"loss": 0.5}, 1.5, WEIGHTS)
    path = artifact(store, "k")
    path.unlink()
    for folder in (path, store.root / "locks" / "k.lock"):
        folder.mkdir()
        (folder / "mine.txt").write_text("not wootzc's to delete")
    assert "it is a folder" in told(store)[0]
    with store.locked(["k"], lambda: None):
        store.finish("k", "block", "b", {"loss": 0.5}, 1.5, WEIGHTS)
    assert store.find("k") is not None
    assert len(list(store.root.rglob("mine.txt"))) == 2
    store.clear()


@pytest.mark.parametrize("others", ["the file", "its folder"])
def test_what_another_process_makes_meanwhile_is_left_alone(
    others: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.root / "jobs" / "ab" / "k.json"
    if others == "the file":
        path.parent.mkdir(parents=True)
    really = os.path.lexists

    def there(one: Path) -> bool:
        if one == (path if others == "the file" else path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("theirs")
        return really(one)

    monkeypatch.setattr(os.path, "lexists", there)
    places.put_aside(path)
    assert path.read_text() == "theirs"


@pytest.mark.parametrize("kind", ["file", "pipe", "link"])
def test_what_is_no_folder_and_no_lock_is_put_aside(kind: str, store: Store) -> None:
    def stands(path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        match kind:
            case "file":
                path.write_text("not wootzc's to delete")
            case "pipe":
                os.mkfifo(path)
            case _:
                path.symlink_to("/gone")

    store.finish("k", "block", "b", {"loss": 0.5}, 1.5, WEIGHTS)
    folders = [record(store, "k").parent, artifact(store, "k").parent]
    folders += [store.checkpoints.path("k").parent]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        stands(folder)
    stands(store.root / "locks" / "k.lock")
    with store.locked(["k"], lambda: None):
        assert store.find("k") is None
        here = Checkpoint(result={"steps": 7}, seconds=1.5, arrays={"a": np.arange(3.0)})
        store.checkpoints.write("k", here)
        assert store.checkpoints.find("k") is not None
        store.finish("k", "block", "b", {"loss": 0.5}, 1.5, WEIGHTS)
    assert store.find("k") is not None
    for path in (*folders, *([] if kind == "file" else [store.root / "locks" / "k.lock"])):
        (aside,) = path.parent.glob(f"{path.name}.*")
        assert os.listdir(aside) == [path.name]
    store.clear()


def test_a_table_of_development_versions_is_left_alone(store: Store) -> None:
    """Its jobs are made again; the file is its owner's to delete."""
    table = store.root / "results.sqlite"
    table.write_bytes(b"SQLite format 3")
    messages: list[str] = []
    assert Store(store.root, messages.append).jobs() == [] and not messages
    store.clear()
    assert table.read_bytes() == b"SQLite format 3"


def test_the_first_to_record_a_job_wins(store: Store) -> None:
    """As two machines do that share a folder whose locks do not work."""
    other = Store(store.root)
    first = store.finish("k", "block", "b", {"loss": 0.5}, 1.5, {"w": np.arange(3)})
    second = other.finish("k", "block", "b", {"loss": 0.25}, 2.5, {"w": np.ones(3)})
    assert second.result == first.result and second.weights is not None
    assert second.weights["w"].tolist() == [0, 1, 2]


def test_who_comes_between_an_artifact_and_its_record_harms_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, write = Store(store.root), store._records.__class__.write

    def late(records: Records[Any], record: Record) -> bool:
        monkeypatch.undo()
        other.finish("k", "block", "b", {"loss": 0.25}, 2.5, {"w": np.ones(3)})
        return write(records, record)

    monkeypatch.setattr(Records, "write", late)
    done = store.finish("k", "block", "b", {"loss": 0.5}, 1.5, {"w": np.arange(3)})
    found = Store(store.root).find("k")
    assert found is not None and found.weights is not None and done.weights is not None
    assert found.result == done.result == {"loss": 0.25}
    assert found.weights["w"].tolist() == done.weights["w"].tolist() == [1, 1, 1]


def test_where_there_are_no_links_a_record_is_renamed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refused)
    store.finish("k", "block", "b", {"loss": 0.5}, 1.5)
    assert store.finish("k", "block", "b", {"loss": 0.25}, 2.5).result == {"loss": 0.5}
    assert [path.name for path in store.root.glob("jobs/*/*")] == ["k.json"]


def test_a_record_of_another_job_counts_as_never_finished(store: Store) -> None:
    store.finish("kk", "block", "b", {"loss": 0.5}, 1.5)
    store.finish("k", "block", "b", {"loss": 0.5}, 1.5)
    record(store, "k").write_bytes(record(store, "kk").read_bytes())
    assert len(told(store)) == 1


def test_locks_of_killed_builds_go_and_those_of_others_stay(store: Store) -> None:
    left, new = (store.root / "locks" / f"build-{name}.lock" for name in ("left", "new"))
    left.touch()
    new.touch()
    os.utime(left, (0, 0))
    with store.in_use():
        (held,) = set(store.root.glob("locks/build-*.lock")) - {new}
        os.utime(held, (0, 0))
        with Store(store.root).in_use():
            assert held.exists()
    assert set(store.root.glob("locks/build-*.lock")) == {new}


def test_an_artifact_without_a_record_counts_as_never_finished(store: Store) -> None:
    """What a kill between the two leaves behind."""
    store.finish("k", "block", "b", {}, 1.0, WEIGHTS)
    record(store, "k").unlink()
    assert store.find("k") is None
    store.finish("k", "block", "b", {}, 1.0, WEIGHTS)
    assert store.find("k") is not None


def test_a_key_depends_on_everything_and_on_nothing_else() -> None:
    key = job_key("block", rates=(0.5,), seed=1)
    assert key == job_key("block", seed=1, rates=[0.5])
    assert (
        len({key, job_key("block", rates=(0.3,), seed=1), job_key("teacher", rates=(0.5,), seed=1)})
        == 3
    )


def test_a_second_build_waits_and_then_finds_the_job(store: Store) -> None:
    waited = threading.Event()
    seen: list[bool] = []

    def second() -> None:
        other = Store(store.root)
        with other.locked(["b", "a"], waited.set):
            seen.append(other.find("a") is not None)

    with store.locked(["a", "b"], lambda: None):
        thread = threading.Thread(target=second)
        thread.start()
        assert waited.wait(timeout=30)
        store.finish("a", "block", "a", {}, 1.0)
    thread.join(timeout=30)
    assert seen == [True]


WRITE_MANY = """
import sys
from pathlib import Path
from typing import Any
import numpy as np
from wootzc.builder.jobs.store import Store
store = Store(Path(sys.argv[1]))
for number in range(20):
    store.finish(f"{number}", "block", "b", {}, 1.0, {"w": np.ones(3, np.float32)})
"""


def test_processes_that_write_at_once_lose_nothing(store: Store) -> None:
    command = [sys.executable, "-c", WRITE_MANY, str(store.root)]
    workers = [subprocess.Popen(command) for _ in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    assert all(store.find(f"{number}") is not None for number in range(20))
    assert not list(store.root.glob("artifacts/*/.*")), "temporary files are left"


def test_clear_empties_the_store_but_not_under_a_running_build(store: Store) -> None:
    store.finish("k", "block", "b", {}, 1.0, WEIGHTS)
    with store.locked(["k"], lambda: None), pytest.raises(WootzError, match="WZ141"):
        store.clear()
    store.clear()
    assert store.find("k") is None and store.size()[0] == 0


def test_no_build_begins_while_the_store_is_cleaned(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would lose what is deleted after it was seen that nobody builds."""
    begun, late = threading.Event(), threading.Event()

    def build() -> None:
        begun.set()
        with Store(store.root).in_use():
            late.set()

    other = threading.Thread(target=build)

    def held() -> bool:
        other.start()
        begun.wait()
        assert not late.wait(0.2)
        return False

    monkeypatch.setattr(FileLocks, "held", lambda _: held())
    store.clear()
    other.join(10)
    assert late.is_set()


def test_what_stands_in_the_way_of_the_lock_for_cleaning_is_put_aside(store: Store) -> None:
    (store.root / "locks" / "cleaning").mkdir()
    with store.in_use():
        pass
    store.clear()


def test_a_store_that_cannot_be_made_is_a_diagnostic(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WootzError, match="WZ140"):
        Store(tmp_path / "file" / "store")


def test_the_default_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WOOTZC_STORE", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("WOOTZC_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_root() == tmp_path / "cache" / "wootzc"


def test_clear_leaves_files_alone_that_no_store_wrote(store: Store) -> None:
    mine = store.root / "artifacts" / "thesis.txt"
    mine.write_text("precious")
    programs = store.root / "xla" / "processor"
    for name in ("jit_f-cache", "xla_gpu_per_fusion_autotune_cache_dir/one.textproto"):
        (programs / name).parent.mkdir(parents=True, exist_ok=True)
        (programs / name).write_text("program")
    store.finish("key", "block", "b", {}, 1.0, WEIGHTS)
    with store.in_use(), pytest.raises(WootzError, match="WZ141"):
        store.clear()
    store.clear()
    assert mine.read_text() == "precious" and not list(store.root.glob("artifacts/*/*"))
    assert not [path for path in programs.rglob("*") if path.is_file()]
    assert is_store(store.root) and not is_store(store.root / "artifacts")


def test_verify_names_all_that_was_damaged(store: Store) -> None:
    for key, name in (("k1", "first"), ("k2", "second"), ("k3", "third")):
        store.finish(key, "block", name, {"loss": 0.5}, 1.5, {"w": np.arange(3)})
    assert store.verified() == 3
    (artifact,) = store.root.glob("artifacts/*/k1.*")
    record = next(store.root.glob("jobs/*/k2.json"))
    for path in (artifact, record):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(WootzError) as caught:
        store.verified()
    assert [found.code for found in caught.value.diagnostics] == ["WZ289"] * 2
    assert "third" not in str(caught.value)


def test_a_single_number_stays_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    weights: dict[str, np.ndarray] = {
        "step": np.array(3, np.int32),
        "columns": np.zeros((2, 3)).T,
    }
    store.finish("k", "candidate", "n", {}, 1.0, weights)
    done = store.find("k")
    assert done is not None and done.weights is not None
    assert {name: array.shape for name, array in done.weights.items()} == {
        "step": (),
        "columns": (3, 2),
    }
