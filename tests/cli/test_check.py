"""`wootzc check` as tools use it: fixes, JSON, SARIF. docs/check.md documents what they read."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

from wootzc.cli import cli
from wootzc.cli.check_data import VERSION

DOCS = Path(__file__).parent.parent.parent / "docs" / "check.md"
BROKEN = """\
// two slips that mean what they say, one that has to be guessed
network net {
  input(8x8x1)
  conv(3x3, 8), norm; rleu
  global_pool; dense(“10”)
}
"""


def check(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["check", *map(str, arguments)], standalone_mode=False)


def written(folder: Path, text: str = BROKEN) -> Path:
    file = folder / "net.wz"
    file.write_bytes(text.encode())
    return file


def test_without_being_asked_nothing_is_changed(tmp_path: Path) -> None:
    file = written(tmp_path)
    done = check(file)
    assert done.return_value == 1 and file.read_text() == BROKEN
    assert "can be applied with --fix" in done.stderr
    assert "2 likely fixes can be applied with --unsafe-fixes" in done.stderr


def test_fix_applies_what_cannot_change_the_meaning(tmp_path: Path) -> None:
    file = written(tmp_path)
    done = check("--fix", file)
    text = file.read_text()
    assert "conv(3x3, 8); norm; rleu" in text and 'dense("10")' in text
    assert done.return_value == 1 and "did you mean `relu`?" in done.stderr
    assert "2 fixes applied" in done.stderr


def test_unsafe_fixes_apply_guesses_too(tmp_path: Path) -> None:
    file = written(tmp_path, BROKEN.replace("“10”", "10"))
    done = check("--unsafe-fixes", file)
    assert done.return_value == 0, done.stderr
    assert "conv(3x3, 8); norm; relu\n" in file.read_text()


def test_line_ends_and_byte_order_mark_are_kept(tmp_path: Path) -> None:
    file = written(tmp_path, "\ufeff" + BROKEN.replace("\n", "\r\n"))
    check("--unsafe-fixes", file)
    mended = file.read_bytes()
    assert mended.startswith(b"\xef\xbb\xbf") and mended.count(b"\r\n") == mended.count(b"\n") == 6
    assert b"conv(3x3, 8); norm; relu" in mended


def test_a_file_without_mistakes_is_not_written(tmp_path: Path) -> None:
    file = written(tmp_path, "module m(width) { conv(3x3, width); relu }\n")
    before = file.stat().st_mtime_ns
    assert check("--unsafe-fixes", file).return_value == 0
    assert file.stat().st_mtime_ns == before


def test_standard_input_is_not_mended() -> None:
    assert "write it to a file" in str(check("--fix", "-").exception)


def found(*arguments: str | Path) -> Any:
    return json.loads(check(*arguments).stdout)


def test_json_gives_places_and_fixes(tmp_path: Path) -> None:
    file = written(tmp_path)
    data = found("--json", file)
    assert data["version"] == VERSION
    assert data["files"] == [{"file": str(file), "ok": False, "fixed": 0}]
    guess = next(d for d in data["diagnostics"] if d["code"] == "WZ010")
    start = BROKEN.index("rleu")
    assert guess["start"] == {"line": 4, "column": 23, "offset": start}
    assert guess["end"] == {"line": 4, "column": 27, "offset": start + 4}
    (fix,) = guess["fixes"]
    assert (fix["replacement"], fix["safe"], fix["start"]) == ("relu", False, guess["start"])


def test_json_is_as_documented(tmp_path: Path) -> None:
    data = found("--json", written(tmp_path))
    documented = set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text(encoding="utf-8"), re.M))
    used = {*data, *data["files"][0]}
    for diagnostic in data["diagnostics"]:
        used |= {*diagnostic, *diagnostic["start"], *(k for f in diagnostic["fixes"] for k in f)}
    assert used == documented
    assert f"version {VERSION}" in DOCS.read_text(encoding="utf-8")


def test_files_that_cannot_be_read_are_in_the_json(tmp_path: Path) -> None:
    data = found("--json", tmp_path / "gone.wz", written(tmp_path, "module m { relu }\n"))
    assert [f["ok"] for f in data["files"]] == [False, True]
    assert [(d["code"], d["start"]) for d in data["diagnostics"]] == [("WZ130", None)]


def test_sarif_names_rules_regions_and_replacements(tmp_path: Path) -> None:
    file = written(tmp_path)
    (run,) = found("--sarif", file)["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in run["results"]} == rules
    guess = next(r for r in run["results"] if r["ruleId"] == "WZ010")
    region = {"startLine": 4, "startColumn": 23, "endLine": 4, "endColumn": 27}
    (location,) = guess["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": str(file)},
        "region": region,
    }
    ((change,),) = [fix["artifactChanges"] for fix in guess["fixes"]]
    assert change["artifactLocation"] == {"uri": str(file)}
    assert change["replacements"] == [
        {"deletedRegion": region, "insertedContent": {"text": "relu"}}
    ]


def test_data_that_is_empty_yet_is_noted_as_what_is_missing(tmp_path: Path) -> None:
    sample = DOCS.parent.parent / "samples" / "digits.wz"
    (tmp_path / "digits.wz").write_text(sample.read_text())
    (tmp_path / "digits.npz").touch()
    done = check(tmp_path / "digits.wz")
    assert done.return_value == 0, done.stderr
    assert "digits.npz is empty; build will need it" in done.stderr


def test_data_that_the_network_does_not_fit_is_told_where_it_is_named(tmp_path: Path) -> None:
    images = np.zeros((8, 3, 6, 6), np.uint8)
    np.savez(tmp_path / "first.npz", images=images, labels=np.arange(8) % 2)
    np.savez(tmp_path / "last.npz", images=images.transpose(0, 2, 3, 1), labels=np.arange(8) % 2)
    text = (
        "network n { input(6x6x3); module m { conv(3x3, 8); relu; conv(3x3, 8) }\n"
        "  global_pool; dense(%d) }\nspace s over n { data %s; prune m; minimize params\n"
        "  subject to accuracy >= 50%% }\n"
    )
    told = {
        (3, '"first.npz"'): ["WZ110", "np.moveaxis(images, 1, -1)"],
        (3, '"last.npz"'): ["WZ111", "the data has 2 classes (0, 1), but the network has 3"],
        (2, '"last.npz"'): [],
    }
    for (classes, data), words in told.items():
        result = check(written(tmp_path, text % (classes, data)))
        assert result.return_value == bool(words), result.stderr
        assert all(word in result.stderr for word in words), result.stderr
        assert not words or f"| space s over n {{ data {data}" in result.stderr
