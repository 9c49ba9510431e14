"""What a version says of its feature columns, and the plots of it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparkml_ops.reporting.dependence import MAX_LEVELS, draw_dependence
from sparkml_ops.reporting.facts import Facts
from sparkml_ops.reporting.figures import PagePlot
from sparkml_ops.reporting.formats import format_count, format_figure
from sparkml_ops.reporting.insight import ColumnImportance, DependencePoint
from sparkml_ops.reporting.plots import Mark, draw_bars, draw_intervals

MAX_IMPORTANT, MAX_DEPENDENCE = 15, 4
LEAST_ROWS = 10  # of a range that is drawn: the mean of fewer is chance, as beyond all values that were trained on
_METHODS = {
    "shap": "Mean size of what a column adds to or takes from {unit}, over {rows} test rows: exact Shapley values of the trees.",
    "linear": "Mean size of what a column adds to or takes from {unit}, over {rows} test rows: coefficient times distance from the mean.",
    "permutation": "How much worse the metric is on {rows} valid rows when the column's values are shuffled, with its 95 % interval. "
    "The model itself does not say what a column adds.",
}
_CAUTION = " It tells what the model uses, not what is a cause."


def read_importance(metadata: Mapping[str, Any]) -> tuple[ColumnImportance, ...]:
    """The columns that a package tells of, most important first."""
    columns = (metadata.get("explanation") or {}).get("features", ())
    return tuple(
        ColumnImportance(
            column["name"],
            float(column["importance"]),
            column.get("lower"),
            column.get("upper"),
            tuple(_read_group(group) for group in column.get("groups", ())),
        )
        for column in columns
    )


def plot_importance(facts: Facts, *, otherwise: PagePlot) -> PagePlot:
    """Bars, or intervals where importance was found by shuffling; an older version shows what it has."""
    card = facts.model.card
    if card is None or not card.importance:
        return otherwise
    title, columns = "What the model looks at most", card.importance[:MAX_IMPORTANT]
    note = (
        _METHODS[card.importance_method or "shap"].format(
            rows=format_count(card.importance_rows), unit=_name_unit(facts)
        )
        + _CAUTION
    )
    left = len(card.importance) - len(columns)
    note += f" {left:,} more columns, all with less, are in `metrics` (scope `importance`)." if left > 0 else ""
    marks = [Mark(column.name, column.value, column.lower, column.upper) for column in columns]
    if card.importance_method == "permutation":
        return PagePlot(title, draw_intervals("plot-importance", marks, title=title, limit=0.0), note)
    return PagePlot(title, draw_bars("plot-importance", marks, title=title), note)


def plot_dependence(facts: Facts) -> list[PagePlot]:
    """Which way the most important columns move the answer, by their values."""
    card = facts.model.card
    columns = [column for column in card.importance if len(column.groups) > 1] if card else []
    return [_plot_column(column, at, facts) for at, column in enumerate(columns[:MAX_DEPENDENCE])]


def _name_unit(facts: Facts) -> str:
    if facts.task == "multiclass":
        return "the scores of the classes, averaged over them"
    return "the log odds" if facts.is_binary else "the prediction, in its unit"


def _plot_column(column: ColumnImportance, at: int, facts: Facts) -> PagePlot:
    title = f"{column.name}: which way it moves the answer"
    is_number = any(group.kind == "range" for group in column.groups)
    rows = format_count(facts.model.card.importance_rows if facts.model.card else None)
    above = "speaks for the positive class" if facts.is_binary else "makes it higher"
    note = f"Mean of what it adds to {_name_unit(facts)}, over {rows} test rows; above zero {above}. "
    note += (
        "Each dot is a tenth of the training values; below stand means." if is_number else _tell_levels(column.groups)
    )
    return PagePlot(title, draw_dependence(f"plot-dependence-{at}", column.groups, title=title), note)


def _tell_levels(groups: Sequence[DependencePoint]) -> str:
    return f"The {MAX_LEVELS} most frequent." if len(groups) > MAX_LEVELS else "Pale bars are no single level."


def _read_group(group: Mapping[str, Any]) -> DependencePoint:
    return DependencePoint(
        kind=group["kind"],
        label=_name_group(group),
        rows=int(group["rows"]),
        value=group.get("mean_value"),
        contribution=float(group["mean_contribution"]),
    )


def _name_group(group: Mapping[str, Any]) -> str:
    if group["kind"] == "level":
        return str(group["level"])
    if group["kind"] != "range":
        return {"missing": "missing", "others": "all others"}[group["kind"]]
    lower, upper = group.get("lower"), group.get("upper")
    if lower is None or upper is None:
        return f"up to {format_figure(upper)}" if lower is None else f"above {format_figure(lower)}"
    return f"{format_figure(lower)} to {format_figure(upper)}"
