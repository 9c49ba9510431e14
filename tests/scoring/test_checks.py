"""What holds a batch back, and what does not."""

from typing import Any

import pytest

from sparkml_ops.config.scoring import HoldIf
from sparkml_ops.scoring.checks import BatchFigures, check_batch, check_promises
from sparkml_ops.scoring.ledger import BatchCheck

EVEN, MOVED = ([10, 10, 10, 10], [100, 100, 100, 100]), ([10, 10, 10, 10], [1, 1, 1, 97])
LIMITS: dict[str, Any] = {
    "rows_changed_more_than": 0.5,
    "prediction_psi_over": 0.25,
    "null_features_over": 0.2,
    "published_psi_over": 0.25,
    "feature_psi_over": 0.25,
    "predictions_outside": (0, 1),
}
STRICT = HoldIf(**LIMITS)
USUAL: dict[str, Any] = {
    "rows": 400, "previous_rows": 390, "predictions": EVEN, "null_shares": {"temp": 0.1, "wind": 0.0}, "published": [11, 9, 10, 10],
    "features": {"temp": EVEN, "wind": EVEN}, "lowest": 0.0, "highest": 1.0,
}  # fmt: skip


def ask(hold_if: HoldIf = STRICT, **figures: Any) -> dict[str, BatchCheck]:
    return {check.check: check for check in check_batch(hold_if, BatchFigures(**{**USUAL, **figures}))}


def test_a_batch_like_the_others_passes() -> None:
    found = ask()
    assert {name: check.verdict for name, check in found.items()} == dict.fromkeys(
        ["rows_changed", "prediction_psi", "null_features", "published_psi", "feature_psi", "predictions_outside", "constant"],
        "passed",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("check", "figures", "reason"),
    [
        ("rows_changed", {"previous_rows": 1000}, "400 rows, 1000 in the batch published last: 60.0% change; held over 0.5"),
        ("null_features", {"null_shares": {"temp": 0.5, "wind": 0.1}}, "temp is missing in 50.0% of the rows, the most of all features; held over 0.2"),
        ("published_psi", {"published": [1, 1, 1, 97]}, "PSI 3.294 of the predictions against the batch published last; held over 0.25"),
        ("feature_psi", {"features": {"temp": EVEN, "wind": MOVED}}, "PSI 3.294 of wind against the rows that the model learned from, the most of all features; held over 0.25"),
        ("predictions_outside", {"lowest": -0.5}, "predictions from -0.5 to 1; held outside 0 to 1"),
        ("predictions_outside", {"highest": 7.5}, "predictions from 0 to 7.5; held outside 0 to 1"),
        ("constant", {"lowest": 0.3, "highest": 0.3}, "all 400 predictions are the same"),
    ],
)  # fmt: skip
def test_a_figure_past_its_limit_holds_the_batch_and_is_named(check: str, figures: dict[str, Any], reason: str) -> None:
    found = ask(**figures)
    assert {name for name, one in found.items() if one.verdict == "failed"} == {check}
    assert found[check].reason == reason


def test_predictions_unlike_the_reference_hold_the_batch() -> None:
    found = ask(predictions=MOVED, published=MOVED[1])
    assert {name for name, one in found.items() if one.verdict == "failed"} == {"prediction_psi"}


def test_nothing_to_compare_with_is_no_data_and_holds_nothing() -> None:
    nothing: dict[str, Any] = {"published": None, "features": {}, "lowest": None, "highest": None, "null_shares": {}}
    found = ask(rows=0, previous_rows=None, predictions=([1, 1], [0, 0]), **nothing)
    assert {check.verdict for check in found.values()} == {"no_data"}


def test_a_few_rows_may_all_be_the_same() -> None:
    assert ask(rows=99, lowest=0.3, highest=0.3)["constant"].verdict == "no_data"
    assert "constant" not in ask(HoldIf(constant_from_rows=None), lowest=0.3, highest=0.3)


def test_rows_that_break_what_is_promised_to_readers_hold_the_batch() -> None:
    assert check_promises({}).verdict == "passed"
    broken = check_promises({"prediction is a probability": 3, "the key is there": 1})
    assert (broken.verdict, broken.figure) == ("failed", 3.0)
    assert broken.reason == "prediction is a probability: 3 rows are otherwise, and 1 more promises are broken"


def test_an_increment_may_have_any_number_of_rows() -> None:
    assert ask(previous_rows=100_000, is_increment=True)["rows_changed"].verdict == "no_data"


def test_only_declared_checks_are_made() -> None:
    assert [*ask(HoldIf(), rows=1, previous_rows=1000, null_shares={"temp": 1.0})] == ["constant"]
