"""TextMate, Pygments and the Lark grammar agree on what a word is, on every sample and zoo file."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pygments.token import Comment, Error, Keyword, Name, Number, String, Whitespace

from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.check.values import FUNCTIONS
from wootzc.grammar.syntax.keywords import keywords
from wootzc.grammar.syntax.reader import parser
from wootzc.highlight import WootzLexer

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "editors" / "vscode"
FILES = [*sorted(ROOT.glob("samples/*.wz")), *sorted(ROOT.glob("grammar/zoo/*.wz"))]
FILES += sorted(ROOT.glob("tests/grammar/format/*.wz"))
WORDS = {word for words in keywords().values() for word in words}

# What Lark calls a token, Pygments' kinds, and how TextMate's scopes begin. Names that the grammar
# knows in one place are keywords everywhere in an editor.
KINDS = {
    "STRING": (String, "string"),
    "NUMBER": (Number, "constant.numeric"),
    "SHAPE": (Number, "constant.numeric"),
}


def textmate() -> list[dict[str, Any]]:
    path = EXTENSION / "syntaxes" / "wootzc.tmLanguage.json"
    loaded: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["patterns"]
    return loaded


def alternatives(scope: str) -> set[str]:
    [pattern] = [p for p in textmate() if p.get("name") == scope]
    return set(re.match(r"\\b\(([\w|]*)\)", pattern["match"])[1].split("|"))  # type: ignore[index]


def scopes(text: str) -> Iterator[tuple[int, str, str]]:
    """Place, text and scope, as an editor finds them: the first pattern at the nearest place."""
    rules = [(p, re.compile(p.get("match") or p["begin"], re.MULTILINE)) for p in textmate()]
    at = 0
    while at < len(text):
        found = [
            (m.start(), n) for n, (_, rule) in enumerate(rules) if (m := rule.search(text, at))
        ]
        if not found:
            return
        _, number = min(found)
        pattern, rule = rules[number]
        match = rule.search(text, at)
        assert match is not None and match.end() > match.start()
        at = match.end()
        if "begin" in pattern:
            end = re.compile(pattern["end"]).search(text, at)
            at = end.end() if end else len(text)
            yield match.start(), text[match.start() : at], pattern["name"]
        elif "captures" in pattern:
            for group, capture in pattern["captures"].items():
                yield match.start(int(group)), match[int(group)], capture["name"]
        else:
            yield match.start(), match[0], pattern["name"]


def test_keywords_and_layers_are_those_of_the_compiler() -> None:
    assert alternatives("keyword.control.wootzc") == WORDS
    assert alternatives("support.function.layer.wootzc") == set(BUILT_IN)
    assert alternatives("support.function.number.wootzc") == set(FUNCTIONS)
    for word in (*BUILT_IN, *(f"{name}(1)" for name in FUNCTIONS), "channels"):
        assert next(iter(WootzLexer().get_tokens(word)))[0] in Name.Builtin, word
    for word in WORDS - {"module", "network", "space"}:
        assert next(iter(WootzLexer().get_tokens(word)))[0] is Keyword, word


def test_every_keyword_of_the_grammar_is_found() -> None:
    """Each word in `wz.lark` that is a terminal of its own."""
    grammar = (ROOT / "grammar" / "syntax" / "wz.lark").read_text(encoding="utf-8")
    listed = re.findall(r"^_?[A-Z_]+\.2: /\(?([a-z|]+)\)?\\b/$", grammar, re.MULTILINE)
    assert {word for words in listed for word in words.split("|")} == WORDS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_pygments_and_textmate_see_what_the_compiler_sees(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    pygments = {
        at: (kind, value)
        for at, kind, value in WootzLexer().get_tokens_unprocessed(text)
        if kind is not Whitespace
    }
    editor = {at: (scope, value) for at, value, scope in scopes(text)}
    assert not [value for kind, value in pygments.values() if kind is Error]
    assert (
        "".join(value for _, value in editor.values()).split()
        == "".join(value for _, value in pygments.values()).split()
    ), "every character that is no space is something"
    comments = {at for at, (kind, _) in pygments.items() if kind in Comment}
    assert comments == {at for at, (scope, _) in editor.items() if scope.startswith("comment")}
    for token in parser().lex(text):
        at = token.start_pos
        if at is None or token.type == "_SEP":
            continue
        kind, value = pygments[at]
        scope, shown = editor[at]
        if token.type in KINDS:
            expected, begins = KINDS[token.type]
            assert kind in expected and scope.startswith(begins), token
            assert value == shown == token, token
        elif token.type in keywords():
            named = kind is Name.Class and scope.startswith("entity.name.type")
            assert named or (kind in Keyword and scope.startswith("keyword.control")), token
        elif token.type in ("NAME", "PATTERN"):
            assert kind in Name or token in WORDS, token
            assert value == shown == token, token


def test_pygments_finds_the_lexer_by_its_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [named] = project["entry-points"]["pygments.lexers"].values()
    assert named == f"{WootzLexer.__module__}:{WootzLexer.__name__}"
    assert Path("a.wz").match(WootzLexer.filenames[0]) and "wootzc" in WootzLexer.aliases


def test_the_extension_is_whole() -> None:
    package = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    contributed = package["contributes"]
    named = [package["main"], contributed["grammars"][0]["path"]]
    named.append(contributed["languages"][0]["configuration"])
    assert all((EXTENSION / name).is_file() for name in named)
    assert contributed["languages"][0]["extensions"] == [".wz"]
    lock = (EXTENSION / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in lock, "it names no host"
