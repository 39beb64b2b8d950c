"""Where images come from, how they are split and varied, and where the teacher comes from."""

import os
from typing import Any

from wootzc.grammar import syntax
from wootzc.grammar.arguments import COUNT, FLAG, PART, Kind
from wootzc.grammar.lower_recipe import lower_recipe
from wootzc.grammar.names import did_you_mean
from wootzc.grammar.program import resolve
from wootzc.grammar.report import Report
from wootzc.grammar.settings import read_settings, setting_value
from wootzc.ir.recipe import Augment, Data, FromFile, Recipe

KINDS = ("npz", "folder", "zip", "parquet")

_DATA: dict[str, Kind] = {
    "validation": PART,
    "test": PART,
    "limit": COUNT,
    "normalize": FLAG,
    "stream": FLAG,
}
_AUGMENT: dict[str, Kind] = {"flip": FLAG, "crop": COUNT}


def lower_data(data: syntax.Data, report: Report) -> Data | None:
    """The data statement, its path made relative to where wootzc runs."""
    kind: Any = "auto"
    if data.kind is not None:
        kind = data.kind.text
        if kind not in KINDS:
            report.error(
                data.kind.span, "WZ076", f"wootzc reads no data of kind `{kind}`",
                did_you_mean(kind, KINDS, "write folder(…), zip(…), parquet(…) or npz(…)"),
            )  # fmt: skip
            kind = "auto"
    if not data.path.value:
        report.error(data.path.span, "WZ075", "the path is empty", 'write `data "digits.npz"`')
    options = _flags(data.options, _DATA, "data", report)
    if options.get("validation") == 0:
        report.error(
            data.span, "WZ071", "`validation` must be above 0: the search looks at these images",
            "write `validation 15%`",
        )  # fmt: skip
    if options.get("test") == 0:
        report.warn(
            data.span, "WZ071", "`test 0` needs data with a test part of its own",
            "where it has none, build ends before anything is trained: write `test 15%`",
        )  # fmt: skip
    if options.get("validation", 0.15) + options.get("test", 0.15) >= 1:
        report.error(
            data.span, "WZ071", "`validation` and `test` leave no images to train on",
            "together they must stay below 100%; each is 15% unless the file says otherwise",
        )  # fmt: skip
    return Data(path=resolve(data.path.value, data.path.span.file), kind=kind, **options)


def lower_augment(augment: syntax.Augment | None, report: Report) -> Augment:
    settings = augment.settings if augment else None
    return Augment(**_flags(settings, _AUGMENT, "augment", report))


def lower_teacher(teacher: syntax.Teacher | None, report: Report) -> Recipe | FromFile:
    if teacher is None:
        return lower_recipe("teacher", None, report)
    if isinstance(teacher.source, syntax.Settings):
        return lower_recipe("teacher", teacher.source, report)
    if os.path.splitext(teacher.source.value)[1] != ".safetensors":
        report.error(
            teacher.source.span, "WZ071", "weights are read from .safetensors files only",
            'write `teacher from "weights.safetensors"`; docs/language.md names its tensors',
        )  # fmt: skip
    return FromFile(path=resolve(teacher.source.value, teacher.source.span.file))


def _flags(
    settings: syntax.Settings | None, known: dict[str, Kind], block: str, report: Report
) -> dict[str, Any]:
    """Settings as keyword arguments; a flag alone, `stream`, means on."""
    values: dict[str, Any] = {}
    if settings is None:
        return values
    for setting in read_settings(settings, list(known), block, report):
        name = setting.name.text
        if known[name] is FLAG and setting.arguments is None and setting.value is None:
            values[name] = True
            continue
        value = setting_value(setting, known[name], report)
        if value is not None:
            values[name] = value
    return values
