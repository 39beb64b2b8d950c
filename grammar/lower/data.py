"""Where images come from, how they are split and varied, and where the teacher comes from."""

import os
import re
from collections.abc import Mapping
from typing import Any

from wootzc.diagnostics import write
from wootzc.grammar import syntax
from wootzc.grammar.check.arguments import COUNT, FLAG, LIST, PART, Kind
from wootzc.grammar.check.report import Report
from wootzc.grammar.check.values import Value
from wootzc.grammar.lower.program import resolve
from wootzc.grammar.lower.recipe import lower_recipe
from wootzc.grammar.lower.resolved import Resolved
from wootzc.grammar.lower.settings import read_settings, setting_value
from wootzc.grammar.syntax.near_misses import did_you_mean, meant
from wootzc.ir.net.network import Network
from wootzc.ir.space.recipe import IMAGENET, Augment, Data, FromFile, Precision, Recipe

WEIGHTS = (".safetensors", ".onnx")  # what a teacher is read from
KINDS = ("npz", "folder", "zip", "parquet")


def _normalize(value: Value) -> bool | str:
    return "imagenet" if value == "imagenet" else FLAG.read(value)


DATA: dict[str, Kind] = {
    "validation": PART,
    "test": PART,
    "limit": COUNT,
    "normalize": Kind("`true`, `false` or `imagenet`", _normalize),
    "mean": LIST,
    "std": LIST,
    "stream": FLAG,
}
_DATA_ALIASES = {
    "val": "validation {}", "valid": "validation {}", "dev": "validation {}",
    "val_split": "validation {}", "validation_split": "validation {}", "test_split": "test {}",
    "max": "limit {}", "first": "limit {}", "images": "limit {}", "lazy": "stream",
    "streaming": "stream", "scale": "normalize", "standardize": "normalize", "sd": "std({})",
}  # fmt: skip
_AUGMENT_ALIASES = {
    "hflip": "flip", "horizontal_flip": "flip", "random_flip": "flip", "mirror": "flip",
    "random_crop": "crop({})", "pad": "crop({})", "padding": "crop({})", "shift": "crop({})",
}  # fmt: skip
_KIND_ALIASES = {
    "image_folder": "folder", "imagefolder": "folder", "directory": "folder", "dir": "folder",
    "images": "folder", "numpy": "npz", "np": "npz", "arrays": "npz", "archive": "zip",
    "pq": "parquet", "arrow": "parquet",
}  # fmt: skip
SWITCHES = ("normalize", "stream", "flip")  # alone, they mean on
AUGMENT: dict[str, Kind] = {"flip": FLAG, "crop": COUNT}


def lower_data(data: syntax.Data, report: Report) -> Data | None:
    """The data statement, its path made relative to where wootzc runs."""
    kind: Any = "auto"
    if data.kind is not None:
        kind = data.kind.text
        if kind not in KINDS:
            report.error(
                data.kind.span, "WZ076", f"wootzc reads no data of kind `{kind}`",
                meant(_KIND_ALIASES[kind.lower()]) if kind.lower() in _KIND_ALIASES
                else did_you_mean(kind, KINDS, "as in folder(…), zip(…), parquet(…) or npz(…)"),
            )  # fmt: skip
            kind = "auto"
    if not data.path.value:
        report.error(data.path.span, "WZ075", "the path is empty", 'as in `data "digits.npz"`')
    if re.match(r"\w+://", data.path.value):
        report.error(
            data.path.span, "WZ076", "images are read from a file or a folder, not from an address",
            "download them first",
        )  # fmt: skip
    options = read_flags(data.options, DATA, "data", report, _DATA_ALIASES)
    if options.get("validation") == 0:
        report.error(
            data.span, "WZ071", "`validation` must be above 0: the search looks at these images",
            "as in `validation 15%`",
        )  # fmt: skip
    settings = data.options.settings if data.options else ()
    if options.get("test") == 0:
        report.warn(
            data.span, "WZ071", "`test 0` needs data with a test part of its own",
            write("test 15%", " where it has none: build would end before anything is trained",
                  at=next(s.span for s in settings if s.name.text == "test")),
        )  # fmt: skip
    if options.get("validation", 0.15) + options.get("test", 0.15) >= 1:
        report.error(
            data.span, "WZ071", "`validation` and `test` leave no images to train on",
            "together they must stay below 100%; each is 15% unless the file says otherwise",
        )  # fmt: skip
    _settle_normalization(data, options, report)
    return Data(path=resolve(data.path.value, data.path.span.file), kind=kind, **options)


def _settle_normalization(data: syntax.Data, options: dict[str, Any], report: Report) -> None:
    """`normalize imagenet` stands for a mean and a deviation; these two come together."""
    if options.get("normalize") == "imagenet":
        options |= {"normalize": True, **IMAGENET}
    given = [name for name in ("mean", "std") if name in options]
    if len(given) == 1 or (given and options.get("normalize") is False):
        report.error(
            data.span, "WZ071", "`mean` and `std` come together, and without `normalize false`",
            "as in `mean(0.5); std(0.25)`, one number or one per channel, of pixels from 0 to 1",
        )  # fmt: skip
    if any(value <= 0 for value in options.get("std", ())):
        report.error(data.span, "WZ071", "`std` divides the pixels, so it must be above 0")


def lower_augment(augment: syntax.Augment | None, report: Report) -> Augment:
    settings = augment.settings if augment else None
    return Augment(**read_flags(settings, AUGMENT, "augment", report, _AUGMENT_ALIASES))


def check_normalization(
    stated: syntax.Data | None, data: Data | None, network: Network, report: Report
) -> None:
    """Figures for each channel are as many as the images have."""
    if stated is None or data is None or len(network.input) != 3 or 3 in network.input[:2]:
        return  # what looks like channels first is said there
    channels = network.input[2]
    settings = stated.options.settings if stated.options else ()
    for name, values in (("mean", data.mean), ("std", data.std)):
        if len(values) in (0, 1, channels):
            continue
        at = next((s for s in settings if s.name.text == name), None)
        if at is None and name == "std":
            return  # both are those of `normalize imagenet`
        span = at.span if at else next(s.span for s in settings if s.name.text == "normalize")
        report.error(
            span, "WZ071",
            f"{'`normalize imagenet`' if at is None else f'`{name}`'} has {len(values)} numbers, "
            f"but the images of network `{network.name}` have {channels} "
            f"channel{'s' * (channels > 1)}",
            "give one number, or one per channel" if at else "as in `mean(0.45); std(0.22)`",
        )  # fmt: skip


def check_crop(
    stated: syntax.Augment | None, augment: Augment, network: Network, report: Report
) -> None:
    """A crop shifts an image by up to so many pixels, so no image has fewer."""
    side = min(network.input[:2])
    if side <= 4:  # which looks like channels first, as is said there
        return
    if stated is None or not augment.crop or len(network.input) != 3 or augment.crop <= side:
        return
    span = next(s.span for s in stated.settings.settings if s.name.text == "crop")
    report.error(
        span, "WZ071",
        f"`crop` pads by {augment.crop} pixels, but the images have only {side}: most of what is "
        "cut out would be padding",
        write(f"crop({max(1, side // 8)})", f", or another number up to {side}"),
    )  # fmt: skip


def lower_teacher(
    teacher: syntax.Teacher | None,
    found: Resolved | None,
    space: syntax.Name,
    precision: Precision,
    report: Report,
) -> Recipe | FromFile:
    """Settings train: from the network's own weights or those of a file where there are some."""
    settings = teacher.settings if teacher else None
    path = found.weights if found else None
    if teacher is not None and teacher.path is not None:
        path = resolve(teacher.path.value, teacher.path.span.file)
        _check_weights(teacher.path, report)
    recipe = lower_recipe("teacher", settings, precision, report)
    if found is not None and found.new_head and path is not None and settings is None:
        report.error(
            teacher.span if teacher else space.span, "WZ095",
            "`classes` gives the network a new last layer, so the teacher must be trained",
            "add: teacher { steps 1000 }   // it goes on from the weights of the file",
        )  # fmt: skip
    if path is None:
        return recipe
    return FromFile(path=path, recipe=recipe if settings else None)


def _check_weights(path: syntax.Text, report: Report) -> None:
    suffix = os.path.splitext(path.value)[1].lower()
    if suffix in WEIGHTS:
        return
    pickled = suffix in {".pth", ".pt", ".bin", ".ckpt", ".pkl"}
    report.error(
        path.span, "WZ071", f"weights are read from {' and '.join(WEIGHTS)} files only",
        "such files may run code when they are loaded; save yours in PyTorch with: "
        'safetensors.torch.save_file(model.state_dict(), "weights.safetensors")' if pickled
        else 'as in `teacher from "weights.safetensors"`; docs/language.md names its tensors',
    )  # fmt: skip


def read_flags(
    settings: syntax.Settings | None,
    known: dict[str, Kind],
    block: str,
    report: Report,
    aliases: Mapping[str, str],
) -> dict[str, Any]:
    """Settings as keyword arguments; a flag alone, `stream`, means on."""
    values: dict[str, Any] = {}
    if settings is None:
        return values
    for setting in read_settings(settings, list(known), block, report, hints=aliases):
        name = setting.name.text
        if name in SWITCHES and setting.arguments is None and setting.value is None:
            values[name] = True
            continue
        value = setting_value(setting, known[name], report)
        if value is not None:
            values[name] = value
    return values
