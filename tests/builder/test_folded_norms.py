"""A build over an ONNX model whose norms were folded, and where a result's weights come from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

from wootzc.backends.data import load
from wootzc.backends.torch import state_dict
from wootzc.backends.weights.slicing import prune_weights
from wootzc.backends.weights.stored import to_bytes
from wootzc.builder import Options, build
from wootzc.builder.jobs.keys import Keys
from wootzc.builder.jobs.store import Store
from wootzc.builder.jobs.teacher import read_teacher
from wootzc.builder.result.export import export_result
from wootzc.builder.result.origins import file_origins, origins_of, torch_names
from wootzc.builder.result.replay import verify_result
from wootzc.driver import compile
from wootzc.ir.graph.folded_norms import unmeasured
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space.recipe import FromFile
from wootzc.networks import import_network, zoo

SPACE = """
network small from "folded.onnx" BRACES

space over_small over small {
  data "quadrants.npz" { validation 25%; test 25%; normalize off }
  rates { RATES }
  prune * by bn_scale
  minimize params
  subject to accuracy >= TARGET
  finetune { steps 4; every 2; batch 16 }
}
"""
Images = NDArray[np.float32]


def arrays() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(2)
    shapes = {
        "features.0.weight": (8, 1, 3, 3), "fused_bias": (8,), "features.3.weight": (6, 8, 3, 3),
        "features.3.bias": (6,), "fc.weight": (4, 6), "fc.bias": (4,),
    }  # fmt: skip
    return {name: random.normal(0, 0.4, s).astype(np.float32) for name, s in shapes.items()}


def folded(path: Path) -> Path:
    nodes: list[tuple[str, str, str, dict[str, Any]]] = [
        ("Conv", "image features.0.weight fused_bias", "a", {"pads": [1] * 4}),
        ("Relu", "a", "ra", {}),
        ("Conv", "ra features.3.weight features.3.bias", "b", {"pads": [1] * 4}),
        ("Relu", "b", "rb", {}),
        ("GlobalAveragePool", "rb", "g", {}),
        ("Flatten", "g", "f", {}),
        ("Gemm", "f fc.weight fc.bias", "scores", {"transB": 1}),
    ]
    graph = helper.make_graph(
        [helper.make_node(k, i.split(" "), [o], name=f"/{o}/{k}", **at) for k, i, o, at in nodes],
        "folded",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(value, name) for name, value in arrays().items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def space_file(make_space: Any, rates: str, target: str, braces: str = "") -> Path:
    """Beside the data of `make_space`."""
    file: Path = make_space().with_name("folded.wz")
    folded(file.with_name("folded.onnx"))
    text = SPACE.replace("RATES", rates).replace("TARGET", target).replace("BRACES", braces)
    file.write_text(text)
    return file


def scores(path: Path, images: Images) -> Images:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    made: Images = session.run(None, {name: images.transpose(0, 3, 1, 2)})[0]
    return made


def test_what_nothing_is_pruned_from_is_exported_as_it_came(
    make_space: Any, tmp_path: Path
) -> None:
    file = space_file(make_space, "0", "0.1%")
    out, store = tmp_path / "out", tmp_path / "store"
    built = build(file, Options(out=out, store=store))
    assert built.summary["steps"]["finetune"] == 0
    plan = compile(file)
    dataset = load(plan.space.data, seed=plan.space.seed, shape=(8, 8, 1))
    teacher = Store(store).find(Keys(plan, dataset.fingerprint).teacher)
    assert teacher is not None and teacher.weights is not None
    read = read_teacher(file.with_name("folded.onnx"), plan.space.network)
    assert len(unmeasured(read)) == 2 and not unmeasured(teacher.weights)

    images = dataset.validation.batch(np.arange(len(dataset.validation)))
    expected = scores(file.with_name("folded.onnx"), images.images)
    accuracy = float((expected.argmax(1) == images.labels).mean())
    assert teacher.result["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    exported = export_result(out, "onnx", tmp_path / "back.onnx")
    again = scores(tmp_path / "back.onnx", images.images)
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert exported.params == sum(value.size for value in arrays().values())
    assert exported.params < json.loads((out / "best" / "manifest.json").read_text())["params"]
    assert len(onnx.load(tmp_path / "back.onnx").graph.node) == 7


def test_a_candidate_is_trained_with_its_norms(make_space: Any, tmp_path: Path) -> None:
    file = space_file(make_space, "50%", "100%")
    out = tmp_path / "out"
    build(file, Options(out=out, store=tmp_path / "store"))
    assert list(verify_result(out))
    best = load_file(out / "best" / "weights.safetensors")
    assert not unmeasured(best) and all(np.isfinite(value).all() for value in best.values())
    files = {path.name for path in export_result(out, "torch", tmp_path / "torch").files}
    assert "names.json" in files
    names = json.loads((tmp_path / "torch" / "names.json").read_text())
    assert names["file"] == "folded.onnx"
    exported = load_file(tmp_path / "torch" / "weights.safetensors")
    assert set(names["weights"]) == {n for n in exported if not n.endswith("num_batches_tracked")}
    for name, said in names["weights"].items():
        if "tensor" not in said:
            assert name.endswith(("norm", "weight", "running_mean", "running_var"))
            continue
        shape = list(arrays()[said["tensor"]].shape)
        for axis, kept in said.get("kept", {}).items():
            shape[int(axis)] = len(kept)
        assert list(exported[name].shape) == shape, name
    assert all(said["layer"].startswith("/") for said in names["weights"].values())


def test_norms_are_still_to_be_measured_in_a_file_of_their_own(tmp_path: Path) -> None:
    imported = import_network(folded(tmp_path / "net.onnx"))
    (tmp_path / "net.safetensors").write_bytes(to_bytes(imported.weights))
    read = read_teacher(tmp_path / "net.safetensors", imported.network)
    assert len(unmeasured(read)) == 2


def test_keys_tell_folded_norms_from_those_put_back(make_space: Any) -> None:
    file = space_file(make_space, "50%", "90%")
    back = Keys(compile(file), "data").teacher
    file.write_text(file.read_text().replace('"folded.onnx" ', '"folded.onnx" { norms folded }'))
    file.write_text(file.read_text().replace("bn_scale", "l1"))
    assert Keys(compile(file), "data").teacher != back


# Where weights come from


def sliced(value: NDArray[Any], kept: dict[str, list[int] | None]) -> NDArray[Any]:
    for axis, channels in kept.items():
        assert channels is not None
        value = np.take(value, channels, axis=int(axis))
    return value


def test_kept_channels_of_an_onnx_file_are_those_of_the_exported_weights(make_space: Any) -> None:
    file = space_file(make_space, "50%", "90%")
    file.write_text(file.read_text().replace("bn_scale", "l1"))  # of norms not yet measured
    space = compile(file).space
    weights = read_teacher(file.with_name("folded.onnx"), space.network)
    rates = (0.5,) * len(space.network.modules)
    pruned = prune_weights(space.network, weights, rates, space.criteria, seed=space.seed)
    network = prune_network(space.network, rates)
    names = torch_names(network, origins_of(space, weights, rates))["weights"]
    exported = state_dict(network, pruned)
    told = {name: said for name, said in names.items() if "tensor" in said}
    assert {said["tensor"] for said in told.values()} == set(arrays())
    assert any("kept" in said for said in told.values())
    for name, said in told.items():
        theirs = sliced(arrays()[said["tensor"]], said.get("kept", {}))
        np.testing.assert_array_equal(exported[name], theirs, err_msg=name)


CHECKPOINT = """
space s over cifar_resnet20(classes = 4, input = 8x8x1) {
  data "quadrants.npz"
  teacher from "resnet.safetensors"
  rates { 50% }
  prune * by l1
  minimize params
  subject to accuracy >= 90%
}
"""


def test_names_of_a_checkpoint(make_space: Any) -> None:
    from wootzc.backends.checkpoints.convert import torch_names as by_parameter
    from wootzc.backends.checkpoints.convert import torch_shape
    from wootzc.backends.checkpoints.names import namings
    from wootzc.backends.checkpoints.read import slots

    file: Path = make_space().with_name("checkpoint.wz")
    file.write_text(CHECKPOINT)
    path = file.with_name("resnet.safetensors")
    network = zoo("cifar_resnet20", classes=4, input=(8, 8, 1))
    places = slots(network)
    naming = next(n for n in namings() if n.modules[-1] == "fc" and len(n.modules) == len(places))
    random = np.random.default_rng(0)
    tensors = {
        f"module.{module}.{theirs}": random.normal(size=torch_shape(slot, ours)).astype(np.float32)
        for module, (_, slot) in zip(naming.modules, places, strict=True)
        for ours, theirs in by_parameter(slot)
    }
    save_file(tensors, path)

    space = compile(file).space
    weights = read_teacher(path, space.network)
    rates = (0.5,) * len(space.network.modules)
    origins = origins_of(space, weights, rates)
    network = prune_network(space.network, rates)
    names = torch_names(network, origins)
    assert names["file"] == "resnet.safetensors"
    pruned = prune_weights(space.network, weights, rates, space.criteria, seed=space.seed)
    exported = state_dict(network, pruned)
    assert {said["tensor"] for said in names["weights"].values()} == set(tensors)
    for name, said in names["weights"].items():
        theirs = sliced(tensors[said["tensor"]], said.get("kept", {}))
        np.testing.assert_array_equal(exported[name], theirs, err_msg=name)


def test_a_last_layer_that_starts_anew_comes_from_nowhere(make_space: Any) -> None:
    file = space_file(make_space, "50%", "90%", "{ classes(7) }")
    text = file.read_text().replace("finetune", "teacher { steps 5 }\n  finetune")
    file.write_text(text)
    space = compile(file).space
    assert isinstance(space.teacher, FromFile) and space.teacher.recipe is not None
    found = file_origins(file.with_name("folded.onnx"), space.network)
    assert "fc.weight" not in {origin.tensor for origin in found.values()}
    assert "features.0.weight" in {origin.tensor for origin in found.values()}


def test_what_was_trained_from_scratch_comes_from_no_file(make_space: Any) -> None:
    space = compile(make_space()).space
    assert origins_of(space, {}, (0.5,) * len(space.network.modules))["file"] is None
