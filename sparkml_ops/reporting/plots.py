"""Plots of one row for each thing as SVG: intervals and bars. Numbers in, markup out.

Colours come from the page, so both light and dark fit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sparkml_ops.reporting.axes import (
    WIDTH,
    Scale,
    fit_range,
    list_ticks,
    write_bar,
    write_dot,
    write_frame,
    write_line,
    write_text,
    write_ticks_below,
)
from sparkml_ops.reporting.formats import format_figure, format_interval, shorten

BAR_LABEL_LENGTH, INTERVAL_LABEL_LENGTH = 42, 30  # characters that fit beside the value
CUT_AT_LIMITS = 5  # one bar of many times the limit would leave nothing to see of the others
_ROW = 34
_LEFT, _RIGHT = 2, WIDTH - 2


@dataclass(frozen=True)
class Mark:
    """One row of a plot: a value with its 95 % interval where it has one; `is_main` sets it off from the others."""

    label: str
    value: float
    lower: float | None = None
    upper: float | None = None
    is_main: bool = True


def draw_intervals(name: str, marks: Sequence[Mark], *, title: str, limit: float | None = None) -> Markup:
    """A dot for each mark and a line for its interval; the axis starts where the values are, not at zero."""
    ends = [end for m in marks for end in (m.value, m.lower, m.upper, limit) if end is not None]
    low, high = fit_range(ends)
    scale, bottom = Scale(low, high, 12, WIDTH - 12), 6 + _ROW * len(marks)
    parts = write_ticks_below(scale, list_ticks(low, high), top=4, bottom=bottom)
    if limit is not None:
        parts += [
            write_line((scale(limit), 4), (scale(limit), bottom), style="limit"),
            _write_limit(scale(limit), bottom + 29, limit),
        ]
    for index, mark in enumerate(marks):
        parts += _draw_interval(mark, scale, top=6 + index * _ROW)
    told = "; ".join(f"{m.label}: {format_interval(m.value, m.lower, m.upper)}" for m in marks)
    height = bottom + (20 if limit is None else 34)
    return write_frame(name, title=title, description=told, height=height, parts=parts)


def draw_bars(
    name: str,
    marks: Sequence[Mark],
    *,
    title: str,
    limit: float | None = None,
    show: Callable[[float], str] = format_figure,
) -> Markup:
    """A bar from zero for each mark; one past the limit has another colour and a sign before its value.

    Bars longer than `CUT_AT_LIMITS` limits are cut there, and have a gap at their end.
    """
    high = max([mark.value for mark in marks] + [1e-9])
    if limit is not None:
        high = min(max(high, limit * 1.2), limit * CUT_AT_LIMITS)
    scale, first = Scale(0, high, _LEFT, _RIGHT), 2 if limit is None else 20
    parts = [] if limit is None else [_write_limit(scale(limit), 12, limit)]
    for index, mark in enumerate(marks):
        parts += _draw_bar(mark, scale, top=first + index * _ROW, limit=limit, value=show(mark.value))
    told = "; ".join(f"{mark.label}: {show(mark.value)}" for mark in marks)
    return write_frame(name, title=title, description=told, height=first + _ROW * len(marks), parts=parts)


def _draw_interval(mark: Mark, scale: Scale, *, top: float) -> list[Markup]:
    style, middle = ("main" if mark.is_main else "other"), top + 22
    value = format_interval(mark.value, mark.lower, mark.upper)
    label = shorten(mark.label, INTERVAL_LABEL_LENGTH)
    parts = [
        write_text(_LEFT, top + 12, label, style="label strong" if mark.is_main else "label"),
        write_text(_RIGHT, top + 12, value, style="value", anchor="end"),
    ]
    if mark.lower is not None and mark.upper is not None:
        parts.append(write_line((scale(mark.lower), middle), (scale(mark.upper), middle), style=f"whisker {style}"))
    told = f"{mark.label}: {value}"
    return [*parts, write_dot(scale(mark.value), middle, style=f"dot {style}", told=told, radius=4.5)]


def _draw_bar(mark: Mark, scale: Scale, *, top: float, limit: float | None, value: str) -> list[Markup]:
    is_past = limit is not None and mark.value > limit
    end, told = scale(mark.value), f"{mark.label}: {value}"
    parts = [
        write_text(_LEFT, top + 12, shorten(mark.label, BAR_LABEL_LENGTH), style="label"),
        write_text(
            _RIGHT,
            top + 12,
            f"▲ {value}" if is_past else value,
            style="value past-text" if is_past else "value",
            anchor="end",
        ),
        write_bar(_LEFT, top + 17, _RIGHT - _LEFT, 9, style="track", told=told),
        write_bar(_LEFT, top + 17, end - _LEFT, 9, style="bar past" if is_past else "bar", told=told),
    ]
    if mark.value > scale.high:
        parts += [write_line((x, top + 28), (x + 5, top + 15), style="gap") for x in (end - 18, end - 12)]
    if limit is not None:
        parts.append(write_line((scale(limit), top + 14), (scale(limit), top + 29), style="limit"))
    return parts


def _write_limit(x: float, y: float, limit: float) -> Markup:
    """The limit's value, hung so that it stays inside."""
    anchor = "start" if x < WIDTH * 0.15 else "end" if x > WIDTH * 0.85 else "middle"
    return write_text(x, y, f"limit {format_figure(limit)}", style="tick strong", anchor=anchor)
