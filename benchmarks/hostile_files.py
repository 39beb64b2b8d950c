"""What the command line makes of files that nobody wrote in good faith, one process each.

    python benchmarks/hostile_files.py FOLDER          # each by its ending: 2 minutes for 30 files

A model is imported, a `.wz` file checked, and built where nothing is found; rates, weights and data
are those of a small space. What a `.wz` file of the folder names is read through that file alone.
Then pipes, devices and a file of the system under every ending. Each is to be refused with a
diagnostic, or read, within 2 s of the processor and 500 MB, Python's start included.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mining import machine

SPACE = """network net {{
  input(8x8x1)
  module m {{ conv(3x3, 8); relu; conv(3x3, 8) }}
  global_pool; dense(10)
}}
space s over net {{
  data "{data}" {{ validation 20%; test 20% }}
  {teacher}
  {rates}; minimize params; subject to accuracy >= 50%
}}
"""
RATES, WEIGHTS, DATA = (".npy", ".csv", ".json"), (".safetensors",), (".npz", ".zip", ".parquet")
MODELS = (".onnx", ".prototxt")
SPECIAL = {"pipe": None, "zeros": "/dev/zero", "system": "/proc/self/environ"}  # links to these
SECONDS, MB = 2.0, 500


@dataclass(slots=True, kw_only=True)
class Tried:
    folder: Path
    rows: int = 0
    failed: int = 0
    names: set[str] = field(default_factory=set)  # that a .wz file names

    def run(self, label: str, *command: str) -> bool:
        """Whether it was told to be wrong; prints a row."""
        said = self.folder / "said.txt"
        environment = os.environ | {"WOOTZC_STORE": str(self.folder / "store")}
        handle = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        home = os.getcwd()
        os.chdir(self.folder)
        number = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "wootzc", *command],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, handle, 1), (os.POSIX_SPAWN_DUP2, handle, 2)],
        )
        os.chdir(home)
        os.close(handle)
        _, status, used = os.wait4(number, 0)
        code, text = os.waitstatus_to_exitcode(status), said.read_text(errors="replace")
        seconds, memory = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
        errors = re.findall(r"^error\[WZ\d+\]: .*", text, re.MULTILINE)
        refused = code == 1 and bool(errors)
        fits = (refused or code == 0) and seconds < SECONDS and memory < MB
        fits &= "Traceback" not in text
        self.rows, self.failed = self.rows + 1, self.failed + (not fits)
        shown = errors[0][:100] if errors else "(read)" if code == 0 else f"exit code {code}"
        mark = "" if fits else " **FAILED**"
        print(f"| {label} | `{command[0]}` | {shown}{mark} | {seconds:.2f} | {memory:.0f} |")
        sys.stdout.flush()
        return refused

    def file(self, path: Path) -> None:
        label, suffix = f"`{path.name}`", path.suffix
        if suffix in MODELS:
            self.run(label, "import", path.name, "--out", "imported.wz")
        elif suffix == ".wz":
            self.run(label, "check", path.name) or self.run(label, "build", path.name)
        elif suffix in RATES:
            self.run(label, "check", self.space(rates=f'configs from "{path.name}"'))
        elif suffix in WEIGHTS:
            self.run(label, "build", self.space(teacher=f'teacher from "{path.name}"'))
        elif suffix in DATA:
            self.run(label, "build", self.space(data=path.name))

    def space(
        self, data: str = "sound.npz", teacher: str = "", rates: str = "rates { 0, 50% }"
    ) -> str:
        text = SPACE.format(data=data, teacher=teacher, rates=rates)
        (self.folder / "space.wz").write_text(text)
        return "space.wz"


def given(folder: Path, tried: Tried) -> Iterator[Path]:
    """Copies of the files, but for those that are read through another."""
    for path in sorted(folder.iterdir()):
        shutil.copyfile(path, tried.folder / path.name)
        if path.suffix == ".wz":
            tried.names |= set(re.findall(r'"([^"\n]*)"', path.read_text(errors="replace")))
    for path in sorted(folder.iterdir()):
        if path.name not in tried.names:
            yield tried.folder / path.name


def special(tried: Tried) -> Iterator[Path]:
    for name, target in SPECIAL.items():
        for suffix in (*DATA, *MODELS, *WEIGHTS, *RATES, ".wz"):
            path = tried.folder / f"{name}{suffix}"
            if target is None:
                os.mkfifo(path)
            else:
                path.symlink_to(target)
            yield path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    print("command:", " ".join(["python", *sys.argv]), "\nmachine:", machine(), "\n")
    print("| file | command | what is said | CPU s | MB |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as temporary:
        import numpy as np

        tried = Tried(folder=Path(temporary))
        images = np.zeros((100, 8, 8, 1), np.uint8)
        np.savez(tried.folder / "sound.npz", images=images, labels=np.arange(100) % 10)
        for path in [*given(options.folder, tried), *special(tried)]:
            tried.file(path)
    print(f"\n{tried.rows} tried, {tried.failed} failed")
    return int(tried.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
