"""What a batch as a whole must keep, on hand-written figures."""

from datetime import UTC, datetime, timedelta

import pytest

from sparkml_ops.config.sources import Freshness, Skew, Source, Volume
from sparkml_ops.ingestion.counts import BatchCounts
from sparkml_ops.ingestion.verdicts import judge_freshness, judge_rows, judge_skew, judge_volume

SOURCE = Source.model_validate(
    {"path": "x", "format": "csv", "key": ["id"], "columns": {"id": {"type": "int"}}, "max_violation_ratio": 0.1}
)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rows_in", "bad", "refused", "is_kept"),
    [(0, 0, 0, True), (1, 0, 0, True), (10, 1, 1, True), (10, 2, 2, False), (10, 9, 1, True), (1, 1, 1, False)],
)
def test_the_budget_counts_rows_that_are_refused(rows_in: int, bad: int, refused: int, *, is_kept: bool) -> None:
    counts = BatchCounts(rows_in, bad, refused, {"id: is no int": bad} if bad else {})
    assert (judge_rows(counts, SOURCE, {}) is None) == is_kept


def test_one_row_that_breaks_a_fatal_rule_is_enough() -> None:
    counts = BatchCounts(1000, 3, 3, {"id: is no int": 1, "amount: is null": 2})
    reason = judge_rows(counts, SOURCE, {"id: is no int": "fail", "amount: is null": "quarantine"})
    assert reason is not None
    assert reason.splitlines()[1:] == ["         1 rows  id: is no int"]


@pytest.mark.parametrize(
    ("rows_in", "earlier", "rule", "reason"),
    [
        (0, [], {}, "0 rows came in, at least 1 should (volume.at_least)"),
        (0, [5], {"at_least": 0}, None),
        (10, [], {"changed_more_than": 0.5}, None),
        (10, [0], {"changed_more_than": 0.5}, "10 rows came in where 0 are usual"),
        (15, [10, 1000, 1], {"changed_more_than": 0.5}, None),
        (
            16,
            [10, 1000, 1],
            {"changed_more_than": 0.5},
            "16 rows came in where 10 are usual (the median of 3 batches): 60% off",
        ),
        (16, [16, 10, 1], {"changed_more_than": 0.5, "last_batches": 1}, None),
    ],
)
def test_volume(rows_in: int, earlier: list[int], rule: dict[str, float], reason: str | None) -> None:
    found = judge_volume(rows_in, earlier, Volume.model_validate(rule))
    assert found == reason or (reason is not None and found is not None and found.startswith(reason))


@pytest.mark.parametrize(("days", "is_fresh"), [(0, True), (2, True), (2.1, False), (-1, True)])
def test_freshness(days: float, *, is_fresh: bool) -> None:
    rule = Freshness.model_validate({"of": "day", "within": "2d"})
    assert (judge_freshness(NOW - timedelta(days=days), NOW, rule) is None) == is_fresh
    assert judge_freshness(None, NOW, rule) is None


@pytest.mark.parametrize(
    ("frequent", "rows", "reason"),
    [
        (None, 10, None),
        (("UA", 5), 10, None),
        (("UA", 6), 10, "6 of 10 rows (60.0%) have 'UA' as carrier, 50.0% may (skew.at_most)"),
        (("UA", 1), 1, None),
        (("x" * 99, 2), 2, f"2 of 2 rows (100.0%) have '{'x' * 50}' as carrier, 50.0% may (skew.at_most)"),
    ],
)
def test_skew(frequent: tuple[str, int] | None, rows: int, reason: str | None) -> None:
    rule = Skew.model_validate({"of": ["carrier"], "at_most": 0.5})
    assert judge_skew(frequent, rows, rule, column="carrier", is_shown=True) == reason


def test_skew_of_personal_data_keeps_the_value_to_itself() -> None:
    rule = Skew.model_validate({"of": ["email"], "at_most": 0.5})
    found = judge_skew(("a@b.c", 9), 10, rule, column="email", is_shown=False)
    assert found == "9 of 10 rows (90.0%) have one value of email, which is personal data, 50.0% may (skew.at_most)"
