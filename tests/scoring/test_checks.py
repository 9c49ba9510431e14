"""What holds a batch back, and what does not."""

from sparkml_ops.config.scoring import HoldIf
from sparkml_ops.scoring.checks import check_batch
from sparkml_ops.scoring.ledger import BatchCheck

EVEN = ([10, 10, 10, 10], [100, 100, 100, 100])
STRICT = HoldIf(rows_changed_more_than=0.5, prediction_psi_over=0.25, null_features_over=0.2)


def verdicts(checks: tuple[BatchCheck, ...]) -> dict[str, str]:
    return {check.check: check.verdict for check in checks}


def test_a_batch_like_the_others_passes() -> None:
    found = check_batch(STRICT, rows=100, previous_rows=90, predictions=EVEN, null_shares={"temp": 0.1, "wind": 0.0})
    assert verdicts(found) == {"rows_changed": "passed", "prediction_psi": "passed", "null_features": "passed"}


def test_each_figure_past_its_limit_is_named() -> None:
    found = check_batch(
        STRICT, rows=40, previous_rows=100, predictions=([10, 10, 10, 10], [1, 1, 1, 97]), null_shares={"temp": 0.5}
    )
    assert verdicts(found) == {"rows_changed": "failed", "prediction_psi": "failed", "null_features": "failed"}
    assert [check.reason for check in found if check.check != "prediction_psi"] == [
        "40 rows, 100 in the batch published last: 60.0% change; held over 0.5",
        "temp is missing in 50.0% of the rows, the most of all features; held over 0.2",
    ]


def test_nothing_to_compare_with_is_no_data_and_holds_nothing() -> None:
    found = check_batch(STRICT, rows=0, previous_rows=None, predictions=([1, 1], [0, 0]), null_shares={})
    assert set(verdicts(found).values()) == {"no_data"}


def test_only_declared_checks_are_made() -> None:
    assert check_batch(HoldIf(), rows=1, previous_rows=1000, predictions=EVEN, null_shares={"temp": 1.0}) == ()
