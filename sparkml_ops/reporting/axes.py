"""Scales, ticks and the pieces that plots are drawn from: SVG text, escaped by construction."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 360  # units of the view box; about the width of a phone, so that text keeps its size there
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """A straight line from values to places."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Place of a value; those outside are put at the edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def list_ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Round values from `low` to `high`, both included where they are round, at most `most` of them."""
    rough = (high - low) / max(most - 1, 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(step * power for step in _STEPS if step * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]


def fit_range(values: Iterable[float], *, pad: float = 0.08) -> tuple[float, float]:
    """Lowest and highest value with some room around them; never of no width."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    room = (high - low) * pad or max(abs(high) * pad, 0.01)
    return low - room, high + room


def format_tick(value: float) -> str:
    """A tick's label: `0.75`, `20`."""
    return f"{value:,.10f}".rstrip("0").rstrip(".")


def write_frame(name: str, *, title: str, description: str, height: float, parts: Iterable[Markup]) -> Markup:
    """A whole plot; title and description are what a screen reader says. `name` is unique on the page."""
    return Markup(
        '<svg class="plot" role="img" aria-labelledby="{name}-title {name}-description" viewBox="0 0 {width} {height}">'
        '<title id="{name}-title">{title}</title><desc id="{name}-description">{description}</desc>{body}</svg>'
    ).format(name=name, title=title, description=description, width=WIDTH, height=height, body=Markup().join(parts))


def write_text(x: float, y: float, text: str, *, style: str = "label", anchor: str = "start") -> Markup:
    """One line of text."""
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(style, x, y, anchor, text)


def write_line(start: tuple[float, float], end: tuple[float, float], *, style: str) -> Markup:
    """A straight line."""
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(style, *start, *end)


def write_bar(x: float, y: float, width: float, height: float, *, style: str, told: str) -> Markup:
    """A rectangle; `told` is shown when pointed at."""
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1.5"><title>{}</title></rect>').format(
        style, x, y, round(max(width, 0), 2), round(max(height, 0), 2), told
    )


def write_dot(x: float, y: float, *, style: str, told: str, radius: float = 4) -> Markup:
    """A point; `told` is shown when pointed at."""
    return Markup('<circle class="{}" cx="{}" cy="{}" r="{}"><title>{}</title></circle>').format(
        style, x, y, radius, told
    )


def write_path(points: Iterable[tuple[float, float]], *, style: str) -> Markup:
    """A line through points."""
    return Markup('<polyline class="{}" points="{}"/>').format(style, " ".join(f"{x:g},{y:g}" for x, y in points))


def write_ticks_below(scale: Scale, ticks: Iterable[float], *, top: float, bottom: float) -> list[Markup]:
    """Grid lines from top to bottom with their values below."""
    return [
        part
        for tick in ticks
        for part in (
            write_line((scale(tick), top), (scale(tick), bottom), style="grid"),
            write_text(scale(tick), bottom + 15, format_tick(tick), style="tick", anchor="middle"),
        )
    ]


def write_ticks_left(
    scale: Scale, ticks: Iterable[float], *, left: float, right: float, percent: bool = False
) -> list[Markup]:
    """Grid lines from left to right with their values left of them."""
    return [
        part
        for tick in ticks
        for part in (
            write_line((left, scale(tick)), (right, scale(tick)), style="grid"),
            write_text(
                left - 6,
                scale(tick) + 4,
                f"{format_tick(round(tick * 100, 8))}%" if percent else format_tick(tick),
                style="tick",
                anchor="end",
            ),
        )
    ]
