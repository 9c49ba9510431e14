"""Plots of what one column adds to a prediction, by its values, as SVG. Numbers in, markup out."""

from collections.abc import Sequence

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
    write_path,
    write_text,
    write_ticks_left,
)
from sparkml_ops.reporting.formats import format_figure, shorten
from sparkml_ops.reporting.insight import DependencePoint

MAX_LEVELS = 10
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, WIDTH - 8, 14, 150
_APART = 76  # room for the word below the dot of missing values, beside the last value
_ROW, _NAME_LENGTH, _NAMES = 21, 16, 118


def draw_dependence(name: str, points: Sequence[DependencePoint], *, title: str) -> Markup:
    """A line through the tenths of a number, or bars for the levels of a text; missing values stand apart.

    Tenths have places of the same width, so that a few large values do not push all others together.
    """
    ranges = [point for point in points if point.kind == "range"]
    described = "; ".join(tell_point(point) for point in points)
    if not ranges:
        parts, height = _draw_levels(points)
    else:
        parts, height = _draw_ranges(ranges, [point for point in points if point.kind != "range"])
    return write_frame(name, title=title, description=described, height=height, parts=parts)


def tell_point(point: DependencePoint) -> str:
    """One group in words."""
    return f"{point.label}: {point.contribution:+.3g} ({point.rows:,} rows)"


def _draw_ranges(ranges: Sequence[DependencePoint], apart: Sequence[DependencePoint]) -> tuple[list[Markup], float]:
    low, high = fit_range([0.0, *(point.contribution for point in (*ranges, *apart))])
    up = Scale(low, high, _BOTTOM, _TOP)
    end = _RIGHT - (_APART if apart else 20)
    across = Scale(0, max(len(ranges) - 1, 1), _LEFT + 14, end)
    places = [(across(at), up(point.contribution)) for at, point in enumerate(ranges)]
    parts = [
        *write_ticks_left(up, list_ticks(low, high), left=_LEFT, right=_RIGHT),
        write_line((_LEFT, up(0)), (_RIGHT, up(0)), style="ideal"),
        write_path(places, style="line main"),
        *(
            write_dot(x, y, style="dot main", told=tell_point(point), radius=3.2)
            for (x, y), point in zip(places, ranges, strict=True)
        ),
    ]
    for point in apart:
        parts.append(
            write_dot(_RIGHT - 21, up(point.contribution), style="dot other", told=tell_point(point), radius=4)
        )
        parts.append(write_text(_RIGHT, _BOTTOM + 16, "missing", style="tick", anchor="end"))
    shown = sorted({0, len(ranges) // 2, len(ranges) - 1})
    parts += [
        write_text(places[at][0], _BOTTOM + 16, format_figure(ranges[at].value), style="tick", anchor="middle")
        for at in shown
    ]
    return parts, _BOTTOM + 24


def _draw_levels(points: Sequence[DependencePoint]) -> tuple[list[Markup], float]:
    shown = sorted(points, key=lambda point: -point.rows)[:MAX_LEVELS]
    shown = sorted(shown, key=lambda point: -point.contribution)
    low, high = fit_range([0.0, *(point.contribution for point in shown)])
    across, bottom = Scale(low, high, _NAMES, WIDTH - 2), 4 + _ROW * len(shown)
    parts = [
        part
        for tick in list_ticks(low, high, most=4)
        for part in (
            write_line((across(tick), 4), (across(tick), bottom), style="grid"),
            write_text(across(tick), bottom + 15, f"{tick:g}", style="tick", anchor="middle"),
        )
    ]
    for at, point in enumerate(shown):
        ends = sorted([across(0), across(point.contribution)])
        told, middle = tell_point(point), 4 + _ROW * at + _ROW / 2
        parts.append(
            write_text(_NAMES - 8, middle + 4, shorten(point.label, _NAME_LENGTH), style="label", anchor="end")
        )
        style = "bar soft" if point.kind in ("missing", "others") else "bar"
        parts.append(write_bar(ends[0], middle - 6, max(ends[1] - ends[0], 1), 12, style=style, told=told))
    parts.append(write_line((across(0), 4), (across(0), bottom), style="ideal"))
    return parts, bottom + 22
