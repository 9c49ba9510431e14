"""What is looked at before a batch is published: figures in, verdicts out."""

from collections.abc import Mapping, Sequence

from sparkml_ops.config.scoring import HoldIf
from sparkml_ops.models import population_stability_index
from sparkml_ops.scoring.ledger import BatchCheck


def check_batch(
    hold_if: HoldIf,
    *,
    rows: int,
    previous_rows: int | None,
    predictions: tuple[Sequence[int], Sequence[int]],
    null_shares: Mapping[str, float],
) -> tuple[BatchCheck, ...]:
    """Hold a batch against what is declared in `scoring.hold_if`; only declared checks are made.

    Args:
        hold_if: the limits.
        rows: rows of the batch.
        previous_rows: rows of the batch published last; None when there is none.
        predictions: counts of predictions by bin: of the model's reference, and of this batch.
        null_shares: share of missing values by feature.
    """
    return tuple(
        check
        for check in (
            _check_rows(hold_if.rows_changed_more_than, rows, previous_rows),
            _check_predictions(hold_if.prediction_psi_over, *predictions),
            _check_nulls(hold_if.null_features_over, null_shares),
        )
        if check is not None
    )


def _check_rows(limit: float | None, rows: int, previous: int | None) -> BatchCheck | None:
    if limit is None:
        return None
    if not previous:
        return BatchCheck("rows_changed", "no_data", None, limit, "no batch was published before")
    change = abs(rows - previous) / previous
    return _decide(
        "rows_changed", change, limit, f"{rows} rows, {previous} in the batch published last: {change:.1%} change"
    )


def _check_predictions(limit: float | None, expected: Sequence[int], actual: Sequence[int]) -> BatchCheck | None:
    if limit is None:
        return None
    psi = population_stability_index(expected, actual)
    if psi is None:
        return BatchCheck("prediction_psi", "no_data", None, limit, "no rows to compare")
    return _decide("prediction_psi", psi, limit, f"PSI {psi:.3f} of the predictions against the model's reference")


def _check_nulls(limit: float | None, shares: Mapping[str, float]) -> BatchCheck | None:
    if limit is None:
        return None
    if not shares:
        return BatchCheck("null_features", "no_data", None, limit, "no rows to look at")
    feature, worst = max(shares.items(), key=lambda pair: pair[1])
    return _decide(
        "null_features", worst, limit, f"{feature} is missing in {worst:.1%} of the rows, the most of all features"
    )


def _decide(check: str, figure: float, limit: float, reason: str) -> BatchCheck:
    verdict = "failed" if figure > limit else "passed"
    return BatchCheck(check, verdict, figure, limit, f"{reason}; held over {limit:g}")  # type: ignore[arg-type]
