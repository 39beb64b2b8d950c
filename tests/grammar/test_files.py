"""Includes, and candidates read from files."""

import json
from pathlib import Path

import numpy as np
import pytest

from wootzc.diagnostics import render
from wootzc.grammar import Analysis, analyze
from wootzc.ir.space import Listed

MODULE = "module m(width) { conv(3x3, width); relu; conv(3x3, width) }\n"
NETWORK = "network n { input(8x8x1); m(8) as a[1..2]; global_pool; dense(3) }\n"
SPACE = """space s over n {
  data "x.npz"
  minimize params
  subject to accuracy >= 50%
  $CONFIGS
}
"""


def check(path: Path) -> Analysis:
    return analyze(path.read_text(encoding="utf-8"), str(path))


def told(analysis: Analysis) -> str:
    return render(analysis.diagnostics, analysis.sources)


def test_included_modules_and_networks_come_in_and_spaces_stay_out(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "deep.wz").write_text(MODULE)
    other = SPACE.replace("space s", "space other").replace("$CONFIGS", "all")
    (tmp_path / "parts" / "nets.wz").write_text(f'include "deep.wz"\n{NETWORK}{other}')
    main = tmp_path / "main.wz"
    configs = SPACE.replace("$CONFIGS", "configs { [0, 50%] }")
    main.write_text(f'include "parts/deep.wz"\ninclude "parts/nets.wz"\n{configs}')
    analysis = check(main)
    assert not analysis.diagnostics, told(analysis)
    assert [space.name for space in analysis.spaces] == ["s"]
    assert [network.name for network in analysis.networks] == ["n"]
    assert len(analysis.sources) == 3


def test_mistakes_in_included_files_are_shown_there(tmp_path: Path) -> None:
    (tmp_path / "parts.wz").write_text("module m(width) {\n  conf(3x3, width)\n}\n")
    main = tmp_path / "main.wz"
    main.write_text(f'include "parts.wz"\n{MODULE}{NETWORK}')
    text = told(check(main))
    assert "parts.wz:2:3" in text
    assert "did you mean `conv`?" in text
    assert f"there is another module `m` in {tmp_path / 'parts.wz'}, line 1" in text


def test_a_missing_include_hides_no_other_mistake_and_causes_none(tmp_path: Path) -> None:
    main = tmp_path / "main.wz"
    main.write_text('include "gone.wz"\nnetwork n { input(8x8x1); m(8); densse(3) }\n')
    assert [d.code for d in check(main).diagnostics] == ["WZ008", "WZ010"]


def test_circles_through_several_files(tmp_path: Path) -> None:
    (tmp_path / "a.wz").write_text('include "b.wz"\n')
    (tmp_path / "b.wz").write_text('include "a.wz"\n')
    assert "a.wz → b.wz → a.wz" in told(check(tmp_path / "a.wz"))


def test_included_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.wz").write_bytes(b"module \xff\xfe")
    main = tmp_path / "main.wz"
    main.write_text('include "bad.wz"\n')
    assert "`bad.wz` is not text in UTF-8 (byte 7)" in told(check(main))


ROWS = [[0, 0.3], [0.5, 0.3]]


def written(folder: Path, name: str) -> None:
    path = folder / name
    match path.suffix:
        case ".npy":
            np.save(path, np.array(ROWS, dtype=np.float32))
        case ".json":
            path.write_text(json.dumps(ROWS))
        case _ if name == "header.csv":
            path.write_text("a2,a1\n30%,0\n30%,50%\n")
        case _:
            path.write_text("0, 0.3\n\n50%, .3\n")


@pytest.mark.parametrize("name", ["rows.npy", "rows.json", "rows.csv", "header.csv"])
def test_candidates_are_read_relative_to_the_file(name: str, tmp_path: Path) -> None:
    written(tmp_path, name)
    main = tmp_path / "main.wz"
    main.write_text(MODULE + NETWORK + SPACE.replace("$CONFIGS", f'configs from "{name}"'))
    analysis = check(main)
    assert not analysis.diagnostics, told(analysis)
    [space] = analysis.spaces
    assert isinstance(space.selection, Listed)
    assert space.rates == (0.0, 0.3, 0.5)
    assert space.choices == ((0, 2), (1,))
    assert space.selection.rows.values.tolist() == [[0, 1], [2, 1]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"0, 0.3\n0, x\n", "row 2 holds `x`"),
        ("x.csv", b"0, 0.3\n0\n", "row 2 has 1 rate, but the network has 2 modules"),
        ("x.csv", b"a1,b1\n0,0\n", "its first line names a1, b1"),
        ("x.csv", b"", "the list of candidates is empty"),
        ("x.csv", b"\xff\xfe0", "not text in UTF-8"),
        ("x.json", b"{}", "it is not a list of lists"),
        ("x.json", b"[[0, true]]", "row 1 holds `True`"),
        ("x.json", b"[[0, 0.3]", "can't read x.json"),
        ("x.json", b"[" * 100_000, "can't read x.json"),
        ("x.npy", b"not numpy", "can't read x.npy"),
    ],
)
def test_bad_lists_of_candidates(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    main = tmp_path / "main.wz"
    main.write_text(MODULE + NETWORK + SPACE.replace("$CONFIGS", f'configs from "{name}"'))
    assert message in told(check(main))


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    main = tmp_path / "main.wz"
    main.write_text(MODULE + NETWORK + SPACE.replace("$CONFIGS", 'configs from "x.npy"'))
    assert "x.npy: it is not a matrix of numbers" in told(check(main))
