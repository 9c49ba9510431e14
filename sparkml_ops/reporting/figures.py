"""Which plots the page shows, and what each is made of. Pure."""

from dataclasses import dataclass

from markupsafe import Markup

from sparkml_ops.lake import Metric
from sparkml_ops.models import HIGHER_IS_BETTER
from sparkml_ops.reporting.curves import draw_calibration, draw_days, draw_shares
from sparkml_ops.reporting.facts import CHAMPION, COMPARED_METRICS, Facts
from sparkml_ops.reporting.formats import format_share
from sparkml_ops.reporting.plots import CUT_AT_LIMITS, Mark, draw_bars, draw_intervals

MAX_BARS = 20
METRIC_NAMES = {
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "rmse": "RMSE",
    "mae": "mean absolute error",
    "r2": "R²",
    "bias": "mean error",
    "mape": "mean error in shares of the label",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}


@dataclass(frozen=True)
class PagePlot:
    """A plot with the words around it; `drawing` is None where there is nothing to draw, and the note says so.

    Attributes:
        title: what is shown.
        drawing: the SVG.
        note: how to read it, or why it is not there.
        keys: the legend: style and meaning.
    """

    title: str
    drawing: Markup | None
    note: str
    keys: tuple[tuple[str, str], ...] = ()


def draw_page_plots(facts: Facts) -> dict[str, PagePlot]:
    """All plots by name."""
    return {
        **{name: _plot_comparison(facts, name) for name in COMPARED_METRICS[facts.task]},
        "calibration": _plot_calibration(facts),
        "weights": _plot_weights(facts),
        "same_rows": _plot_same_rows(facts),
        "shares": _plot_shares(facts),
        "days": _plot_days(facts),
        "drift": _plot_drift(facts),
        "history": _plot_history(facts),
    }


def _plot_comparison(facts: Facts, metric: str) -> PagePlot:
    title, model = f"{METRIC_NAMES[metric]} on the test rows", facts.model
    role = "champion" if model.champion is not None else "newest"
    subjects = [
        ("candidate", f"version {model.shown} ({role})"),
        ("global", "its model of all rows alone"),
        ("linear", "linear model"),
        ("trivial", "trivial model"),
    ]
    marks = [
        _to_mark(found, label, is_main=subject == "candidate")
        for subject, label in subjects
        if (found := model.find_figure(subject, metric)) is not None and found.value is not None
    ]
    newest = model.find_figure("candidate", metric, version=model.newest)
    if model.newest != model.shown and newest is not None and newest.value is not None:
        marks.insert(1, _to_mark(newest, f"version {model.newest} (newest)", is_main=False))
    if not marks:
        return PagePlot(title, None, "Not recorded.")
    note = "Dot: the figure. Line: its 95 % interval, over whole days. {} is better; the axis does not start at zero."
    note = note.format("More" if metric in HIGHER_IS_BETTER else "Less")
    if model.newest != model.shown:
        note += " Each version on the test rows of its own training set."
    return PagePlot(title, draw_intervals(f"plot-{metric}", marks, title=title), note)


def _plot_calibration(facts: Facts) -> PagePlot:
    title, card = "Calibration", facts.model.card
    if card is None or not card.calibration:
        return PagePlot(title, None, "Not recorded.")
    note = f"Tenths of {card.judged_rows or 0:,} test rows by prediction. On the diagonal, what is predicted is what happens."
    keys = (("main", f"version {card.version}"), ("ideal", "perfectly calibrated"))
    return PagePlot(
        title, draw_calibration("plot-calibration", card.calibration, title=title, observed=facts.observed), note, keys
    )


def _plot_weights(facts: Facts) -> PagePlot:
    title, card = "What the model looks at most", facts.model.card
    if card is None or not card.weights:
        return PagePlot(title, None, "Not recorded.")
    marks = [Mark(name, weight) for name, weight in card.weights]
    note = "Share of the gain in all splits; it tells what the model uses, not what is a cause."
    return PagePlot(title, draw_bars("plot-weights", marks, title=title, show=format_share), note)


def _plot_same_rows(facts: Facts) -> PagePlot:
    """The last decision's evidence: candidate and champion on the very same rows."""
    title = f"Candidate against champion, {METRIC_NAMES[facts.headline]} on the same rows"
    last = facts.decisions[0] if facts.decisions else None
    if last is None or CHAMPION not in last.evidence:
        return PagePlot(title, None, "There was no champion to compare with.")
    labels = {
        "candidate": f"version {last.to_version} (candidate)",
        CHAMPION: f"version {last.from_version} (champion then)",
    }
    marks = [
        Mark(label, figure[0], figure[1], figure[2], is_main=who == "candidate")
        for who, label in (*labels.items(), ("trivial", "trivial model"))
        if len(figure := last.evidence.get(who, {}).get(facts.headline, ())) == 3 and figure[0] is not None  # noqa: PLR2004
    ]
    if not marks:
        return PagePlot(title, None, "Not recorded.")
    note = "The gate compares row by row, so it can tell models apart whose intervals overlap here."
    return PagePlot(title, draw_intervals("plot-same-rows", marks, title=title), note)


def _plot_shares(facts: Facts) -> PagePlot:
    title, scoring = "Distribution of predictions", facts.scoring
    if scoring.published is None or not scoring.shares:
        return PagePlot(title, None, "No batch is published.")
    card, batch = facts.model.card, scoring.published
    is_same = card is not None and card.version == batch.model_version
    reference = card.reference_shares if card is not None and is_same else ()
    keys = (
        ("bar", f"batch {batch.batch_id}"),
        *((("other", f"test rows of version {batch.model_version}"),) if reference else ()),
    )
    note = "Share of the rows by prediction. The dashed line is drawn from tenths of the test rows, each spread evenly."
    note = note if reference else "Share of the rows by prediction. A reference is not recorded."
    span = card.span if card is not None else (0.0, 1.0)
    if not facts.is_share:
        note += " What lies beyond the ends is in the first and the last bar."
    drawing = draw_shares("plot-shares", scoring.shares, reference=reference, title=title, span=span)
    return PagePlot(title, drawing, note, keys)


def _plot_days(facts: Facts) -> PagePlot:
    title, scoring = "Mean prediction by day", facts.scoring
    if scoring.published is None or not scoring.days:
        return PagePlot(title, None, "No batch is published.")
    is_observed = any(day.observed is not None for day in scoring.days)
    keys = (
        ("main", "mean prediction"),
        *((("other", f"{facts.observed} observed" if facts.is_share else facts.observed),) if is_observed else ()),
    )
    note = f"Days (UTC) of batch {scoring.published.batch_id}."
    note += "" if is_observed else f" {'Observed shares' if facts.is_share else 'Labels of days'} are not recorded."
    return PagePlot(title, draw_days("plot-days", scoring.days, title=title, is_share=facts.is_share), note, keys)


def _plot_drift(facts: Facts) -> PagePlot:
    title, seen = "Drift against the training rows (PSI)", facts.monitoring
    marks = [Mark(figure.subject, figure.value) for figure in seen.drift if figure.value is not None]
    if not marks:
        return PagePlot(title, None, "Not measured.")
    limit = next((figure.threshold for figure in seen.drift if figure.threshold is not None), None)
    left = len(marks) - MAX_BARS
    note = f"Population stability index of batch {seen.batch_id}, most first; ▲ is past the limit."
    if limit is not None and marks[0].value > limit * CUT_AT_LIMITS:
        note += f" Longer bars are cut at {limit * CUT_AT_LIMITS:g}."
    note += f" {left:,} more, all smaller, are in the table." if left > 0 else ""
    return PagePlot(title, draw_bars("plot-drift", marks[:MAX_BARS], title=title, limit=limit), note)


def _plot_history(facts: Facts) -> PagePlot:
    title, history = f"{METRIC_NAMES[facts.headline]} of published batches, on their labels", facts.monitoring.history
    if not history:
        return PagePlot(title, None, "No labels are known yet.")
    marks = [
        _to_mark(figure, f"{figure.batch_id} · v{figure.model_version}", is_main=figure is history[-1])
        for figure in history
    ]
    limit = history[-1].threshold
    note = "Dot: the figure. Line: its 95 % interval. v: the model version. The newest look is last."
    return PagePlot(title, draw_intervals("plot-history", marks, title=title, limit=limit), note)


def _to_mark(figure: Metric, label: str, *, is_main: bool) -> Mark:
    return Mark(label, figure.value or 0.0, figure.lower, figure.upper, is_main)
