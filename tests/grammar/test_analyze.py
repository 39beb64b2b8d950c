"""What holds for every text: no traceback, no JAX, places inside of the source."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wootzc.diagnostics import WootzError, render
from wootzc.grammar import analyze, format_text
from wootzc.grammar.check.statements import FORMS, KEYWORDS
from wootzc.grammar.check.values import number_of
from wootzc.grammar.lower.data import AUGMENT, DATA
from wootzc.grammar.lower.recipe import SETTINGS
from wootzc.grammar.parse import parse
from wootzc.grammar.space.latency import SETTINGS as TARGET
from wootzc.ir.diagram.feasible import holds
from wootzc.ir.net.cost_tables import variant_costs
from wootzc.ir.space.variables import variables

ROOT = Path(__file__).parents[2]
EVERYTHING = (Path(__file__).parent / "lower" / "everything.wz").read_text(encoding="utf-8")
DESIGN = """// samples/digits.wz
module basic(width, stride = 1) {
  add {
    { conv(3x3, width, stride = stride); norm; relu; conv(3x3, width); norm }
    { shortcut(width, stride = stride) }     // identity, or a 1x1 convolution
  }
  relu
}

network digits_net {
  input(8x8x1)
  conv(3x3, 16); norm; relu                  // outside a module: never pruned
  basic(16) as a[1..3]                       // three modules a1 a2 a3
  basic(32, stride = 2) as b1
  basic(32) as b[2..3]
  global_pool; dense(10)
}

space digits over digits_net {
  data "digits.npz"                          // also folder("…"), parquet("…")
  teacher { steps 600; optimizer sgd(0.1, momentum = 0.9); schedule cosine; batch 64 }
                                             // or: teacher from "weights.safetensors"
  rates { 0, 30%, 50%, 70% }                 // fraction of filters removed
  prune a*, b* by l1
  keep  a1
  tie   b2, b3                               // one rate for the run
  where nondecreasing(a1..b3)
  where params <= 70%
  sample 20 seed 1                           // or: all · configs { [0, .3, …] }

  minimize params
  subject to accuracy >= teacher - 1.0 points

  blocks   wootz                             // how tuning blocks are chosen
  pretrain { steps 200; optimizer sgd(0.05); batch 64 }
  finetune { steps 400; optimizer sgd(0.01, momentum = 0.9); patience 5 }
  explore  ascending
}
"""


def test_the_example_of_the_design_checks_and_formats() -> None:
    analysis = analyze(DESIGN)
    assert not analysis.diagnostics, render(analysis.diagnostics, analysis.sources)
    formatted = format_text(DESIGN)
    assert formatted.count("//") == DESIGN.count("//")
    assert analyze(formatted).spaces == analysis.spaces


def test_importing_the_grammar_imports_no_jax() -> None:
    code = (
        "import sys, wootzc.grammar; wootzc.grammar.analyze('network n { input(3); relu }'); "
        "print(sorted({'jax', 'flax', 'optax'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("text", ["", "\n", "// only a comment", "\ufeff", ";;\n;", "\ufeffmodule"])
def test_texts_with_next_to_nothing_in_them(text: str) -> None:
    analysis = analyze(text)
    assert not analysis.spaces and not analysis.networks


@pytest.mark.parametrize(
    "text",
    [
        "{" * 10_000,
        "module m() {" + "add{{" * 1000,
        "network n { input(8x8x1); conv(3x3, " + "(" * 500 + "1" + ")" * 500 + ") }",
        "network n { input(8x8x1); dense(" + "1+" * 5000 + "1) }",
        "network n { input(8x8x1); dense(" + "-" * 5000 + "1) }",
        "network n { input(" + "x".join("9" * 30 for _ in range(50)) + ") }",
        "network n { input(8x8x1); " + "relu;" * 20_001 + " }",
        "space s over n { prune " + "*a" * 40 + "b }",
        "space s over n { rates { " + ", ".join(f"0.{i:04}" for i in range(5000)) + " } }",
        'data "x"\0\1\2',
        "space s over n { rates { " + "1 " * 900 + "x } }",
        "network n { input(8x8x1)\x0c\u2028relu }",
        "network \u00e9t\u00e9 { }",
        "module m(a = 9G * 9G * 9G * 9G * 9G) { dense(a / 7) }\nnetwork n { input(3); m }",
    ],
    ids=lambda text: text[:20].replace("\0", ""),
)
def test_monstrous_texts_are_answered(text: str) -> None:
    analysis = analyze(text)
    assert analysis.diagnostics
    render(analysis.diagnostics, analysis.sources)


PIECES = sorted({*re.findall(r"\w+|[^\w\s]|\n", EVERYTHING), "30", "x", '"', "/*", "//", "é"})


@st.composite
def mutations(draw: st.DrawFn) -> str:
    text = EVERYTHING
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 3, 20])))
        text = text[:start] + draw(st.sampled_from(["", *PIECES])) + text[end:]
    return text


@settings(max_examples=150, deadline=None, derandomize=True)
@given(mutations())
@example("module a {\nauxiliary (a (0 /// c\n0 )){}}")  # brackets in the brackets of a statement
@example("space s over n { keep_rates { .%, 70% } }")
def test_broken_texts_never_raise(text: str) -> None:
    analysis = analyze(text)
    for diagnostic in analysis.diagnostics:
        source = analysis.sources[diagnostic.span.file]
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(source) + 1
    render(analysis.diagnostics, analysis.sources)
    try:
        formatted = format_text(text)
    except WootzError:
        return
    assert format_text(formatted) == formatted
    assert parse(formatted, "x").tree == parse(text, "x").tree
    assert sorted(re.findall(r"//.*|/\*", formatted)) == sorted(
        match.rstrip() for match in re.findall(r"//.*|/\*", text)
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16", 16), ("1_000_000", 1_000_000), ("10k", 10_000), ("1.5M", 1_500_000),
        ("30%", 0.3), ("33.3%", 0.333), (".5", 0.5), ("1e-4", 1e-4), ("2G", 2_000_000_000),
    ],
)  # fmt: skip
def test_numbers(text: str, value: float) -> None:
    assert number_of(text) == value
    assert isinstance(number_of(text), type(value))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.sets(st.sampled_from([0, 25, 50, 75]), min_size=1), min_size=3, max_size=4),
    st.lists(
        st.tuples(st.sampled_from(["tie {}, {}", "where nondecreasing({}, {})"]),
                  st.integers(0, 2), st.integers(1, 2)),
        max_size=3,
    ),
)  # fmt: skip
def test_attainable_costs_are_those_of_the_candidates(
    choices: list[set[int]], relations: list[tuple[str, int, int]]
) -> None:
    """Ties and orders are counted exactly: brute force over all candidates says the same."""
    count = len(choices)
    lines = [
        f"prune a{i + 1} rates {{ {', '.join(f'{c}%' for c in sorted(own))} }}"
        for i, own in enumerate(choices)
    ]
    lines += [
        form.format(f"a{one + 1}", f"a{(one + step) % count + 1}") for form, one, step in relations
    ]
    source = f"""module m() {{ conv(3x3, 4); conv(3x3, 4) }}
network n {{ input(4x4x4); m() as a[1..{count}]; global_pool; dense(2) }}
space s over n {{
  data "x"
  minimize params
  subject to accuracy >= 50%
  all
  {chr(10).join(lines)}
}}
"""
    analysis = analyze(source)
    if not analysis.spaces:
        assert [d.code for d in analysis.diagnostics if d.severity == "error"] == ["WZ055"]
        return
    [space] = analysis.spaces
    costs = variant_costs(space.network, space.rates)
    problem = variables(space, costs, space.constraints)
    every = np.array(list(itertools.product(*problem.choices)), dtype=np.uint8)
    rows = every[problem.allowed(every)]
    held = holds(space, costs)
    assert held.count == len(rows) > 0
    for metric in ("params", "macs"):
        total = problem.total(metric, rows)
        assert held.range(metric) == (total.min(), total.max())


SPACE = """network n {
  input(4x4x3)
  module a1 { conv(3x3, 4); norm; relu; conv(3x3, 4); norm }
  global_pool; dense(2)
}
space s over n { data "x"; minimize params; subject to accuracy >= 50%; STATEMENT }
"""
BLOCKS = (
    'data "x"', "augment", "teacher", "pretrain", "finetune", "polish",
    "latency on onnxruntime", "latency on jax",
)  # fmt: skip


@pytest.mark.parametrize("block", BLOCKS)
def test_every_setting_is_answered_in_every_block(block: str) -> None:
    """Also one that means nothing there, with a value, a wrong one, or none."""
    names = sorted({*SETTINGS, *DATA, *AUGMENT, *TARGET})
    for name, value in itertools.product(names, ("", " 4", " 0", " x", "(1, 2)")):
        analysis = analyze(SPACE.replace("STATEMENT", f"{block} {{ {name}{value} }}"))
        assert analysis.spaces or analysis.diagnostics


@pytest.mark.parametrize("number", ["1e99999", "1e99999%", "1e-99999", "0", "100%"])
def test_every_statement_takes_any_number(number: str) -> None:
    forms = [form.split("`")[0] for keyword, form in FORMS.items() if keyword in KEYWORDS]
    for form in (*forms, "where params >= 1", "where size <= 1 KB", "where a1 <= 1", "until x < 1"):
        text = re.sub(r"(?<![\w\"])\d[\w.]*%?", number, form)
        analysis = analyze(SPACE.replace("STATEMENT", text))
        assert analysis.spaces or analysis.diagnostics, text
