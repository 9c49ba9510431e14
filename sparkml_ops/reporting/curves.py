"""Plots over two axes as SVG: calibration, distribution, days. Numbers in, markup out."""

from collections.abc import Callable, Sequence
from datetime import date

from markupsafe import Markup

from sparkml_ops.reporting.axes import (
    WIDTH,
    Scale,
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
from sparkml_ops.reporting.formats import format_figure, format_share

_LEFT, _RIGHT = 44, WIDTH - 8
_PLOT_HEIGHT = 210
_TOP = 12

OBSERVED = "share of positives"


def draw_calibration(name: str, points: Sequence[CalibrationPoint], *, title: str, observed: str = OBSERVED) -> Markup:
    """Mean prediction against what came, such as the share of positives; a calibrated model keeps to the diagonal."""
    is_share = observed.startswith("share")
    show = format_share if is_share else format_figure
    low, high = _find_ends(points, is_share=is_share)
    across, up = Scale(low, high, _LEFT, _RIGHT), Scale(low, high, _PLOT_HEIGHT, _TOP)
    ticks = list_ticks(low, high, most=6)
    told = [f"predicted {show(p.predicted)}, observed {show(p.observed)}, {p.rows:,} rows" for p in points]
    parts = [
        *write_ticks_below(across, ticks, top=_TOP, bottom=_PLOT_HEIGHT),
        *write_ticks_left(up, ticks, left=_LEFT, right=_RIGHT),
        write_line((across(low), up(low)), (across(high), up(high)), style="ideal"),
        write_path([(across(p.predicted), up(p.observed)) for p in points], style="line main"),
        *(
            write_dot(across(p.predicted), up(p.observed), style="dot main", told=t)
            for p, t in zip(points, told, strict=True)
        ),
        write_text((_LEFT + _RIGHT) / 2, _PLOT_HEIGHT + 32, "mean prediction", style="tick", anchor="middle"),
        write_text(_LEFT + 6, _TOP + 10, observed, style="tick"),
    ]
    return write_frame(name, title=title, description="; ".join(told), height=_PLOT_HEIGHT + 38, parts=parts)


def _find_ends(points: Sequence[CalibrationPoint], *, is_share: bool) -> tuple[float, float]:
    values = [value for point in points for value in (point.predicted, point.observed)]
    if is_share:
        return 0.0, min(max([*values, 0.05]) * 1.08, 1.0)
    margin = (max(values) - min(values)) * 0.05 or 1.0
    return min(values) - margin, max(values) + margin


def draw_shares(
    name: str,
    shares: Sequence[float],
    *,
    reference: Sequence[float] = (),
    title: str,
    span: tuple[float, float] = (0.0, 1.0),
) -> Markup:
    """Bars of equal bins between two numbers, and the reference as a dashed outline over them."""
    high = max([*shares, *reference, 1e-9]) * 1.08
    across, up = Scale(*span, _LEFT, _RIGHT), Scale(0, high, _PLOT_HEIGHT, _TOP)
    bins, step = len(shares), (span[1] - span[0]) / len(shares)
    width = (_RIGHT - _LEFT) / bins
    told = [
        f"{span[0] + index * step:.2f} to {span[0] + (index + 1) * step:.2f}: {format_share(share)}"
        for index, share in enumerate(shares)
    ]
    parts = [
        *write_ticks_left(up, list_ticks(0, high), left=_LEFT, right=_RIGHT, percent=True),
        *(
            write_bar(
                round(_LEFT + index * width + 1, 2),
                up(share),
                width - 2,
                _PLOT_HEIGHT - up(share),
                style="bar soft",
                told=told[index],
            )
            for index, share in enumerate(shares)
        ),
        *write_ticks_below(across, list_ticks(*span, most=6), top=_PLOT_HEIGHT, bottom=_PLOT_HEIGHT),
        write_text((_LEFT + _RIGHT) / 2, _PLOT_HEIGHT + 32, "prediction", style="tick", anchor="middle"),
    ]
    if reference:
        outline = [(round(_LEFT + at * width, 2), up(share)) for i, share in enumerate(reference) for at in (i, i + 1)]
        parts.append(write_path([(_LEFT, up(0)), *outline, (_RIGHT, up(0))], style="line other dashed"))
    return write_frame(name, title=title, description="; ".join(told), height=_PLOT_HEIGHT + 38, parts=parts)


def draw_days(name: str, days: Sequence[DayFacts], *, title: str, is_share: bool = True) -> Markup:
    """Mean prediction of each day, and the share of positives, or the mean label, where it is known."""
    known = [day for day in days if day.observed is not None]
    values = [day.predicted for day in days] + [day.observed or 0 for day in known]
    low, high = min([*values, 0.0]) * 1.12, max([*values, 1e-9]) * 1.12
    at = [float(date.fromisoformat(day.day).toordinal()) for day in days]
    across, up = Scale(at[0], max(at[-1], at[0] + 1), _LEFT + 6, _RIGHT - 6), Scale(low, high, _PLOT_HEIGHT, _TOP)
    predicted = [(across(x), up(day.predicted)) for x, day in zip(at, days, strict=True)]
    observed = [(across(x), up(day.observed)) for x, day in zip(at, days, strict=True) if day.observed is not None]
    show = format_share if is_share else format_figure
    told = [_tell_day(day, show) for day in days]
    ends = {0: "start", len(days) - 1: "end" if len(days) > 1 else "start"}
    parts = [
        *write_ticks_left(up, list_ticks(low, high), left=_LEFT, right=_RIGHT, percent=is_share),
        *(
            write_text(across(at[i]), _PLOT_HEIGHT + 16, days[i].day, style="tick", anchor=anchor)
            for i, anchor in ends.items()
        ),
        write_path(observed, style="line other dashed"),
        write_path(predicted, style="line main"),
        *(write_dot(x, y, style="dot main", told=told[i], radius=2.6) for i, (x, y) in enumerate(predicted)),
        *(
            write_dot(x, y, style="dot other", told=_tell_day(known[i], show), radius=2.6)
            for i, (x, y) in enumerate(observed)
        ),
    ]
    return write_frame(name, title=title, description="; ".join(told), height=_PLOT_HEIGHT + 24, parts=parts)


def _tell_day(day: DayFacts, show: Callable[[float], str]) -> str:
    observed = "" if day.observed is None else f", observed {show(day.observed)}"
    return f"{day.day}: predicted {show(day.predicted)}{observed}, {day.rows:,} rows"
