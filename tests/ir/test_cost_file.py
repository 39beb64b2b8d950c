"""Tables of latency as files: printed, read, and refused where they fit no space."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from wootzc.diagnostics import WootzError
from wootzc.driver import analyze_file, compile
from wootzc.ir.array import Array
from wootzc.ir.space import CostLimit, Measured, OnJax, Space
from wootzc.ir.space.space_costs import with_measured
from wootzc.ir.text.cost_file import FORMS, Misfit, of, print_costs, read_costs

SOURCE = """
network net {
  input(8x8x3)
  conv(3x3, 16)
  module a { conv(3x3, 16); relu; conv(3x3, 16) }
  module b { conv(3x3, 24); relu; conv(3x3, 16) }
  global_pool; dense(4)
}
space s over net {
  data "x.npz"
  multiple of 1
  rates { 0, 50%, 70% }
  minimize latency
  subject to accuracy >= 50%
  subject to latency <= 60%
}
"""


def measured(space: Space) -> Space:
    rng = np.random.default_rng(0)
    table = np.zeros((len(space.choices), len(space.rates)), np.int64)
    for own, choices in zip(table, space.choices, strict=True):
        own[list(choices)] = [
            0 if not space.rates[i] else -rng.integers(30_000, 50_000) for i in choices
        ]
    on = "jax 0.10, cpu, threads 2, batch 1, A “quoted”, processor"
    return with_measured(
        space, Measured(metric="latency", on=on, full=123_457, variants=Array(table))
    )


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("more", ["", "narrow t*; "])
def test_reading_is_the_inverse_of_printing(form: str, more: str) -> None:
    space = measured(compile(SOURCE.replace("rates {", f"{more}rates {{"), ()).space)
    assert read_costs(print_costs(space, form).encode(), form, space) == space.measured


def test_both_forms_say_the_same() -> None:
    space = measured(compile(SOURCE, ()).space)
    rows, text = json.loads(print_costs(space, ".json")), print_costs(space, ".csv")
    assert rows[0]["ns"] == 123_457 and rows[0]["network"] == of(space.network)
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == [row["module"] for row in rows]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("module,rate,ns\na,0.5,x\n", "row 1: `ns` is no number"),
        ("module,rate,ns\nc,0.5,1\n", "there is no module `c`"),
        ("module,rate,ns\na,50,1\n", "row 1: `rate` is the fraction"),
        ("module,rate,ns\na,0.5,-1\n", "what the full network takes"),
        ("module,rate,ns,on\n,,9,\n", "does not say what it was measured `on`"),
        ("module,rate,ns,on\n,,9,me\na,0.5,-1,\n", "it lacks a at 0.7, b at 0.5, b at 0.7"),
        ("module,rate,ns,on,network\n,,9,me,f00\n", "another network"),
    ],
)
def test_what_fits_no_space_is_told(content: str, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        read_costs(content.encode(), ".csv", compile(SOURCE, ()).space)
    for damaged in (b"\xff", b"{", b'{"ns": 1}', b"[1]"):
        with pytest.raises(Misfit):
            read_costs(damaged, ".json", compile(SOURCE, ()).space)


def test_several_limits_hold_at_once() -> None:
    """As a count of all candidates that are within each of them says."""
    limits = "subject to size <= 30 kB; subject to memory <= 99%; where macs <= 70%"
    free = measured(compile(SOURCE.replace("subject to latency <= 60%", ""), ()).space)
    every = compile(free)
    costs = {name: every.costs[name] for name in ("latency", "size", "memory", "macs")}
    most = {"latency": 0.7, "memory": 0.99, "macs": 0.7}
    within = costs["size"].candidates.values <= 30_000
    for name, share in most.items():
        within &= costs[name].candidates.values <= share * costs[name].full
    held = compile(measured(compile(SOURCE.replace("60%", f"70%; {limits}"), ()).space))
    order = held.exploration_order.values
    tried = {tuple(row) for row in held.candidates.values[order]}
    assert tried == {tuple(row) for row in every.candidates.values[within]}
    assert 0 < len(tried) < len(every.candidates)
    for name in costs:  # none of them is idle
        alone = costs[name].candidates.values
        assert alone[within].max() < alone.max()


def test_what_the_language_reference_says_of_tables_is_right(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "language.md"
    said = re.findall(r'^latency .*from "table.csv".*$', page.read_text("utf-8"), re.MULTILINE)
    assert len(said) == 2
    file = tmp_path / "s.wz"
    known = measured(compile(SOURCE, ()).space)
    (tmp_path / "table.csv").write_text(print_costs(known, ".csv"))
    for statement in said:
        file.write_text(SOURCE.replace("multiple of 1", f"multiple of 1\n  {statement}"))
        assert compile(file, ()).space.measured == known.measured


def test_a_space_takes_a_table(tmp_path: Path) -> None:
    """By hand: without the column that says whose it is; limits become whole numbers."""
    (tmp_path / "phone.csv").write_text(
        "module,rate,ns,on\n,,1e6,phone\n"
        "a,0.5,-200000,\na,0.7,-300000,\nb,0.5,-100000,\nb,0.7,-400000,\n"
    )
    file = tmp_path / "s.wz"
    file.write_text(SOURCE.replace("rates", 'latency on jax from "phone.csv" { batch 2 }; rates'))
    space = compile(file, ()).space
    assert space.measured is not None and space.measured.on == "phone"
    assert space.latency == OnJax(batch=2)
    limits = [one for one in space.objective.limits if isinstance(one, CostLimit)]
    assert [one.value for one in limits] == [600_000]
    plan = compile(file)
    assert sorted(plan.costs["latency"].candidates.values) == [300_000, 400_000, 600_000, 600_000]

    def told(name: str) -> str:
        file.write_text(SOURCE.replace("rates", f'latency from "{name}"; rates'))
        (one,) = analyze_file(file).diagnostics
        assert one.code == "WZ311"
        return one.message

    assert "there is no file" in told("phones.csv")
    assert "no file of .csv or .json" in told("s.wz")
    (tmp_path / "broken.json").write_text("[")
    assert "broken.json is no table" in told("broken.json")
    with pytest.raises(WootzError):
        compile(file)
