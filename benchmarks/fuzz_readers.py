"""Every reader of what a user names: valid files to begin with, how they are damaged, the call."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fuzz_mutate import (
    Mutate,
    bytes_changed,
    entries_changed,
    entry,
    fields_changed,
    text_changed,
)
from PIL import Image

from wootzc.diagnostics import render

ROOT = Path(__file__).parents[1]
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3), np.uint8)
LABELS = np.arange(24) % 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """`read` gets a file with the damaged content; it raises only what is told to a user."""

    suffix: str
    seeds: Callable[[], list[bytes]]
    mutate: Mutate
    read: Callable[[Path], object]


def _wz(path: Path) -> None:
    from wootzc.driver import analyze_file

    analysis = analyze_file(path)
    render(analysis.diagnostics, analysis.sources)


def _wzir(path: Path) -> None:
    from wootzc.driver import front

    front(path)


def _network(path: Path) -> None:
    from wootzc.grammar import print_network
    from wootzc.networks import import_network

    print_network(import_network(path).network)


def _data(path: Path) -> None:
    from wootzc.backends.data import count_parts, load, survey
    from wootzc.ir.space.recipe import Data

    spec = Data(path=str(path), validation=0.2, test=0.2)
    count_parts(spec)
    try:
        load(spec, seed=0)
    finally:
        survey(spec)


def _rates(path: Path) -> None:
    from wootzc.diagnostics import Span
    from wootzc.grammar import syntax
    from wootzc.grammar.check.report import Report
    from wootzc.grammar.space.configs import read_rows

    span = Span(str(path.parent / "x.wz"))
    source = syntax.Text(value=str(path), span=span)
    report = Report()
    read_rows(syntax.Configs(source=source, span=span), ("a", "b"), report)
    render(report.diagnostics, {})


def _weights(path: Path) -> None:
    from wootzc.backends.weights.stored import read, read_shapes

    for each in (read_shapes, read):
        each(path)


def _image(path: Path) -> None:
    from wootzc.backends.data.images import decode, natural_shape

    blob = path.read_bytes()
    natural_shape(blob, "image")
    decode(blob, (8, 8, 3), "image")


def _manifest(path: Path) -> None:
    from wootzc.builder.result.exportable import load_exportable

    best = path.parent / "result" / "best"
    if not best.exists():
        _write_best(best)
    (best / "manifest.json").write_bytes(path.read_bytes())
    load_exportable(best.parent)


def _row(path: Path) -> None:
    """The first line of the file is the result of a record, the rest its artifact."""
    from wootzc.builder.jobs.places import replace
    from wootzc.builder.jobs.store import Store

    result, _, artifact = path.read_bytes().partition(b"\n")
    store = Store(path.parent / "store")
    fields = b'"kind": "block", "name": "b", "artifact": "", "seconds": 1, "finished": "now"'
    record = b'{"key": "k", "sha256": null, %b, "result": %b}' % (fields, result)
    replace(store._records.path("k"), record)
    replace(store._artifacts.place("k", ""), artifact)
    store.find("k")
    store.jobs()


# Seeds


NETWORK = """network tn {
  input(8x8x3)
  conv(3x3, 4); norm; relu
  module m { conv(3x3, 4); relu; conv(3x3, 4) }
  global_pool
  dense(3)
}
"""


def _write_best(best: Path) -> None:
    from wootzc.backends.weights.stored import initial_weights, to_bytes
    from wootzc.grammar import analyze

    best.mkdir(parents=True)
    (best / "network.wz").write_text(NETWORK)
    (network,) = analyze(NETWORK).networks
    (best / "weights.safetensors").write_bytes(to_bytes(initial_weights(network, 0)))
    (best / "model.py").write_text("")


def _manifests() -> list[bytes]:
    import tempfile

    from wootzc.files import seal, sha256_of

    with tempfile.TemporaryDirectory() as folder:
        best = Path(folder) / "best"
        _write_best(best)
        hashes = {name: sha256_of(best / name) for name in ("weights.safetensors", "model.py")}
    manifest = {
        "weights_sha256": hashes["weights.safetensors"],
        "classes": ["a", "b", "c"],
        "normalize": {"mean": [0.1, 0.2, 0.3], "std": [1.0, 1.0, 1.0]},
    }
    return [json.dumps(manifest, indent=1).encode(), seal(manifest, hashes).encode()]


def _texts() -> list[bytes]:
    from wootzc.grammar.zoo import zoo_names, zoo_path

    files = [*(ROOT / "samples").glob("*.wz"), *(Path(zoo_path(n)) for n in zoo_names()[::9])]
    return [path.read_bytes() for path in sorted(files)]


def _plans() -> list[bytes]:
    from wootzc.driver import compile
    from wootzc.ir.text import print_plan

    plan = compile((ROOT / "samples" / "digits.wz").read_text(), overrides={})
    return [print_plan(plan).encode()[:20_000], print_plan(plan).encode()]


def _models() -> list[bytes]:
    paths = sorted((ROOT / "tests" / "imports" / "onnx_fixtures").glob("*.onnx"))
    return [path.read_bytes() for path in paths if path.stat().st_size < 100_000]


def _prototxts() -> list[bytes]:
    paths = sorted((ROOT / "tests" / "imports" / "prototxt").rglob("*.prototxt"))
    return [path.read_bytes() for path in paths if path.stat().st_size < 20_000]


def _npz() -> list[bytes]:
    found = []
    for save in (np.savez, np.savez_compressed):
        for arrays in (
            {"images": IMAGES, "labels": LABELS},
            {"x_train": IMAGES.astype(np.float32), "y_train": LABELS[:, None],
             "x_test": IMAGES[::-1].astype(np.float32), "y_test": LABELS},
        ):  # fmt: skip
            file = io.BytesIO()
            save(file, **arrays)  # type: ignore[arg-type]
            found.append(file.getvalue())
    return found


def _npy() -> list[bytes]:
    file = io.BytesIO()
    np.save(file, np.array([[0.1, 0.5], [0.25, 0.75]]))
    return [file.getvalue()]


def _pictures() -> list[bytes]:
    found = []
    for number, form in enumerate(("png", "jpeg", "bmp", "gif", "webp", "tiff", "ppm")):
        for mode in ("RGB", "L", "P"):
            file = io.BytesIO()
            if form in ("jpeg", "ppm") and mode == "P":
                continue
            Image.fromarray(IMAGES[number]).convert(mode).save(file, form)
            found.append(file.getvalue())
    return found


def _zips() -> list[bytes]:
    found = []
    for parts in ((), ("train/", "test/")):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for part in parts or ("",):
                for number, picture in enumerate(_pictures()[:12]):
                    name = f"{part}{'ab'[number % 2]}/{number}.png"
                    archive.writestr(entry(name), picture, zipfile.ZIP_DEFLATED)
        found.append(file.getvalue())
    return found


def _parquet() -> list[bytes]:
    import pyarrow
    import pyarrow.parquet

    pictures = (_pictures() * 2)[:24]
    table = pyarrow.table(
        {"image": [{"bytes": p, "path": None} for p in pictures], "label": LABELS.tolist()}
    )
    features = '{"info": {"features": {"label": {"names": ["a", "b", "c"]}}}}'
    found = []
    for compression in ("none", "snappy"):
        file = io.BytesIO()
        named = table.replace_schema_metadata({"huggingface": features})
        pyarrow.parquet.write_table(named, file, row_group_size=8, compression=compression)
        found.append(file.getvalue())
    return found


def _tensors() -> list[bytes]:
    from safetensors.numpy import save

    arrays = {"a/0/kernel": np.ones((3, 3, 2, 4), np.float32), "bn.num_batches_tracked": np.ones(1)}
    return [save(arrays, {"job": "x"}), save({"w": np.zeros(3, np.float16)})]


READERS: Mapping[str, Reader] = {
    "wz": Reader(suffix=".wz", seeds=_texts, mutate=text_changed, read=_wz),
    "wzir": Reader(suffix=".wzir", seeds=_plans, mutate=text_changed, read=_wzir),
    "onnx": Reader(suffix=".onnx", seeds=_models, mutate=fields_changed, read=_network),
    "prototxt": Reader(suffix=".prototxt", seeds=_prototxts, mutate=text_changed, read=_network),
    "npz": Reader(suffix=".npz", seeds=_npz, mutate=entries_changed, read=_data),
    "npy": Reader(suffix=".npy", seeds=_npy, mutate=text_changed, read=_rates),
    "csv": Reader(
        suffix=".csv", seeds=lambda: [b"a,b\n0.1,30%\n0,0.5\n", b"0.25,50%\n"],
        mutate=text_changed, read=_rates,
    ),
    "json": Reader(
        suffix=".json", seeds=lambda: [b'[[0.1, "30%"], [0, 0.5]]'], mutate=text_changed,
        read=_rates,
    ),
    "safetensors": Reader(
        suffix=".safetensors", seeds=_tensors, mutate=text_changed, read=_weights
    ),
    "zip": Reader(suffix=".zip", seeds=_zips, mutate=entries_changed, read=_data),
    "parquet": Reader(suffix=".parquet", seeds=_parquet, mutate=bytes_changed, read=_data),
    "images": Reader(suffix=".png", seeds=_pictures, mutate=bytes_changed, read=_image),
    "manifests": Reader(suffix=".json", seeds=_manifests, mutate=text_changed, read=_manifest),
    "rows": Reader(
        suffix=".row", mutate=text_changed, read=_row,
        seeds=lambda: [b'{"accuracy": 0.5, "steps": 3, "work": [1, 2]}\n' + t for t in _tensors()],
    ),
}  # fmt: skip
