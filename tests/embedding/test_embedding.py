"""What docs/passes.md promises to those who embed the compiler: the samples do it."""

import importlib.util
import json
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import wootzc
from wootzc.builder import Options, build
from wootzc.builder.jobs.events import BestKnown, BuildStarted, Event
from wootzc.diagnostics import WootzError
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.prune import prune_network
from wootzc.ir.passes import PASSES, inserted, parse_pipeline, pipeline_text

SAMPLES = Path(__file__).parents[2] / "samples"


def sample(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SAMPLES / "embedding" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_latency_table_limits_and_orders_candidates(tmp_path: Path) -> None:
    latency = sample("latency")
    plain = wootzc.compile(SAMPLES / "listed.wz")
    assert plain.candidates is not None
    modules, rates = len(plain.space.network.modules), len(plain.space.rates)
    table = np.random.default_rng(0).uniform(0.1, 2, (modules, rates))
    path = tmp_path / "latency.csv"
    np.savetxt(path, table, delimiter=",")
    rows = plain.candidates.values
    milliseconds = [sum(table[m, rate] for m, rate in enumerate(row)) for row in rows]
    most = float(np.median(milliseconds))

    limit = latency.LatencyLimit(table=str(path), most=most)
    passes = inserted(PASSES, limit, after="expand-space")
    passes = inserted(passes, latency.FastestFirst(table=str(path)), after="order")
    plan = wootzc.compile(SAMPLES / "listed.wz", passes)
    assert plan.candidates is not None and plan.exploration_order is not None
    expected = [row.tolist() for row, ms in zip(rows, milliseconds, strict=True) if ms <= most]
    assert plan.candidates.values.tolist() == expected
    order = latency.latencies(plan, str(path))[plan.exploration_order.values]
    assert (np.diff(order) >= 0).all() and len(order) > 1

    for wrong in ({"most": 0.0}, {"table": str(tmp_path / "small.csv")}):
        np.savetxt(tmp_path / "small.csv", table[:1], delimiter=",")
        refused = latency.LatencyLimit(**{"table": str(path), "most": most} | wrong)
        with pytest.raises(WootzError, match="LAT00"):
            wootzc.compile(SAMPLES / "listed.wz", inserted(PASSES, refused, after="expand-space"))


SHORT: dict[str, object] = {"teacher.steps": 2, "pretrain.steps": 1, "finetune.steps": 1}


def test_the_build_tries_the_fastest_first(tmp_path: Path) -> None:
    latency = sample("latency")
    table = np.random.default_rng(0).uniform(0.1, 2, (5, 4))
    np.savetxt(tmp_path / "latency.csv", table, delimiter=",")
    settings = SHORT | {"explore": "ascending", "subject": "accuracy >= 0.1%"}
    out: Any = f"{tmp_path}/out"  # typed as a path, yet a text does as well
    options = Options(out=out, store=f"{tmp_path}/store", overrides=settings)
    built = latency.fastest(SAMPLES / "listed.wz", f"{tmp_path}/latency.csv", 1000, options)
    plan = wootzc.compile(tmp_path / "out" / "plan.wzir")
    milliseconds = latency.latencies(plan, f"{tmp_path}/latency.csv")
    assert built.summary["tried"][0]["candidate"] == milliseconds.argmin()


def test_a_search_in_rounds_trains_nothing_twice(tmp_path: Path, page: dict[str, Any]) -> None:
    """And the network can be taken out as docs/embedding.md says."""
    rounds = sample("rounds")
    space = wootzc.compile(SAMPLES / "listed.wz", (), overrides=SHORT | {"all": ""}).space
    options = Options(out=tmp_path / "out", store=tmp_path / "store", replace=True)
    (known,) = rounds.search(space, options, budget=0.7, rounds=1, each=2)
    assert len(known) == 2
    full = network_cost(space.network).params
    for row in known:
        pruned = prune_network(space.network, tuple(space.rates[i] for i in row))
        assert network_cost(pruned).params <= 0.7 * full
    assert rounds.accuracies(space, list(known), options) == known
    told = [line["event"] for line in log(tmp_path / "out")]
    again = told[max(k for k, event in enumerate(told) if event == "build_started") :]
    assert again.count("candidate_reused") == 2 and "candidate_finished" not in again

    layers, weights, model = page["taken_out"](SimpleNamespace(out=tmp_path / "out"))
    assert sum(value.size for value in weights.values()) > 0 and len(layers) > 10
    assert model(np.zeros((3, *space.network.input), np.float32)).shape == (3, 10)


def log(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_a_listener_that_raises_ends_the_build(tmp_path: Path, page: dict[str, Any]) -> None:
    def raising(event: Event) -> None:
        if isinstance(event, BuildStarted):
            raise LookupError  # without a word

    options = Options(out=tmp_path / "out", store=tmp_path / "store")
    with pytest.raises(LookupError):
        wootzc.build(SAMPLES / "listed.wz", options, [raising])
    assert [(one["event"], one["message"]) for one in log(tmp_path / "out")] == [
        ("failed", "LookupError")
    ]
    best = BestKnown(candidate=0, met=True, cost="params", costs={"params": 99_999})
    with pytest.raises(KeyboardInterrupt):
        page["enough"](best)


def test_settings_may_be_pythons() -> None:
    settings = {"rates": [0, 0.25], "finetune.steps": 7, "polish": False, "augment.flip": True}
    space = wootzc.compile(SAMPLES / "digits.wz", (), overrides=settings | {"seed": 3}).space
    assert 0.25 in space.rates and 0.5 not in space.rates
    assert space.finetune.steps == 7 and space.seed == 3
    assert space.polish is None and space.augment.flip


def test_its_passes_have_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the command line, once they are registered under the entry-point group."""
    latency = sample("latency")

    class Entry(EntryPoint):
        def load(self) -> object:
            return getattr(latency, self.value)

    group = "wootzc.passes"
    entries = [Entry("a", "LatencyLimit", group), Entry("b", "FastestFirst", group)]
    monkeypatch.setattr("importlib.metadata.entry_points", EntryPoints(entries).select)
    text = "expand-space,latency-limit{table=a/b.csv, most=3.5},fastest-first{table=a/b.csv}"
    passes = parse_pipeline(text)
    assert passes[1:] == (
        latency.LatencyLimit(table="a/b.csv", most=3.5),
        latency.FastestFirst(table="a/b.csv"),
    )
    assert pipeline_text(passes) == text


@pytest.mark.filterwarnings("ignore:.* validation images can hardly tell")
@pytest.mark.filterwarnings("ignore:WZ181 the validation and test images are split off")
@pytest.mark.filterwarnings("ignore:WZ182 the teacher is right on")  # it was trained for two steps
def test_a_model_and_arrays_are_pruned_in_one_call(tmp_path: Path) -> None:
    settings = SHORT | {"propose": "2", "budget": "1 candidates"}
    where = {"out": tmp_path / "out", "store": tmp_path / "store"}
    pruned = sample("arrays").smaller(steps=2, settings=settings, **where)
    assert len(pruned.network.modules) == 3
    assert pruned.summary["data"]["test"] == 397
    assert sum(value.size for value in pruned.weights.values()) >= pruned.params > 0


def test_another_searcher_works_on_a_compiled_space(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    searcher = sample("searcher")
    plan = wootzc.compile(SAMPLES / "listed.wz", ())
    score = searcher.share_of_weight(plan.space)
    study = searcher.search(plan, score, budget=0.6, trials=25)
    assert len(study.trials) == 25
    assert study.best_trial.user_attrs["params"] <= 0.6 * network_cost(plan.space.network).params
    space = wootzc.compile(SAMPLES / "listed.wz", (), overrides=SHORT).space
    options = Options(out=tmp_path / "out", store=tmp_path / "store")
    tried = build(searcher.only(space, study.best_trial), options).summary["tried"]
    assert [one["params"] for one in tried] == [study.best_trial.user_attrs["params"]]
    for trial in study.trials:
        rates = tuple(plan.space.rates[i] for i in trial.params.values())
        assert trial.value == pytest.approx(score(rates))
