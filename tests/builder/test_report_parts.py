"""What the report is made of: numbers as text, elements, axes."""

import numpy as np
import pytest

from wootzc.builder.report.axes import decimals, ticks, widened
from wootzc.builder.report.markup import (
    Markup,
    duration,
    percent,
    points,
    quantities,
    tag,
)
from wootzc.units import rate_text


def test_words_for_numbers() -> None:
    seconds = (0, 0.416, 12.34, 59.96, 125, 3720)
    assert [duration(s) for s in seconds] == [
        "0 s", "0.42 s", "12.3 s", "1 min 00 s", "2 min 05 s", "1 h 02 min",
    ]  # fmt: skip
    assert [points(d) for d in (0.0123, -0.005, -1e-9, float("nan"))] == [
        "+1.23 points", "−0.50 points", "±0.00 points", "–",
    ]  # fmt: skip
    assert (rate_text(0.3), rate_text(0.625), percent(1 / 3), percent(float("inf"))) == (
        "30%", "62.5%", "33.33%", "–",
    )  # fmt: skip


def test_elements_escape_text_and_attributes() -> None:
    made = tag("a", "x<y", Markup("<b></b>"), class_='"q"', data_x=None, aria_label="1&2")
    assert made == '<a class="&quot;q&quot;" aria-label="1&amp;2">x&lt;y<b></b></a>'


@pytest.mark.parametrize("ends", [(0.0, 1.0), (0.9512, 0.9731), (13_000.0, 1.2e6), (5.0, 5.0)])
def test_ticks_are_round_and_inside(ends: tuple[float, float]) -> None:
    found = ticks(*ends, count=6)
    assert 1 <= len(found) <= 13
    assert all(ends[0] - 1e-9 <= value <= ends[1] + 1e-9 for value in found)
    steps = np.diff(found)
    assert np.allclose(steps, steps[0]) if len(steps) else ends[0] == ends[1]


def test_ranges_have_room_and_steps_have_digits() -> None:
    assert widened([0.5, 0.5], least=0.02) == pytest.approx((0.49, 0.51))
    assert widened([0.0, 1.0], margin=0.1) == pytest.approx((-0.1, 1.1))
    assert [decimals(step) for step in (20.0, 1.0, 0.5, 0.02)] == [0, 0, 1, 2]


def test_ticks_share_a_unit_and_differ_as_text() -> None:
    assert quantities([50_000, 100_000, 150_000]) == ["50 k", "100 k", "150 k"]
    assert quantities([12.60e6, 12.65e6, 12.70e6]) == ["12.60 M", "12.65 M", "12.70 M"]
    assert quantities([0, 500_000, 1_000_000]) == ["0.0 M", "0.5 M", "1.0 M"]
    assert quantities([5]) == ["5.00"]
