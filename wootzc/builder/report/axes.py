"""A rectangle of a drawing with two linear axes."""

import math
from dataclasses import dataclass

from wootzc.builder.report.markup import Markup, percent, quantities, tag

LINE = 15  # between two lines of text


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """Data ranges and the pixels they are drawn to; y grows upwards."""

    x: tuple[float, float]
    y: tuple[float, float]
    left: float
    top: float
    width: float
    height: float

    @staticmethod
    def inside(
        size: tuple[float, float],  # of the drawing
        margins: tuple[float, float, float, float],  # left, right, top, bottom
        *,
        x: tuple[float, float],
        y: tuple[float, float],
    ) -> "Axes":
        """What the margins leave."""
        left, right, top, bottom = margins
        width, height = size[0] - left - right, size[1] - top - bottom
        return Axes(x=x, y=y, left=left, top=top, width=width, height=height)

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def across(self, value: float) -> float:
        """Pixel of an x value, kept inside the rectangle."""
        return self.left + self.width * _fraction(value, self.x)

    def up(self, value: float) -> float:
        """Pixel of a y value, kept inside the rectangle."""
        return self.bottom - self.height * _fraction(value, self.y)

    def holds(self, x: float, y: float) -> bool:
        return self.x[0] <= x <= self.x[1] and self.y[0] <= y <= self.y[1]

    def grid(self, x_title: str) -> list[Markup]:
        """Grid lines with their numbers: x as quantities, y in percent."""
        drawn = []
        y_ticks = ticks(*self.y, count=6)
        places = 0 if len(y_ticks) < 2 else decimals((y_ticks[1] - y_ticks[0]) * 100)
        for value in y_ticks:
            y = self.up(value)
            drawn.append(tag("line", x1=self.left, x2=self.right, y1=y, y2=y, class_="grid"))
            drawn.append(
                tag("text", percent(value, places), x=self.left - 8, y=y + 4, class_="end")
            )
        x_ticks = ticks(*self.x, count=8)
        for value, text in zip(x_ticks, quantities(x_ticks), strict=True):
            x = self.across(value)
            drawn.append(tag("line", x1=x, x2=x, y1=self.bottom, y2=self.bottom + 5, class_="axis"))
            drawn.append(tag("text", text, x=x, y=self.bottom + 20, class_="middle"))
        ends = {"x1": self.left, "x2": self.right, "y1": self.bottom, "y2": self.bottom}
        drawn.append(tag("line", **ends, class_="axis"))
        middle = self.left + self.width / 2
        drawn.append(tag("text", x_title, x=middle, y=self.bottom + 42, class_="middle title"))
        return drawn

    def levels(self, teacher: float, asked: float | None) -> list[Markup]:
        """The teacher's accuracy and the one asked for, as named lines."""
        levels = [("teacher", "teacher", teacher)]
        if asked is not None:
            levels.append(("target", "asked for ≥", asked))
        drawn, free = [], 0.0
        for kind, text, value in sorted(levels, key=lambda level: -level[2]):
            y = self.up(value)
            place = max(y + 4, free)  # names of near lines stand below each other
            free = place + LINE
            ends = {"x1": self.left, "x2": self.right, "y1": y, "y2": y}
            drawn += [
                tag("line", **ends, class_=f"line {kind}"),
                tag("text", f"{text} {percent(value)}", x=self.right + 8, y=place, class_=kind),
            ]
        return drawn


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round numbers in [low, high], about `count` of them, 1, 2 or 5 times a power of ten apart."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def decimals(step: float) -> int:
    """Digits after the point that tell multiples of `step` apart."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


def widened(values: list[float], margin: float = 0.04, least: float = 0.0) -> tuple[float, float]:
    """The range of some values with a margin on both sides, at least `least` wide."""
    low, high = min(values), max(values)
    room = max((high - low) * margin, (least - (high - low)) / 2)
    return low - room, high + room


def _fraction(value: float, ends: tuple[float, float]) -> float:
    if not math.isfinite(value):
        return 0.0
    return min(max((value - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0)
