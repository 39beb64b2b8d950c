"""What a file is that is no `.wz` source, told by its first bytes, and which command reads it."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from wootzc.diagnostics import WootzError, fail

HEAD = 512  # bytes that tell what a file is


class Kind(NamedTuple):
    name: str  # with its article
    way: str  # which command reads it, {file} is its path


_IMPORT = '`wootzc import {file}` prints it as .wz text; in a .wz file: network NAME from "{name}"'
_DATA = 'a space reads it: data "{name}"'
_PLAN = "`wootzc build {file}` builds it, `wootzc opt {file}` prints it"
_WEIGHTS = 'a space reads it: teacher from "{name}"'

KINDS = {
    "onnx": Kind("an ONNX model", _IMPORT),
    "prototxt": Kind("a Caffe prototxt", _IMPORT),
    "plan": Kind("a compiled plan", _PLAN),
    "network": Kind("a network as IR text", "give the .wz file it was made from"),
    "safetensors": Kind("a file of weights (safetensors)", _WEIGHTS),
    "zip": Kind("a zip file", _DATA + " if it holds images"),
    "npz": Kind("a NumPy file of arrays (.npz)", _DATA),
    "npy": Kind("a NumPy array (.npy)",
                "save images and labels together in one .npz; rows of rates: "
                "configs from \"{name}\""),
    "parquet": Kind("a Parquet file", _DATA),
    "torch": Kind("a PyTorch checkpoint", "`wootzc init {file} IMAGES` writes a .wz file for it"),
    "pickle": Kind("a pickle, which may run code when it is loaded",
                   "save arrays as .npz, and weights as .safetensors"),
    "hdf5": Kind("an HDF5 file, as Keras writes", "export the model as ONNX, with tf2onnx say"),
    "image": Kind("an image", "images are data: folder(…) of class/name.jpg"),
    "gzip": Kind("a compressed file (gzip)", "unpack it first"),
    "sqlite": Kind("an SQLite database", "a store is named by its folder: --store"),
    "pdf": Kind("a PDF", "give the .wz file"),
    "program": Kind("a program", "give the .wz file"),
    "utf16": Kind("text in UTF-16", "save it as UTF-8"),
    "json": Kind("a JSON file", "give the .wz file; the figures of a result: `wootzc report`"),
    "csv": Kind("a table", "rows of rates: configs from \"{name}\""),
    "python": Kind("a Python file", "give the .wz file; a model in Python: wootzc.from_nnx"),
    "binary": Kind("no text", "give the .wz file"),
}  # fmt: skip

_MAGIC = (
    (rb"\x89PNG|\xff\xd8\xff|GIF8|BM..\0\0\0\0|II\*\0|MM\0\*|RIFF....WEBP", "image"),
    (rb"\x93NUMPY", "npy"), (rb"PAR1", "parquet"), (rb"\x1f\x8b|BZh|\xfd7zXZ", "gzip"),
    (rb"\x89HDF", "hdf5"), (rb"SQLite format 3", "sqlite"), (rb"%PDF", "pdf"),
    (rb"\x7fELF|MZ\x90", "program"), (rb"\xff\xfe|\xfe\xff", "utf16"),
    (rb"\x80[\x02-\x05][\x28-\x9f]", "pickle"), (rb".{7}\0\{\s*\"", "safetensors"),
    (rb"\x08[\x01-\x20]\x12.[ -~]|\x08[\x01-\x20](?:\x1a.|:|\x42\x02|\x10)", "onnx"),
)  # fmt: skip
_SUFFIXES = {
    ".onnx": "onnx", ".prototxt": "prototxt", ".wzir": "plan", ".safetensors": "safetensors",
    ".npz": "npz", ".npy": "npy", ".zip": "zip", ".parquet": "parquet", ".pt": "torch",
    ".pth": "torch", ".ckpt": "torch", ".bin": "torch", ".pkl": "pickle", ".h5": "hdf5",
    ".hdf5": "hdf5", ".keras": "hdf5", ".json": "json", ".csv": "csv", ".py": "python",
}  # fmt: skip
_PLAN_TEXT = re.compile(
    r"(?:\s|//[^\n]*\n|#[^\n]*\n)*(plan|network)(?:\(\"[^\"]*\"(?:,[^\n]*)?\))? \{"
)
_PROTOTXT = re.compile(r"(?:\s|#[^\n]*\n)*(?:name\s*:\s*\"|layers?\s*\{|input\s*:\s*\")")


def _by_content(path: Path, head: bytes) -> str | None:
    """The kind of a file with these first bytes; None where it may be a `.wz` source."""
    suffix = _SUFFIXES.get(path.suffix.lower())
    if head.startswith(b"PK\x03\x04"):
        if suffix in ("torch", "npz", "hdf5"):
            return suffix
        return "torch" if b"data.pkl" in head else "npz" if b".npy" in head else "zip"
    for pattern, name in _MAGIC:
        if re.match(pattern, head, re.DOTALL):
            return name
    text = head.decode("utf-8", errors="replace")
    if match := _PLAN_TEXT.match(text):
        if match[1] == "plan" or "input = (" in text[: match.end()]:
            return match[1]
    if _PROTOTXT.match(text):
        return "prototxt"
    if re.match(r"\s*[\[{]\s*[\"\[{\d]", text):
        return "json"
    if suffix is not None and head:
        return suffix
    if b"\0" in head:
        return "binary"
    return None


def other_kind(path: Path, head: bytes) -> WootzError | None:
    """The mistake of giving a file of another kind where a `.wz` source is read."""
    found = _by_content(path, head)
    if found is None:
        return None
    kind, named = KINDS[found], path
    suffix = next((s for s, name in _SUFFIXES.items() if name == found), path.suffix)
    if path.suffix.lower() == ".wz" and suffix != ".wz":
        named = path.with_suffix(suffix)
    way = kind.way.replace("{file}", str(named)).replace("{name}", named.name)
    rename = f"rename it to {named.name}; " if named != path else ""
    code = "WZ131" if found == "utf16" else "WZ224"
    return fail(code, f"{path} is {kind.name}, not a .wz file", rename + way)


def folder(path: Path) -> WootzError:
    """The mistake of giving a folder where a `.wz` source is read."""
    names = set(os.listdir(path))
    if "result.json" in names:
        what, way = "the result of a build", f"`wootzc verify {path}` and `wootzc report {path}`"
    elif found := sorted(name for name in names if name.endswith(".wz")):
        what, way = "a folder", f"name a file in it: {path / found[0]}"
    elif {"jobs", "artifacts", "locks"} <= names:
        what, way = "a store", "it is named by --store"
    else:
        what, way = "a folder", f"`wootzc init MODEL {path}` writes a .wz file for images in it"
    return fail("WZ224", f"{path} is {what}, not a .wz file", way)
