"""`wootzc.prune`: models and images that are there in Python go through the same build."""

import json
import linecache
import runpy
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flax import nnx
from numpy.typing import NDArray

import wootzc
from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.weights.stored import initial_weights
from wootzc.builder import Options, build
from wootzc.builder.given import labelled, write_images
from wootzc.builder.pruned import Pruned
from wootzc.builder.result.replay import verify_result
from wootzc.diagnostics import WootzError
from wootzc.units import count

SAMPLES = Path(__file__).parents[2] / "samples"
SHORT = {"pretrain.steps": 1, "finetune.steps": 2, "propose": 2, "budget": "1 candidates"}

pytestmark = [  # of a teacher of no training, on a few images that it may have seen
    pytest.mark.filterwarnings("ignore:WZ181 the validation and test images are split off"),
    pytest.mark.filterwarnings("ignore:WZ180 .* validation images can hardly tell"),
    pytest.mark.filterwarnings("ignore:network digits. 15 convolutions have a bias and no norm"),
]


class Net(nnx.Module):
    def __init__(self, rngs: nnx.Rngs, classes: int = 4):
        self.stem = nnx.Conv(1, 8, (3, 3), rngs=rngs)
        self.one = nnx.Conv(8, 8, (3, 3), rngs=rngs)
        self.two = nnx.Conv(8, 8, (3, 3), rngs=rngs)
        self.head = nnx.Linear(8, classes, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        x = nnx.relu(self.stem(x))
        x = nnx.relu(x + self.two(nnx.relu(self.one(x))))
        return self.head(x.mean(axis=(1, 2)))


def quadrants(count: int = 96) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Noise images with one brighter quadrant, whose number is the label."""
    labels = np.arange(count) % 4
    images = np.random.default_rng(0).uniform(0, 0.5, (count, 8, 8, 1)).astype(np.float32)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] += 0.3
    return images, labels


Prune = Callable[..., Pruned]


@pytest.fixture(scope="module")
def prune(tmp_path_factory: pytest.TempPathFactory) -> Prune:
    """wootzc.prune of a short build; all share a store."""
    store = tmp_path_factory.mktemp("store")

    def run(*given: Any, settings: Any = SHORT, **options: Any) -> Pruned:
        out = tmp_path_factory.mktemp("out")
        every: dict[str, Any] = {
            "accuracy": 0.01,
            "rates": (0, 0.5),
            "narrow": (),
            "skip": (),
            "out": out,
            "store": store,
        } | options
        return wootzc.prune(*given, settings=settings, **every)

    return run


@pytest.fixture(scope="module")
def model() -> Net:
    return Net(nnx.Rngs(0))


@pytest.fixture(scope="module")
def pruned(prune: Prune, model: Net) -> Pruned:
    return prune(model, *quadrants())


def log(result: Pruned) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (result.out / "log.jsonl").read_text().splitlines()]


def test_an_nnx_model_and_arrays_are_built_in_one_call(pruned: Pruned, model: Net) -> None:
    full = wootzc.from_nnx(model, np.zeros((1, 8, 8, 1), np.float32)).network
    assert pruned.objective_met and pruned.network.name == full.name == "net"
    assert pruned.params == sum(value.size for value in pruned.weights.values()) < 1_500
    assert pruned.summary["teacher"]["steps"] == 0, "its weights are the teacher's"
    assert pruned.accuracy == pruned.summary["best"]["test_accuracy"]
    assert pruned.macs == pruned.summary["best"]["macs"]
    assert len(list(verify_result(pruned.out))) == 5


def test_images_reach_the_network_as_the_model_takes_them(pruned: Pruned, model: Net) -> None:
    manifest = json.loads((pruned.out / "best" / "manifest.json").read_text())
    assert manifest["normalize"] == {"mean": [0.0], "std": [1.0]}
    images, labels = quadrants()
    right = float((np.asarray(model(images)).argmax(-1) == labels).mean())
    whole = pruned.summary["teacher"]
    assert abs(whole["validation_accuracy"] - right) < 0.25  # of 14 images


def test_the_result_can_be_taken_elsewhere(pruned: Pruned, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    path = pruned.to_onnx(tmp_path / "small.onnx")
    session = onnxruntime.InferenceSession(path)
    images = quadrants()[0][:3]
    (scores,) = session.run(None, {session.get_inputs()[0].name: images.transpose(0, 3, 1, 2)})
    assert scores.shape == (3, 4)
    model = pruned.network, pruned.weights
    np.testing.assert_allclose(predict(*model, images.astype(np.float32)), scores, atol=1e-4)
    assert pruned.report().read_text().startswith("<!")


@pytest.mark.torch
def test_the_result_runs_in_pytorch(pruned: Pruned, tmp_path: Path) -> None:
    images = quadrants()[0][:3]
    folder = pruned.to_torch(tmp_path / "torch")
    module = runpy.run_path(str(folder / "model.py"))
    theirs = module["predict"](module["load"](folder / "weights.safetensors"), images)
    ours = predict(pruned.network, pruned.weights, images.astype(np.float32))
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


def test_a_notebook_shows_before_and_after(pruned: Pruned) -> None:
    shown = pruned._repr_html_()
    assert f"<td>{count(pruned.params)}</td>" in shown and "<td>test accuracy</td>" in shown
    assert "met" in shown and "&gt;=" in shown
    assert shown.count(" ± ") == 4


def test_printed_it_is_a_few_lines(pruned: Pruned) -> None:
    first, *rest = repr(pruned).splitlines()
    assert "accuracy >=" in first and str(pruned.out) in first
    assert any(f"→ {count(pruned.params)}" in line for line in rest) and len(rest) < 12
    (test,) = (line for line in rest if "test accuracy" in line)
    best, teacher = pruned.summary["best"], pruned.summary["teacher"]
    assert f"± {100 * teacher['test_error']:.1f} → " in test
    assert f"± {100 * best['test_error']:.1f}  (" in test


def test_the_same_again_trains_nothing(prune: Prune, pruned: Pruned, model: Net) -> None:
    again = prune(model, *quadrants())
    assert not any(one["event"] == "candidate_started" for one in log(again))
    assert again.params == pruned.params and again.accuracy == pruned.accuracy


def test_batches_are_gone_through_once_and_are_the_same_images(
    prune: Prune, pruned: Pruned, model: Net
) -> None:
    images, labels = quadrants()

    def batches() -> Iterator[tuple[Any, Any]]:
        for start in range(0, len(images), 40):  # the last one is shorter
            yield images[start : start + 40], labels[start : start + 40].tolist()

    again = prune(model, batches())
    assert again.summary["data"]["fingerprint"] == pruned.summary["data"]["fingerprint"]


def test_what_was_given_can_be_built_from_the_command_line(pruned: Pruned, tmp_path: Path) -> None:
    settings = {key: str(value) for key, value in SHORT.items()}
    source = pruned.out / "given" / "net.wz"
    options = Options(out=tmp_path / "out", store=tmp_path / "store", overrides=settings)
    built = build(source, options)
    assert built.summary["best"]["rates"] == pruned.summary["best"]["rates"]
    for path in pruned.out.rglob("*"):
        assert not path.name.endswith(".tmp") and "tmp" not in path.name


def test_a_result_that_was_overwritten_is_not_exported(
    prune: Prune, model: Net, tmp_path: Path
) -> None:
    first = prune(model, *quadrants(), out=tmp_path / "out")
    prune(Net(nnx.Rngs(1)), *quadrants(), out=tmp_path / "out")
    with pytest.raises(WootzError, match="WZ146"):
        first.to_onnx(tmp_path / "small.onnx")


def test_an_onnx_file_and_validation_images_of_their_own(prune: Prune) -> None:
    with np.load(SAMPLES / "digits.npz") as digits:
        images, labels = digits["images"], digits["labels"]
    parts = {
        "validation": (images[400:600], labels[400:600]),
        "test": (images[600:900], labels[600:900]),
    }
    with pytest.warns(UserWarning, match="network digits: .* norms are put back"):
        result = prune(DIGITS, images[:400], labels[:400], normalize=True, **parts)
    data = result.summary["data"]
    assert (data["train"], data["validation"], data["test"]) == (400, 200, 300)
    assert result.summary["teacher"]["validation_accuracy"] > 0.9
    shares = prune(
        SAMPLES / "digits.onnx", images[:400], labels[:400], normalize=True,
        validation=np.float64(0.25), test=np.float32(0.25),
    )  # fmt: skip
    assert shares.summary["data"]["validation"] == shares.summary["data"]["test"] == 100


@pytest.fixture(scope="module")
def narrow(prune: Prune, model: Net) -> Pruned:
    """Of one candidate: everything that may go goes, by what images say."""
    settings = {"configs": "{ [100%, 50%] }", **SHORT}
    del settings["propose"]
    trunks = {"t*": (0, 0.5)}
    return prune(
        model, *quadrants(), settings=settings, by="taylor", narrow=trunks, skip="*", each=True
    )


def test_channels_between_modules_and_modules_go_too(narrow: Pruned, model: Net) -> None:
    assert [(row["module"], row["rate"]) for row in narrow.summary["widths"]][1:] == [("t1", 0.5)]
    shapes = [value.shape for name, value in narrow.weights.items() if name.endswith("kernel")]
    assert shapes == [(3, 3, 1, 4), (4, 4)], "the module is left out"
    assert len(list(verify_result(narrow.out))) == 5
    lines = (narrow.out / "given" / "net.wz").read_text().splitlines()
    trunks = "  narrow t* by taylor rates { 0.0, 0.5 }"
    assert {"  rates { 0.0, 0.5 } each", "  prune * by taylor", trunks, "  skip *"} <= {*lines}


def test_by_default_all_may_go_that_the_network_has(prune: Prune, model: Net) -> None:
    few = {key: value for key, value in SHORT.items() if key != "propose"}
    result = prune(model, *quadrants(), rates=None, narrow=None, skip=None, settings=few)
    lines = (result.out / "given" / "net.wz").read_text().splitlines()
    assert {"  narrow t* by l1", "  skip *"} <= {*lines}
    assert not [line for line in lines if line.split()[:1] in (["rates"], ["propose"])]
    listed = {"configs": "{ [50%] }", **few}
    alone = prune(model, *quadrants(), narrow=None, skip=None, settings=listed)
    assert "narrow" not in (alone.out / "given" / "net.wz").read_text()


def test_gradients_are_taken_once_for_all(prune: Prune, narrow: Pruned, model: Net) -> None:
    """Another criterion that reads images takes no more of them."""
    assert [one["event"] for one in log(narrow)].count("gradients_finished") == 1
    again = prune(model, *quadrants(), by="entropy_mean", narrow=["t1"], settings=SHORT)
    assert not any(one["event"].startswith("gradients") for one in log(again))


def test_images_in_files_are_named(prune: Prune) -> None:
    result = prune(str(SAMPLES / "digits.onnx"), SAMPLES / "digits.npz")
    assert result.summary["data"]["source"] == str(SAMPLES / "digits.npz")
    assert result.summary["teacher"]["validation_accuracy"] > 0.9


def test_a_network_of_the_zoo_is_trained(prune: Prune) -> None:
    images, labels = quadrants()
    result = prune("cifar_resnet20", images, labels, settings=SHORT | {"teacher.steps": 1})
    assert result.summary["teacher"]["steps"] == 1
    assert result.network.input == (8, 8, 1) and result.network.name == "cifar_resnet20"
    manifest = json.loads((result.out / "best" / "manifest.json").read_text())
    assert manifest["normalize"]["mean"] != [0.0]


@pytest.mark.parametrize("as_file", [False, True])
def test_weights_of_a_network(prune: Prune, model: Net, tmp_path: Path, as_file: bool) -> None:
    imported = wootzc.from_nnx(model, np.zeros((1, 8, 8, 1), np.float32))
    weights: Any = imported.weights
    if as_file:
        from safetensors.numpy import save_file

        weights = tmp_path / "net.safetensors"
        save_file(imported.weights, weights)
    result = prune(imported.network, *quadrants(), weights=weights)
    assert result.summary["teacher"]["steps"] == 0
    other = initial_weights(imported.network, 7)
    assert prune(imported.network, *quadrants(), weights=other).params == result.params


def test_warnings_are_pythons(prune: Prune, model: Net, capsys: Any) -> None:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        prune(model, *quadrants(), accuracy="teacher - 99 points")
    texts = [str(one.message) for one in found if one.category is UserWarning]
    assert any("every network meets this accuracy limit" in text for text in texts)
    (seen,) = (text for text in texts if text.startswith("WZ181 "))
    assert "validation=(images, labels)" in seen and "val/" not in seen  # in words of Python
    for one in found:
        if str(one.message) in texts:  # they point at who called
            assert one.filename == __file__
            assert "wootzc.prune(" in linecache.getline(__file__, one.lineno)
    assert capsys.readouterr().out == ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prune(model, *quadrants(), progress=True)
    assert "teacher: validation accuracy" in capsys.readouterr().out


class Dropped(Net):
    """It does in training what no network of ours does."""

    def __init__(self, rngs: nnx.Rngs):
        super().__init__(rngs)
        self.drop = nnx.Dropout(0.5, broadcast_dims=(1, 2), rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return super().__call__(self.drop(x))


def test_what_is_left_out_of_a_model_is_told(prune: Prune) -> None:
    """Before anything is built: warnings are errors here."""
    model = Dropped(nnx.Rngs(0))
    with pytest.raises(UserWarning, match=r"^network dropped: the dropout `drop` is left out"):
        prune(model, *quadrants())
    imported = wootzc.from_nnx(model, quadrants()[0][:1])
    with pytest.raises(UserWarning, match="the dropout `drop` is left out"):
        prune(imported, *quadrants(), weights=imported.weights)


def test_the_same_arrays_give_the_same_file(tmp_path: Path) -> None:
    train = labelled(*quadrants())
    write_images(tmp_path / "a.npz", {"train": train})
    write_images(tmp_path / "b.npz", {"train": train})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


IMAGES, LABELS = quadrants(16)
CHANNELS_FIRST = IMAGES.transpose(0, 3, 1, 2).repeat(2, axis=1)
DIGITS = str(SAMPLES / "digits.onnx")

MISTAKES: dict[str, tuple[tuple[Any, ...], dict[str, Any], str, str]] = {
    "lengths": ((DIGITS, IMAGES, LABELS[:-1]), {}, "WZ106", "16 images, but 15 labels"),
    "flat": ((DIGITS, IMAGES.reshape(16, 64), LABELS), {}, "WZ105", "images.reshape"),
    "text": ((DIGITS, np.array(["a"] * 16), LABELS), {}, "WZ105", "uint8 or floats"),
    "channels": ((DIGITS, CHANNELS_FIRST, LABELS), {}, "WZ110", "8x8x1"),
    "floats": ((DIGITS, IMAGES, LABELS / 2), {}, "WZ107", "expected integers"),
    "range": ((DIGITS, IMAGES, LABELS + np.eye(16, dtype=int)[0] * 90), {}, "WZ107", "up to 90"),
    "classes": ((DIGITS, IMAGES, LABELS), {}, "WZ111", "4 classes"),
    "no labels": ((DIGITS, IMAGES), {}, "WZ186", "labels are missing"),
    "no pair": ((DIGITS, [IMAGES, LABELS, 3]), {}, "WZ186", "no pair"),
    "no batch": ((DIGITS, iter([])), {}, "WZ186", "no batch"),
    "sizes": (
        (DIGITS, [(IMAGES, LABELS), (IMAGES[:, :4], LABELS)]), {}, "WZ186", "all images must",
    ),
    "ragged": ((DIGITS, [[1, 2], [3]], LABELS), {}, "WZ186", "cannot be read as an array"),
    "a batch": (
        (DIGITS, [(IMAGES, LABELS[:3])]), {}, "WZ106", "16 images of batch 0, but 3 labels",
    ),
    "validation": (
        (DIGITS, IMAGES, LABELS), {"validation": (IMAGES, LABELS[:2])}, "WZ106", "for validation",
    ),
    "labels and files": ((DIGITS, SAMPLES, LABELS), {}, "WZ186", "in files"),
    "array and files": (
        (DIGITS, SAMPLES / "digits.npz"), {"test": (IMAGES, LABELS)}, "WZ186", "in files",
    ),
    "minimize": ((DIGITS, IMAGES, LABELS), {"minimize": "parms"}, "WZ", "params"),
    "accuracy": ((DIGITS, IMAGES, LABELS), {"accuracy": 97}, "WZ", "97%"),
    "words": ((DIGITS, IMAGES, LABELS), {"accuracy": "as good"}, "WZ", "accuracy >= as good"),
    "rates": ((DIGITS, IMAGES, LABELS), {"rates": (0, 50)}, "WZ041", "50"),
    "no rates": ((DIGITS, IMAGES, LABELS), {"rates": 0.5}, "WZ186", "`rates` can't be 0.5"),
    "rates of a trunk": ((DIGITS, IMAGES, LABELS), {"narrow": {"t1": 0.5}}, "WZ186", "`narrow`"),
    "no trunks": ((DIGITS, IMAGES, LABELS), {"narrow": True}, "WZ186", "`narrow` can't be True"),
    "no settings": ((DIGITS, IMAGES, LABELS), {"settings": "seed=1"}, "WZ186", "a dict"),
    "a share as text": ((DIGITS, IMAGES, LABELS), {"validation": "20%"}, "WZ186", "0.2"),
    "nothing": ((DIGITS, IMAGES, LABELS), {"test": (IMAGES[:0], LABELS[:0])}, "WZ105", "no number"),
    "a file": ((DIGITS, IMAGES, LABELS), {"out": __file__}, "WZ144", "can't write"),
    "criterion": ((DIGITS, IMAGES, LABELS), {"by": "hessian"}, "WZ058", "hessian"),
    "trunk": ((DIGITS, IMAGES, LABELS), {"narrow": "q*"}, "WZ262", "names no trunk"),
    "skip": ((DIGITS, IMAGES, LABELS), {"skip": ["q1", "q2"]}, "WZ", "q1"),
    "setting": ((DIGITS, IMAGES, LABELS), {"settings": {"stepz": 3}}, "WZ078", "stepz"),
    "no file": (("gone.onnx", IMAGES, LABELS), {}, "WZ091", "gone.onnx"),
    "no onnx": ((__file__, IMAGES, LABELS), {}, "WZ185", ".onnx or .prototxt"),
    "a word": (("resnet51", IMAGES, LABELS), {}, "WZ185", "name of the zoo"),
    "no model": ((3, IMAGES, LABELS), {}, "WZ185", "int is no model"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(MISTAKES))
def test_mistakes_are_told_with_a_way_out(prune: Prune, case: str) -> None:
    given, options, code, words = MISTAKES[case]
    with pytest.raises(WootzError) as caught:
        prune(*given, **options)
    assert caught.value.diagnostics[0].code.startswith(code), caught.value
    assert words in str(caught.value) and "help:" in str(caught.value)
    assert not list(Path().glob("gone*"))


def test_an_onnx_file_that_is_none(prune: Prune, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no protobuf")
    with pytest.raises(WootzError, match="WZ09"):
        prune(tmp_path / "model.onnx", IMAGES, LABELS)


@pytest.mark.torch
def test_a_model_of_pytorch_is_told_to_be_exported(prune: Prune) -> None:
    torch: Any = import_module("torch")
    with pytest.raises(WootzError, match=r"torch\.onnx\.export"):
        prune(torch.nn.Linear(2, 2), IMAGES, LABELS)
