"""`quantize int8` in a space: what is judged, kept, verified, told and exported is the int8."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from wootzc.backends.onnx.liveness import peak_activation_bytes
from wootzc.builder import Options, build
from wootzc.builder.jobs.targets import Readings, where
from wootzc.builder.report import report_html
from wootzc.builder.result.export import export_result
from wootzc.builder.result.int8 import JUDGED, Int8
from wootzc.builder.result.replay import verify_result
from wootzc.builder.result.summary import Summary
from wootzc.builder.result.summary_text import summary_text
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.ir.space.space_costs import space_costs

QUICK = {"teacher.steps": "60", "finetune.steps": "20"}


@pytest.fixture(scope="module")
def made(make_space: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A build, and how often its networks were quantised."""
    file = make_space("0, 50%, 75%", "40%")
    file.write_text(file.read_text().replace("explore", "quantize int8\n  explore"))
    store = tmp_path_factory.mktemp("store")
    return build(file, Options(out=file.parent / "int8", store=store, overrides=QUICK)), file, store


def test_limits_are_held_by_the_quantised_network(made: Any) -> None:
    built, _, root = made
    summary: Summary = built.result
    assert summary.int8 is not None
    assert summary.best.accuracy == summary.int8.validation.int8
    assert summary.best.test_accuracy == summary.int8.test.int8
    assert summary.int8.validation.images == summary.data.validation
    curve = summary.tried[-1].history
    assert max(look.accuracy or 0 for look in curve) == summary.int8.validation.float32
    kept = [json.loads(path.read_text()) for path in root.glob("jobs/*/*.json")]
    accuracies = [one["result"]["accuracy"] for one in kept if one["kind"] == "int8"]
    assert len(accuracies) > len(summary.tried)  # the teacher too, and what was polished
    assert {one.accuracy for one in summary.tried} <= set(accuracies)


def test_what_was_judged_is_what_the_folder_holds_and_export_writes(
    made: Any, tmp_path: Path
) -> None:
    built, file, _ = made
    content = (built.out / "best" / JUDGED).read_bytes()
    model = onnx.load_from_string(content)
    assert any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    out = tmp_path / "small.onnx"
    done = export_result(built.out, "onnx", out, int8=Int8(at_least=0.01))
    assert out.read_bytes() == content and "float32 → int8" in done.accuracy[0]
    plain = export_result(built.out, "onnx", tmp_path / "plain.onnx")
    assert "--int8" in plain.accuracy[0]
    with pytest.raises(WootzError, match="below"):
        export_result(built.out, "onnx", tmp_path / "none.onnx", int8=Int8(at_least=1.0))
    data = Path(compile(file, ()).space.data.path)
    assert any("test images right" in line for line in verify_result(built.out, data))
    assert "int8        validation" in summary_text(built.result, "out")
    page = report_html(built.result, compile(built.out / "plan.wzir", ()))
    assert "Int8, validation" in page


def test_costs_are_those_of_the_quantised_file(made: Any) -> None:
    """And so are those that limits and the objective go by."""
    built, file, _ = made
    model = onnx.load(built.out / "best" / JUDGED)
    costs, size = built.result.best.costs, model.ByteSize()
    assert costs["memory"] == peak_activation_bytes(model)
    assert size <= costs["size"] <= 1.01 * size + 64 * len(model.graph.node)
    space = compile(file, ()).space
    table, rates = space_costs(space), built.result.best.rates
    row = np.array([[space.rates.index(rate) for rate in rates]])
    assert costs == {name: table.total(name, row)[0] for name in table.tables}


def test_latency_is_that_of_quantised_files(made: Any, tmp_path: Path) -> None:
    space = compile(made[1], ()).space
    readings = Readings(space, tmp_path)
    nodes = onnx.load_from_string(readings._file(space.network)).graph.node
    assert any(node.op_type == "QuantizeLinear" for node in nodes)
    assert where(space) == f"{where(replace(space, quantize='none'))}, int8"


def test_a_damaged_network_is_found(made: Any, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(made[0].out, tmp_path / "copy")
    with (tmp_path / "copy" / "best" / JUDGED).open("ab") as file:
        file.write(b" ")
    with pytest.raises(WootzError):
        list(verify_result(tmp_path / "copy"))


def test_what_quantising_costs_is_asked_for_on_top(
    made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every quantised network is taken to label one image in ten wrong that it labelled right."""
    from wootzc.backends.onnx import int8

    right = int8.labelled_right

    def fewer(*given: Any, **how: Any) -> Any:
        found = right(*given, **how)
        found[np.flatnonzero(found)[: len(found) // 10]] = False
        return found

    monkeypatch.setattr(int8, "labelled_right", fewer)
    _, file, _ = made
    built = build(file, Options(out=tmp_path / "out", store=tmp_path / "store", overrides=QUICK))
    lost, target = built.result.int8, built.result.target_accuracy
    assert lost is not None and target is not None
    assert lost.validation.float32 - lost.validation.int8 > 0.05
    kept = [json.loads(path.read_text()) for path in tmp_path.glob("store/jobs/*/*.json")]
    asked = [one["result"]["asked"] for one in kept if one["kind"] == "candidate"]
    assert asked and min(asked) > target + 0.05  # of fine-tuning, which is in float32
