"""A result folder is what was built, or it is told; and it changes as a whole, or not at all."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from wootzc.builder import Options, build
from wootzc.builder.jobs.events import Event, Warned
from wootzc.builder.jobs.listeners import Events
from wootzc.builder.result import folder
from wootzc.builder.result.export import export_result
from wootzc.builder.result.origins import NOWHERE
from wootzc.builder.result.replay import verify_result
from wootzc.builder.write_result import _origins
from wootzc.diagnostics import WootzError
from wootzc.files import load_json
from wootzc.ir.space.recipe import FromFile

FILES = (
    "best/manifest.json",
    "best/network.wz",
    "best/weights.safetensors",
    "best/model.py",
    "best/example.npz",
    "best/origins.json",
    "plan.wzir",
    "report.html",
    "result.json",
)


@pytest.fixture(scope="module")
def built(make_space: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Options]:
    root = tmp_path_factory.mktemp("damage")
    source = Path(make_space())
    options = Options(out=root / "out", store=root / "store")
    build(source, options)
    return source, options


def contents(out: Path) -> dict[str, bytes]:
    files = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    return {name: content for name, content in files.items() if name != "log.jsonl"}


def test_every_file_of_a_result_is_known_here(built: tuple[Path, Options]) -> None:
    assert built[1].out is not None
    assert sorted(contents(built[1].out)) == sorted(FILES)


@pytest.fixture
def damaged(built: tuple[Path, Options]) -> Iterator[Callable[[str, int, int], Path]]:
    """Flips a bit of a byte of a file; afterwards all is as it was."""
    out = built[1].out
    assert out is not None
    before = contents(out)

    def flip(name: str, byte: int, bit: int) -> Path:
        content = bytearray(before[name])
        content[byte % len(content)] ^= 1 << bit
        (out / name).write_bytes(content)
        return out

    yield flip
    for name, content in before.items():
        (out / name).write_bytes(content)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_told_by_verify(
    name: str, damaged: Callable[[str, int, int], Path]
) -> None:
    random = np.random.default_rng(len(name))
    for byte in (0, 40, -2, -30, *random.integers(0, 100_000, 4).tolist()):
        out = damaged(name, int(byte), int(random.integers(8)))
        with pytest.raises(WootzError) as caught:
            list(verify_result(out))
        assert {d.code for d in caught.value.diagnostics} <= {"WZ145", "WZ146"}
        assert Path(name).name in str(caught.value)


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("best/")])
def test_a_flipped_bit_is_not_exported(
    name: str, damaged: Callable[[str, int, int], Path], tmp_path: Path
) -> None:
    out = damaged(name, 50, 0)
    with pytest.raises(WootzError, match=r"WZ14[56]"):
        export_result(out, "flax", tmp_path / "exported")
    assert not (tmp_path / "exported").exists()


def test_verify_recomputes_accuracy_on_the_data(built: tuple[Path, Options]) -> None:
    source, options = built
    assert options.out is not None
    data = source.with_name("quadrants.npz")
    *_, last = verify_result(options.out, data)
    assert "80 test images right" in last
    other = source.with_name("other.npz")
    with np.load(data) as arrays:
        np.savez(other, images=arrays["images"], labels=arrays["labels"][::-1].copy())
    with pytest.raises(WootzError, match="WZ261"):
        list(verify_result(options.out, other))


def test_a_result_that_lies_about_its_accuracy_is_told(
    built: tuple[Path, Options], damaged: Callable[[str, int, int], Path]
) -> None:
    """Who seals it anew could say anything: what the images say counts."""
    source, options = built
    out = options.out
    assert out is not None
    file = out / "best" / "manifest.json"
    manifest = json.loads(file.read_text())
    del manifest["sealed"]
    manifest["accuracy"]["test"] -= 0.1
    file.write_text(json.dumps(manifest))
    (out / "result.json").unlink()
    with pytest.raises(WootzError, match=r"WZ146.*test images"):
        list(verify_result(out, source.with_name("quadrants.npz")))


def unsealed(out: Path) -> None:
    for name in ("best/manifest.json", "result.json"):
        table = json.loads((out / name).read_text())
        del table["sealed"]
        (out / name).write_text(json.dumps(table))


def test_results_of_earlier_versions_have_no_seal(
    built: tuple[Path, Options], damaged: Callable[[str, int, int], Path]
) -> None:
    out = built[1].out
    assert out is not None
    unsealed(out)
    assert len(list(verify_result(out))) == 5
    assert load_json(out / "result.json")["space"] == "quadrants"


OTHERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "other sizes": lambda own: {"images": own["images"][:, :4]},
    "other channels": lambda own: {"images": np.repeat(own["images"], 3, axis=-1)},
    "one image": lambda own: {"images": own["images"][0]},
    "no images": lambda own: {name: array[:0] for name, array in own.items()},
    "texts": lambda own: {"images": own["images"].astype("U8")},
    "dates": lambda own: {"images": own["images"].astype("datetime64[s]")},
    "not a number": lambda own: {"images": own["images"] * np.nan},
    "fewer labels": lambda own: {"labels": own["labels"][:3]},
    "other classes": lambda own: {"logits": own["logits"][:, :2]},
    "fewer logits": lambda own: {"logits": own["logits"][:5]},
    "no logits": lambda own: {"logits": own["logits"] * 0},
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_example_of_another_network_is_told(
    name: str, built: tuple[Path, Options], damaged: Callable[[str, int, int], Path]
) -> None:
    """Also where no seal vouches for it: in results of earlier versions."""
    out = built[1].out
    assert out is not None
    unsealed(out)
    with np.load(out / "best" / "example.npz") as example:
        own = {key: example[key] for key in example.files}
    np.savez(out / "best" / "example.npz", **(own | OTHERS[name](own)))
    with pytest.raises(WootzError, match=r"WZ14[56]"):
        list(verify_result(out))


MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "costs": lambda table: table.update(params="many"),
    "no accuracy": lambda table: table.update(accuracy=None),
    "no figures": lambda table: table.update(accuracy={}),
    "other channels": lambda table: table.update(normalize={"mean": [0] * 3, "std": [1] * 3}),
    "no data": lambda table: table.update(data=[]),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_somebody_wrote_is_told(
    name: str, built: tuple[Path, Options], damaged: Callable[[str, int, int], Path]
) -> None:
    source, options = built
    out = options.out
    assert out is not None
    unsealed(out)
    file = out / "best" / "manifest.json"
    table = json.loads(file.read_text())
    MANIFESTS[name](table)
    file.write_text(json.dumps(table))
    with pytest.raises(WootzError, match=r"WZ145.*not what a build writes"):
        list(verify_result(out, source.with_name("quadrants.npz")))


# Switching


def test_a_build_that_fails_while_it_writes_changes_nothing(
    built: tuple[Path, Options], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, options = built
    out = options.out
    assert out is not None
    (out / "mine.txt").write_text("left here by a user")
    before = contents(out)

    def killed(*_: Any) -> str:
        raise KeyboardInterrupt

    changed = Options(out=out, store=options.store, overrides={"finetune.steps": "3"})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("wootzc.builder.write_result.report_html", killed)
        build(source, changed)
    assert contents(out) == before
    build(source, changed)
    after = contents(out)
    assert after["mine.txt"] == before["mine.txt"]
    assert after["best/weights.safetensors"] != before["best/weights.safetensors"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["out", "store"]
    assert '"build_finished"' in (out / "log.jsonl").read_text().splitlines()[-1]
    (out / "mine.txt").unlink()
    build(source, options)


def test_what_a_kill_left_is_put_back_or_removed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    old, new = folder._beside(out, "old"), folder._beside(out, "new")
    for made in (old, new):
        made.mkdir()
        (made / "result.json").write_text(made.name)
    folder.recover(out)
    assert (out / "result.json").read_text() == old.name
    (out / ".plan.wzir.abcd").touch()
    folder.recover(out)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "result.json"]


@pytest.mark.parametrize("exchanges", [True, False])
def test_folders_change_places(
    exchanges: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(folder, "_EXCHANGE", 1 << 20)  # no system knows this flag
    out = tmp_path / "out"
    (out / "export").mkdir(parents=True)
    (out / "best").mkdir()
    (out / "export" / "kept").touch()
    (out / "best" / "gone").touch()
    with folder.switched(out) as new:
        (new / "result.json").touch()
        assert not (out / "result.json").exists()
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert names == {"out", "out/export", "out/export/kept", "out/result.json"}


def test_of_two_builds_that_write_one_folder_neither_takes_it_from_the_other(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").touch()
    with folder.switched(out) as new:
        (new / "plan.wzir").touch()
        folder.recover(out)  # another build begins
        with folder.switched(out) as other:
            (other / "result.json").write_text("other")
        (new / "result.json").write_text("new")
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert names == {"out", "out/notes.txt", "out/plan.wzir", "out/result.json"}
    assert (out / "result.json").read_text() == "new"


def test_the_folder_that_a_process_runs_in_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "result.json").touch()
    monkeypatch.chdir(tmp_path)
    with folder.switched(Path()) as new:
        assert new == tmp_path and not (tmp_path / "result.json").exists()
        (new / "result.json").touch()
    assert os.listdir() == ["result.json"]


# The store


def test_a_flipped_bit_in_any_artifact_is_made_again(make_space: Any, tmp_path: Path) -> None:
    source = Path(make_space())
    options = Options(out=tmp_path / "out", store=tmp_path / "store")
    first = build(source, options)
    weights = (tmp_path / "out" / "best" / "weights.safetensors").read_bytes()
    artifacts = sorted((tmp_path / "store").glob("artifacts/*/*.safetensors"))
    before = [path.read_bytes() for path in artifacts]
    for path, content in zip(artifacts, before, strict=True):
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 8]) + content[-2:])
    warnings: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Warned) and "damaged" in event.message:
            warnings.append(event.message)

    second = build(source, options, [listen])
    told = {message.partition("store's ")[2].split(" ")[0] for message in warnings}
    assert {"teacher", "block", "candidate"} <= told
    assert len(warnings) == len(set(warnings))
    assert (tmp_path / "out" / "best" / "weights.safetensors").read_bytes() == weights
    assert second.summary["best"]["accuracy"] == first.summary["best"]["accuracy"]
    again = [path.read_bytes() for path in artifacts]
    assert again[artifacts.index(store_path(tmp_path, first))] in before
    assert not build(source, options, [listen]).summary["blocks"]["trained"]


def store_path(root: Path, built: Any) -> Path:
    key: str = built.summary["teacher"]["key"]
    (path,) = (root / "store" / "artifacts" / key[:2]).glob(f"{key}.*.safetensors")
    return path


@pytest.mark.parametrize("left", [None, b"another network"])
def test_a_teacher_that_was_replaced_meanwhile_is_no_origin(
    tmp_path: Path, left: bytes | None
) -> None:
    """A search takes hours: what the file holds by then says nothing of where weights came from."""
    file, said = tmp_path / "teacher.safetensors", list[Event]()
    if left is not None:
        file.write_bytes(left)
    jobs: Any = SimpleNamespace(
        space=SimpleNamespace(teacher=FromFile(path=str(file))),
        keys=SimpleNamespace(file=hashlib.sha256(b"that of the start").hexdigest()),
        events=Events(listeners=[said.append]),
    )
    assert _origins(jobs, ()) == NOWHERE
    (warning,) = said
    assert isinstance(warning, Warned) and str(file) in warning.message
