"""Commands without a process of their own, and image files for those that look at data."""

import gc
import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wootzc.cli import main


class Command:
    """`wootzc("plan", "a.wz", cwd=folder)`: what a process would print, and its exit code.

    What only a process shows, imports and signals say, has tests that start one.
    """

    def __call__(
        self, *arguments: str | Path, cwd: Path | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        words = ["wootzc", *map(str, arguments)]
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        with (
            pytest.MonkeyPatch.context() as patch,
            chdir(cwd or "."),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            patch.setattr(sys, "argv", words)
            patch.setattr(sys, "stdin", given)
            main()
        return subprocess.CompletedProcess(
            words, int(ended.value.code or 0), *map(_text, (out, err))
        )


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@pytest.fixture
def wootzc() -> Iterator[Command]:
    yield Command()
    gc.enable()  # commands turn it off


class Photos:
    """`photos("images", cat=3, dog=4)` writes images/cat/0.png and so on."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, folder: str, size: tuple[int, int] = (8, 6), **classes: int) -> None:
        for name, count in classes.items():
            place = self.root / folder / name
            place.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = np.full((*size, 3), number % 256, np.uint8)
                pixels[0, 0] = (255, 0, 0)
                Image.fromarray(pixels).save(place / f"{number}.png")


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    return Photos(tmp_path)
