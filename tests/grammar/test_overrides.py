"""`--set KEY=VALUE`: what each key does to a space."""

from pathlib import Path

import numpy as np
import pytest

from wootzc.diagnostics import render
from wootzc.grammar import Analysis, analyze
from wootzc.ir.space import (
    AccuracyLimit,
    All,
    Budget,
    Constraint,
    CostLimit,
    Listed,
    Ordered,
    Proposed,
    Sample,
    Space,
    Tie,
)  # fmt: skip
from wootzc.ir.space.recipe import FromFile, Recipe

SOURCE = """module m(width) { conv(3x3, width); relu; conv(3x3, width) }
network n { input(8x8x1); m(8) as a[1..2]; global_pool; dense(3) }
space s over n {
  data folder("images") { validation 20%; limit 100 }
  teacher { steps 600; batch 16; optimizer adam(0.01) }
  rates { 0, 30%, 50% }
  prune *
  sample 5 stratified by params seed 7
  minimize params
  subject to accuracy >= teacher - 1 points
  finetune { steps 40 }
}
"""


def overridden(**overrides: str) -> Space:
    analysis = analyze(SOURCE, overrides={k.replace("__", "."): v for k, v in overrides.items()})
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    return analysis.spaces[0]


def mistaken(overrides: dict[str, str]) -> Analysis:
    analysis = analyze(SOURCE, overrides=overrides)
    assert analysis.spaces == ()
    return analysis


def test_data_keeps_its_settings_and_follows_the_new_path() -> None:
    data = overridden(data="other.zip").data
    assert (data.path, data.kind, data.validation, data.limit) == ("other.zip", "auto", 0.2, 100)
    assert overridden(data='parquet("x")').data.kind == "parquet"


def test_one_setting_of_the_data() -> None:
    data = overridden(data__limit="7").data
    assert (data.path, data.kind, data.validation, data.limit) == ("images", "folder", 0.2, 7)


def test_one_setting_of_a_recipe() -> None:
    teacher = overridden(teacher__steps="50").teacher
    assert isinstance(teacher, Recipe)
    assert (teacher.steps, teacher.batch, teacher.optimizer.name) == (50, 16, "adam")
    assert overridden(finetune__optimizer="sgd(0.5)").finetune.optimizer.learning_rate == 0.5
    assert overridden(pretrain__batch="32").pretrain.batch == 32


def test_teacher_from_a_file() -> None:
    assert overridden(teacher="w.safetensors").teacher == FromFile(path="w.safetensors")


def test_sample_keeps_what_is_not_set() -> None:
    assert overridden(sample="3").selection == Sample(count=3, seed=7, stratified="params")
    assert overridden(sample__seed="2").selection == Sample(count=5, seed=2, stratified="params")
    assert overridden(sample="3 seed 1 stratified by macs").selection == Sample(
        count=3, seed=1, stratified="macs"
    )


def test_one_selection_replaces_another() -> None:
    assert overridden(all="").selection == All()
    listed = overridden(configs="{ [0, 30%] }").selection
    assert isinstance(listed, Listed)
    assert listed.rows.values.tolist() == [[0, 1]]


def test_a_predicted_search() -> None:
    searched = overridden(explore="predicted", certify="95%", propose="5", precision="bfloat16")
    assert (searched.explore, searched.certify) == ("predicted", 0.95)
    assert searched.selection == Proposed(count=5)
    assert isinstance(searched.teacher, Recipe)
    recipes = (searched.teacher, searched.pretrain, searched.finetune)
    assert [recipe.precision for recipe in recipes] == ["bfloat16"] * 3
    assert overridden(explore="predicted", certify="").certify == 0.95
    assert overridden(precision="float32") == overridden()


def test_each_kind_of_budget_is_replaced_alone() -> None:
    source = SOURCE.replace("  rates", "  budget 10 candidates\n  budget 5 minutes\n  rates")

    def budget(**overrides: str) -> Budget:
        analysis = analyze(source, overrides=overrides)
        assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
        return analysis.spaces[0].budget

    assert budget() == Budget(candidates=10, seconds=300.0)
    assert budget(budget="1 candidate") == Budget(candidates=1, seconds=300.0)
    assert budget(budget="1.5 hours") == Budget(candidates=10, seconds=5400.0)
    assert overridden(budget="20 seconds").budget == Budget(seconds=20.0)


def test_reconstruction() -> None:
    for value in ("512", "512 images"):
        alone = overridden(pretrain__reconstruct=value).pretrain
        assert (alone.reconstruct, alone.steps) == (512, 0)
    both = analyze(SOURCE, overrides={"pretrain.reconstruct": "64", "pretrain.steps": "20"})
    assert [(s.pretrain.reconstruct, s.pretrain.steps) for s in both.spaces] == [(64, 20)]
    assert overridden(pretrain__batch="32").pretrain.steps == 200


def test_other_statements() -> None:
    assert overridden(rates="0, 30%, 0.7").rates == (0.0, 0.3, 0.7)
    assert overridden(seed="3").seed == 3
    assert overridden(blocks="wootz").blocks == "wootz"
    assert overridden(augment__crop="2").augment.crop == 2
    changed = overridden(subject="accuracy >= 90%").objective.limits
    assert changed == (AccuracyLimit(value=0.9),)
    assert overridden(keep="a1", sample="2").choices == ((0,), (0, 1, 2))


SEVERAL = (
    SOURCE.replace("as a[1..2]", "as a[1..4]").replace(
        "sample 5 stratified by params seed 7", "all"
    )
).replace(
    "  finetune",
    """  subject to params <= 90%
  subject to params >= 10%
  where macs <= 80%
  where nondecreasing(a1, a2)
  where nonincreasing(a3, a4)
  prune a1 by l2
  tie a1, a2
  keep a4
  finetune""",
)


def test_only_the_limit_of_the_same_metric_is_replaced() -> None:
    def limits(subject: str) -> list[tuple[object, ...]]:
        analysis = analyze(SEVERAL, overrides={"subject": subject})
        assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
        return [
            (lm.value,) if isinstance(lm, AccuracyLimit) else (lm.metric, lm.comparison, lm.value)
            for lm in analysis.spaces[0].objective.limits
        ]

    accuracy, below, above = limits("accuracy >= teacher - 1 points")
    assert limits("accuracy >= 90%") == [(0.9,), below, above]
    assert limits("params <= 4000") == [accuracy, ("params", "<=", 4000), above]
    assert limits("params >= 100") == [accuracy, below, ("params", ">=", 100)]
    assert limits("macs <= 5M") == [accuracy, below, above, ("macs", "<=", 5_000_000)]
    assert overridden(subject="params <= 2000").objective.limits[0] == AccuracyLimit(
        value=0.01, below_teacher=True
    )


def test_only_the_constraint_of_the_same_kind_is_replaced() -> None:
    def constraints(**overrides: str) -> list[Constraint]:
        analysis = analyze(SEVERAL, overrides=overrides)
        assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
        return list(analysis.spaces[0].constraints)

    macs, up, down, tie = constraints()
    assert constraints(where="nondecreasing(a1..a3)") == [
        macs, Ordered(direction="nondecreasing", modules=(0, 1, 2)), down, tie
    ]  # fmt: skip
    new, *others = constraints(where="macs <= 240k")
    assert (new, others) == (
        CostLimit(metric="macs", comparison="<=", value=240_000),
        [up, down, tie],
    )
    assert constraints(where="params >= 1")[:4] == [macs, up, down, tie]
    assert constraints(tie="a2, a3") == [macs, up, down, Tie(modules=(1, 2))]


@pytest.mark.parametrize(
    ("key", "value", "which"),
    [
        ("prune", "a2 by l2", "2 `prune` statements"),
        ("where", "nondecreasing(a2, a3)", "2 `where nondecreasing` statements"),
        ("subject", "accuracy >= 10%", "2 `subject` statements about accuracy"),
    ],
)
def test_what_could_replace_several_statements_is_refused(key: str, value: str, which: str) -> None:
    source = SEVERAL.replace(
        "  keep", "  where nondecreasing(a2, a3)\n  subject to accuracy >= 5%\n  keep"
    )
    analysis = analyze(source, overrides={key: value})
    assert analysis.spaces == ()
    assert [d.code for d in analysis.diagnostics] == ["WZ078"]
    assert f"space `s` has {which}" in analysis.diagnostics[0].message
    assert f"--set {key}:1:" in render(analysis.diagnostics, analysis.sources)


@pytest.mark.parametrize(
    ("key", "value", "code", "help"),
    [
        ("teacher.stesp", "50", "WZ070", "steps"),
        ("techer.steps", "50", "WZ078", "teacher.steps"),
        ("sampel", "50", "WZ078", "sample"),
        ("network.input", "3", "WZ078", ""),
        ("seed", "many", "WZ315", "seed 1"),
        ("teacher.steps", "5 } prune {", "WZ001", ""),
        ("data", '"', "WZ004", ""),
        ("sample", "", "WZ001", ""),
        ("sample", "0", "WZ071", "sample 500"),
        ("budget", "10", "WZ161", "10 candidates"),
        ("budget", "0 minutes", "WZ071", "30 minutes"),
        ("precision", "bf16", "WZ058", "bfloat16"),
        ("pretrain.reconstruct", "512 imags", "WZ161", "images"),
    ],
)
def test_mistakes_are_shown_in_the_override(key: str, value: str, code: str, help: str) -> None:
    analysis = mistaken({key: value})
    assert [d.code for d in analysis.diagnostics] == [code]
    assert help in (analysis.diagnostics[0].help or "")
    assert f"--set {key}:1:" in render(analysis.diagnostics, analysis.sources)


@pytest.mark.parametrize(("key", "value"), [("certify", "95%"), ("propose", "500")])
def test_what_only_a_predicted_search_knows_is_refused_beside_another(key: str, value: str) -> None:
    analysis = mistaken({"explore": "ascending", key: value})
    assert [d.code for d in analysis.diagnostics] == ["WZ160"]
    assert "explore predicted" in (analysis.diagnostics[0].help or "")
    assert f"--set {key}:1:" in render(analysis.diagnostics, analysis.sources)


def test_paths_in_overrides_are_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    file = folder / "x.wz"
    file.write_text(SOURCE)
    np.save(tmp_path / "rows.npy", np.array([[0, 0.3], [0.5, 0.5]], dtype=np.float32))
    monkeypatch.chdir(tmp_path)

    def space(overrides: dict[str, str]) -> Space:
        analysis = analyze(SOURCE, "there/x.wz", overrides)
        assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
        return analysis.spaces[0]

    assert space({}).data.path == "there/images"
    assert space({"data": "images"}).data.path == "images"
    listed = space({"configs": "rows.npy"}).selection
    assert isinstance(listed, Listed)
    assert listed.rows.values.tolist() == [[0, 1], [2, 2]]


def test_a_length_replaces_the_other_kind_of_length() -> None:
    finetune = overridden(finetune__epochs="2.5").finetune
    assert (finetune.epochs, finetune.least) == (2.5, 1)
    teacher = overridden(teacher="{ epochs 3; every 5 }").teacher
    assert isinstance(teacher, Recipe)
    assert (teacher.epochs, teacher.every, teacher.batch) == (3, 5, 16)


def test_polish_is_set_or_turned_off() -> None:
    assert overridden(polish="off").polish is None
    polish = overridden(polish__steps="7").polish
    assert polish is not None and polish.steps == 7
    longer = overridden(finetune__steps="50").polish
    assert longer is not None and longer.steps == 100
