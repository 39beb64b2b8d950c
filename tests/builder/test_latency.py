"""Latency as a cost: by a command that prints what nobody has to time, the bytes of the file."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.backends.flax.train.evaluation import predict
from wootzc.backends.flax.train.whole import drawn, runner
from wootzc.backends.onnx import to_onnx
from wootzc.backends.weights.stored import initial_weights
from wootzc.builder import Options, build
from wootzc.builder.jobs import targets
from wootzc.builder.jobs.events import Noted
from wootzc.builder.jobs.latency import Stopwatch, measured
from wootzc.builder.jobs.regressed import regressed
from wootzc.builder.jobs.store import Store
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.net.cost_tables import network_costs, variant_costs
from wootzc.ir.net.prune import prune_network
from wootzc.ir.space import CostLimit, OnCommand, OnJax, OnRuntime, Space
from wootzc.ir.space.space_costs import space_costs, unmeasured, without_unmeasured
from wootzc.ir.text import parse_plan, print_plan

BYTES = "wc -c < {model}"  # a byte counts as a millisecond
SPACE = """
network net {
  input(8x8x3)
  conv(3x3, 8)
  module a { conv(3x3, 16); relu; conv(3x3, 8) }
  module b { conv(3x3, 24); relu; conv(3x3, 8) }
  module c { conv(3x3, 16); relu; conv(3x3, 8) }
  global_pool; dense(4)
}
space s over net {
  data "x.npz"
  teacher { steps 1 }
  rates { 0, 50% }
  prune *
  all
  where latency <= 95%
  latency on command "wc -c < {model}"
  minimize latency
  subject to accuracy >= 50%
  pretrain { steps 1 }
  finetune { steps 1 }
  explore ascending
}
"""


@pytest.fixture
def space() -> Space:
    return compile(SPACE, ()).space


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def size(space: Space, row: tuple[int, ...]) -> int:
    network = prune_network(space.network, tuple(space.rates[i] for i in row))
    return len(to_onnx(network, initial_weights(network, seed=0)).SerializeToString())


def test_what_variants_add_is_the_difference_in_the_whole_network(
    space: Space, store: Store
) -> None:
    told: list[str] = []
    known = measured(space, lambda: store, told.append)
    full = size(space, (0, 0, 0))
    table = known.measured
    assert table is not None
    assert table.full == 1e6 * full and table.on.startswith(BYTES)
    changes = [[0, size(space, tuple(np.eye(3, dtype=int)[m])) - full] for m in range(3)]
    assert np.allclose(table.variants.values, 1e6 * np.array(changes), rtol=0.01)
    (limit,) = known.constraints
    assert isinstance(limit, CostLimit)
    assert (limit.value, limit.share) == (int(0.95 * table.full), None)
    assert len(told) == 1 and "networks is measured on" in told[0]
    plan = compile(known)
    assert plan.costs.full["latency"] == table.full
    assert parse_plan(print_plan(plan)) == plan
    predicted = plan.costs["latency"].candidates.values
    assert (predicted <= limit.value).all() and len(predicted) == 7  # all but the full network
    assert (np.diff(predicted[plan.exploration_order.values]) >= 0).all()


def test_a_table_is_fitted_to_candidates_measured_whole(
    space: Space, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """a and c are alike and save 10 % of the time each, b saves nothing, whatever its MACs say."""
    watch = Stopwatch(space=space, store=store)

    def share(row: Any) -> float:
        return 1 - 0.1 * bool(row[0]) - 0.1 * bool(row[2])

    monkeypatch.setattr(Stopwatch, "ratios", lambda _, rows: {row: share(row) for row in rows})
    assert len(watch.drawn) == 8  # all that there are
    monkeypatch.setattr("wootzc.builder.jobs.regressed.HELD", 1e-6)
    fitted = watch.foretold()
    np.testing.assert_allclose(fitted[:, 1], [-0.1, 0, -0.1], atol=1e-3)
    assert (fitted[:, 0] == 0).all()


def test_what_is_taken_to_be_fastest_is_measured_too(
    space: Space, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four fifths of the time are there whatever goes, which those drawn don't show."""
    seen: set[Any] = set()

    def ratios(_: Stopwatch, rows: Any) -> dict[Any, float]:
        seen.update(rows)
        return {row: max(0.8, 1 - 0.1 * sum(map(bool, row))) for row in rows}

    monkeypatch.setattr(Stopwatch, "ratios", ratios)
    monkeypatch.setattr(Stopwatch, "drawn", [(0.5, 0.0, 0.0), (0.0, 0.5, 0.5)])
    watch = Stopwatch(space=space, store=store)
    monkeypatch.setattr("wootzc.builder.jobs.latency.FASTEST", 0)
    before = 1 + watch.foretold()[:, 1].sum()
    assert (0.5, 0.5, 0.5) not in seen
    monkeypatch.setattr("wootzc.builder.jobs.latency.FASTEST", 1)
    after = 1 + watch.foretold()[:, 1].sum()
    assert (0.5, 0.5, 0.5) in seen and len(seen) == 4  # with the full one
    assert before < 0.72 < 0.76 < after < 0.84


def test_what_no_candidate_showed_counts_by_its_costs(space: Space) -> None:
    """b was never measured: it saves as much for its MACs and parameters as what was."""
    rows = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 1]])
    by_costs = regressed(space, rows, 1 - 0.1 * rows.sum(axis=1))[:, 1]
    macs = variant_costs(space.network, space.rates).tables["macs"]
    saved = (macs[:, 1] - macs[:, 0]) / (macs[0, 1] - macs[0, 0])
    assert by_costs[0] == by_costs[2] == pytest.approx(-0.1, rel=0.1)
    assert by_costs[1] == pytest.approx(saved[1] * by_costs[0], rel=0.1)


def test_rates_of_groups_and_of_trunks_are_told_apart() -> None:
    """Where time goes by MACs, the table finds that of every candidate."""
    source = SPACE.replace("conv(3x3, 16);", "conv(3x3, 16); relu; conv(3x3, 12);")
    source = source.replace("rates { 0, 50% }", "rates { 0, 50% } each; narrow t*; multiple of 1")
    space = compile(source.replace("  prune *\n  all\n", "  sample 9\n"), ()).space
    known = without_unmeasured(space)
    rows = holds(known, space_costs(known), ()).sample(48, np.random.default_rng(0))
    costs, full = variant_costs(space.network, space.rates), network_costs(space.network)["macs"]
    seen = costs.total("macs", rows) / full
    table = regressed(space, rows.astype(np.intp), seen)
    sums = table[np.arange(len(table)), rows].sum(axis=1)
    np.testing.assert_allclose(1 + sums, seen, atol=1e-3)


def test_no_candidate_is_no_table_of_anything(space: Space) -> None:
    assert not regressed(space, np.zeros((0, 3), dtype=int), np.zeros(0)).any()


@pytest.fixture
def narrow() -> Space:
    source = SPACE.replace("  all\n", "  sample 9 stratified by latency\n  narrow t*\n")
    return compile(source.replace("  prune *\n", "  multiple of 1\n"), ()).space


def test_where_trunks_go_what_is_predicted_is_near_to_what_is_seen(
    narrow: Space, store: Store
) -> None:
    known = measured(narrow, lambda: store, lambda _: None)
    assert known.measured is not None
    plan = compile(known)
    rows = [tuple(known.rates[i] for i in row) for row in plan.candidates.values]
    predicted = plan.costs["latency"].candidates.values
    taken = np.array(Stopwatch(space=known, store=store).nanoseconds(rows))
    assert np.abs(predicted / taken - 1).max() < 0.02


def test_nothing_is_measured_twice_and_nothing_taken_from_another_machine(
    space: Space, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = measured(space, lambda: store, lambda _: None)

    def run(*_: Any, **__: Any) -> Any:
        raise AssertionError("a command ran")

    monkeypatch.setattr(subprocess, "run", run)
    assert measured(space, lambda: store, lambda _: None) == first
    renamed = replace(space, network=replace(space.network, name="another"))
    assert measured(renamed, lambda: store, lambda _: None).measured == first.measured
    with pytest.raises(AssertionError, match="a command ran"):
        by = OnCommand(command="wc -m < {model}")
        measured(replace(space, latency=by), lambda: store, lambda _: None)
    monkeypatch.setattr(targets, "processor", lambda: "another one")
    with pytest.raises(AssertionError, match="a command ran"):
        measured(space, lambda: store, lambda _: None)


def test_a_table_that_is_brought_along_is_told_apart(
    space: Space, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    known = measured(space, lambda: store, lambda _: None)
    assert measured(known, lambda: store, told.append) == known and not told
    monkeypatch.setattr(targets, "processor", lambda: "another one")
    assert measured(known, lambda: store, told.append) == known
    assert len(told) == 1 and "measured elsewhere, on wc -c" in told[0]


def test_what_cannot_be_measured_is_told(
    space: Space, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(space: Space, **options: Any) -> str:
        with pytest.raises(WootzError) as raised:
            measured(space, lambda: store, lambda _: None, **options)
        (one,) = raised.value.diagnostics
        assert SPACE[one.span.start : one.span.end].startswith("latency on command")
        return f"{one.code} {one.message}"

    assert told(space, commands=False).startswith("WZ307")
    for command, said in (
        ("echo fast # {model}", "WZ309 the command that measures latency gave no milliseconds: f"),
        ("echo 0 # {model}", "WZ309"),
        ("echo 1; false # {model}", "(exit status 1)"),
        ("no-such-thing {model}", "not found"),
    ):
        assert said in told(replace(space, latency=OnCommand(command=command)))
    monkeypatch.setattr("wootzc.backends.onnx.runtime.find_spec", lambda _: None)
    assert told(replace(space, latency=OnRuntime())).startswith("WZ300 latency is measured by")


def test_before_it_is_measured_nothing_goes_by_it(space: Space) -> None:
    assert unmeasured(space) == ["latency"]
    with pytest.raises(WootzError, match="not measured yet"):
        space_costs(space)
    with pytest.raises(WootzError, match="not measured yet"):
        compile(SPACE)


def test_onnxruntime_measures(space: Space, store: Store) -> None:
    """Not how long, but that it did."""
    known = measured(replace(space, latency=OnRuntime()), lambda: store, lambda _: None)
    table = known.measured
    assert table is not None
    assert table.full > 0 and "CPUExecutionProvider, threads 1, batch 1" in table.on
    assert (table.variants.values[:, 0] == 0).all()


def test_jax_measures(space: Space, store: Store) -> None:
    """The same, of the network as one jitted function."""
    watch = Stopwatch(space=replace(space, latency=OnJax(batch=3)), store=store)
    rates = (0.5, 0.5, 0.5)
    (taken,) = watch.nanoseconds([rates])
    assert taken > 0 and watch.on.startswith("jax ") and ", batch 3, " in watch.on
    network = prune_network(space.network, rates)
    logits = runner(network, 3)()
    want = predict(network, initial_weights(network, seed=0), drawn(network, 3))
    assert np.allclose(np.asarray(logits), want, rtol=1e-4, atol=1e-5)


def test_a_system_that_does_not_tell_its_cores_has_those_it_counts(
    space: Space, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NPROC", raising=False)
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    assert ", threads 7, " in Stopwatch(space=replace(space, latency=OnJax()), store=store).on


def test_a_search_measures_what_it_tries(make_space: Callable[..., Path], tmp_path: Path) -> None:
    file = make_space("0, 50%, 75%", "60%")
    text = file.read_text().replace(
        "minimize params", f'latency on command "{BYTES}"; minimize latency'
    )
    file.write_text(text)
    said: list[str] = []

    def listen(event: Any) -> None:
        if isinstance(event, Noted):
            said.append(event.message)

    options = Options(out=tmp_path / "out", store=tmp_path / "store")
    done = build(file, options, [listen])
    space = compile(done.out / "plan.wzir", ()).space
    for one in done.result.tried:
        row = tuple(space.rates.index(rate) for rate in one.rates)
        assert one.costs["latency"] == pytest.approx(1e6 * size(space, row), abs=1)
    assert done.result.best.costs["latency"] == min(
        one.costs["latency"] for one in done.result.tried if one.met
    )
    assert done.result.objective.startswith("minimize latency")
    assert any("is measured on wc -c" in message for message in said)


def test_what_turns_out_too_slow_is_not_tried(
    make_space: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates are found to take ten times what their parts let expect: but for the smallest."""
    file = make_space("0, 50%, 75%", "60%")
    text = file.read_text().replace(
        "minimize params",
        f'latency on command "{BYTES}"; maximize accuracy; subject to latency <= 90%',
    )
    file.write_text(text.replace("explore ascending", "explore all"))
    nanoseconds = Stopwatch.nanoseconds

    fast = [(0.75, 0.75, 0.75)]

    def slower(watch: Stopwatch, rows: Any) -> list[int]:
        found = nanoseconds(watch, rows)
        return [cost * (1 if row in fast else 10) for cost, row in zip(found, rows, strict=True)]

    monkeypatch.setattr(Stopwatch, "nanoseconds", slower)
    options = Options(out=tmp_path / "out", store=tmp_path / "store")
    done = build(file, options)
    assert [one.rates for one in done.result.tried] == [(0.75,) * len(done.result.modules)]
    counts = done.result.candidates  # what is beyond a limit is not spared
    assert (counts.within_cost_limits, counts.tried, counts.spared) == (1, 1, 0)
    fast.clear()
    with pytest.raises(WootzError, match="beyond the limits once it was measured"):
        build(file, options)
