"""A build whose modules have a rate for each of their groups, to the end."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wootzc.backends.flax.train.evaluation import predict
from wootzc.builder import Built, Options, build
from wootzc.builder.report import report_html
from wootzc.builder.result.export import export_result
from wootzc.builder.result.replay import load_best, verify_result
from wootzc.builder.result.summary import read_summary
from wootzc.builder.result.summary_text import summary_text
from wootzc.driver import compile
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.space import Space
from wootzc.ir.space.space_costs import space_costs

BOTTLE = """conv(1x1, 6, stride = stride); norm; relu
      conv(3x3, 4); norm; relu; conv(1x1, width); norm"""


@pytest.fixture(scope="module")
def built(
    make_space: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Built]:
    file = make_space("0, 50%", target="30%")
    text = file.read_text().replace(
        "conv(3x3, width, stride = stride); norm; relu; conv(3x3, width); norm", BOTTLE
    )
    text = text.replace("rates { 0, 50% }", "rates { 0, 50% } each\n  keep a2")
    text = text.replace("explore ascending", "explore predicted")
    file.write_text(text)
    least = _only_mixed(compile(file, ()).space)
    file.write_text(text.replace("  all\n", f"  all\n  where params >= {least}\n"))
    store = tmp_path_factory.mktemp("store")
    quick = {
        "budget": "1 candidates",
        "teacher.steps": "20",
        "pretrain.steps": "3",
        "finetune.steps": "5",
    }
    return file, build(file, Options(out=file.parent / "out", store=store, overrides=quick))


def _only_mixed(space: Space) -> int:
    """What a candidate costs of which every module has two rates, and no other so little."""
    costs = space_costs(space)
    rows = holds(space, costs).rows()
    mixed = [all(isinstance(space.rates[p], tuple) for p in row[[0, 2]]) for row in rows]
    totals = costs.total("params", rows)
    return int(next(t for t in sorted(totals[mixed]) if np.all(np.array(mixed)[totals == t])))


def test_candidates_have_rates_of_groups(built: tuple[Path, Built]) -> None:
    file, made = built
    summary = read_summary(made.out)
    assert summary.best.rates == made.result.best.rates
    assert all(isinstance(rate, tuple) for rate in summary.best.rates if rate)
    assert list(verify_result(made.out))
    assert summary.damage is not None and "0.5+0.0/0.0/0.0" in summary.damage["a1"]
    plan = compile(made.out / "plan.wzir", ())
    assert any(text in report_html(summary, plan) for text in ("50%+0%", "0%+50%"))
    assert "rates" in summary_text(summary, "out")
    assert len(compile(file, ()).space.choices[0]) == 4


def test_it_is_exported(built: tuple[Path, Built], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    (path,) = export_result(built[1].out, "onnx", tmp_path / "net.onnx").files
    network, weights = load_best(built[1].out)
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
    given = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    (found,) = onnxruntime.InferenceSession(path).run(["logits"], {"input": given})
    np.testing.assert_allclose(found, predict(network, weights, images), rtol=1e-4, atol=1e-4)
