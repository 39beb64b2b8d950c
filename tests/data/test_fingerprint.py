"""Equal bytes and settings give equal names, whatever the machine; anything else does not."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.backends.data import fingerprint as module
from wootzc.backends.data import load
from wootzc.backends.data.fingerprint import fingerprint
from wootzc.ir.space.recipe import Data


def test_place_and_time_do_not_count(tmp_path: Path, pictures: Any) -> None:
    here = pictures.tree(a=10, b=10)
    there = Path(shutil.copytree(here, tmp_path / "elsewhere"))
    os.utime(there / "a" / "0.png", (0, 0))
    (there / "notes.txt").write_text("not an image")
    prints = {load(Data(path=str(path)), seed=0).fingerprint for path in (here, there)}
    assert len(prints) == 1
    shutil.make_archive(str(tmp_path / "one"), "zip", here)
    shutil.copy(tmp_path / "one.zip", tmp_path / "two.zip")
    one, two = (load(Data(path=str(tmp_path / f"{n}.zip")), seed=0) for n in ("one", "two"))
    assert one.fingerprint == two.fingerprint


def test_a_known_value(tmp_path: Path) -> None:
    """A change of the rule makes all that users have stored worthless: change it knowingly."""
    (tmp_path / "a.png").write_bytes(b"abc")
    content = hashlib.sha256(b"abc").digest()
    by_hand = hashlib.sha256(b"wootzc data 1\na.png\x003\n" + content + b'{"seed": 1}')
    assert fingerprint(["a.png"], tmp_path, {"seed": 1}) == by_hand.hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"validation": 0.2},
        {"test": 0.2},
        {"limit": 15},
        {"normalize": False},
        {"seed": 1},
        {"shape": (3, 3, 3)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_settings_count(pictures: Any, change: dict[str, Any]) -> None:
    path = str(pictures.tree(a=10, b=10))
    seed, shape = change.pop("seed", 0), change.pop("shape", None)
    changed = load(Data(path=path, **change), seed=seed, shape=shape)
    assert changed.fingerprint != load(Data(path=path), seed=0).fingerprint


def test_a_setting_that_has_no_effect_does_not_count(tmp_path: Path, arrays: Any) -> None:
    images, labels = arrays
    saved = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(tmp_path / "a.npz", **saved)
    path = str(tmp_path / "a.npz")
    prints = {load(Data(path=path, test=t), seed=0).fingerprint for t in (0.1, 0.2)}
    assert len(prints) == 1


@pytest.mark.parametrize("budget", [1 << 20, 2000])
def test_contents_names_and_sizes_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setattr(module, "PIECE", 100)
    files = [tmp_path / f"{number:02}" for number in range(30)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 1000)

    def now() -> str:
        return fingerprint((file.name for file in files), tmp_path, {}, budget=budget)

    first = now()
    assert first == now()
    files[3].write_bytes(bytes([3]) * 1001)
    assert now() != first, "size"
    files[3].write_bytes(bytes([3]) * 1000)
    assert now() == first
    for file, place in ((files[0], 0), (files[-1], 999)):
        content = bytearray(file.read_bytes())
        content[place] ^= 1
        file.write_bytes(content)
        assert now() != first, "first and last byte"
        content[place] ^= 1
        file.write_bytes(content)
    files[5] = files[5].rename(tmp_path / "renamed")
    assert now() != first, "name"


def test_beyond_the_budget_not_everything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE", 100)
    big = tmp_path / "big"
    big.write_bytes(bytes(100_000))
    first = fingerprint(["."], big, {}, budget=1000)
    changed = 0
    for place in range(50, 100_000, 1000):
        content = bytearray(100_000)
        content[place] = 1
        big.write_bytes(content)
        changed += fingerprint(["."], big, {}, budget=1000) != first
    assert 0 < changed < 10  # ten pieces of a hundred bytes among a thousand
