"""The course of a search, and its trials as lines over parallel axes, as SVG. Numbers in, markup out; colours come from the page."""

from collections.abc import Sequence

from markupsafe import Markup

from sparkml_ops.reporting.axes import (
    WIDTH,
    Scale,
    fit_range,
    list_ticks,
    write_dot,
    write_frame,
    write_line,
    write_path,
    write_text,
    write_ticks_left,
)
from sparkml_ops.reporting.formats import format_figure, shorten
from sparkml_ops.reporting.parameter_axes import ParameterAxis
from sparkml_ops.reporting.searched import TriedParams

GROUPS = 5  # of equally many trials, by their figure: each has a colour
MAX_LINES = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, WIDTH - 8, 12, 210
_WIDE, _AXIS_TOP, _AXIS_BOTTOM, _EDGE = 1120, 44, 330, 30
_NAME_LENGTH = 22


def draw_course(name: str, trials: Sequence[TriedParams], *, title: str, is_higher_better: bool) -> Markup:
    """A dot for each trial, a cross for each that failed, and the best so far as a line of steps."""
    figures = [trial.figure for trial in trials if trial.figure is not None]
    low, high = fit_range(figures)
    numbers = [trial.number for trial in trials]
    across = Scale(numbers[0] - 0.5, max(numbers[-1], numbers[0] + 1) + 0.5, _LEFT, _RIGHT)
    up = Scale(low, high, _BOTTOM, _TOP)
    best = find_best_so_far(trials, is_higher_better=is_higher_better)
    steps = [(across(trial.number), value) for trial, value in zip(trials, best, strict=True) if value is not None]
    line = [(x, up(value)) for at, (x, _) in enumerate(steps) for value in (steps[max(at - 1, 0)][1], steps[at][1])]
    whole = sorted({round(tick) for tick in list_ticks(numbers[0], max(numbers[-1], numbers[0] + 1))})
    parts = [
        *write_ticks_left(up, list_ticks(low, high), left=_LEFT, right=_RIGHT),
        *(write_text(across(tick), _BOTTOM + 18, str(tick), style="tick", anchor="middle") for tick in whole),
        write_text((_LEFT + _RIGHT) / 2, _BOTTOM + 34, "trial", style="tick", anchor="middle"),
        *(part for trial in trials for part in _mark_trial(trial, across(trial.number), up)),
        write_path([*line, (_RIGHT, line[-1][1])] if line else [], style="line main"),
    ]
    told = f"{len(trials)} trials, {len(trials) - len(figures)} failed"
    if steps:
        told += f"; the best {format_figure(steps[-1][1])}"
    return write_frame(name, title=title, description=told, height=_BOTTOM + 40, parts=parts)


def find_best_so_far(trials: Sequence[TriedParams], *, is_higher_better: bool) -> list[float | None]:
    """The best figure up to each trial; None before the first that has one."""
    found: list[float | None] = []
    best: float | None = None
    for trial in trials:
        if trial.figure is not None:
            choose = max if is_higher_better else min
            best = trial.figure if best is None else choose(best, trial.figure)
        found.append(best)
    return found


def draw_parallel(
    name: str, ranked: Sequence[TriedParams], axes: Sequence[ParameterAxis], *, title: str, metric: ParameterAxis
) -> Markup:
    """A line for each trial over one axis for each parameter, the figure's last; the best lies on top.

    Args:
        name: Unique on the page.
        ranked: Trials that have a figure, best first.
        axes: Of the parameters.
        title: What is shown.
        metric: The axis of the figure.
    """
    step = (_WIDE - 2 * _EDGE) / max(len(axes), 1)
    places = [round(_EDGE + at * step, 1) for at in range(len(axes) + 1)]
    absent = {axis.name for axis in axes for trial in ranked if axis.name not in trial.params}
    lines = [
        _draw_trial(trial, places, [*axes, metric], style="best" if at == 0 else f"q{at * GROUPS // len(ranked) + 1}")
        for at, trial in enumerate(ranked)
    ]
    kept = thin_out(lines)
    parts = [*kept[::-1]]
    for at, axis in enumerate([*axes, metric]):
        parts += _draw_axis(axis, places[at], lift=at % 2 * 16, is_absent=axis.name in absent)
    described = ", ".join(axis.name for axis in [*axes, metric])
    return Markup(
        '<svg class="plot wide" role="img" aria-labelledby="{name}-title {name}-description" viewBox="0 0 {width} {height}">'
        '<title id="{name}-title">{title}</title><desc id="{name}-description">{count} trials over {described}</desc>{body}</svg>'
    ).format(
        name=name, width=_WIDE, height=_AXIS_BOTTOM + (34 if absent else 14), title=title, count=len(ranked),
        described=described, body=Markup().join(parts),
    )  # fmt: skip


def thin_out(lines: Sequence[Markup]) -> list[Markup]:
    """At most so many lines, the first among them, spread evenly over all."""
    if len(lines) <= MAX_LINES:
        return list(lines)
    return [lines[at * len(lines) // MAX_LINES] for at in range(MAX_LINES)]


def _mark_trial(trial: TriedParams, x: float, up: Scale) -> list[Markup]:
    if trial.figure is not None:
        told = f"trial {trial.number}: {format_figure(trial.figure)}"
        return [write_dot(x, up(trial.figure), style="dot tried", told=told, radius=2.6)]
    cross = Markup('<path class="failed" d="M{} {}l6 6m0 -6l-6 6"><title>{}</title></path>')
    return [cross.format(x - 3, _BOTTOM - 3, f"trial {trial.number} failed: {shorten(trial.cause or 'no cause', 120)}")]


def _draw_trial(trial: TriedParams, places: Sequence[float], axes: Sequence[ParameterAxis], *, style: str) -> Markup:
    params = {**trial.params, axes[-1].name: trial.figure}
    shares = [axis.find_place(params) for axis in axes]
    points = " ".join(f"{x:g},{_find_height(share):g}" for x, share in zip(places, shares, strict=True))
    shown = ", ".join(f"{axis.name} {_tell(params[axis.name])}" for axis in axes[:-1] if axis.name in params)
    told = f"trial {trial.number}: {format_figure(trial.figure)}; {shown}"
    return Markup('<polyline class="trial {}" points="{}"><title>{}</title></polyline>').format(style, points, told)


def _draw_axis(axis: ParameterAxis, x: float, *, lift: float, is_absent: bool) -> list[Markup]:
    is_last, is_first = x > _WIDE - 2 * _EDGE, x < 2 * _EDGE
    inwards = "end" if is_last else "start"
    marks = [
        part
        for share, text in axis.list_marks()
        for part in (
            write_line((x - 3, _find_height(share)), (x + 3, _find_height(share)), style="axis"),
            write_text(x + (-6 if is_last else 6), _find_height(share) + 4, text, style="tick", anchor=inwards),
        )
    ]
    title = shorten(axis.name, _NAME_LENGTH) + (" (log)" if axis.is_log else "")
    absent = [write_text(x, _AXIS_BOTTOM + 28, "none", style="tick", anchor="middle")] if is_absent else []
    return [
        write_line((x, _AXIS_TOP), (x, _AXIS_BOTTOM), style="axis"),
        *marks,
        *absent,
        write_text(
            _WIDE if is_last else 0 if is_first else x,
            30 - lift,
            title,
            style="label strong",
            anchor=inwards if is_last or is_first else "middle",
        ),
    ]


def _find_height(share: float | None) -> float:
    """What has no such parameter goes below the axis."""
    return _AXIS_BOTTOM + 14 if share is None else round(_AXIS_BOTTOM - share * (_AXIS_BOTTOM - _AXIS_TOP), 1)


def _tell(value: object) -> str:
    return format_figure(value) if isinstance(value, float) else str(value)
