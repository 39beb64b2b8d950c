"""Files are whole or not there at all, and what goes wrong is told of the user's path."""

from pathlib import Path

import pytest

from wootzc.files import write_atomically


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_atomically(path, "one")
    path.chmod(0o600)
    write_atomically(path, b"two")
    assert path.read_text() == "two" and path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_names_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 250)
    write_atomically(path, "text")
    assert path.read_text() == "text"


@pytest.mark.parametrize("name", ["folder", "a" * 300])
def test_errors_name_the_path_and_leave_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as caught:
        write_atomically(tmp_path / name, "text")
    assert caught.value.filename == str(tmp_path / name)
    assert caught.value.strerror in {"Is a directory", "File name too long"}
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
