"""Trainings and the newest search -> their page, and the same as JSON. Pure: values in, text out."""

import json
from dataclasses import fields
from typing import Any

from sparkml_ops.reporting.figures import METRIC_NAMES, PagePlot
from sparkml_ops.reporting.formats import format_count, format_share
from sparkml_ops.reporting.page import SCHEMA_VERSION, load_template, to_plain
from sparkml_ops.reporting.parameter_axes import ParameterAxis, list_axes
from sparkml_ops.reporting.parameter_importance import ParameterImportance, count_needed, find_importance
from sparkml_ops.reporting.plots import Mark, draw_bars
from sparkml_ops.reporting.search_plots import MAX_LINES, draw_course, draw_parallel
from sparkml_ops.reporting.searched import MAX_TRIALS, ExperimentFacts, TriedParams

MAX_AXES = 8
_LITTLE = 0.1  # explained share below which importance is next to chance
_LEFT_OUT = {"recipe"}  # of the JSON: whole sections of the YAML, as each version keeps them


def render_experiments_html(facts: ExperimentFacts) -> str:
    """The page: one file without script or anything to load."""
    axes = list_axes(facts.trials, log_params=facts.log_params)
    importance = find_importance(facts.trials, axes)
    return load_template("experiments.html").render(
        facts=facts,
        metric_names=METRIC_NAMES,
        course=plot_course(facts),
        parallel=plot_parallel(facts, axes, importance),
        importance=plot_importance(importance, axes),
        failed=[trial for trial in facts.trials if trial.figure is None],
    )


def render_experiments_json(facts: ExperimentFacts) -> str:
    """The same for machines: instants in ISO 8601, null for what is not known or not finite."""
    importance = find_importance(facts.trials, list_axes(facts.trials, log_params=facts.log_params))
    trainings = [
        {field.name: getattr(one, field.name) for field in fields(one) if field.name not in _LEFT_OUT}
        for one in facts.trainings
    ]
    plain: dict[str, Any] = {field.name: getattr(facts, field.name) for field in fields(facts)}
    plain |= {"trainings": trainings, "log_params": sorted(facts.log_params), "importance": importance}
    document = to_plain({"schema_version": SCHEMA_VERSION, "facts": plain})
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plot_course(facts: ExperimentFacts) -> PagePlot:
    """The figure by trial, and the best so far."""
    metric = METRIC_NAMES.get(facts.metric, facts.metric)
    title = f"{metric} by trial"
    if not any(trial.figure is not None for trial in facts.trials):
        return PagePlot(title, None, "No trial is recorded that ended well.")
    drawing = draw_course("plot-course", facts.trials, title=title, is_higher_better=facts.is_higher_better)
    note = f"Each dot is a trial, on the tuning rows; crosses failed. {'More' if facts.is_higher_better else 'Less'} is better."
    if len(facts.trials) == MAX_TRIALS:
        note += f" At most the last {MAX_TRIALS:,} trials are shown."
    return PagePlot(title, drawing, note, (("main", "the best so far"),))


def plot_parallel(
    facts: ExperimentFacts, axes: list[ParameterAxis], importance: ParameterImportance | None
) -> PagePlot:
    """Which values went with which figure; the most important parameters come first where that is known."""
    title = "Trials over their parameters"
    ranked = _rank_trials(facts)
    if not axes or len(ranked) < 2:  # noqa: PLR2004  # one line crosses nothing
        return PagePlot(title, None, "There are no two trials with different parameters.")
    order = [name for name, _ in importance.shares] if importance else [axis.name for axis in axes]
    shown = sorted(axes, key=lambda axis: order.index(axis.name))[:MAX_AXES]
    figures = [trial.figure for trial in ranked if trial.figure is not None]
    low, high = min(figures), max(figures)
    metric = ParameterAxis(METRIC_NAMES.get(facts.metric, facts.metric), low=low, high=high if high > low else low + 1)
    note = "A line is a trial; point at it for its values." + (
        f" {len(axes) - MAX_AXES} more parameters are not shown." if len(axes) > MAX_AXES else ""
    )
    note += f" {MAX_LINES} lines of {format_count(len(ranked))}, spread evenly." if len(ranked) > MAX_LINES else ""
    note += " “none”: the option that was drawn has no such parameter." if _has_absent(ranked, shown) else ""
    return PagePlot(title, draw_parallel("plot-parallel", ranked, shown, title=title, metric=metric), note)


def plot_importance(importance: ParameterImportance | None, axes: list[ParameterAxis]) -> PagePlot:
    """Bars, or why there are none."""
    title = "What the figure depends on"
    if not axes:
        return PagePlot(title, None, "No parameter was varied.")
    if importance is None:
        return PagePlot(title, None, f"Too few trials, or all alike: {count_needed(axes)} that ended well are needed.")
    note = (
        f"How much worse a random forest tells the order of {importance.trials} trials when one parameter is shuffled, in trials that "
        f"it has not seen (Breiman 2001); shares of all. With all parameters it explains {format_share(max(importance.explained, 0))}."
    )
    if importance.explained < _LITTLE:
        note += " That is next to nothing: these trials do not tell which parameters matter."
    note += " Of the values that were tried; a search tries good ones more often."
    marks = [Mark(name, share) for name, share in importance.shares]
    return PagePlot(title, draw_bars("plot-parameters", marks, title=title, show=format_share), note)


def _rank_trials(facts: ExperimentFacts) -> list[TriedParams]:
    """Those with a figure, best first."""
    known = [(trial.figure, trial) for trial in facts.trials if trial.figure is not None]
    sign = -1 if facts.is_higher_better else 1
    return [trial for _, trial in sorted(known, key=lambda pair: (sign * pair[0], pair[1].number))]


def _has_absent(trials: list[TriedParams], axes: list[ParameterAxis]) -> bool:
    return any(axis.name not in trial.params for trial in trials for axis in axes)
