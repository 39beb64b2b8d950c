"""Builds of spaces that cut what runs between modules, to the end."""

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from wootzc.backends.flax.train.evaluation import predict
from wootzc.builder import Built, Options, build
from wootzc.builder.jobs.keys import Keys
from wootzc.builder.result.export import Form, export_result
from wootzc.builder.result.replay import load_best, verify_result
from wootzc.builder.result.summary import read_summary
from wootzc.driver import compile
from wootzc.ir.net.cost_tables import network_costs
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import triple

Make = Callable[..., Path]


def narrow(file: Path, *statements: str) -> Path:
    text = file.read_text().replace("  multiple of 1\n", "  multiple of 1\n  narrow t*\n", 1)
    before, after = text.split("  all\n")
    file.write_text(before + "".join(f"  {one}\n" for one in statements) + after)
    return file


@pytest.fixture(scope="module")
def built(
    make_space: Make, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Built, Options]:
    """Of trained blocks, to a candidate that has all kinds of variables."""
    file = narrow(
        make_space("0, 50%", target="30%"), "skip a2", "configs { [50%, 100%, 50%, 25%, 50%] }"
    )
    store = tmp_path_factory.mktemp("store")
    quick = {"teacher.steps": "20", "pretrain.steps": "5", "finetune.steps": "5"}
    options = Options(out=file.parent / "out", store=store, overrides=quick)
    return file, build(file, options), options


def test_the_smallest_network_has_narrow_trunks(built: tuple[Path, Built, Options]) -> None:
    _, made, _ = built
    summary = read_summary(made.out)
    widths = {row.module: row for row in summary.widths}
    assert [*widths] == ["a1", "a2", "b1", "t1", "t2"]
    assert any(row.rate for name, row in widths.items() if name.startswith("t"))
    assert any("/" in block.name and block.steps == 5 for block in summary.blocks.list)
    network, weights = load_best(made.out)
    assert weights["plain1/0/kernel"].shape[-1] == widths["t1"].kept[0]
    assert weights["plain2/1/kernel"].shape[0] == widths["t2"].kept[0]
    space = compile(built[0].read_text()).space
    small = network_costs(prune_network(space.network, summary.best.rates))
    assert small == network_costs(network)
    assert list(verify_result(made.out))


def test_it_runs_in_onnxruntime(built: tuple[Path, Built, Options], tmp_path: Path) -> None:
    _, made, _ = built
    (path,) = export_result(made.out, "onnx", tmp_path / "net.onnx").files
    network, weights = load_best(made.out)
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
    given = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    (found,) = onnxruntime.InferenceSession(path).run(["logits"], {"input": given})
    expected = predict(network, weights, images)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["flax", "torch"])
def test_its_source_replays_its_outputs(
    built: tuple[Path, Built, Options], tmp_path: Path, form: Form
) -> None:
    """A module left out, trunks cut, filters gone: what is exported gives the same scores."""
    _, made, _ = built
    summary = read_summary(made.out)
    assert [row.rate for row in summary.widths] == [0.5, 1.0, 0.5, 0.25, 0.5]
    pytest.importorskip("torch" if form == "torch" else "flax")
    export_result(made.out, form, tmp_path / form)
    source = runpy.run_path(str(tmp_path / form / "model.py"))
    assert source["main"]([]) == 0


def test_nothing_is_trained_twice(built: tuple[Path, Built, Options]) -> None:
    file, made, options = built
    before = read_summary(made.out)
    again = read_summary(build(file, options).out)
    assert all(one.reused for one in again.tried)
    assert again.best.rates == before.best.rates and isinstance(again.best.rates[1], tuple | float)


def test_trunks_have_scores(make_space: Make, tmp_path: Path) -> None:
    """A predicted search adds up what modules and trunks do alone."""
    file = narrow(make_space("0, 50%", target="30%"), "propose 6")
    file.write_text(file.read_text().replace("explore ascending", "explore predicted"))
    quick = {
        "teacher.steps": "20",
        "finetune.steps": "5",
        "pretrain": "{ steps 0; reconstruct 64 }",
    }
    options = Options(out=tmp_path / "out", store=tmp_path / "store", overrides=quick)
    summary = read_summary(build(file, options).out)
    assert summary.damage is not None
    assert [*summary.damage] == ["a1", "a2", "b1", "t1", "t2"]
    assert all(nats > 0 for nats in summary.damage["t1"].values()) and summary.damage["t1"]


def test_spaces_share_what_leaves_trunks_whole(make_space: Make) -> None:
    """The same teacher, modules and candidates as those of a space that cuts none."""
    whole, cut = (
        Keys(compile(file.read_text()), "data")
        for file in (make_space("0, 50%"), narrow(make_space("0, 50%"), "all"))
    )
    assert whole.teacher == cut.teacher
    own = {whole.candidate(row, None) for row in range(len(whole.plan.candidates))}
    other = {
        cut.candidate(row, None)
        for row in range(len(cut.plan.candidates))
        if not any(any(triple(rate)[1:]) for rate in cut.rates(row))
    }
    assert len(own) == 8 and own == other
    assert len({cut.candidate(row, None) for row in range(len(cut.plan.candidates))}) == 8 * 16
