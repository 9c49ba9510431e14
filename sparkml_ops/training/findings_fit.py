"""Findings about the fit: too close, too loose, too few rows, columns without use. Pure.

Metrics are compared by what they gain over a trivial model, in shares, so that the same limits hold for ROC AUC, PR AUC and log loss.
"""

from collections.abc import Iterator

from sparkml_ops.config.tasks import METRICS
from sparkml_ops.models import HIGHER_IS_BETTER
from sparkml_ops.training.diagnosis import Finding, count_columns, name_some
from sparkml_ops.training.diagnosis_figures import DiagnosisFigures, Estimate, FitFigures

LOST = 0.5  # half of what was learned does not hold on other rows: the rest of the model is memory
LOOSE = 0.9  # of the linear baseline's gain: a flexible model that has less has not been let to learn
NO_SIGNAL = 0.02  # of the way from knowing nothing to knowing all
WORTH_MORE = 0.02  # of the gain, by doubling the rows: less is not worth waiting for


def judge_fit(fit: FitFigures) -> Iterator[Finding]:
    """Over-fitting, under-fitting, no signal at all, or a change between valid and test."""
    train, valid, test = (_gain(fit, part, getattr(fit, part)) for part in ("train", "valid", "test"))
    linear = _gain(fit, "test", fit.linear)
    if train is None or valid is None:
        return
    figures = {
        name: value for name in ("train", "valid", "test", "linear") if (value := getattr(fit, name)) is not None
    }
    told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
    if train > 0 and (train - valid) / train > LOST:
        yield Finding(
            "over_fitting",
            "attention",
            f"over-fitting: {1 - valid / train:.0%} of what the model gains on its own rows is lost on others ({fit.metric}: {told})",
            {**figures, "lost": 1 - valid / train},
            "search smaller trees (num_leaves, max_depth), larger leaves (min_child_samples), more regularisation (lambda_l2), or take more rows",
        )
    elif _is_nothing(fit, test if test is not None else valid) and (linear is None or _is_nothing(fit, linear)):
        yield Finding(
            "no_signal",
            "attention",
            f"neither this model nor a linear one knows more than {_name_trivial(fit)} ({fit.metric}: {told})",
            figures,
            "the features do not tell of the label: look for others, and check that keys and times of the views match the decisions",
        )
    elif test is not None and linear is not None and linear > 0 and test < LOOSE * linear:
        yield Finding(
            "under_fitting",
            "attention",
            f"under-fitting: a linear model on the same columns is better ({fit.metric}: {told})",
            figures,
            "let it learn: a larger learning_rate or more rounds (num_iterations), more leaves, a wider search; or take the linear model",
        )
    if valid > 0 and test is not None and not _is_nothing(fit, valid) and (valid - test) / valid > LOST:
        yield Finding(
            "falls_off",
            "attention",
            f"{1 - test / valid:.0%} of the gain on valid is gone on test ({fit.metric}: {told})",
            {**figures, "lost": 1 - test / valid},
            "the world or the data has changed between the parts: see unstable features, and the metrics by day",
        )


def judge_curve(figures: DiagnosisFigures) -> Iterator[Finding]:
    """Whether more rows would help."""
    known = [point for point in figures.curve if point.value is not None]
    gain, trivial = figures.last_gain, figures.fit.trivial.get("valid")
    if len(known) < 2 or gain.value is None or trivial is None:  # noqa: PLR2004  # two points make a step
        return
    last = known[-1]
    whole = abs((last.value or 0.0) - trivial)
    if (gain.lower if gain.lower is not None else 0.0) > 0 and gain.value > WORTH_MORE * whole:
        yield Finding(
            "more_rows_help",
            "info",
            f"more rows would help: the last doubling, to {last.rows:,}, made {figures.fit.metric} better by {gain.value:.4f} {_show(gain)}",
            {"rows": last.rows, "gain": gain.value},
            "let dataset.split begin earlier, or wait for more rows; the search may then find larger models better",
        )


def judge_shuffled(figures: DiagnosisFigures) -> Iterator[Finding]:
    """Columns that do not help on valid, and those that do harm."""
    harmful = [one for one in figures.shuffled if one.loss.upper is not None and one.loss.upper < 0]
    useless = [
        one for one in figures.shuffled if one not in harmful and (one.loss.lower is None or one.loss.lower <= 0)
    ]
    if harmful:
        yield Finding(
            "harmful_features",
            "attention",
            f"on valid the model is better without {count_columns(len(harmful))}: {name_some([one.column for one in harmful])}",
            {"columns": len(harmful), "worst": min(one.loss.value or 0.0 for one in harmful)},
            "take them out and train again: what they said in train does not hold later",
        )
    if useless:
        yield Finding(
            "useless_features",
            "info",
            f"{len(useless)} of {count_columns(len(figures.shuffled))} without use on valid: {name_some([one.column for one in useless])}",
            {"columns": len(useless)},
            "leave them out together and compare: a column that another one repeats shows no use alone either",
        )


def _gain(fit: FitFigures, part: str, value: float | None) -> float | None:
    trivial = fit.trivial.get(part)
    if value is None or trivial is None:
        return None
    return value - trivial if fit.metric in HIGHER_IS_BETTER else trivial - value


def _is_nothing(fit: FitFigures, gain: float) -> bool:
    trivial = fit.trivial.get("valid") or 0.0
    most = 1 - trivial if fit.metric in HIGHER_IS_BETTER else trivial
    return gain < NO_SIGNAL * most


def _name_trivial(fit: FitFigures) -> str:
    return "the mean label" if fit.metric in METRICS["regression"] else "the base rate"


def _show(estimate: Estimate) -> str:
    return "" if estimate.lower is None else f"[{estimate.lower:.4f}, {estimate.upper:.4f}]"
