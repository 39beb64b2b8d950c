"""benchmarks/fuzz.py, briefly: no reader raises anything but diagnostics; a case has one file."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (ROOT / "benchmarks").is_dir(), reason="an sdist carries no benchmarks"
)
CASES = 60  # of each reader
KINDS = (
    "wz wzir onnx prototxt npz npy csv json safetensors zip parquet images manifests rows".split()
)


@pytest.fixture
def fuzz(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as where a script is run
    return importlib.import_module("fuzz")


def test_every_reader_is_fuzzed_here(fuzz: ModuleType) -> None:
    assert list(fuzz.READERS) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_told(kind: str, fuzz: ModuleType, tmp_path: Path) -> None:
    found = fuzz.fuzz(kind, tmp_path, seed=1, first=0, cases=CASES)
    assert found.cases == CASES
    assert not found.tracebacks, f"{found.tracebacks} (first: {found.first})"


def test_a_run_goes_on_where_it_ended(fuzz: ModuleType) -> None:
    for kind, reader in fuzz.READERS.items():
        seeds = reader.seeds()
        files = [fuzz.case(reader, seeds, kind, 3, number) for number in range(8)]
        assert files == [fuzz.case(reader, seeds, kind, 3, number) for number in range(8)]
        assert len(set(files)) > 4
        assert fuzz.case(reader, seeds, kind, 4, 0) != files[0] or kind in ("csv", "json")


def test_what_is_raised_is_counted(
    fuzz: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise KeyError(len(path.read_bytes()) % 2)

    reader = fuzz.Reader(
        suffix=".x", seeds=lambda: [b"abcdef"], mutate=fuzz.READERS["images"].mutate, read=broken
    )
    monkeypatch.setattr(fuzz, "READERS", {"x": reader})
    found = fuzz.fuzz("x", tmp_path, seed=0, first=0, cases=20, keep=tmp_path)
    assert sum(found.tracebacks.values()) == 20 and found.read == 0
    assert len(list(tmp_path.glob("x-0-*.x"))) == len(found.tracebacks) == 2
