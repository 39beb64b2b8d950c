"""Plans that were damaged on the way: refused or compiled, never an exception."""

import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wootzc.diagnostics import WootzError
from wootzc.ir.passes import parse_pipeline, run
from wootzc.ir.text import parse_plan, print_plan

CASES = sorted((Path(__file__).parent / "passes").glob("*/*.wzir"))
TEXTS = [path.read_text(encoding="utf-8") for path in CASES]
VALUES = ("0", "-1", "1", "256", "999999999999", "9" * 30, "1e308", "1e-300", "0.5", "nan", "()",
          "(1,)", "None", "True", '"x"')  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str]:
    """A plan in which values, lines or characters were lost, doubled or exchanged; its passes."""
    text = draw(st.sampled_from(TEXTS))
    passes = text.split("\n", 1)[0].removeprefix("# -p ")
    for _ in range(draw(st.integers(1, 3))):
        lines = text.split("\n")
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["value", "value", "lost", "doubled", "other", "characters"])):
            case "value":
                places = list(re.finditer(r"-?\d+(\.\d+)?", text))
                place = draw(st.sampled_from(places))
                text = text[: place.start()] + draw(st.sampled_from(VALUES)) + text[place.end() :]
            case "lost":
                text = "\n".join(lines[:at] + lines[at + 1 :])
            case "doubled":
                text = "\n".join([*lines[:at], lines[at], *lines[at:]])
            case "other":
                piece = draw(st.sampled_from(TEXTS)).split("\n")
                begin = draw(st.integers(1, len(piece) - 1))
                text = "\n".join(lines[:at] + piece[begin : begin + 4] + lines[at:])
            case _:
                first = draw(st.integers(0, len(text) - 1))
                put = draw(st.text(alphabet="{}()[]=,\"' \n09x-.é\0", max_size=3))
                text = text[:first] + put + text[first + draw(st.integers(0, 9)) :]
    return text, passes


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(damaged())
def test_damaged_plans_are_refused_or_compiled(damage: tuple[str, str]) -> None:
    text, passes = damage
    try:
        plan = run(parse_plan(text), parse_pipeline(passes))
    except WootzError as error:
        assert str(error)
    else:
        assert parse_plan(print_plan(plan)) == plan


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_refused(text: str) -> None:
    try:
        parse_plan(text)
    except WootzError as error:
        assert str(error)
    else:
        raise AssertionError("a plan needs more than this")
