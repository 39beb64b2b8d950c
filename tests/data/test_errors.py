"""Broken data of every kind: one clear error that names file and entry, and a way out."""

import re
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from wootzc.backends.data import load, parquet
from wootzc.backends.data.formats import check_exists
from wootzc.diagnostics import WootzError
from wootzc.ir.space.recipe import Data

Build = Callable[[Any], str]  # writes files below the working folder, gives what to load
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 4), np.uint8)
LABELS = np.arange(40) % 2


def cut(path: str, keep: float) -> str:
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(len(content) * keep)])
    return path


def npz(**saved: Any) -> str:
    np.savez("a.npz", **saved)
    return "a.npz"


def labels(values: Any) -> str:
    return npz(images=IMAGES, labels=np.array(values))


def zipped(**entries: bytes) -> str:
    with zipfile.ZipFile("a.zip", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/") + ".png", content)
    return "a.zip"


def flip_a_byte(path: str, after: bytes) -> str:
    content = bytearray(Path(path).read_bytes())
    content[content.index(after) + len(after) + 40] ^= 0xFF
    Path(path).write_bytes(content)
    return path


def marked(path: str, behind_flags: int, value: int) -> str:
    """A zip whose entries say so in their flags, or of the method of their compression."""
    content = bytearray(Path(path).read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        for found in re.finditer(re.escape(header), bytes(content)):
            content[found.start() + flags + behind_flags] = value
    Path(path).write_bytes(content)
    return path


def table(p: Any, **columns: Any) -> str:
    blobs = [p.png() for _ in range(8)]
    full = {
        "image": [{"bytes": blob, "path": "x"} for blob in blobs],
        "label": [0, 1] * 4,
    } | columns
    kept = {name: column for name, column in full.items() if column is not None}
    pyarrow.parquet.write_table(pa.table(kept), "a.parquet")
    return "a.parquet"


def hub_names(p: Any) -> str:
    p.parquet(Path("a.parquet"), [p.png() for _ in range(8)], [0, 1, 2, 0] * 2, named=True)
    return "a.parquet"


def missing(p: Any) -> str:
    npz(images=IMAGES, labels=LABELS)
    return "b.npz"


def top_level_image(p: Any) -> str:
    root = p.tree(cat=2, dog=2)
    (root / "stray.png").write_bytes(p.png())
    return "pictures"


def image_in_train(p: Any) -> str:
    root = p.tree(train__cat=2, train__dog=2)
    (root / "train" / "stray.png").write_bytes(p.png())
    return "pictures"


def broken_image(p: Any) -> str:
    root = p.tree(cat=9, dog=9)
    cut(str(root / "dog" / "3.png"), 0.6)
    return "pictures"


def no_image(p: Any) -> str:
    root = p.tree(cat=9, dog=9)
    (root / "dog" / "3.png").write_text("<html>404</html>")
    return "pictures"


def archives_inside(p: Any) -> str:
    Path("pictures").mkdir()
    Path("pictures/train.zip").write_bytes(b"PK")
    return "pictures"


def no_pictures(p: Any) -> str:
    Path("pictures").mkdir()
    Path("pictures/notes.txt").write_text("")
    return "pictures"


def only_for_testing(p: Any) -> str:
    Path("hub").mkdir()
    p.parquet(Path("hub/test-0.parquet"), [p.png()], [0])
    return "hub"


def pickled() -> str:
    images = np.empty(40, object)
    images[:] = list(IMAGES)
    return npz(images=images, labels=LABELS)


def nan() -> str:
    images = IMAGES.astype(np.float32)
    images[7, 0, 0] = np.nan
    return npz(images=images, labels=LABELS)


def plain(path: str) -> str:
    Path(path).write_bytes(b"not what its name says" * 10)
    return path


# name → (code, what the message must say, how to break it)
CASES: dict[str, tuple[str, list[str], Build]] = {
    "missing": ("WZ100", ["b.npz", "did you mean a.npz?"], missing),
    "missing folder": ("WZ100", ["no/such/a.npz", "no folder no/such"], lambda p: "no/such/a.npz"),
    "unknown kind": ("WZ101", ["a.tar", ".npz, .zip, .parquet"], lambda p: plain("a.tar")),
    "npz not zip": ("WZ102", ["a.npz", "220 bytes"], lambda p: plain("a.npz")),
    "npz cut": ("WZ102", ["a.npz", "cut short"], lambda p: cut(labels(LABELS), 0.7)),
    "npz damaged": (
        "WZ102",
        ["a.npz", "copy or download it again"],
        lambda p: flip_a_byte(labels(LABELS), b"(40, 4, 4)"),
    ),
    "zip cut": ("WZ102", ["a.zip"], lambda p: cut(zipped(a__1=p.png(), b__1=p.png()), 0.8)),
    "parquet cut": ("WZ102", ["a.parquet"], lambda p: cut(table(p), 0.7)),
    "parquet no parquet": ("WZ102", ["a.parquet"], lambda p: plain("a.parquet")),
    "no keys": (
        "WZ103",
        ["its keys are: pixels, classes", "x_train and y_train"],
        lambda p: npz(pixels=IMAGES, classes=LABELS),
    ),
    "half the keys": (
        "WZ103",
        ["no y_test", "its keys are: x_train, y_train, x_test"],
        lambda p: npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES),
    ),
    "no image column": (
        "WZ103",
        ["no column image or img", "its columns are: label, picture"],
        lambda p: table(p, image=None, picture=[b""] * 8),
    ),
    "no label column": ("WZ103", ["its columns are: image"], lambda p: table(p, label=None)),
    "parts by two conventions": (
        "WZ103",
        ["test_images does not go with images", "train_images and train_labels"],
        lambda p: npz(images=IMAGES, labels=LABELS, test_images=IMAGES, test_labels=LABELS),
    ),
    "only a test file": ("WZ103", ["hub", "test-0.parquet", "train-"], only_for_testing),
    "pickled": ("WZ104", ["a.npz: images", "pickle", "np.stack"], lambda p: pickled()),
    "flat images": (
        "WZ105",
        ["a.npz: images has shape [40, 16]", "reshape"],
        lambda p: npz(images=IMAGES.reshape(40, 16), labels=LABELS),
    ),
    "text images": (
        "WZ105",
        ["holds <U1", "uint8 or floats"],
        lambda p: npz(images=np.full((4, 2, 2), "a"), labels=LABELS[:4]),
    ),
    "two shapes": (
        "WZ105",
        ["x_test has images of 2x4x1, but x_train of 4x4x1"],
        lambda p: npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:, :2], y_test=LABELS),
    ),
    "paths only": (
        "WZ105",
        ["a.parquet: image of row 0 holds no image bytes"],
        lambda p: table(p, image=[{"bytes": None, "path": "x.png"}] * 8),
    ),
    "counts": ("WZ106", ["40 images, but 39 labels"], lambda p: labels(LABELS[1:])),
    "float labels": ("WZ107", ["holds float64", "astype"], lambda p: labels(LABELS + 0.5)),
    "negative label": ("WZ107", ["label -1 of image 3"], lambda p: labels([0, 1, 1, -1] * 10)),
    "one-hot labels": ("WZ107", ["[40, 2]", "argmax"], lambda p: labels(np.eye(2)[LABELS])),
    "labels from 1": ("WZ107", ["label 0", "labels - 1"], lambda p: labels(LABELS + 1)),
    "gap in labels": (
        "WZ107",
        ["go up to 2000000000", "label 2 (nor 1,999,999,997 others)", "without gaps"],
        lambda p: labels([0, 1, 1, 2_000_000_000] * 10),
    ),
    "test label unknown": (
        "WZ107",
        ["label 2 of test image 1 does not occur in training", "0 to 1"],
        lambda p: npz(
            x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:3], y_test=np.array([0, 2, 1])
        ),
    ),
    "label without a name": ("WZ107", ["label 2 of training image 2", "2 classes"], hub_names),
    "null label": (
        "WZ107",
        ["a.parquet: row 5 has no label"],
        lambda p: table(p, label=[0, 1, 0, 1, 0, None, 1, 1]),
    ),
    "text label": (
        "WZ107",
        ["a.parquet: label holds text", "np.unique"],
        lambda p: table(p, label=list("ab" * 4)),
    ),
    "one class": ("WZ108", ["all 40 training images"], lambda p: labels(LABELS * 0)),
    "one class folder": ("WZ108", ["all 5"], lambda p: p.tree(cat=5) and "pictures"),
    "image at the top": ("WZ109", ["pictures: stray.png lies in no class folder"], top_level_image),
    "image in train": ("WZ109", ["train/stray.png", "train/cat/1.png"], image_in_train),
    "empty class": (
        "WZ109",
        ["class folders without an image: bird, fish"],
        lambda p: p.tree(cat=3, dog=3, fish=0, bird=0) and "pictures",
    ),
    "archives inside": ("WZ109", ["pictures: holds train.zip", "unpack"], archives_inside),
    "no pictures": ("WZ109", ["no images found; it holds notes.txt"], no_pictures),
    "no images": (
        "WZ109",
        ["the train part has no images"],
        lambda p: npz(images=IMAGES[:0], labels=LABELS[:0]),
    ),
    "class only in test": (
        "WZ109",
        ["class owl has images for testing", "cat, dog"],
        lambda p: p.tree(train__cat=3, train__dog=3, test__owl=1) and "pictures",
    ),
    "image cut": ("WZ112", ["pictures/dog/3.png", "truncated"], broken_image),
    "web page as image": ("WZ112", ["pictures/dog/3.png", "not an image format"], no_image),
    "image cut in zip": (
        "WZ112",
        ["a.zip: b/1.png"],
        lambda p: zipped(a__1=p.png(), a__2=p.png(), b__1=p.png()[:60], b__2=p.png()),
    ),
    "zip entry damaged": (
        "WZ112",
        ["a.zip: b/1.png", "CRC"],
        lambda p: flip_a_byte(zipped(a__1=p.png(), a__2=p.png(), b__1=p.png()), b"b/1.png"),
    ),
    "encrypted zip": (
        "WZ112",
        ["a.zip: a/1.png: cannot be read: it is encrypted", "without a password"],
        lambda p: marked(zipped(a__1=p.png(), a__2=p.png(), b__1=p.png()), 0, 1),
    ),
    "zip of an unknown method": (
        "WZ112",
        ["a.zip: a/1.png: cannot be read (That compression", "make the archive anew"],
        lambda p: marked(zipped(a__1=p.png(), a__2=p.png(), b__1=p.png()), 2, 99),
    ),
    "image cut in parquet": (
        "WZ112",
        ["a.parquet: row 6"],
        lambda p: table(p, image=[{"bytes": p.png()[: 60 if i == 6 else None]} for i in range(8)]),
    ),
    "nan": ("WZ113", ["a.npz: images: image 7"], lambda p: nan()),
    "infinite in float32": (
        "WZ113",
        ["image 0"],
        lambda p: npz(images=IMAGES.astype(np.float64) * 1e300, labels=LABELS),
    ),
}


@pytest.mark.parametrize(("code", "says", "build"), CASES.values(), ids=CASES.keys())
def test_each_mistake_is_named(
    code: str,
    says: list[str],
    build: Build,
    pictures: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = build(pictures)
    spec = Data(path=path, validation=0.2, test=0.0)
    with pytest.raises(WootzError) as caught:
        load(spec, seed=0)
    (diagnostic,) = caught.value.diagnostics
    text = str(caught.value)
    assert diagnostic.code == code, text
    assert path in diagnostic.message
    for part in says:
        assert part in text


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ({"validation": 0.6, "test": 0.4}, "WZ115", "together below 1"),
        ({"validation": 0.01}, "WZ115", "none for validation at a fraction of 0.01"),
        ({"limit": 1}, "WZ115", "a limit of 1 images cannot cover 2 classes"),
        ({"kind": "folder"}, "WZ101", "is a file, but folder"),
        ({"kind": "zip"}, "WZ109", "no images found"),
    ],
)
def test_settings_that_do_not_suit_the_data(
    options: dict[str, Any], code: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = labels(LABELS)
    with pytest.raises(WootzError) as caught:
        load(Data(path=path, **options), seed=0)
    assert caught.value.diagnostics[0].code == code
    assert says in str(caught.value)


def test_arrays_must_have_the_input_of_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = npz(images=np.zeros((40, 3, 5, 4), np.uint8), labels=LABELS)
    with pytest.raises(WootzError, match=r"3x5x4, but the network's input is 8x8x1"):
        load(Data(path=path), seed=0, shape=(8, 8, 1))
    with pytest.raises(WootzError, match=r"moveaxis"):
        load(Data(path=path), seed=0, shape=(5, 4, 3))


def test_image_files_have_no_five_channels(pictures: Any) -> None:
    with pytest.raises(WootzError, match="WZ110"):
        load(Data(path=str(pictures.tree(a=9, b=9))), seed=0, shape=(6, 6, 5))


def test_parquet_without_pyarrow_says_what_to_install(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = table(pictures)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(WootzError, match=r"WZ114(.|\n)*wootzc\[parquet\]"):
        load(Data(path=path), seed=0)


def test_no_room_for_the_spool(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    monkeypatch.chdir(tmp_path)
    path = table(pictures)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: open("/dev/full", "r+b", buffering=0))
    with pytest.raises(WootzError, match=r"WZ116(.|\n)*TMPDIR"):
        load(Data(path=path), seed=0)


def test_columns_of_other_lengths_than_the_table_are_told(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a damaged page leaves them: pyarrow reads fewer rows of one column, and says nothing."""
    monkeypatch.chdir(tmp_path)
    path, images = table(pictures), parquet._images
    monkeypatch.setattr(parquet, "_images", lambda *given: islice(images(*given), 5))
    with pytest.raises(WootzError, match=r"WZ102.*column image has 5 rows, and the table 8"):
        load(Data(path=path), seed=0)


def test_a_bad_row_ends_the_copy_for_all_threads(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"bytes": pictures.png() if row != 5 else None, "path": "x"} for row in range(8)]
    path = table(pictures, image=rows)
    spool = Mock(wraps=parquet._spool)
    monkeypatch.setattr(parquet, "_spool", spool)
    source = parquet.open_parquet(tmp_path / path, path, None)
    for row in (0, 1, 5):
        with pytest.raises(WootzError, match=r"WZ105.*row 5 holds no image bytes"):
            source.parts["train"].images.take(np.array([row]))
    assert spool.call_count == 1


def test_a_space_is_no_data_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "digits.wz").touch()
    with pytest.raises(WootzError) as caught:
        check_exists(tmp_path / "digits.npz", "digits.npz")
    assert [(d.code, d.help) for d in caught.value.diagnostics] == [("WZ100", None)]


def test_where_no_name_is_near_what_is_there_is_listed(tmp_path: Path) -> None:
    for name in ("train.zip", "labels.csv"):
        (tmp_path / name).touch()
    with pytest.raises(WootzError, match=r"there is: labels\.csv, train\.zip"):
        check_exists(tmp_path / "pictures", "pictures")
