"""How latencies are measured, by a clock that is turned by hand; and what cannot be measured."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from wootzc.backends.onnx.runtime import (
    LEAST_ROUNDS,
    WARM_UP,
    compared,
    interleaved,
    latencies,
    runner,
)
from wootzc.diagnostics import WootzError
from wootzc.ir.space import OnRuntime


class Machine:
    """A clock, and programs that take a while on it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ran: list[str] = []

    def clock(self) -> float:
        return self.now

    def program(self, name: str, takes: Callable[[float], float]) -> Callable[[], None]:
        def run() -> None:
            self.ran.append(name)
            self.now += takes(self.now)

        return run


def test_models_take_turns_and_change_sides() -> None:
    machine = Machine()
    runs = [machine.program("a", lambda _: 0.002), machine.program("b", lambda _: 0.004)]
    found = interleaved(runs, seconds=0.026, clock=machine.clock)
    assert found == pytest.approx(np.tile([2.0, 4.0], (LEAST_ROUNDS, 1)))
    warm_up = (WARM_UP + 1) * 2
    assert "".join(machine.ran[warm_up:]) == "aabb" + "bbaa" + "aabb" + "bbaa" + "aabb"
    assert machine.ran[:warm_up].count("a") == WARM_UP + 1


def test_quick_models_run_several_times_a_reading() -> None:
    machine = Machine()
    runs = [machine.program("a", lambda _: 0.0001), machine.program("b", lambda _: 0.002)]
    found = interleaved(runs, seconds=0.014, clock=machine.clock)
    assert found == pytest.approx(np.tile([0.1, 2.0], (LEAST_ROUNDS, 1)))
    assert machine.ran.count("a") == WARM_UP + 1 + 2 * 10 * LEAST_ROUNDS


def test_what_others_threw_out_of_the_caches_is_not_read() -> None:
    """The first run after another model's takes ten times as long."""
    machine = Machine()

    def program(name: str) -> Callable[[], None]:
        warm = [name, name]
        return machine.program(name, lambda _: 1e-4 if machine.ran[-2:] == warm else 1e-3)

    found = interleaved([program("a"), program("b")], seconds=0.1, clock=machine.clock)
    assert found == pytest.approx(np.full(found.shape, 0.1))


@pytest.mark.parametrize(("threads", "clock"), [(1, time.thread_time), (2, time.perf_counter)])
def test_one_thread_is_timed_without_what_runs_beside_it(
    threads: int, clock: Callable[[], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interleaved(runs: object, **options: Any) -> Any:
        assert options["clock"] is clock
        return np.ones((3, 1))

    monkeypatch.setattr("wootzc.backends.onnx.runtime.interleaved", interleaved)
    (one,) = latencies([("abs", a_model([1, 4]))], OnRuntime(threads=threads))
    assert one.rounds == 3


def test_slow_models_run_no_more_than_they_must() -> None:
    machine = Machine()
    runs = [machine.program("a", lambda _: 2.0)]
    interleaved(runs, seconds=0.5, least=2, clock=machine.clock)
    assert len(machine.ran) == 1 + 1 + 2


def test_more_time_is_more_rounds() -> None:
    machine = Machine()
    runs = [machine.program("a", lambda _: 0.01)] * 2
    assert len(interleaved(runs, seconds=1.0, clock=machine.clock)) == pytest.approx(50, abs=1)


def test_a_machine_that_slows_down_changes_no_ratio() -> None:
    machine = Machine()
    slower = [machine.program("a", lambda now: 0.01 * (1 + now)),
              machine.program("b", lambda now: 0.02 * (1 + now))]  # fmt: skip
    first, second = compared(interleaved(slower, seconds=1.0, clock=machine.clock))
    assert first.ratio == first.ratio_low == first.ratio_high == 1.0
    assert first.high / first.low > 1.3
    assert second.ratio == pytest.approx(2.0, rel=0.03)
    assert second.ratio_low <= second.ratio <= second.ratio_high


def a_model(shape: list[str | int], kind: int = TensorProto.FLOAT, operator: str = "Abs") -> bytes:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"])],
        "g",
        [value("x", kind, shape)],
        [value("y", kind, shape)],
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def test_onnxruntime_is_given_what_the_model_takes() -> None:
    model = a_model(["batch", 3, 4, 4], TensorProto.UINT8, "Identity")
    outputs: Any = runner("m", model, OnRuntime(batch=5))()
    (made,) = outputs
    assert made.shape == (5, 3, 4, 4) and made.dtype == np.uint8
    one, other = latencies([("a", model), ("b", model)], seconds=0.0)
    assert 0 < one.low <= one.median <= one.high and other.rounds == LEAST_ROUNDS


@pytest.mark.parametrize(
    "model, target, code, said",
    [
        (a_model(["n", 3, "h", "w"]), OnRuntime(), "WZ303", "open"),
        (a_model([8, 3]), OnRuntime(), "WZ303", "takes 8 images at once, not 1"),
        (a_model(["n", 3], TensorProto.STRING, "Identity"), OnRuntime(), "WZ303", "tensor(string)"),
        (a_model(["n", 3], operator="NoSuch"), OnRuntime(), "WZ302", "NoSuch"),
        (b"nothing", OnRuntime(), "WZ302", "m"),
        (a_model(["n", 3]), OnRuntime(provider="Abacus"), "WZ301", "CPUExecutionProvider"),
    ],
)
def test_what_cannot_be_measured_is_said(
    model: bytes, target: OnRuntime, code: str, said: str
) -> None:
    with pytest.raises(WootzError) as caught:
        latencies([("m", model)], target, seconds=0.0)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code and said in f"{diagnostic.message} {diagnostic.help}"


def test_without_onnxruntime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wootzc.backends.onnx.runtime.find_spec", lambda _: None)
    with pytest.raises(WootzError, match="WZ300") as caught:
        latencies([("m", a_model(["n", 3]))])
    assert "wootzc[deploy]" in str(caught.value)
