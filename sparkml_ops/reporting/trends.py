"""A figure over some versions as a small drawing that stands in a row of a table. Numbers in, markup out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sparkml_ops.reporting.axes import Scale, fit_range
from sparkml_ops.reporting.formats import format_interval

_WIDTH, _HEIGHT, _EDGE = 120, 26, 4


@dataclass(frozen=True)
class Point:
    """One version: the figure, and the ends of a band around it where there is one."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None


def draw_trend(name: str, points: Sequence[Point], *, title: str) -> Markup:
    """A line from the oldest to the newest version, in its band; the text says all figures. `name` is unique on the page."""
    ends = [end for point in points for end in (point.value, point.low, point.high) if end is not None]
    low, high = fit_range(end for end in ends if math.isfinite(end))
    down, along = Scale(low, high, _HEIGHT - 2, 2), Scale(0, max(len(points) - 1, 1), _EDGE, _WIDTH - _EDGE)
    banded = [(along(at), point) for at, point in enumerate(points) if point.low is not None and point.high is not None]
    upper = [f"{x},{down(point.high)}" for x, point in banded if point.high is not None]
    lower = [f"{x},{down(point.low)}" for x, point in reversed(banded) if point.low is not None]
    line = " ".join(f"{along(at)},{down(point.value)}" for at, point in enumerate(points))
    told = "; ".join(f"{one.label}: {format_interval(one.value, one.low, one.high)}" for one in points)
    band = Markup('<polygon class="band" points="{}"/>').format(" ".join([*upper, *lower])) if banded else Markup()
    return Markup(
        '<svg class="trend" role="img" aria-labelledby="{name}-title {name}-description" viewBox="0 0 {width} {height}">'
        '<title id="{name}-title">{title}</title><desc id="{name}-description">{told}</desc>{band}'
        '<polyline class="line main" points="{line}"/><circle class="dot main" cx="{x}" cy="{y}" r="2.6"/></svg>'
    ).format(
        name=name, width=_WIDTH, height=_HEIGHT, title=title, told=told, band=band, line=line,
        x=along(len(points) - 1), y=down(points[-1].value),
    )  # fmt: skip
