"""`wootzc init`: what it writes for several models and images, and what it refuses."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from wootzc.backends.checkpoints.convert import torch_names, torch_shape
from wootzc.backends.checkpoints.names import namings
from wootzc.backends.checkpoints.read import slots
from wootzc.backends.onnx import to_onnx
from wootzc.backends.weights.stored import initial_weights, to_bytes
from wootzc.builder.search.judging import ASSUMED, images_needed
from wootzc.cli.init_gather import default_out, gather, said
from wootzc.cli.init_text import (
    further,
    images_for,
    init_text,
    init_warnings,
    limit_points,
)
from wootzc.diagnostics import WootzError, render
from wootzc.driver import analyze_file
from wootzc.grammar import Analysis, format_text
from wootzc.networks import zoo

HERE = Path(__file__).parent
MODELS = HERE.parent / "imports"
SAMPLES = HERE.parents[1] / "samples"
Expect = Callable[[Path, str], None]
Photos = Callable[..., None]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a model of three classes and 8x8 photographs of them."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(MODELS / "onnx_fixtures" / "resnet_ts13.onnx", "model.onnx")
    return tmp_path


def written(model: str, data: str, file: str | None = None, **options: object) -> str:
    """The text, after checking that it is canonical and free of errors."""
    out = Path(file) if file else default_out(model)
    command = f"wootzc init {model} {data}" + (f" -o {file}" if file else "")
    text = init_text(gather(model, data, out, command=command, **options))  # type: ignore[arg-type]
    checked(text, out)
    assert format_text(text) == text
    assert all(len(line) <= 100 for line in text.splitlines() if "`" not in line)
    return text


def checked(text: str, file: Path) -> Analysis:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    analysis = analyze_file(file)
    errors = [d for d in analysis.diagnostics if d.severity == "error"]
    assert not errors and len(analysis.spaces) == 1, render(errors, analysis.sources)
    return analysis


def letters(count: int, images: int) -> dict[str, int]:
    return {f"class_{chr(97 + number)}": images for number in range(count)}


# ---- golden texts


def test_an_onnx_model_and_folders(photos: Photos, expect: Expect) -> None:
    photos("images", **letters(5, 60))
    expect(HERE / "init" / "onnx.wz", written("model.onnx", "images"))


def test_parts_of_their_own(photos: Photos, expect: Expect) -> None:
    for part, images in (("train", 9), ("val", 300), ("test", 5)):
        photos(f"images/{part}", **letters(5, images))
    expect(HERE / "init" / "parts.wz", written("model.onnx", "images"))


def test_other_classes_than_the_model_has(photos: Photos, expect: Expect) -> None:
    photos("images", cat=40, dog=30)
    expect(HERE / "init" / "mismatch.wz", written("model.onnx", "images"))
    (told,) = init_warnings(gather("model.onnx", "images", Path("x.wz")))
    assert told.startswith("The model gives ") and "2 classes" in told


def test_a_prototxt(photos: Photos, expect: Expect) -> None:
    shutil.copy(MODELS / "prototxt" / "googlenet_normed.prototxt", "net.prototxt")
    photos("images", cat=40, dog=30)
    expect(HERE / "init" / "prototxt.wz", written("net.prototxt", "images"))


def test_a_network_of_the_zoo(photos: Photos, expect: Expect) -> None:
    photos("images", cat=40, dog=30)
    expect(HERE / "init" / "zoo.wz", written("resnet18", "images", minimize="macs"))


def test_arrays(expect: Expect) -> None:
    shutil.copy(SAMPLES / "digits.npz", ".")
    expect(HERE / "init" / "npz.wz", written("cifar_resnet20", "digits.npz"))


def test_a_checkpoint(photos: Photos, expect: Expect) -> None:
    photos("images", cat=40, dog=30)
    save_checkpoint("resnet18")
    expect(HERE / "init" / "checkpoint.wz", written("weights.safetensors", "images", "sub/a.wz"))


def test_a_file_of_our_own_weights(photos: Photos) -> None:
    photos("images", cat=40, dog=30)
    network = zoo("cifar_resnet20", classes=2)
    Path("own.safetensors").write_bytes(to_bytes(initial_weights(network, 0)))
    text = written("own.safetensors", "images")
    assert "own.safetensors holds wootzc's cifar_resnet20" in text
    assert "over cifar_resnet20(classes = 2) {" in text
    assert 'teacher from "own.safetensors"\n' in text
    network = zoo("cifar_resnet20", classes=3)
    Path("own.safetensors").write_bytes(to_bytes(initial_weights(network, 0)))
    assert 'teacher from "own.safetensors" { steps 2000' in written("own.safetensors", "images")
    narrow = {n: a[..., :8] for n, a in initial_weights(network, 0).items()}
    Path("narrow.safetensors").write_bytes(to_bytes(narrow))
    with pytest.raises(WootzError, match="no network of the zoo"):
        gather("narrow.safetensors", "images", Path("x.wz"))


def save_checkpoint(network: str) -> None:
    from safetensors.numpy import save_file

    naming = next(n for n in namings() if n.network == network)
    places = slots(zoo(network))
    tensors = {
        f"{module}.{theirs}": np.zeros(torch_shape(slot, ours), np.float16)
        for module, (_, slot) in zip(naming.modules, places, strict=True)
        for ours, theirs in torch_names(slot)
    }
    save_file(tensors, "weights.safetensors")


# ---- what is found


def test_what_could_be_added_can_be(photos: Photos) -> None:
    photos("images", cat=40, dog=30)
    facts = gather("resnet18", "images", Path("x.wz"))
    text = written("resnet18", "images")
    for statement, _ in further(facts):
        checked(text.replace("\n}\n", f"\n  {statement}\n}}\n"), Path("x.wz"))
    for settings in re.findall(r"//   (\{.*\})", written("model.onnx", "images")):
        checked(text.replace('("images")', f'("images") {settings}'), Path("x.wz"))


def test_every_naming_names_a_network_of_the_zoo() -> None:
    for naming in namings():
        assert len(slots(zoo(naming.network))) == len(naming.modules), naming.source


def test_a_file_of_our_own_says_classes_and_pixels(photos: Photos) -> None:
    photos("images", ant=30, bee=30)
    network = zoo("cifar_resnet20", classes=2)
    for name, inside in (("before", False), ("inside", True)):
        model = to_onnx(
            network, initial_weights(network, 0), classes=("bee", "ant"),
            mean=np.array([51, 102, 127.5]), std=np.array([25.5, 51, 255]),
            with_normalization=inside,
        )  # fmt: skip
        onnx.save(model, f"{name}.onnx")
    text = written("before.onnx", "images")
    assert "{ mean(0.2, 0.4, 0.5); std(0.1, 0.2, 1) }" in text
    assert "calls its classes bee, ant, the images ant, bee" in text
    assert "{ mean(0); std(0.003921569) }" in written("inside.onnx", "images")
    np.savez("floats.npz", images=np.zeros((60, 32, 32, 3)), labels=np.arange(60) % 2)
    text = written("before.onnx", "floats.npz")
    assert "{ mean(51, 102, 127.5); std(25.5, 51, 255) }" in text and "calls its" not in text
    onnx.helper.set_model_props(model, {"normalization": "before", "mean": "[", "classes": "{}"})
    onnx.save(model, "odd.onnx")
    assert "does not say how pixels" in written("odd.onnx", "images")


def test_modules_that_a_file_marks(photos: Photos) -> None:
    photos("images", cat=40, dog=30)
    shutil.copy(MODELS / "prototxt" / "graphs" / "modules.prototxt", "marked.prototxt")
    assert re.search(r"modules? as the file marks them: ", written("marked.prototxt", "images"))


def test_names_are_made_words_and_paths_relative(photos: Photos, folder: Path) -> None:
    photos("my images", cat=40, dog=30)
    Path("a/b").mkdir(parents=True)
    shutil.copy("model.onnx", "a/3d net-v2.onnx")
    text = written("a/3d net-v2.onnx", str(folder / "my images"), "a/b/x.wz")
    assert 'network net_3d_net_v2 from "../3d net-v2.onnx"' in text
    assert 'folder("../../my images")' in text
    Path("link").symlink_to("a/b")
    assert 'from "../model.onnx"' in written("model.onnx", "my images", "link/y.wz")
    assert "wootzc plan 'my file.wz'" in written("model.onnx", "my images", "my file.wz")
    assert said("/elsewhere/x", Path("y.wz")) == "/elsewhere/x"


def test_whatever_a_name_holds_comments_stay_comments(photos: Photos) -> None:
    photos("images", **{"cat\n}": 40, "dog": 30})
    assert "cat?}" in written("model.onnx", "images")


def test_a_name_that_texts_cannot_hold_is_refused(photos: Photos) -> None:
    photos('the "best"', cat=40, dog=30)
    with pytest.raises(WootzError, match="rename it"):
        gather("model.onnx", 'the "best"', Path("x.wz"))


# ---- the limit


def test_a_limit_is_what_the_images_can_tell() -> None:
    for images in (20, 180, 359, 1_000, 5_000, 50_000):
        points = limit_points(images)
        assert points >= 1 and (2 * points).is_integer()
        assert images >= images_needed(points / 100, ASSUMED)
        assert points == 1 or images < images_needed((points - 0.5) / 100, ASSUMED)
    assert limit_points(images_for(1)) == 1
    assert images_for(1) == 1_400


# ---- as a user runs it


def test_it_writes_a_file_that_plans_and_never_again(photos: Photos, wootzc: Command) -> None:
    photos("images", **letters(5, 60))
    done = wootzc("init", "model.onnx", "images")
    assert done.returncode == 0, done.stderr
    assert "wrote model.wz" in done.stdout and "next: wootzc plan model.wz" in done.stdout
    text = Path("model.wz").read_text()
    assert text == written("model.onnx", "images")
    assert wootzc("plan", "model.wz").returncode == 0
    Path("model.wz").write_text("mine")
    again = wootzc("init", "model.onnx", "images")
    assert again.returncode == 1 and "WZ192" in again.stderr and "-o other.wz" in again.stderr
    assert Path("model.wz").read_text() == "mine"


def test_an_open_size_is_asked_of_the_command(photos: Photos, wootzc: Command) -> None:
    photos("images", **letters(5, 9))
    model = onnx.load("model.onnx")
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "size"
    onnx.save(model, "open.onnx")
    refused = wootzc("init", "open.onnx", "images")
    assert refused.returncode == 1 and "--input 224x224x3" in refused.stderr
    assert not Path("open.wz").exists()
    done = wootzc("init", "open.onnx", "images", "--input", "32x32x3")
    assert done.returncode == 0, done.stderr
    assert '"open.onnx" { input(32x32x3) }' in Path("open.wz").read_text()
    sizes = np.zeros((70, 32, 32, 3), np.uint8)
    np.savez("arrays.npz", images=sizes, labels=np.arange(70) % 5)
    assert '"open.onnx" { input(32x32x3) }' in written("open.onnx", "arrays.npz")


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        ("model.onnx", "photos", "no data at photos"),
        ("model.onnx", "empty", "no images found"),
        ("damaged.onnx", "images", "not an ONNX file"),
        ("missing.onnx", "images", "in . there is: damaged.onnx, model.onnx"),
        ("resnet5", "images", "did you mean `resnet50`?"),
        ("model.pt", "images", "torch.onnx.export"),
        ("other.safetensors", "images", "no network of the zoo"),
        ("cut.safetensors", "images", "WZ120"),
        ("model.wz", "images", "already"),
        ("images", "model.onnx", "the model comes first: model.onnx images"),
        ("empty", "images", "reads no networks from empty"),
        ("flat.onnx", "images", "nothing in it can be pruned"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    model: str, data: str, words: str, photos: Photos, wootzc: Command
) -> None:
    from safetensors.numpy import save_file

    photos("images", cat=9, dog=9)
    Path("empty").mkdir()
    Path("damaged.onnx").write_bytes(b"not a model")
    Path("cut.safetensors").write_bytes(b"not one")
    save_file({"a.weight": np.zeros(3, np.float32)}, "other.safetensors")
    if model == "flat.onnx":
        flat = onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["": 17]> net (float[1,3,8,8] x) => (float[1,3] y)'
            "{ p = GlobalAveragePool(x) y = Flatten(p) }"
        )
        onnx.save(flat, model)
    before = sorted(Path().rglob("*"))
    done = wootzc("init", model, data, "-o", "out.wz")
    assert done.returncode == 1, done.stdout
    assert words in done.stderr and "Traceback" not in done.stderr
    assert sorted(Path().rglob("*")) == before


def test_no_jax_is_imported(photos: Photos) -> None:
    photos("images", cat=9, dog=9)
    program = (
        "import sys; sys.argv = ['wootzc', 'init', 'model.onnx', 'images']\n"
        "from wootzc.cli import main\n"
        "try: main()\n"
        "finally: assert not {'jax', 'flax', 'optax'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_teaches(wootzc: Command) -> None:
    shown = wootzc("init", "--help").stdout
    assert "wootzc init model.onnx images" in shown and "resnet50" in shown
