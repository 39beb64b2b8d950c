"""The kept tables of the parser: used when right, worked out anew when not, never in the way."""

import sys
from pathlib import Path

import pytest
from lark import Lark

from wootzc.grammar.syntax.parser_tables import load_parser
from wootzc.grammar.syntax.reader import DropNewlines

TEXT = "network n {\n  input(8x8x1) // here\n\n  conv(3x3,\n    16)\n}\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    return tmp_path


def count_builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    builds: list[int] = []
    init = Lark.__init__

    def counted(self: Lark, *args: object, **options: object) -> None:
        builds.append(1)
        init(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Lark, "__init__", counted)
    return builds


def kept(cache: Path) -> Path:
    [path] = cache.rglob("*.tables")
    return path


def test_tables_are_worked_out_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = count_builds(monkeypatch)
    trees = [load_parser(DropNewlines()).parse(TEXT, start="file") for _ in range(3)]
    assert len(builds) == 1
    assert trees[0] == trees[1] == trees[2]
    assert [path.name for path in cache.rglob("*") if path.is_file()] == [kept(cache).name]


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"\xe9\x01\x00\x00\x00", b"(\x00\x00\x00\x00"]
)
def test_damaged_tables_are_replaced(
    content: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_parser(DropNewlines())
    right = kept(cache).read_bytes()
    kept(cache).write_bytes(content)
    builds = count_builds(monkeypatch)
    load_parser(DropNewlines()).parse(TEXT, start="file")
    assert len(builds) == 1
    assert kept(cache).stat().st_size == len(right)


def test_tables_of_another_lark_are_replaced(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_parser(DropNewlines())
    monkeypatch.setattr("lark.__version__", "0.0")
    builds = count_builds(monkeypatch)
    load_parser(DropNewlines())
    assert len(builds) == 1


def test_a_folder_that_cannot_be_written_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "file"))
    load_parser(DropNewlines()).parse(TEXT, start="file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
