"""What a build will not be able to tell is said before it, where the images can be counted."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.backends.data import count_parts
from wootzc.builder import Options, build
from wootzc.builder.search.foreseen import (  # fmt: skip
    foreseen,
    no_better_than_guessing,
    too_few_images,
)
from wootzc.driver import compile

TEACHER = "teacher { steps 60; optimizer sgd(0.05, momentum = 0.9); batch 32; every 20 }"
GIVEN = 'teacher from "teacher.safetensors"'


def codes(file: Path) -> list[str]:
    return [warning.code for warning in foreseen(compile(file, ()).space)]


def given(file: Path, teacher: str = GIVEN) -> Path:
    """The same space with a teacher from a file."""
    text = file.read_text()
    assert TEACHER in text
    file.write_text(text.replace(TEACHER, teacher))
    return file


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("teacher - 1 points", ["WZ180"]),  # of 80 validation images
        ("teacher - 3 points", ["WZ180"]),  # 192 where the network is right on 85 %
        ("teacher - 6 points", []),
        ("97%", []),  # no drop to tell
    ],
)
def test_too_small_a_drop(make_space: Any, target: str, found: list[str]) -> None:
    assert codes(make_space(target=target)) == found


def test_with_the_teacher_known_more_are_needed(make_space: Any) -> None:
    space = compile(make_space(target="teacher - 3 points"), ()).space
    (assumed,) = too_few_images(space, 80)
    assert "about 192 would be needed, where the network is right on 85%" in assumed.message
    assert "validation 30%" in str(assumed.help)
    assert list(too_few_images(space, 192)) == []
    (few,) = too_few_images(space, 80, accuracy=0.8)
    assert "80 validation images" in few.message and "about 238 would be needed" in few.message
    assert list(too_few_images(space, 238, accuracy=0.8)) == []


def test_the_images_are_counted_once(make_space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    file = make_space(target="teacher - 1 points")
    limit = "subject to accuracy >= teacher - 1 points"
    file.write_text(file.read_text().replace(limit, f"{limit}\n  {limit} with confidence 90%"))
    space, counted = compile(file, ()).space, []

    def count(data: Any) -> Any:
        counted.append(data)
        return count_parts(data)

    monkeypatch.setattr("wootzc.builder.search.foreseen.count_parts", count)
    assert [one.code for one in foreseen(space, accuracy=0.9)] == ["WZ180"] * 2
    assert len(counted) == 1


def test_a_teacher_that_only_guesses_is_told(make_space: Any) -> None:
    trained, from_file = (compile(file, ()).space for file in (make_space(), given(make_space())))
    labels = np.repeat(np.arange(4, dtype=np.int32), 20)
    for space, way_out in ((trained, "longer"), (from_file, "normalize imagenet")):
        assert list(no_better_than_guessing(space, 0.36, labels)) == []
        assert list(no_better_than_guessing(space, 0.1, labels[:40])) == []  # too few to tell
        (warning,) = no_better_than_guessing(space, 0.34, labels)
        assert "34.0% of 80" in warning.message and way_out in str(warning.help)


def test_a_teacher_from_a_file_may_have_seen_what_is_split_off(make_space: Any) -> None:
    file = given(make_space())
    assert codes(file) == ["WZ181"]
    data = dict(np.load(file.parent / "quadrants.npz"))
    own = {f"x_{part}": data["images"] for part in ("train", "val")}
    own |= {f"y_{part}": data["labels"] for part in ("train", "val")}
    np.savez(file.parent / "quadrants.npz", **own)
    space = compile(file, ()).space
    (nothing, warning) = foreseen(space)
    assert warning.message.startswith("the test images are split off")
    assert "as x_val, y_val, x_test, y_test, beside x_train and y_train" in str(warning.help)
    assert nothing.code == "WZ339" and "`validation 25%`" in nothing.message
    text = file.read_text()
    assert text[nothing.span.start : nothing.span.end] == "validation 25%"
    strict = file.with_name("strict.wz")
    strict.write_text(text.replace("97%", "teacher - 1 points"))
    few, *_ = (one for one in foreseen(compile(strict, ()).space) if one.code == "WZ180")
    assert "its own part, x_val say" in str(few.help) and "30%" not in str(few.help)
    own |= {"x_test": data["images"], "y_test": data["labels"]}
    np.savez(file.parent / "quadrants.npz", **own)
    assert codes(file) == ["WZ339", "WZ339"]


def test_a_teacher_that_is_trained_on_here_learns_the_new_split(make_space: Any) -> None:
    assert codes(given(make_space(), f"{GIVEN} {{ steps 5 }}")) == []


@pytest.mark.parametrize(("kind", "found"), [(np.uint8, ["WZ336"]), (np.float32, [])])
def test_figures_of_pixels_to_255_are_told_for_bytes(
    kind: Any, found: list[str], make_space: Any
) -> None:
    file = make_space()
    data = np.load(file.parent / "quadrants.npz")
    np.savez(file.parent / "q.npz", images=data["images"].astype(kind), labels=data["labels"])
    text = re.sub(r'data "quadrants.npz" \{[^}]*\}', 'data "q.npz" { mean(51); std(25.5) }',
                  file.read_text())  # fmt: skip
    file.write_text(text)
    warnings = list(foreseen(compile(file, ()).space))
    assert [warning.code for warning in warnings] == found
    assert all("`mean(0.2); std(0.1)`" in str(warning.help) for warning in warnings)


def test_data_that_is_not_there_is_not_judged(make_space: Any) -> None:
    file = given(make_space(target="teacher - 1 points"))
    (file.parent / "quadrants.npz").unlink()
    assert codes(file) == []


@pytest.mark.parametrize("command", ["check", "plan"])
def test_check_and_plan_say_it_without_jax(make_space: Any, command: str) -> None:
    file = given(make_space(target="teacher - 1 points"))
    code = "import sys\nfrom wootzc.cli import main\n"
    code += "try: main()\nfinally: assert 'jax' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code, command, str(file)],
        capture_output=True,
        text=True,
        env=os.environ | {"NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warning[WZ180]: 80 validation images" in done.stderr
    assert "warning[WZ181]: the validation and test images" in done.stderr
    assert "teacher - 1 points" in done.stderr  # the line it is about


def test_a_build_says_how_many_would_be_needed(make_space: Any, tmp_path: Path) -> None:
    quick = {"teacher.steps": "20", "pretrain.steps": "5", "finetune.steps": "5"}
    options = Options(out=tmp_path / "out", store=tmp_path / "store", overrides=quick)
    build(make_space(rates="50%", target="teacher - 1 points"), options)
    log = (tmp_path / "out" / "log.jsonl").read_text()
    assert "80 validation images can hardly tell a drop of 1 point " in log
    assert "about" in log and "would be needed" in log
