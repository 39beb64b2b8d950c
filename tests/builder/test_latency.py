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
from wootzc.builder.jobs.store import Store
from wootzc.diagnostics import WootzError
from wootzc.driver import compile
from wootzc.ir.net.prune import prune_network
from wootzc.ir.net.rate import rate_of, triple
from wootzc.ir.space import CostLimit, OnCommand, OnJax, OnRuntime, Space
from wootzc.ir.space.narrow import one_trunk
from wootzc.ir.space.space_costs import space_costs, unmeasured
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


def test_a_line_through_candidates_corrects_sums_that_are_off(
    space: Space, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each variant saves 10 %, and any two of them together no more than 15."""
    shares = {0: 1.0, 1: 0.9, 2: 0.85, 3: 0.82}

    def ratios(_: Stopwatch, rows: Any) -> dict[Any, float]:
        return {row: shares[sum(map(bool, row))] for row in rows}

    drawn = [(0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.5, 0.5, 0.5)]
    monkeypatch.setattr(Stopwatch, "ratios", ratios)
    monkeypatch.setattr(Stopwatch, "_full_milliseconds", lambda _: 2.0)
    monkeypatch.setattr(Stopwatch, "_drawn", drawn)
    table = Stopwatch(space=space, store=store).table()
    slope = (2 * 0.2 * 0.15 + 0.3 * 0.18) / (2 * 0.2**2 + 0.3**2)
    assert table.variants.values[:, 1].tolist() == [round(-2e6 * slope * 0.1)] * 3


def test_macs_count_where_what_was_measured_alone_foretells_less(
    space: Space, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One odd width costs a network its layouts; what has odd widths throughout saves time."""
    watch = Stopwatch(space=space, store=store)
    by_macs = watch.by_macs()

    def share(row: Any) -> float:
        if sum(map(bool, row)) == 1:
            return 1.4
        places = [space.rates.index(rate) for rate in row]
        return 1 + 0.5 * float(by_macs[range(len(row)), places].sum())

    drawn = [(0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.5, 0.5, 0.5)]
    monkeypatch.setattr(Stopwatch, "ratios", lambda _, rows: {row: share(row) for row in rows})
    monkeypatch.setattr(Stopwatch, "_drawn", drawn)
    np.testing.assert_allclose(watch.foretold(), 0.5 * by_macs, atol=1e-12)


@pytest.fixture
def narrow() -> Space:
    source = SPACE.replace("  all\n", "  sample 9 stratified by latency\n  narrow t*\n")
    return compile(source.replace("  prune *\n", "  multiple of 1\n"), ()).space


def test_where_trunks_go_each_cut_is_measured_alone_and_shared_out(
    narrow: Space, store: Store
) -> None:
    """A trunk's among the modules that it runs through, so that they sum up to it."""
    space = narrow
    watch = Stopwatch(space=space, store=store)
    added = watch.added()
    full = (0.0,) * len(space.choices)
    trunk = one_trunk(space.network, 1, 0.5)
    own = next(m for m, module in enumerate(space.network.modules) if module.name == "b")
    inside = tuple(0.5 if m == own else 0.0 for m in range(len(full)))
    ratios = watch.ratios([trunk, inside])
    position = space.rates.index
    assert added[own, position(0.5)] == pytest.approx(ratios[inside] - 1)
    parts = [added[m, position(rate)] for m, rate in enumerate(trunk)]
    assert sum(parts) == pytest.approx(ratios[trunk] - 1) and min(parts) < 0
    both = added[own, position(rate_of(0.5, *triple(trunk[own])[1:]))]
    alone = added[own, position(0.5)] + added[own, position(trunk[own])]
    assert alone < both < 0  # what is gone twice saves once


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
