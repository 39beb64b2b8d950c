"""Valid files → damaged ones, by what they are: bytes, words, fields of a message, zip entries."""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from random import Random

Mutate = Callable[[bytes, Random], bytes]

NUMBERS = (
    b"0", b"-1", b"1", b"-8", b"2147483647", b"-2147483648", b"4294967296", b"9223372036854775807",
    b"1e308", b"1e999", b"-1e-999", b"nan", b"inf", b"0.5", b"100%", b"1e999999999%", b"0x0",
    b"1_000", b"00", b"99999999999999999999999999",
)  # fmt: skip
TEXTS = (
    b"", b'""', b"[]", b"{}", b"null", b"true", b"..", b"/", b"../../x.png", b"__init__", b"\0",
    b"\xff\xfe", b"\xc3\x28", b"\xf0\x9f\x92\xa9", b"\xed\xa0\x80", b"(" * 60, b"[" * 300, b'"',
    b"'", b"\\", b"\r", b"\x0b", b",", b";", b"//", b"/*", b"$", b"%s", b"a" * 3000,
)  # fmt: skip
WORD = re.compile(rb'"[^"\n]*"|[A-Za-z_]\w*|[-+]?\d[\w.+%]*|\s+|.', re.DOTALL)


def bytes_changed(content: bytes, random: Random) -> bytes:
    """One to six of: bits flipped, bytes cut out, doubled, moved, put in, the end cut off."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        at = random.randrange(len(data) + 1)
        length = random.choice((1, 1, 2, 4, 8, 32, 200))
        match random.randrange(9):
            case 0 | 1 if at < len(data):
                data[at] ^= 1 << random.randrange(8)
            case 2 if at < len(data):
                data[at] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = data[at : at + length] * random.choice((1, 1, 2, 50))
            case 5:
                data[at : at + length] = random.choice((*NUMBERS, *TEXTS))
            case 6:
                del data[at:]
            case 7:
                value = random.choice((0, 1, 2**31 - 1, 2**32 - 1))
                data[at : at + 4] = value.to_bytes(4, "little")
            case _:
                value = random.choice((0, 2**40, 2**63, 2**64 - 1))
                data[at : at + 8] = value.to_bytes(8, "little")
    return bytes(data)


def words_changed(content: bytes, random: Random) -> bytes:
    """Words swapped, doubled, left out, or others in their place."""
    words = WORD.findall(content)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        if not words:
            return bytes_changed(content, random)
        at, other = random.randrange(len(words)), random.randrange(len(words))
        match random.randrange(7):
            case 0:
                words[at], words[other] = words[other], words[at]
            case 1:
                words[at] = words[other]
            case 2:
                del words[at : at + random.choice((1, 1, 2, 5, 20))]
            case 3:
                words[at] = random.choice((*NUMBERS, *TEXTS))
            case 4:
                words[at:at] = words[other : other + random.choice((1, 3, 10, 40))]
            case 5:
                numbers = [i for i, word in enumerate(words) if word[:1].isdigit()]
                if numbers:
                    words[random.choice(numbers)] = random.choice(NUMBERS)
            case _:
                words.insert(at, random.choice((b"{", b"}", b"(", b")", b"[", b"]", b"\n", b";")))
    return b"".join(words)


def text_changed(content: bytes, random: Random) -> bytes:
    return (bytes_changed if random.random() < 0.3 else words_changed)(content, random)


def entry(name: str) -> zipfile.ZipInfo:
    """Without the time of day: a case is always the same file."""
    return zipfile.ZipInfo(name)


def entries_changed(content: bytes, random: Random) -> bytes:
    """An archive whose entries were changed, with their checksums; or the archive itself."""
    if random.random() < 0.4:
        return bytes_changed(content, random)
    out = io.BytesIO()
    way = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", way) as new:
        names = old.namelist()
        chosen = random.choice(names)
        for name in names:
            data = old.read(name)
            if name == chosen:
                match random.randrange(5):
                    case 0:
                        changed = text_changed(name.encode(), random).decode(errors="replace")
                        name = changed.partition("\0")[0] or "x"
                    case 1 if len(names) > 1:
                        continue
                    case _:
                        # Mostly where the header is: what it declares is what readers trust.
                        cut = random.choice((128, 128, len(data)))
                        data = text_changed(data[:cut], random) + data[cut:]
            new.writestr(entry(name), data, way)
    return out.getvalue()


def fields_changed(content: bytes, random: Random) -> bytes:
    """An ONNX model whose fields were changed, still a message; or its bytes."""
    if random.random() < 0.25:
        return bytes_changed(content, random)
    import onnx

    model = onnx.ModelProto.FromString(content)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        _change_message(model, random)
    return bytes(model.SerializeToString())


def _change_message(message: object, random: Random) -> None:
    """Walk down to a random field, and change it."""
    while True:
        fields = message.ListFields()  # type: ignore[attr-defined]
        if not fields:
            return
        field, value = random.choice(fields)
        inside = field.message_type is not None
        repeated = not isinstance(value, str | bytes | int | float) and hasattr(value, "__len__")
        if inside and random.random() < 0.9:
            message = random.choice(value) if repeated else value
            continue
        _change_field(message, field.name, value, repeated=repeated, random=random)
        return


def _change_field(
    message: object, name: str, value: object, *, repeated: bool, random: Random
) -> None:
    if repeated:
        items: list[object] = list(value)  # type: ignore[call-overload]
        at = random.randrange(len(items))
        match random.randrange(4):
            case 0:
                del items[at]
            case 1:
                items.insert(random.randrange(len(items) + 1), items[at])
            case 2:
                random.shuffle(items)
            case _:
                items[at] = _other(items[at], random)
        message.ClearField(name)  # type: ignore[attr-defined]
        getattr(message, name).extend(items)
    elif random.random() < 0.2 or hasattr(value, "ListFields"):
        message.ClearField(name)  # type: ignore[attr-defined]
    else:
        try:
            setattr(message, name, _other(value, random))
        except (ValueError, TypeError):  # an enumeration, a number that does not fit
            message.ClearField(name)  # type: ignore[attr-defined]


INTEGERS = (0, 1, -1, -8, 2, 3, 7, 17, 255, 65_536, 2**31 - 1, 2**40, 2**62, -(2**62))
FLOATS = (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"))
KINDS: Sequence[str] = (
    "Add", "Mul", "Conv", "Relu", "MaxPool", "Reshape", "Concat", "Flatten", "Gemm", "Expand",
    "ConstantOfShape", "Identity", "Transpose", "If", "Loop", "Softmax", "Clip", "Shape", "Gather",
)  # fmt: skip


def _other(value: object, random: Random) -> object:
    match value:
        case bool():
            return not value
        case int():
            return random.choice((*INTEGERS, value + 1, value - 1))
        case float():
            return random.choice(FLOATS)
        case str():
            return random.choice((*KINDS, "", "x", "y", "../x", value + "_", value[:-1]))
        case bytes():
            return bytes_changed(value[:64], random) + value[64:]
        case _:
            return value
