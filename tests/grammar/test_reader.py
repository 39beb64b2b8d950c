"""Reading by Lark's tables: as Lark reads, wherever it begins again."""

import random
from pathlib import Path

import pytest
from lark import UnexpectedInput, UnexpectedToken

from wootzc.diagnostics import Span
from wootzc.grammar import syntax
from wootzc.grammar.parse import Memory, parse
from wootzc.grammar.syntax import reader
from wootzc.grammar.syntax.draft import Draft
from wootzc.grammar.syntax.reader import Reading, parser

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
FILES = [*sorted(ROOT.glob("samples/*.wz")), *sorted(FOLDER.glob("*/*.wz"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_stops_where_lark_stops(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    try:
        parser().parse(text, start="file")
    except UnexpectedInput as expected:
        with pytest.raises(type(expected)) as found:
            Reading(Draft(text, "x")).tree()
        assert found.value.pos_in_stream == expected.pos_in_stream
        if isinstance(expected, UnexpectedToken):
            assert isinstance(found.value, UnexpectedToken)
            assert found.value.token == expected.token
            assert found.value.accepts == expected.accepts
    else:
        Reading(Draft(text, "x")).tree()


def test_going_on_from_a_checkpoint_is_reading_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "APART", 7)
    chance = random.Random(0)
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    for _ in range(60):
        text = chance.choice(texts)
        reading = Reading(Draft(text, "x"))
        for _ in range(3):
            start = chance.randrange(len(text) + 1)
            end = min(len(text), start + chance.randrange(60))
            result = outcome(reading)
            assert result == outcome(Reading(reading.draft))
            reading.go_on(reading.draft.without(start, end), start)
        assert outcome(reading) == outcome(Reading(reading.draft))


def test_the_next_version_of_a_file_is_as_if_it_were_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader, "APART", 7)
    chance = random.Random(1)
    for path in FILES[::8]:
        text = path.read_text(encoding="utf-8")
        memory = Memory()
        for _ in range(5):
            at = chance.randrange(len(text) + 1)
            text = text[:at] + chance.choice("}{( ;\n") + text[at + chance.randrange(3) :]
            again, first = parse(text, "x", memory), parse(text, "x")
            assert again == first
            assert spans(again.tree) == spans(first.tree)


def spans(tree: syntax.File | None) -> list[Span]:
    """They are no part of equality."""
    return [] if tree is None else [node.span for node in syntax.descendants(tree)]


def outcome(reading: Reading) -> object:
    try:
        tree = reading.tree()
        return tree, spans(tree)
    except UnexpectedInput as error:
        return type(error), error.pos_in_stream


def test_spans_go_from_the_first_character_to_the_last() -> None:
    text = "module m(w = (1 + 2) * 3) {\n  conv(3x3, w)  // here\n}\n\nspace s over n { }\n"
    tree = parse(text, "x").tree
    assert tree is not None
    module, space = tree.items
    assert text[module.span.start : module.span.end].endswith("// here\n}")
    assert text[space.span.start : space.span.end] == "space s over n { }"
    [parameter] = module.parameters  # type: ignore[union-attr]
    assert parameter.default is not None
    span = parameter.default.span
    assert text[span.start : span.end] == "(1 + 2) * 3"
    assert (tree.span.start, tree.span.end) == (0, len(text))
    empty = parse("", "x").tree
    assert empty is not None and (empty.span.start, empty.span.end) == (0, 0)
