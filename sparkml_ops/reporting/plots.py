"""The page's plots as SVG: numbers in, markup out. Colours come from the page, so both light and dark fit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

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
    write_ticks_below,
    write_ticks_left,
)
from sparkml_ops.reporting.facts import CalibrationPoint, DayFacts
from sparkml_ops.reporting.formats import format_figure, format_interval, format_share, shorten

LABEL_LENGTH = 46  # characters that fit above a bar, beside its value
_ROW = 34
_LEFT, _RIGHT = 46, WIDTH - 10
_PLOT_HEIGHT = 230
_TOP = 12


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
    ends = [end for m in marks for end in (m.value, m.lower, m.upper) if end is not None] + (
        [limit] if limit is not None else []
    )
    low, high = fit_range(ends)
    scale, bottom = Scale(low, high, 12, WIDTH - 12), 6 + _ROW * len(marks)
    parts = write_ticks_below(scale, list_ticks(low, high), top=4, bottom=bottom)
    for index, mark in enumerate(marks):
        parts += _draw_interval(mark, scale, top=6 + index * _ROW)
    if limit is not None:
        parts += [
            write_line((scale(limit), 4), (scale(limit), bottom), style="limit"),
            write_text(
                scale(limit),
                bottom + 29,
                f"limit {format_figure(limit)}",
                style="tick limit-text",
                anchor=_anchor(scale(limit)),
            ),
        ]
    told = "; ".join(f"{m.label}: {format_interval(m.value, m.lower, m.upper)}" for m in marks)
    return write_frame(
        name, title=title, description=told, height=bottom + (36 if limit is not None else 22), parts=parts
    )


def _draw_interval(mark: Mark, scale: Scale, *, top: float) -> list[Markup]:
    style, middle = ("main" if mark.is_main else "other"), top + 22
    told = f"{mark.label}: {format_interval(mark.value, mark.lower, mark.upper)}"
    parts = [
        write_text(2, top + 12, shorten(mark.label, LABEL_LENGTH), style="label strong" if mark.is_main else "label"),
        write_text(
            WIDTH - 2, top + 12, format_interval(mark.value, mark.lower, mark.upper), style="value", anchor="end"
        ),
    ]
    if mark.lower is not None and mark.upper is not None:
        parts.append(write_line((scale(mark.lower), middle), (scale(mark.upper), middle), style=f"whisker {style}"))
    return [*parts, write_dot(scale(mark.value), middle, style=f"dot {style}", told=told, radius=4.5)]


def draw_bars(
    name: str,
    marks: Sequence[Mark],
    *,
    title: str,
    limit: float | None = None,
    show: Callable[[float], str] = format_figure,
) -> Markup:
    """A bar from zero for each mark; one past the limit has another colour and a sign before its value."""
    high = max([mark.value for mark in marks] + ([limit * 1.15] if limit is not None else []) + [1e-9])
    scale, first = Scale(0, high, 2, WIDTH - 2), 22 if limit is not None else 4
    bottom, parts = first + _ROW * len(marks), list[Markup]()
    for index, mark in enumerate(marks):
        top, is_past = first + index * _ROW, limit is not None and mark.value > limit
        value = f"{'▲ ' if is_past else ''}{show(mark.value)}"
        parts += [
            write_text(2, top + 12, shorten(mark.label, LABEL_LENGTH), style="label"),
            write_text(WIDTH - 2, top + 12, value, style="value past-text" if is_past else "value", anchor="end"),
            write_bar(2, top + 17, WIDTH - 4, 9, style="track", told=""),
            write_bar(
                2,
                top + 17,
                scale(mark.value) - 2,
                9,
                style="bar past" if is_past else "bar",
                told=f"{mark.label}: {show(mark.value)}",
            ),
        ]
    if limit is not None:
        at = scale(limit)
        parts += [
            *(
                write_line((at, first + i * _ROW + 15), (at, first + i * _ROW + 28), style="limit")
                for i in range(len(marks))
            ),
            write_text(at, 13, f"limit {format_figure(limit)}", style="tick limit-text", anchor=_anchor(at)),
        ]
    told = "; ".join(f"{mark.label}: {show(mark.value)}" for mark in marks)
    return write_frame(name, title=title, description=told, height=bottom + 2, parts=parts)


def draw_calibration(name: str, points: Sequence[CalibrationPoint], *, title: str) -> Markup:
    """Mean prediction against the share of positives; a calibrated model keeps to the diagonal."""
    high = min(max([max(p.predicted, p.observed) for p in points] + [0.05]) * 1.08, 1.0)
    across, up = Scale(0, high, _LEFT, _RIGHT), Scale(0, high, _PLOT_HEIGHT, _TOP)
    ticks = list_ticks(0, high, most=6)
    told = [
        f"predicted {format_share(p.predicted)}, observed {format_share(p.observed)}, {p.rows:,} rows" for p in points
    ]
    parts = [
        *write_ticks_below(across, ticks, top=_TOP, bottom=_PLOT_HEIGHT),
        *write_ticks_left(up, ticks, left=_LEFT, right=_RIGHT),
        write_line((across(0), up(0)), (across(high), up(high)), style="ideal"),
        write_path([(across(p.predicted), up(p.observed)) for p in points], style="line main"),
        *(
            write_dot(across(p.predicted), up(p.observed), style="dot main", told=t)
            for p, t in zip(points, told, strict=True)
        ),
        write_text((_LEFT + _RIGHT) / 2, _PLOT_HEIGHT + 32, "mean prediction", style="tick", anchor="middle"),
        write_text(_LEFT + 6, _TOP + 10, "share of positives", style="tick"),
    ]
    return write_frame(name, title=title, description="; ".join(told), height=_PLOT_HEIGHT + 38, parts=parts)


def draw_shares(name: str, shares: Sequence[float], *, reference: Sequence[float] = (), title: str) -> Markup:
    """Bars of equal bins from 0 to 1, and the reference as a dashed outline over them."""
    high = max([*shares, *reference, 1e-9]) * 1.08
    across, up = Scale(0, 1, _LEFT, _RIGHT), Scale(0, high, _PLOT_HEIGHT, _TOP)
    bins = len(shares)
    width = (_RIGHT - _LEFT) / bins
    told = [
        f"{index / bins:.2f} to {(index + 1) / bins:.2f}: {format_share(share)}" for index, share in enumerate(shares)
    ]
    parts = [
        *write_ticks_left(up, list_ticks(0, high), left=_LEFT, right=_RIGHT, percent=True),
        *(
            write_bar(
                round(_LEFT + index * width + 1, 2),
                up(share),
                width - 2,
                _PLOT_HEIGHT - up(share),
                style="bar",
                told=told[index],
            )
            for index, share in enumerate(shares)
        ),
        *write_ticks_below(across, list_ticks(0, 1, most=6), top=_PLOT_HEIGHT, bottom=_PLOT_HEIGHT),
        write_text((_LEFT + _RIGHT) / 2, _PLOT_HEIGHT + 32, "prediction", style="tick", anchor="middle"),
    ]
    if reference:
        outline = [(round(_LEFT + at * width, 2), up(share)) for i, share in enumerate(reference) for at in (i, i + 1)]
        parts.append(write_path([(_LEFT, up(0)), *outline, (_RIGHT, up(0))], style="line other dashed"))
    return write_frame(name, title=title, description="; ".join(told), height=_PLOT_HEIGHT + 38, parts=parts)


def draw_days(name: str, days: Sequence[DayFacts], *, title: str) -> Markup:
    """Mean prediction of each day, and the share of positives where it is known."""
    known = [day for day in days if day.observed is not None]
    high = max([day.predicted for day in days] + [day.observed or 0 for day in known] + [1e-9]) * 1.12
    at = [float(date.fromisoformat(day.day).toordinal()) for day in days]
    across, up = Scale(at[0], max(at[-1], at[0] + 1), _LEFT + 6, _RIGHT - 6), Scale(0, high, _PLOT_HEIGHT, _TOP)
    predicted = [(across(x), up(day.predicted)) for x, day in zip(at, days, strict=True)]
    observed = [(across(x), up(day.observed)) for x, day in zip(at, days, strict=True) if day.observed is not None]
    told = [_tell_day(day) for day in days]
    ends = {0: "start", len(days) - 1: "end" if len(days) > 1 else "start"}
    parts = [
        *write_ticks_left(up, list_ticks(0, high), left=_LEFT, right=_RIGHT, percent=True),
        *(
            write_text(across(at[i]), _PLOT_HEIGHT + 16, days[i].day, style="tick", anchor=anchor)
            for i, anchor in ends.items()
        ),
        write_path(observed, style="line other dashed"),
        write_path(predicted, style="line main"),
        *(write_dot(x, y, style="dot main", told=told[i], radius=2.6) for i, (x, y) in enumerate(predicted)),
        *(
            write_dot(x, y, style="dot other", told=_tell_day(known[i]), radius=2.6)
            for i, (x, y) in enumerate(observed)
        ),
    ]
    return write_frame(name, title=title, description="; ".join(told), height=_PLOT_HEIGHT + 24, parts=parts)


def _tell_day(day: DayFacts) -> str:
    observed = "" if day.observed is None else f", observed {format_share(day.observed)}"
    return f"{day.day}: predicted {format_share(day.predicted)}{observed}, {day.rows:,} rows"


def _anchor(x: float) -> str:
    """Where a text hangs, so that it stays inside."""
    return "start" if x < WIDTH * 0.15 else "end" if x > WIDTH * 0.85 else "middle"
