"""Files that are whole or not there at all, and reading them back."""

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from wootzc.diagnostics import WootzError, fail


def read_at_most(path: str | os.PathLike[str], most: int) -> bytes | None:
    """The bytes of a file; None where there are more, as in devices, which never end."""
    with open(path, "rb") as file:
        content = file.read(most + 1)
    return content if len(content) <= most else None


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a temporary file beside `path`, sync it, rename it. An `OSError` names `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(path, content)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write(path: Path, content: bytes | str) -> None:
    data = content.encode() if isinstance(content, str) else content
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def finite(value: Any) -> Any:
    """JSON has no NaN, which the loss of a diverged run is: None stands for it."""
    match value:
        case dict():
            return {key: finite(item) for key, item in value.items()}
        case list() | tuple():
            return [finite(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


def missing_result(path: Path) -> WootzError:
    """What to say where `path`, a part of a result folder, is not there."""
    inside = path.parent.name == "best" and (path.parent.parent / path.name).exists()
    way = f"the folder above: {path.parents[2]}" if inside else "a folder that `build` wrote"
    return fail("WZ145", f"{path} is missing", f"give {way}")


def load_json(path: Path, needs: tuple[str, ...] = ()) -> dict[str, Any]:
    """A JSON file of a result folder that has the keys `needs`.

    Raises `WootzError` naming what is missing or damaged.
    """
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing_result(path) from None
    except (OSError, ValueError) as error:
        raise fail("WZ145", f"can't read {path}: {error}", "build again") from None
    missing = [key for key in needs if key not in loaded]
    if missing:
        raise fail("WZ145", f"{path} lacks {', '.join(missing)}", "build again")
    return loaded
