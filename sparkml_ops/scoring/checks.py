"""What is looked at before a batch is published: figures in, verdicts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sparkml_ops.config.scoring import HoldIf
from sparkml_ops.models import population_stability_index
from sparkml_ops.scoring.ledger import BatchCheck

Counts = Sequence[int]


@dataclass(frozen=True)
class BatchFigures:
    """What is known of a batch that was scored; what no check asks for may be left out.

    Attributes:
        rows: rows of the batch.
        previous_rows: rows of the batch published last; None when there is none.
        is_increment: whether it has changed rows alone, of which there may be any number.
        predictions: counts of predictions by bin: of the model's reference, and of this batch.
        null_shares: share of missing values by feature.
        published: counts of the predictions of the batch published last, by the same bins; None when there is none.
        features: counts by bin, as for predictions, by feature.
        lowest: the lowest prediction; None without rows.
        highest: the highest.
    """

    rows: int
    previous_rows: int | None
    predictions: tuple[Counts, Counts]
    null_shares: Mapping[str, float]
    published: Counts | None = None
    features: Mapping[str, tuple[Counts, Counts]] = field(default_factory=dict)
    lowest: float | None = None
    highest: float | None = None
    is_increment: bool = False


def check_batch(hold_if: HoldIf, figures: BatchFigures) -> tuple[BatchCheck, ...]:
    """Hold a batch against what is declared in `scoring.hold_if`; only declared checks are made."""
    expected, actual = figures.predictions
    checks = (
        _check_rows(hold_if.rows_changed_more_than, figures),
        _check_shift("prediction_psi", hold_if.prediction_psi_over, expected, actual, "the model's reference"),
        _check_nulls(hold_if.null_features_over, figures.null_shares),
        _check_shift(
            "published_psi", hold_if.published_psi_over, figures.published or (), actual, "the batch published last"
        ),
        _check_features(hold_if.feature_psi_over, figures.features),
        _check_range(hold_if.predictions_outside, figures),
        _check_constant(hold_if.constant_from_rows, figures),
    )
    return tuple(check for check in checks if check is not None)


def check_promises(broken: Mapping[str, int]) -> BatchCheck:
    """Hold a batch whose rows break what is promised to readers; `broken` has the rows that break each promise, by its words."""
    if not broken:
        return BatchCheck("contract", "passed", 0.0, 0.0, "all rows keep what is promised to readers")
    promise, rows = max(broken.items(), key=lambda pair: pair[1])
    more = f", and {len(broken) - 1} more promises are broken" if len(broken) > 1 else ""
    return BatchCheck("contract", "failed", float(rows), 0.0, f"{promise}: {rows} rows are otherwise{more}")


def _check_rows(limit: float | None, figures: BatchFigures) -> BatchCheck | None:
    rows, previous = figures.rows, figures.previous_rows
    if limit is None:
        return None
    if not previous or figures.is_increment:
        why = "changed rows alone: there may be any number" if figures.is_increment else "no batch was published before"
        return BatchCheck("rows_changed", "no_data", None, limit, why)
    change = abs(rows - previous) / previous
    return _decide(
        "rows_changed", change, limit, f"{rows} rows, {previous} in the batch published last: {change:.1%} change"
    )


def _check_shift(check: str, limit: float | None, expected: Counts, actual: Counts, what: str) -> BatchCheck | None:
    if limit is None:
        return None
    psi = population_stability_index(expected, actual)
    if psi is None:
        return BatchCheck(check, "no_data", None, limit, f"no rows to compare with {what}")
    return _decide(check, psi, limit, f"PSI {psi:.3f} of the predictions against {what}")


def _check_nulls(limit: float | None, shares: Mapping[str, float]) -> BatchCheck | None:
    if limit is None:
        return None
    if not shares:
        return BatchCheck("null_features", "no_data", None, limit, "no rows to look at")
    feature, worst = max(shares.items(), key=lambda pair: pair[1])
    return _decide(
        "null_features", worst, limit, f"{feature} is missing in {worst:.1%} of the rows, the most of all features"
    )


def _check_features(limit: float | None, features: Mapping[str, tuple[Counts, Counts]]) -> BatchCheck | None:
    if limit is None:
        return None
    shifts = {name: population_stability_index(*counts) for name, counts in features.items()}
    known = {name: psi for name, psi in shifts.items() if psi is not None}
    if not known:
        return BatchCheck("feature_psi", "no_data", None, limit, "no rows to compare with those of the training")
    feature, worst = max(known.items(), key=lambda pair: pair[1])
    reason = f"PSI {worst:.3f} of {feature} against the rows that the model learned from, the most of all features"
    return _decide("feature_psi", worst, limit, reason)


def _check_range(limits: tuple[float, float] | None, figures: BatchFigures) -> BatchCheck | None:
    if limits is None:
        return None
    (least, most), (lowest, highest) = limits, (figures.lowest, figures.highest)
    if lowest is None or highest is None:
        return BatchCheck("predictions_outside", "no_data", None, most, "no rows to look at")
    reason = f"predictions from {lowest:g} to {highest:g}; held outside {least:g} to {most:g}"
    figure, limit = (lowest, least) if lowest < least else (highest, most)
    return _tell("predictions_outside", figure, limit, reason, fails=lowest < least or highest > most)


def _check_constant(rows: int | None, figures: BatchFigures) -> BatchCheck | None:
    if rows is None:
        return None
    if figures.rows < rows:
        reason = f"{figures.rows} rows are too few to tell whether predictions are all the same; it takes {rows}"
        return BatchCheck("constant", "no_data", None, float(rows), reason)
    is_constant = figures.lowest == figures.highest
    reason = f"all {figures.rows} predictions are the same" if is_constant else "predictions differ"
    return _tell("constant", float(is_constant), rows, reason, fails=is_constant)


def _decide(check: str, figure: float, limit: float, reason: str) -> BatchCheck:
    return _tell(check, figure, limit, f"{reason}; held over {limit:g}", fails=figure > limit)


def _tell(check: str, figure: float, limit: float, reason: str, *, fails: bool) -> BatchCheck:
    verdict: Literal["failed", "passed"] = "failed" if fails else "passed"
    return BatchCheck(check, verdict, float(figure), float(limit), reason)
