"""Programs made from the grammar, and valid files that were damaged: never an exception."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark

import wootzc.grammar
from wootzc.diagnostics import WootzError, render
from wootzc.driver import analyze_file
from wootzc.grammar import analyze, format_text
from wootzc.grammar.parse import parse
from wootzc.grammar.zoo import zoo_names, zoo_path

GRAMMAR = Lark(
    (Path(wootzc.grammar.__file__).parent / "syntax" / "wz.lark").read_text(encoding="utf-8"),
    start="file", parser="lalr", maybe_placeholders=True,
)  # fmt: skip
SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.wz"))
FILES = [path.read_text(encoding="utf-8") for path in SAMPLES]
FILES += [Path(zoo_path(name)).read_text(encoding="utf-8") for name in zoo_names()[::5]]
WORDS = ("a", "b1", "conv", "norm", "relu", "add", "concat", "basic", "params", "macs", "accuracy",
         "l1", "steps", "sgd", "width", "channels", "max", "round", "shortcut_if_fits", "teacher",
         "input", "dense", "points", "resnet18",
         "predicted", "reconstruct", "images", "candidates", "minutes", "bfloat16")  # fmt: skip


def words(*choices: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{choice} " for choice in choices])


def terminals() -> dict[str, st.SearchStrategy[str]]:
    """What each terminal may be: few enough values for names to meet."""
    chosen = {
        "NAME": words(*WORDS),
        "PATTERN": words("a*", "b?", "*", "c1", "conv"),
        "SHAPE": words("3x3", "8x8x3", "1x7", "0x0", "1x2x3x4"),
        "NUMBER": words("0", "1", "3", "16", "30%", "0.5", "1e-3", "10M", "1e300", "99999999999"),
        "STRING": words('"x.npz"', '"a/b.onnx"', '""', '"c.prototxt"'),
        "COMPARISON": words("<=", ">=", "<", "=="),
        "STAGE": words("pretrain", "finetune"),
        "_SEP": st.sampled_from(["\n", ";", "\n\n"]),
        "SPACES": st.sampled_from([" ", "\n"]),
        "COMMENT": st.sampled_from(["// c\n", "/* c */"]),
    }
    keywords = {
        terminal.name: words(terminal.pattern.value.removesuffix("\\b"))
        for terminal in GRAMMAR.terminals
        if terminal.pattern.type == "re" and terminal.name not in chosen
    }
    return chosen | keywords


PROGRAMS = from_lark(GRAMMAR, start="file", explicit=terminals())


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(PROGRAMS)
def test_programs_of_the_grammar_are_checked_and_printed(text: str) -> None:
    analysis = analyze(text)
    render(analysis.diagnostics, analysis.sources)
    parsed = parse(text, "<text>")
    if parsed.tree is None or parsed.diagnostics:
        return
    printed = format_text(text)
    assert parse(printed, "<text>").tree == parsed.tree
    assert format_text(printed) == printed


def test_many_programs_of_the_grammar_parse() -> None:
    """Or the test above would look at nothing but mistakes."""
    seen: list[bool] = []

    @settings(
        max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck), deadline=None
    )
    @given(PROGRAMS)
    def look(text: str) -> None:
        seen.append(not parse(text, "<text>").diagnostics)

    look()
    assert sum(seen) > len(seen) / 4


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_damaged_files_end_in_diagnostics(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(FILES))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 40)))
        other = data.draw(st.sampled_from(FILES))
        begin = data.draw(st.integers(0, len(other)))
        piece = data.draw(
            st.one_of(
                st.just(""),
                st.just(other[begin : begin + 30]),
                st.text(alphabet="{}()[]\"'/*;,.=%x*-\n\t 019ab\0é", max_size=8),
            )
        )
        text = text[:at] + piece + text[end:]
    analysis = analyze(text)
    render(analysis.diagnostics, analysis.sources)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300))
def test_any_text_ends_in_diagnostics(text: str) -> None:
    analysis = analyze(text)
    assert analysis.diagnostics or not re.sub(r"\s|//.*|/\*.*?\*/|;", "", text)


@settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.binary(max_size=200), st.sampled_from(FILES), st.integers(0, 5_000))
def test_any_bytes_end_in_diagnostics(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, file: str, place: int
) -> None:
    """A file of nothing else, and bytes in the middle of a good one."""
    path = tmp_path_factory.getbasetemp() / "bytes.wz"
    whole = file.encode()
    for written in (content, whole[:place] + content + whole[place:]):
        path.write_bytes(written)
        try:
            analysis = analyze_file(path)
        except WootzError as error:
            (only,) = error.diagnostics
            assert only.code in ("WZ131", "WZ224"), "no text, or a file of another kind"
        else:
            render(analysis.diagnostics, analysis.sources)


NETWORK = "network n { input(3); module a { dense(4); dense(3) } }\n"
HOSTILE = {
    "deep branches": "module m { " + "add { { " * 3000 + "} } " * 3000 + "}",
    "deep brackets": "network n { conv(" + "(" * 100_000 + "1" + ")" * 100_000 + ", 3) }",
    "open brackets": "network n { conv(" + "(" * 100_000,
    "long sums": "network n { input(3); dense(" + "+".join(["1"] * 20_000) + ") }",
    "minus signs": "network n { input(3); dense(" + "-" * 50_000 + "1) }",
    "many modules": "module m { relu }\nnetwork n { input(3); m as a[1..999999999] }",
    "modules in modules": "\n".join(
        f"module m{i} {{ m{i + 1}; m{i + 1} }}" for i in range(60)
    ) + "\nmodule m60 { relu }\nnetwork n { input(3); m0; dense(2) }",
    "large numbers": "network n { input(9999999x9999999x9999999); conv(3x3, 1e308) }",
    "numbers of many digits": "network n { input(3); dense(" + "9" * 100_000 + ") }",
    "exponents of many digits": "network n { input(3); dense(1e" + "9" * 5_000 + ") }",
    "long names": "module " + "a" * 900_000 + " { rleu }",
    "chains of modules": "\n".join(f"module m{i} {{ m{i + 1} }}" for i in range(10_000))
    + "\nmodule m10000 { relu }\nnetwork n { input(3); dense(2) }",
    "circles of modules": "\n".join(
        f"module m{i} {{ m{(i + 1) % 10_000} }}" for i in range(10_000)
    ),
    "modules that are given themselves": "module m(f) { f(f); f(f) }\n"
    "network n { input(3); m(m) as a[1..100]; dense(2) }",
    "modules without layers": "\n".join(
        f"module m{i} {{ m{i + 1}; m{i + 1} }}" for i in range(60)
    ) + "\nmodule m60 { }\nnetwork n { input(3); m0; dense(2) }",
    "chains of modules that are used": "\n".join(
        f"module m{i} {{ m{i + 1} }}" for i in range(5_000)
    ) + "\nmodule m5000 { relu }\nnetwork n { input(3); m0; dense(2) }",
    "chains of defaults": "module m(a0, " + ", ".join(
        f"a{i + 1} = a{i} + a{i}" for i in range(2_000)
    ) + ") { dense(a2000) }\nnetwork n { input(3); m(1) }",
    "chains of constants": "let a0 = 1\n" + "\n".join(
        f"let a{i + 1} = a{i} * 2 x a{i}" for i in range(5_000)
    ),
    "sizes of sizes": "let a0 = 1 x 1\n" + "\n".join(
        f"let a{i + 1} = a{i} x a{i}" for i in range(64)
    ),
    "long sums of constants": "let a = " + "+".join(["1"] * 20_000),
    "chains of spaces": f"{NETWORK}" + "\n".join(
        f"space s{i} from s{i + 1} {{ seed {i} }}" for i in range(5_000)
    ) + "\nspace s5000 over n { seed 1 }",
    "circles of spaces": "\n".join(
        f"space s{i} from s{(i + 1) % 5_000} {{ seed {i} }}" for i in range(5_000)
    ),
    "many values": "module m(w) { dense(w) }\nnetwork n { input(3); m("
    + " then ".join(["8"] * 50_000) + ") as a[1..3] }",
    "many steps of rates": f"{NETWORK}space s over n {{ rates 0..99% step 1e-30 }}",
    "many rates": f"{NETWORK}space s over n {{ rates {{ "
    + ", ".join(f"{i / 1e5}" for i in range(50_000)) + " } }",
    "many patterns": f"{NETWORK}space s over n {{ prune "
    + ", ".join("a*" * 20 for _ in range(2_000)) + " }",
    "strings that stay open": 'data "' * 20_000,
    "comments that stay open": "/*" * 50_000,
    "control characters": "".join(map(chr, range(32))) * 1_000,
    "many files": 'include "missing.wz"\n' * 5_000,
    "many mistakes": "x\n" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_end_soon(name: str, worked: Any) -> None:
    """The bound is twice what the longest takes, some seconds: what it catches takes minutes."""
    with worked() as work:
        analysis = analyze(HOSTILE[name])
        assert analysis.diagnostics
        assert len(render(analysis.diagnostics, analysis.sources)) < 200_000
    assert work.lines < 50_000_000
