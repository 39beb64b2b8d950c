"""Fields of a message, read by name and type. What nobody asks for is refused, as Caffe does."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from wootzc.grammar.imports.prototxt.text_format import Field, Message, Place, Scalar
from wootzc.grammar.syntax.near_misses import did_you_mean, either, nearest
from wootzc.ir.graph import Refused
from wootzc.ir.layers import Pair

MAX_WHOLE = 2**31 - 1  # more is a slip: Caffe's sizes are 32-bit


@dataclass(slots=True, kw_only=True)
class Fields:
    """`message`, called `name` in what is said of it. Each method raises `Refused`."""

    name: str
    message: Message
    place: Place
    _asked: set[str] = field(default_factory=set)

    def all(self, name: str) -> Sequence[Field]:
        """Every value of a repeated field."""
        self._asked.add(name)
        return [f for f in self.message.fields if f.name == name]

    def one(self, name: str) -> Field | None:
        """The field of this name, or None. Raises `Refused` where it stands twice."""
        found = self.all(name)
        if len(found) > 1:
            raise found[1].place.refuse(
                f"`{name}` stands in `{self.name}` twice", "remove one of them"
            )
        return found[0] if found else None

    def has(self, *names: str) -> bool:
        return any(self.all(name) for name in names)

    def message_of(self, name: str) -> "Fields":
        """The message in a field; an empty one where it is missing."""
        found = self.one(name)
        if found is None:
            return Fields(name=name, message=Message(fields=()), place=self.place)
        return as_message(found)

    def text(self, name: str, default: str = "") -> str:
        found = self.one(name)
        return default if found is None else as_text(found)

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(as_text(f) for f in self.all(name))

    def whole(self, name: str, default: int | None = None, least: int = 1) -> int:
        """A whole number; without `default` it must be there."""
        found = self.one(name)
        if found is not None:
            return as_whole(found, least)
        if default is None:
            near = nearest(name, (f.name for f in self.message.fields if f.name not in self._asked))
            raise self.place.refuse(
                f"`{self.name}` has no `{name}`",
                f"should `{near}` be `{name}`?" if near else f"write `{name}: …` into it",
            )
        return default

    def signed(self, name: str, default: int) -> int:
        found = self.one(name)
        return default if found is None else as_whole(found, -MAX_WHOLE)

    def wholes(self, name: str, least: int = 1) -> tuple[int, ...]:
        return tuple(as_whole(f, least) for f in self.all(name))

    def number(self, name: str, default: float) -> float:
        found = self.one(name)
        return default if found is None else as_number(found)

    def numbers(self, name: str) -> tuple[float, ...]:
        return tuple(as_number(f) for f in self.all(name))

    def flag(self, name: str, default: bool) -> bool:
        """`true` or `false`, in any spelling of protobuf. Raises `Refused` for anything else."""
        found = self.one(name)
        if found is None:
            return default
        text = found.value.text if isinstance(found.value, Scalar) else ""
        if text not in _FLAGS:
            raise wrong(found, "`true` or `false`")
        return _FLAGS[text]

    def choice(self, name: str, options: Mapping[str, int], default: str) -> str:
        """A word of an enumeration, or its number."""
        found = self.one(name)
        if found is None:
            return default
        text = found.value.text if isinstance(found.value, Scalar) else ""
        for word, number in options.items():
            if text in (word, str(number)):
                return word
        raise wrong(found, either(f"`{word}`" for word in options))

    def pair(self, name: str, default: int | None = None, least: int = 1) -> Pair:
        """(height, width), written `name: 3`, as two values, or by `name_h` and `name_w`."""
        stem = name.removesuffix("_size")
        tall, wide = f"{stem}_h", f"{stem}_w"
        values = self.wholes(name, least)
        if self.has(tall, wide):
            if values:
                raise self.all(name)[0].place.refuse(
                    f"`{name}` stands beside `{tall}` and `{wide}`", "leave out one or the others"
                )
            fallback = default if least == 0 else None
            return self.whole(tall, fallback, least), self.whole(wide, fallback, least)
        if len(values) > 2:
            raise self.all(name)[2].place.refuse(
                f"`{name}` has {len(values)} values: images have height and width"
            )
        if values:
            return values[0], values[-1]
        size = self.whole(name, default, least)
        return size, size

    def finish(self, ignored: Iterable[str] = ()) -> None:
        """Refuse a field that was neither asked for nor is `ignored`."""
        for found in self.unread(ignored):
            known = sorted(self._asked | set(ignored))
            raise found.place.refuse(
                f"`{self.name}` has no field `{found.name}`", did_you_mean(found.name, known)
            )

    def unread(self, ignored: Iterable[str]) -> Iterator[Field]:
        """Fields that nobody asked for, but those of `ignored`."""
        known = self._asked | set(ignored)
        return (found for found in self.message.fields if found.name not in known)


_FLAGS = {"true": True, "false": False, "t": True, "f": False, "1": True, "0": False}


def as_message(found: Field) -> Fields:
    """The fields in braces. Raises `Refused` where it is no message."""
    if not isinstance(found.value, Message):
        raise wrong(found, "fields in braces")
    return Fields(name=found.name, message=found.value, place=found.place)


def as_text(found: Field) -> str:
    """A text in quotes. Raises `Refused` for anything else."""
    match found.value:
        case Scalar(kind="text", text=text):
            return text
        case _:
            raise wrong(found, "a text in quotes")


def as_whole(found: Field, least: int) -> int:
    """A whole number from `least` to `MAX_WHOLE`. Raises `Refused`."""
    expected = f"a whole number from {least}" if least == 1 else "a whole number"
    match found.value:
        case Scalar(kind="number", text=text) if len(text) <= 20:
            try:
                number = int(text, 16 if text.lower().startswith("0x") else 10)
            except ValueError:
                raise wrong(found, expected) from None
        case _:
            raise wrong(found, expected)
    if not least <= number <= MAX_WHOLE:
        raise wrong(found, f"{expected} to {MAX_WHOLE}" if number > MAX_WHOLE else expected)
    return number


def as_number(found: Field) -> float:
    """A finite number. Raises `Refused` for anything else."""
    match found.value:
        case Scalar(kind="number", text=text):
            try:
                number = float(text.rstrip("fF"))
            except ValueError:
                raise wrong(found, "a number") from None
        case _:
            raise wrong(found, "a number")
    if not math.isfinite(number):
        raise wrong(found, "a number within reach")
    return number


def wrong(found: Field, expected: str) -> Refused:
    """What to raise for a value of the wrong kind."""
    written = "{ … }" if isinstance(found.value, Message) else str(found.value)
    if len(written) > 40:
        written = f"{written[:40]}…"
    return found.place.refuse(f"`{found.name}` must be {expected}, not {written}")
