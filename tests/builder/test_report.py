"""The report: one self-contained, well-formed page that says what the figures are."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wootzc.builder import report
from wootzc.builder.report import report_html
from wootzc.builder.report.scatter import pareto
from wootzc.builder.result.summary import VERSION, from_json, read_summary, to_json
from wootzc.builder.result.summary_text import summary_text
from wootzc.diagnostics import WootzError
from wootzc.ir.array import Array
from wootzc.ir.layers import Activation, Branch, Conv, Dense, GlobalPool, Norm
from wootzc.ir.net.metrics import METRICS
from wootzc.ir.net.network import Module, Network, Plain
from wootzc.ir.net.rate import triple
from wootzc.ir.net.widths import module_widths
from wootzc.ir.passes import PASSES, MineSubsequences, replaced, run
from wootzc.ir.plan import Block, Plan
from wootzc.ir.space import AccuracyLimit, CostLimit, Listed, Objective, Space
from wootzc.ir.space.recipe import Data, Recipe

RATES = (0.0, 0.3, 0.5, 0.7)
ROWS = [[1, 1, 2], [1, 2, 2], [1, 1, 3], [2, 2, 2], [3, 3, 3], [0, 1, 2]]


def a_module(name: str, width: int = 8) -> Module:
    arm = (Conv(width=width), Norm(), Activation(), Conv(width=width), Norm())
    return Module(name=name, body=(Branch(join="add", arms=(arm, ())), Activation()))


def a_plan(names: tuple[str, ...] = ("a1", "a2", "b1"), method: str = "modules") -> Plan:
    network = Network(
        name="net",
        input=(8, 8, 1),
        segments=(
            Plain(name="plain1", body=(Conv(width=8), Norm())),
            *(a_module(name) for name in names),
            Plain(name="plain2", body=(GlobalPool(), Dense(width=10))),
        ),
    )
    repeated = np.tile(np.array(ROWS, dtype=np.uint8), (1, len(names) // 3 + 1))
    rows = np.unique(repeated[:, : len(names)], axis=0)
    space = Space(
        name="demo",
        network=network,
        rates=RATES,
        choices=(tuple(range(len(RATES))),) * len(names),
        criteria=tuple("l1" for _ in names),
        selection=Listed(rows=Array(rows)),
        objective=Objective(limits=(AccuracyLimit(value=0.01, below_teacher=True),)),
        data=Data(path="digits.npz"),
        teacher=Recipe(steps=600),
        pretrain=Recipe(steps=100),
        finetune=Recipe(steps=200),
        blocks="wootz" if method == "wootz" else "modules",
    )
    return run(Plan(space=space), replaced(PASSES, MineSubsequences(method="sequitur")))


def a_summary(plan: Plan, tried: int = 3, met: bool = True) -> dict[str, Any]:
    """What a build of `plan` might have written into result.json."""
    assert plan.candidates is not None and plan.costs is not None
    assert plan.exploration_order is not None and plan.composition is not None
    order = plan.exploration_order.values.tolist()[:tried]
    ones: list[dict[str, Any]] = []
    for position, candidate in enumerate(order):
        rates = [plan.space.rates[k] for k in plan.candidates.values[candidate]]
        row = plan.composition.values[candidate].tolist()
        last = position == len(order) - 1
        ones.append(
            {
                "candidate": candidate,
                "rates": rates,
                "params": int(plan.costs["params"].candidates.values[candidate]),
                "macs": int(plan.costs["macs"].candidates.values[candidate]),
                "start_accuracy": 0.5 + 0.05 * position,
                "accuracy": 0.97 if last and met else 0.91 + 0.01 * position,
                "steps": 200 - 10 * position,
                "seconds": 4.5,
                "reason": "target" if last and met else "steps",
                "met": last and met,
                "blocks": list(dict.fromkeys(b for b in row if b >= 0)),
                "reused": position == 0,
                "key": f"key {candidate}",
                "error": 0.021,
                "forecast": None,
                "history": [
                    {"step": 0, "loss": None, "accuracy": 0.5 + 0.05 * position},
                    {"step": 100, "loss": 0.25, "accuracy": 0.93 + 0.01 * position},
                ],
            }
        )
    uses = [b for one in ones for b in one["blocks"]]
    blocks = [
        {
            "block": b,
            "name": f"block number {b}",
            "steps": 100,
            "seconds": 1.5,
            "loss_first": 0.25,
            "loss_last": 0.0625,
            "uses": uses.count(b),
            "reused": b == min(uses),
        }
        for b in sorted(set(uses))
    ]
    best = {k: v for k, v in max(ones, key=lambda one: one["accuracy"]).items() if k != "history"}
    return {
        "version": VERSION,
        "latency_on": None,
        "int8": None,
        "built_from": "demo.wz",
        "cost": "params",
        "baseline": False,
        "judgement": None,
        "damage": None,
        "taken": None,
        "device": None,
        "test_target": None,
        "compilations": {
            "count": 1,
            "seconds": 0.5,
            "from_cache": 2,
            "seconds_reading": 0.1,
            "stages": {},
        },
        "store": "store",
        "space": plan.space.name,
        "network": plan.space.network.name,
        "modules": [module.name for module in plan.space.network.modules],
        "objective": "minimize params, accuracy >= 96.00%",
        "objective_met": met,
        "target_accuracy": 0.96,
        "teacher": {
            "params": plan.costs["params"].full,
            "macs": plan.costs["macs"].full,
            "bytes": 4 * plan.costs["params"].full,
            "key": "key",
            "validation_accuracy": 0.9725,
            "validation_error": 0.016,
            "test_accuracy": 0.9675,
            "test_error": 0.018,
            "steps": 600,
            "seconds": 21.0,
            "history": [],
            "reused": False,
        },
        "best": {**best, "test_accuracy": 0.9512, "test_error": 0.023, "bytes": 4 * best["params"]},
        "search": {"explore": "ascending", "ended": "all", "left": None},
        "candidates": {
            "in_space": len(plan.candidates),
            "within_cost_limits": len(plan.exploration_order),
            "tried": len(ones),
            "spared": len(plan.exploration_order) - len(ones),
        },
        "blocks": {
            "method": plan.space.blocks,
            "planned": len(plan.blocks or ()),
            "used": len(blocks),
            "unused": 0,
            "trained": sum(not b["reused"] for b in blocks),
            "from_store": sum(bool(b["reused"]) for b in blocks),
            "uses": len(uses),
            "list": blocks,
        },
        "steps": {"teacher": 600, "blocks": 100 * len(blocks), "finetune": 570},
        "seconds_now": {"compile": 0.1, "teacher": 21.0, "blocks": 6.0, "candidates": 9.0},
        "seconds_recorded": {"teacher": 21.0, "blocks": 7.5, "candidates": 13.5},
        "tried": ones,
        "widths": [to_json(row) for row in module_widths(plan.space.network, tuple(best["rates"]))],
        "data": {
            "source": "digits.npz",
            "fingerprint": "0123abcd",
            "train": 1149,
            "validation": 288,
            "test": 360,
        },
        "seed": 7,
        "versions": {"wootzc": "0.1.0", "jax": "0.10.2", "command": "wootzc build demo.wz"},
    }


class Page(HTMLParser):
    """Checks that every element is closed, and keeps what the tests ask for."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("br", "input", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data + " "

    def count(self, tag: str, kind: str) -> int:
        """Elements called `tag` that have the class `kind`."""
        return sum(t == tag and kind in (a.get("class") or "").split() for t, a in self.tags)

    def numbers(self) -> list[float]:
        """Every number of every drawing."""
        names = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "r")
        found = [a[name] for t, a in self.tags if t != "meta" for name in names if name in a]
        return [float(value) for value in found if value is not None]


def page(summary: dict[str, Any], plan: Plan) -> Page:
    """The page of a summary that went through result.json."""
    return Page(report_html(from_json(json.loads(json.dumps(summary))), plan))


def test_the_page_loads_nothing() -> None:
    text = report_html(from_json(a_summary(a_plan())), a_plan())
    assert "http://" not in text and "https://" not in text and "url(" not in text
    assert "@import" not in text and "//cdn" not in text
    for tag_name, attributes in Page(text).tags:
        assert tag_name not in ("link", "iframe", "img", "object", "embed", "base"), tag_name
        assert not {"src", "xlink:href", "action", "data"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#"), "leads out of the page"
        assert not any(name.startswith("on") for name in attributes)
    assert any("default-src 'none'" in (a.get("content") or "") for _, a in Page(text).tags)


def test_the_page_shows_the_figures() -> None:
    plan = a_plan()
    summary = a_summary(plan)
    text = page(summary, plan).text
    best, teacher = summary["best"], summary["teacher"]
    factor = teacher["params"] / best["params"]
    for wanted in (
        "demo", "over net", "Objective met", "1.00 points to spare",
        "minimize params, accuracy ≥ 96.00%",
        METRICS["params"].text(teacher["params"]), METRICS["params"].text(best["params"]),
        METRICS["macs"].text(best["macs"]),
        f"{factor:.2f}× smaller", "97.25%", "97.00%", "96.75%", "95.12%",
        "−0.25 points", "−1.63 points", "Of 6 candidates", "3 were tried and 3 spared",
        "1,149", "0123abcd", "wootzc build demo.wz", "0.10.2", "2 FLOPs", f"{best['params']:,}",
        "target reached", "block number 0", "42.0 s", "36.1 s",
    ):  # fmt: skip
        assert wanted in text, wanted


def test_the_table_of_candidates_goes_into_its_card() -> None:
    """Rates of many modules are drawn finer; what would have a column of its own is told in one."""
    plan = a_plan(tuple(f"m{number}" for number in range(60)))
    summary = a_summary(plan, tried=2)
    summary["tried"][0]["reused"], summary["tried"][1]["reused"] = True, False
    drawn = page(summary, plan)
    strips = [a for name, a in drawn.tags if name == "svg" and "strip" in (a.get("class") or "")]
    assert [float(str(a["width"])) <= 104 for a in strips] == [True, True]
    assert all(str(a["viewbox"]).split()[2] == "240" for a in strips)
    assert drawn.text.count("(store)") == 1


def test_every_candidate_and_every_block_is_drawn() -> None:
    plan = a_plan()
    summary = a_summary(plan, tried=2)
    drawn = page(summary, plan)
    views = 4  # params and MACs, whole and close
    assert drawn.count("svg", "view") == views
    assert drawn.count("circle", "met") == views
    assert drawn.count("circle", "miss") == views
    assert drawn.count("circle", "best") == drawn.count("circle", "ring") == views
    assert drawn.count("svg", "strip") == len(summary["tried"])
    blocks = summary["blocks"]
    assert drawn.count("rect", "trained") == blocks["trained"]
    assert drawn.count("rect", "stored") == blocks["from_store"]
    assert drawn.count("rect", "unused") == blocks["planned"] - blocks["used"] > 0
    assert drawn.count("rect", "in-best") == len(summary["best"]["blocks"])
    assert drawn.count("div", "width") == len(summary["modules"])
    assert all(np.isfinite(drawn.numbers()))


def test_every_link_leads_somewhere() -> None:
    summary = a_summary(a_plan())
    shown = page(summary, a_plan())
    places = {a["id"] for _, a in shown.tags if "id" in a}
    links = [a["href"] or "" for _, a in shown.tags if "href" in a]
    assert {link.removeprefix("#") for link in links} <= places
    assert {"#candidate-1", "#candidate-2", "#candidate-3", "#learning", "#tried"} <= {*links}
    assert "#damage" not in links  # nothing was scored


def test_learning_curves_are_of_those_that_were_looked_at() -> None:
    plan = a_plan()
    summary = a_summary(plan)
    assert page(summary, plan).count("path", "curve") == 3
    summary["tried"][0]["history"] = summary["tried"][0]["history"][:1]
    summary["tried"][1]["history"][1]["accuracy"] = None  # diverged
    drawn = page(summary, plan)
    assert drawn.count("path", "curve") == 1
    for one in summary["tried"]:
        one["history"] = []
    assert "Learning curves" not in page(summary, plan).text


def test_the_damage_of_every_module_is_drawn_with_the_chosen_rate() -> None:
    plan = a_plan()
    summary = a_summary(plan)
    summary["damage"] = {m: {"0.3": 0.01, "0.5": 0.05, "0.7": 0.25} for m in summary["modules"]}
    drawn = page(summary, plan)
    assert drawn.count("path", "damage") == 3
    assert drawn.count("circle", "damage") == 3 * 4  # and 0, where nothing is damaged
    assert all(np.isfinite(drawn.numbers()))
    module, chosen = summary["modules"][0], summary["best"]["rates"][0]
    assert f"{chosen:.0%}: " in drawn.text and f"{module}\n30%: 0.01 nats" in drawn.text
    del summary["damage"][module]
    assert page(summary, plan).count("path", "damage") == 2


def test_the_pareto_front_agrees_with_brute_force() -> None:
    rng = np.random.default_rng(0)
    plain = from_json(a_summary(a_plan())).tried[0]
    for _ in range(200):
        tried = [
            replace(plain, costs={"params": int(p), "macs": int(m)}, accuracy=int(a) / 10)
            for p, m, a in rng.integers(0, 8, (rng.integers(1, 12), 3))
        ]
        for metric in plain.costs:
            best = {  # as dear and as accurate as one that no other is both cheaper and better than
                (one.costs[metric], one.accuracy)
                for one in tried
                if not any(
                    other.costs[metric] <= one.costs[metric]
                    and other.accuracy >= one.accuracy
                    and (other.costs[metric], other.accuracy) != (one.costs[metric], one.accuracy)
                    for other in tried
                )
            }
            found = [(one.costs[metric], one.accuracy) for one in pareto(tried, metric)]
            assert found == sorted(best)


def test_a_test_accuracy_beyond_the_limit_is_no_green_verdict() -> None:
    plan = a_plan()
    summary = a_summary(plan) | {"test_target": 0.9575}
    shown = page(summary, plan)
    assert shown.count("p", "good") == 0 and shown.count("p", "doubt") == 1
    assert "Objective met on validation; on test −1.6 points, beyond the limit of 1.0" in shown.text


def test_blocks_that_took_no_step_were_not_trained() -> None:
    plan = a_plan()
    summary = a_summary(plan)
    trained = page(summary, plan).text
    summary["steps"]["blocks"] = 0
    refitted = page(summary, plan).text
    made, stored = (summary["blocks"][name] for name in ("trained", "from_store"))
    assert f"({made} trained, {stored} from the store)" in trained
    assert "(refitted by least squares)" in refitted and "pre-train" not in refitted


@pytest.mark.parametrize(("taken", "met"), [(3, False), (3, True), (None, False), (None, True)])
def test_what_was_written_is_called_what_it_is(taken: int | None, met: bool) -> None:
    plan = a_plan()
    summary = a_summary(plan, met=met) | {"taken": taken}
    role = "taken by hand" if taken else "best" if met else "closest"
    text = page(summary, plan).text
    assert f"{role}: {METRICS['params'].text(summary['best']['params'])}, " in text
    for other in {"taken by hand", "best", "closest"} - {role}:
        assert f"{other}: " not in text and f"({other})" not in text
    assert f"({role})" in text


def test_a_cost_that_rose_is_not_told_to_have_fallen() -> None:
    plan = a_plan()
    summary = a_summary(plan)
    summary["best"]["macs"] = summary["tried"][-1]["macs"] = 2 * summary["teacher"]["macs"]
    summary["teacher"]["params"] = 0  # a cost of a space's own may be nothing from the start
    text = page(summary, plan).text
    assert "2.00× larger, 200.0% kept" in text
    told = summary_text(from_json(summary), "out")
    assert "(200.0%, 2.0x larger)" in told and "(100.0%, " in told


def test_accuracies_have_their_chance_and_a_candidate_that_was_taken_is_named() -> None:
    plan = a_plan()
    summary = a_summary(plan) | {"taken": 3}
    judged = {"drop": 0.002, "error": 0.004, "holds": True, "limit": 0.01, "confidence": None}
    summary["judgement"] = judged | {"optimism": 0.001, "among": 3}
    text = " ".join(page(summary, plan).text.split())
    for part in ("97.25% ± 1.6 → ", "91.00% ± 2.1", "96.75% ± 1.8 → 95.12% ± 2.3"):
        assert part in text  # of the teacher too
    assert "thick: the network taken by hand" in text and "the best network" not in text
    assert "Candidate 3, taken by hand: Objective met" in text
    assert (
        "expected drop 0.2 ± 0.4 points (by validation, corrected for the choice among 3 tried)"
        in text
    )
    assert "How the search ended: everything was tried." in text


def test_a_small_grammar_is_drawn_with_every_rule_below_its_users() -> None:
    plan = a_plan()
    assert plan.mined is not None
    rules = getattr(plan.mined, "rules", ())
    drawn = page(a_summary(plan), plan)
    assert drawn.count("rect", "node") == len(rules)
    edges = {(n, child) for n, rule in enumerate(rules) for child in rule.body if child > 0}
    assert drawn.count("path", "edge") == len(edges)
    curves = [a["d"] or "" for t, a in drawn.tags if t == "path" and "edge" in (a["class"] or "")]
    ends = [[float(n) for n in re.findall(r"[\d.]+", curve)] for curve in curves]
    assert ends and all(end[-1] > end[1] for end in ends)


def test_a_grammar_too_large_to_draw_is_only_counted() -> None:
    plan = a_plan(tuple(f"m{n}" for n in range(33)))
    rules = getattr(plan.mined, "rules", ())
    assert len(rules) > 60
    shown = page(a_summary(plan), plan)
    assert shown.count("rect", "node") == 0 and f"{len(rules)} rules: too many" in shown.text


def styles() -> str:
    return (Path(report.__file__).parent / "report.css").read_text(encoding="utf-8")


def test_blocks_that_overlap_are_drawn_in_lanes() -> None:
    blocks = ((0, (1, 1)), (1, (1, 1)), (2, (1,)), (0, (1, 2)), (2, (2,)))
    plan = replace(a_plan(), blocks=tuple(Block(start=s, rates=r) for s, r in blocks))
    summary = a_summary(a_plan())
    summary["blocks"] |= {"list": [], "planned": len(blocks), "used": 0}
    summary["best"]["blocks"] = []
    rects = [a for t, a in page(summary, plan).tags if t == "rect"]
    bars = [a for a in rects if (a.get("class") or "").startswith("block")]
    boxes = [tuple(float(a[key] or 0) for key in ("x", "y", "width")) for a in bars]
    assert len(boxes) == len(blocks)
    for n, (x, y, width) in enumerate(boxes):
        for other_x, other_y, other_width in boxes[n + 1 :]:
            assert y != other_y or x + width <= other_x or other_x + other_width <= x
    assert len({y for _, y, _ in boxes}) == 4  # two lanes at 30%, one at 50%, one mixed


def test_blocks_stand_in_the_row_of_what_goes_inside() -> None:
    plan = a_plan()
    cut, inside = len(plan.space.rates), triple(plan.space.rates[1])[0]
    space = replace(plan.space, rates=(*plan.space.rates, (inside, 0.25, 0.5)))
    blocks = (Block(start=0, rates=(1,)), Block(start=1, rates=(cut,)))
    summary = a_summary(plan)
    summary["blocks"] |= {"list": [], "planned": len(blocks), "used": 0}
    summary["best"]["blocks"] = []
    shown = page(summary, replace(plan, space=space, blocks=blocks))
    bars = [a for t, a in shown.tags if t == "rect" and (a.get("class") or "").startswith("block")]
    assert len(bars) == 2 and len({a["y"] for a in bars}) == 1
    assert "25% in, 50% out" in shown.text  # in the tip, for which there is room
    (rule,) = (line for line in styles().splitlines() if line.startswith(".map.fits"))
    assert "max-height: none" in rule  # it is as high as it is, and nothing stands behind it


def test_hostile_names_stay_text() -> None:
    evil = '<script>alert("1")</script>'
    plan = a_plan((evil, "a' onload='x", "b&amp;"))
    summary = a_summary(plan)
    summary |= {"space": evil, "network": evil, "objective": evil}
    summary["tried"][0]["reason"] = evil
    summary["blocks"]["list"][0]["name"] = evil
    summary["data"] |= {"source": evil, "fingerprint": evil}
    summary["versions"] = {evil: evil, "command": evil}
    summary["seconds_now"][evil] = 1.0
    text = report_html(from_json(summary), plan)
    assert text.count("<script>") == 1
    shown = Page(text)
    assert shown.text.count(evil) >= 10
    assert "b&amp;" in shown.text
    assert not any(name.startswith("on") for _, attributes in shown.tags for name in attributes)


def test_a_missed_objective_says_by_how_much() -> None:
    plan = a_plan()
    summary = a_summary(plan, met=False)
    assert "Objective missed by 3.00 points; shown is the closest" in page(summary, plan).text


def test_without_an_accuracy_limit_no_line_is_drawn() -> None:
    plan = a_plan()
    summary = a_summary(plan) | {"target_accuracy": None, "objective": "maximize accuracy"}
    shown = page(summary, plan)
    assert shown.count("line", "target") == 0
    assert shown.count("line", "teacher") == 4 + 1  # views, learning curves
    assert "Objective met" in shown.text and "to spare" not in shown.text


def test_cost_limits_are_drawn_in_the_views_of_their_cost() -> None:
    plan = a_plan()
    assert plan.costs is not None
    limit = int(np.median(plan.costs["params"].candidates.values))
    objective = Objective(
        target="accuracy", limits=(CostLimit(metric="params", comparison="<=", value=limit),)
    )
    summary = a_summary(plan, tried=6) | {"target_accuracy": None}
    shown = page(summary, replace(plan, space=replace(plan.space, objective=objective)))
    assert shown.count("line", "target") == 2
    assert f"≤ {METRICS['params'].text(limit)}" in shown.text


def test_one_candidate_no_blocks_no_seconds() -> None:
    plan = a_plan(("only",))
    summary = a_summary(plan, tried=1)
    summary["blocks"] |= {"list": [], "used": 0, "uses": 0, "planned": 0}
    summary["best"]["blocks"] = summary["tried"][0]["blocks"] = []
    summary["steps"] = {"teacher": 0, "blocks": 0, "finetune": 0}
    summary["seconds_now"], summary["seconds_recorded"] = {}, {"teacher": 0.0}
    shown = page(summary, replace(plan, blocks=(), mined=None))
    assert "No tuning blocks" in shown.text and "0 s" in shown.text
    assert "was tried" in shown.text
    assert all(np.isfinite(shown.numbers()))


def test_a_plan_without_costs_and_a_run_that_diverged() -> None:
    plan = a_plan()
    summary = a_summary(plan)
    summary["tried"][0] |= {"accuracy": float("nan"), "reason": "diverged"}
    summary["blocks"]["list"][0] |= {"loss_last": float("nan")}
    summary["seconds_now"]["blocks"] = float("nan")
    shown = page(summary, replace(plan, costs=None))
    assert all(np.isfinite(shown.numbers()))
    assert "diverged" in shown.text and shown.count("rect", "space") == 0


@pytest.mark.parametrize("count", [17, 33])
def test_many_modules_with_long_names(count: int) -> None:
    plan = a_plan(tuple(f"a_rather_long_stage_name_{n}" for n in range(count)))
    summary = a_summary(plan)
    summary["widths"][0] |= {"filters": [64, 64, 96], "kept": [32, 32, 48]}
    summary["widths"][1] |= {"filters": [], "kept": []}
    shown = page(summary, plan)
    assert shown.count("div", "width") == count
    assert "64, 64, 96 → 32, 32, 48" in shown.text and "nothing to prune" in shown.text
    assert all(np.isfinite(shown.numbers()))


def test_result_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = a_summary(a_plan())
    (tmp_path / "result.json").write_text(json.dumps(written))
    summary = read_summary(tmp_path)
    assert to_json(summary) == written
    assert summary.tried[0].costs == {
        name: written["tried"][0][name] for name in ("params", "macs")
    }


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"version": None}, "WZ210(.|\\n)*build again"),
        ({"version": VERSION + 1}, "WZ210"),
        ({"tried": None}, "WZ145(.|\\n)*damaged"),
        ({"teacher": {}}, "WZ145"),
        ({"best": []}, "WZ145"),
        ({"seconds_now": 3}, "WZ145"),
        ({"space": 3}, "WZ145.*3 is no str"),
        ({"seed": None}, "WZ145.*None is no int"),
        ({"objective_met": "yes"}, "WZ145.*'yes' is no bool"),
        ({"search": {"explore": "all", "ended": "bored", "left": None}}, "WZ145.*'bored'"),
    ],
)
def test_another_or_a_damaged_result_is_refused(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    (tmp_path / "result.json").write_text(json.dumps(a_summary(a_plan()) | changed))
    with pytest.raises(WootzError, match=told):
        read_summary(tmp_path)
