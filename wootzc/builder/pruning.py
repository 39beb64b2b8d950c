"""`wootzc.prune`: a build of a model and images that are there in Python.

They are written into the result folder together with the `.wz` file that names them, and that file
is built: `wootzc build OUT/given/NAME.wz` does the same.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from wootzc.builder.given import (
    Given,
    Labelled,
    Model,
    Weights,
    given_model,
    labelled,
    write_images,
    write_weights,
)
from wootzc.builder.jobs.events import Event, Warned
from wootzc.builder.pruned import Pruned
from wootzc.builder.result.earlier import make_folder
from wootzc.builder.result.replay import load_best
from wootzc.builder.run import Options, build
from wootzc.builder.screen import Screen
from wootzc.diagnostics import WootzError, fail
from wootzc.driver import analyze_file, as_set
from wootzc.files import write_atomically
from wootzc.grammar.space.rates import RATES
from wootzc.ir.net.criteria import Criterion
from wootzc.ir.net.metrics import CostName
from wootzc.ir.net.network import Network
from wootzc.ir.net.skip import can_be_skipped
from wootzc.ir.net.trunk import trunks
from wootzc.ir.passes import Pass

DATA, TEACHER = "data.npz", "teacher.safetensors"

# Ways out of warnings by their code, in the words of `prune`: their own are those of `.wz` files.
WAYS = {
    "WZ180": "give more images for validation (validation=0.3), or allow a larger drop "
    '(accuracy="teacher - 3 points")',
    "WZ181": "give images that it has never seen: validation=(images, labels), "
    "test=(images, labels)",
    "WZ182": 'its images may want another scale (normalize="imagenet" or normalize=False); a '
    'network that is trained here may want longer: settings={"teacher.epochs": 60}',
}

Narrow = str | Iterable[str] | Mapping[str, Iterable[float]]  # trunks, or their rates
Part = float | tuple[Any, Any] | Iterable[Any] | None  # a share, images and labels, or batches


def prune(
    model: Model,
    images: Any,
    labels: Any = None,
    *,
    weights: Weights | None = None,
    rates: Iterable[float] | None = None,
    minimize: CostName = "params",
    accuracy: float | str = "teacher - 1 points",
    each: bool = False,
    by: Criterion = "l1",
    narrow: Narrow | None = None,
    skip: str | Iterable[str] | None = None,
    validation: Part = None,
    test: Part = None,
    normalize: bool | str | None = None,  # True, False or "imagenet"
    settings: Mapping[str, object] | None = None,
    passes: Sequence[Pass] | None = None,
    out: str | os.PathLike[str] | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Pruned:
    """The smallest version of a model that is accurate enough, and where it was written.

    `model`: the path of an ONNX file or prototxt, a name of the zoo, a `Network`, an `Imported`, or
    a flax.nnx model. `weights`: of a model that has none, a file or arrays; without, it is trained.
    `images` [n, height, width, channels], bytes or floats, and `labels` [n]; or an iterable of
    batches of both, which is gone through once; or the path of images in files.

    `rates`: of the filters inside of modules; by default those of the language. `each`: every group
    of filters inside of a module has one of them, not all of it one.
    `by`: which filters go first. `narrow`: the channels between modules that may go too, ["t1",
    "t2"], or with their rates, {"t*": (0, 0.5), "t1": (0, 0.25)}; by default all (with `each`
    none), () for none. `skip`: modules that may be left out whole, ["b2", "b3"]; by default and
    with () likewise. `accuracy`: a fraction, or as the language writes it. `validation` and `test`:
    a share of the images, a pair (images, labels), or batches. `normalize`: by default the images
    of a model that brings its weights are as the model takes them (bytes are divided by 255),
    others are normalised. `settings`: as `--set`, {"finetune.steps": 500, "budget": "10 minutes"}.

    Everything goes into the folder `out`, build/NAME by default; the next result there replaces it.
    Warnings and notes come as Python's warnings; `progress` shows the screen of `wootzc build`.
    Raises `WootzError`.
    """
    files = isinstance(images, str | os.PathLike)
    parts = _parts(images, labels, validation, test)
    given = given_model(model, parts.get("train"), weights)
    folder = Path(out) if out is not None else Path("build") / given.name
    options = [
        f"{name} {float(share)!r}"
        for name, share in (("validation", validation), ("test", test))
        if isinstance(share, float | int | np.number)
    ]
    if normalize is not None:
        options.append(f"normalize {str(normalize).lower()}")
    elif given.trained and not files:
        options.append("normalize false")
    data = f'data "{os.path.abspath(images) if files else DATA}" {{ {"; ".join(options)} }}'
    if settings is not None and not isinstance(settings, Mapping):
        raise _no("settings", settings, '{"finetune.steps": 500}, a dict')
    chosen = as_set(settings)
    make_folder(folder)
    source = folder / "given" / f"{given.name}.wz"
    stated = [data, *_variables(rates, each, by, narrow or (), skip or ())]
    _write(source, given, parts, _text(given, stated, minimize, accuracy))
    analysis = analyze_file(source, chosen)
    more = [
        line
        for space in analysis.spaces
        for line in _by_default(space.network, by, () if each else narrow, skip)
        if "configs" not in chosen and line.split()[0] not in chosen
    ]
    if more:
        plain = source.read_text(encoding="utf-8")
        write_atomically(source, _text(given, [*stated, *more], minimize, accuracy))
        wider = analyze_file(source, chosen)
        if wider.spaces:
            analysis = wider
        else:  # too many choices for one module, say, which nobody asked for
            write_atomically(source, plain)
    warn = _warner(sys._getframe(1))
    for one in analysis.diagnostics:
        if one.severity == "warning":
            warn(Warned(message=one.message, code=one.code, help=one.help))
    for note in (*given.notes, *analysis.notes):
        warn(Warned(message=note))
    how = Options(
        out=folder,
        store=None if store is None else os.fspath(store),
        overrides=chosen,
        passes=passes,
    )
    listening: Any = Screen() if progress else nullcontext(warn)
    with listening as listener:
        built = build(source, how, [listener])
    network, found = load_best(built.out)
    return Pruned(out=built.out, network=network, weights=found, result=built.result)


def _warner(caller: FrameType) -> Callable[[Event], None]:
    """A build listener that warns of the line which the caller is at.

    A build is deep, and its listeners are called from many places: no `stacklevel` fits them all,
    and `skip_file_prefixes` is of Python 3.12.
    """
    seen = caller.f_globals.setdefault("__warningregistry__", {})

    def warn(event: Event) -> None:
        if isinstance(event, Warned):
            way = WAYS.get(event.code or "", event.help)
            text = " ".join(part for part in (event.code, event.message) if part)
            text += f"; {way}" if way else ""
            file, line = caller.f_code.co_filename, caller.f_lineno
            warnings.warn_explicit(text, UserWarning, file, line, registry=seen)

    return warn


def _parts(images: Any, labels: Any, validation: Part, test: Part) -> dict[str, Labelled]:
    """What is given as arrays or batches, by the names that `.npz` files have for it."""
    files = isinstance(images, str | os.PathLike)
    if files and labels is not None:
        raise fail(
            "WZ186",
            f"labels are given, but the images stand in files, {images}",
            "leave the labels out: docs/data.md says where they stand; or give images as an array",
        )
    parts = {} if files else {"train": labelled(images, labels)}
    for name, key, part in (("validation", "val", validation), ("test", "test", test)):
        if part is None or isinstance(part, float | int | np.number):
            continue
        if isinstance(part, str | os.PathLike):
            raise _no(name, part, "a share of the images, 0.2, or images and labels of its own")
        if files:
            raise fail(
                "WZ186",
                f"images for {name} are given, but the others stand in files",
                f"put them beside those, in a folder `{name}`; or give a fraction",
            )
        own, numbers = part if isinstance(part, tuple) and len(part) == 2 else (part, None)
        parts[key] = labelled(own, numbers, f" for {name}")
    return parts


def _write(source: Path, given: Given, parts: Mapping[str, Labelled], text: str) -> None:
    if parts:
        write_images(source.with_name(DATA), parts)
    if given.weights:
        write_weights(source.with_name(TEACHER), given.weights)
    write_atomically(source, text)


def _variables(
    rates: Iterable[float] | None,
    each: bool,
    by: Criterion,
    narrow: Narrow,
    skip: str | Iterable[str],
) -> list[str]:
    """The statements that say what may go."""
    lines = [f"prune * by {by}"]
    if rates is not None or each:  # without either, the language has its own
        own = _listed(RATES if rates is None else rates)
        lines.insert(0, f"rates {own}{' each' if each else ''}")
    if isinstance(narrow, Mapping):
        lines += [f"narrow {t} by {by} rates {_listed(own, 'narrow')}" for t, own in narrow.items()]
    elif narrow:
        lines.append(f"narrow {_patterns(narrow, 'narrow')} by {by}")
    if skip:
        lines.append(f"skip {_patterns(skip, 'skip')}")
    return lines


def _by_default(
    network: Network, by: Criterion, narrow: Narrow | None, skip: str | Iterable[str] | None
) -> Iterator[str]:
    """What may go besides filters, where nothing is said of it and the network has it."""
    if narrow is None and trunks(network):
        yield f"narrow t* by {by}"
    if skip is None and any(map(can_be_skipped, network.modules)):
        yield "skip *"


def _patterns(names: str | Iterable[str], of: str) -> str:
    try:
        return names if isinstance(names, str) else ", ".join(names)
    except TypeError:
        raise _no(of, names, 'names or patterns, ["t1", "t2"] or "t*"') from None


def _listed(rates: Iterable[float], of: str = "rates") -> str:
    try:
        return f"{{ {', '.join(repr(float(rate)) for rate in rates)} }}"
    except (TypeError, ValueError):
        raise _no(of, rates, "rates as fractions, several of them: (0, 0.3, 0.5)") from None


def _no(argument: str, given: object, wanted: str) -> WootzError:
    return fail("WZ186", f"`{argument}` can't be {given!r}", f"give {wanted}")


def _text(
    given: Given,
    stated: Sequence[str],  # data, and what may go
    minimize: str,
    accuracy: float | str,
) -> str:
    """The source: what was given, and the language's defaults for all else."""
    teacher = TEACHER if given.weights else given.teacher
    lines = [
        *stated,
        *([f'teacher from "{teacher}"'] if teacher else []),
        f"minimize {minimize}",
        f"subject to accuracy >= {accuracy}",
    ]
    body = "".join(f"  {line}\n" for line in lines)
    return f"{given.text}\nspace {given.name} over {given.name} {{\n{body}}}\n"
