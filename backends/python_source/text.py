"""What generated Python files have in common, whichever library they use."""

import keyword
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from textwrap import wrap

# What a generated file does when it is run, behind its own `load` and `predict`.
MAIN = '''
def read_images(names):
    """Image files, converted and cropped to the input's shape."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise SystemExit("image files need Pillow: pip install pillow") from None
    height, width, channels = INPUT
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels)
    if mode is None:
        way = "give the values in an .npz file"
        raise SystemExit(f"no image file has {channels} channels: {way}")
    found = []
    for name in names:
        try:
            image = Image.open(name)
            if image.mode.startswith("I"):  # 16 bits, of which the upper 8 count
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            image = image.convert(mode)
        except OSError as error:
            reason = error.strerror or error
            raise SystemExit(f"can't read the image {name}: {reason}") from None
        image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        found.append(np.asarray(image).reshape(INPUT))
    return np.stack(found)


def read_arrays(path):
    """What an .npz file holds: "images", and perhaps "labels" and "logits"."""
    try:
        file = dict(np.load(path, allow_pickle=False))
    except (EOFError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "it is no .npz file of numbers"
        raise SystemExit(f"can't read {path}: {reason}") from None
    if "images" not in file or file["images"].shape[1:] != INPUT:
        raise SystemExit(f"{path} must hold images of shape (n, *{INPUT})")
    return file


def named(label):
    return CLASSES[label] if 0 <= label < len(CLASSES) else label


def show(scores, labels=None, names=None):
    """One line per image: the class, how sure, and the label where there is one."""
    chances = SOFTMAX
    for i, row in enumerate(chances):
        best = int(row.argmax())
        line = f"{names[i] if names else f'image {i}'}: {named(best)} ({row[best]:.1%})"
        if labels is not None:
            wrong = "" if labels[i] == best else "  WRONG"
            line += f", label {named(labels[i])}{wrong}"
        print(line)


def main(arguments):
    if arguments and not arguments[0].endswith(".npz"):
        show(predict(load(), read_images(arguments)), names=arguments)
        return 0
    file = read_arrays(arguments[0] if arguments else HERE / "example.npz")
    scores = predict(load(), file["images"])
    labels = np.ravel(file.get("labels", ()))
    if labels.dtype.kind not in "iu" or len(labels) != len(scores):
        labels = None
    show(scores, labels)
    if labels is not None:
        right = np.mean(scores.argmax(axis=1) == labels)
        print(f"{right:.1%} of {len(labels)} labels right")
    if "logits" in file:
        apart = float(np.abs(scores - file["logits"]).max())
        print(f"largest difference to the stored logits: {apart:.2g}")
        return 0 if np.allclose(scores, file["logits"], rtol=1e-3, atol=1e-3) else 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
'''


def class_name(base: str, taken: Collection[str]) -> str:
    """`res_block` → "ResBlock", numbered where that is taken."""
    joined = "".join(part[:1].upper() + part[1:] for part in base.split("_"))
    if not joined.isidentifier() or keyword.iskeyword(joined):
        joined = f"Segment{joined}"
    return joined if joined not in taken else unused(joined, taken)


def unused(name: str, taken: Collection[str]) -> str:
    """The name with the first number behind it, from 2 on, that makes it a new one."""
    return next(new for i in count(2) if (new := f"{name}_{i}") not in taken)


def attributes(segments: Iterable[str], reserved: Collection[str]) -> dict[str, str]:
    """An attribute of the network for every segment: its name, unless that is taken or reserved.

    With `_` in front it is: Python and classes of modules have many such names.
    """
    names = list(segments)
    taken = {*reserved, *names}
    found = {}
    for name in names:
        own = f"segment{name}" if name.startswith("_") else name
        free = own == name or own not in taken
        free = free and own not in reserved and not keyword.iskeyword(own)
        found[name] = own if free else unused(own, taken)
        taken.add(found[name])
    return found


def documented(words: str, width: int) -> Iterator[str]:
    """The docstring of a class, in lines of at most `width` characters."""
    lines = wrap(words, width - 10)
    if len(lines) == 1:
        yield f'    """{words}"""'
        return
    yield f'    """{lines[0]}'
    yield from (f"    {line}" for line in lines[1:])
    yield '    """'


def quoted(value: str) -> str:
    """A Python literal in double quotes unless that takes more escapes."""
    literal = repr(value)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in literal else literal


def filled(items: Iterable[str], width: int) -> Iterator[str]:
    """Items with commas, as many a line as fit."""
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > width and line.strip():
            yield line
            line = "   "
        line += f" {item},"
    if line.strip():
        yield line
