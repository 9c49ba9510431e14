"""Rows of a request that cannot be scored are put aside with their reasons; the others go on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ContractError
from sparkml_ops.lake import Lake, append_once, read_table
from sparkml_ops.scoring.refusals import COPY, QUARANTINE, MomentCounts, count_moments, tell_reasons, write_refused
from sparkml_ops.scoring.request import Wanted, open_request
from tests.training.conftest import shop_config

SCHEMA = "customer long, shop string, at timestamp"
KEY = ["customer"]
EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
ROWS = [
    (1, "a", EARLY), (2, "a", LATE),  # two that can be scored
    (None, "a", EARLY), (3, "a", None), (None, "b", None), (None, "b", None),
    (4, "a", EARLY), (4, "a", LATE), (4, "a", None),  # which moment is meant?
    (5, "a", EARLY), (5, "b", EARLY),  # which shop?
    (6, "a", LATE), (6, "a", LATE), (6, "a", LATE), (6, "a", None),
]  # fmt: skip
EXPECTED = {
    (1, "a", EARLY): [], (2, "a", LATE): [], (3, "a", None): ["at: null"],
    (None, "a", EARLY): ["customer: null"], (None, "b", None): ["customer: null", "at: null"],
    (4, "a", EARLY): ["customer: there 2 times with other values"], (4, "a", LATE): ["customer: there 2 times with other values"],
    (4, "a", None): ["at: null"], (6, "a", None): ["at: null"],
    (5, "a", EARLY): ["customer: there 2 times with other values"], (5, "b", EARLY): ["customer: there 2 times with other values"],
}  # fmt: skip


def shop(**scoring: Any) -> UseCase:
    plain = shop_config(Path("/nowhere"))
    plain["scoring"] |= {"from": "orders_due", "as_of": "at", **scoring}
    return UseCase.model_validate(plain, strict=False)


def to_utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.astimezone(UTC)


def test_each_row_is_told_why_and_one_of_equal_ones_goes_on(lake: Lake) -> None:
    moments = lake.spark.createDataFrame(ROWS, SCHEMA)
    judged = [((r.customer, r.shop, to_utc(r.at)), r.reasons) for r in tell_reasons(moments, KEY, "at").collect()]
    assert len(judged) == len(ROWS)
    assert sorted(reasons for row, reasons in judged if row == (6, "a", LATE)) == [[], [COPY], [COPY]]
    assert all(reasons == EXPECTED[row] for row, reasons in judged if row != (6, "a", LATE))
    assert count_moments(moments, KEY, "at") == MomentCounts(
        rows=15, refused=12, gaps=6, doubled=4, copies=2, first=EARLY.astimezone().replace(tzinfo=None), last=LATE.astimezone().replace(tzinfo=None)
    )  # fmt: skip


def test_rows_within_the_budget_go_to_quarantine_and_leave_it_when_they_are_mended(lake: Lake) -> None:
    rows = [*((n, EARLY) for n in range(40)), (None, EARLY), (7, LATE)]
    append_once(lake, "orders_due", lake.spark.createDataFrame(rows, "customer long, at timestamp"), write_id="one")
    with pytest.raises(
        ContractError, match=r"of 42 rows 3 cannot be scored, more than scoring.max_violation_ratio: 0.05"
    ):
        open_request(shop(), lake, Wanted())
    request = open_request(shop(max_violation_ratio=0.1), lake, Wanted())
    assert (request.rows, request.rows_refused, request.moments.count(), request.refused.count()) == (39, 3, 39, 3)
    assert request.batch_id == "2026-01-01_2026-01-01"

    def write(refused: Any, made_from: str) -> str | None:
        of = {"batch_id": "day", "run_id": "run"}
        commit = write_refused(lake, refused, entity=KEY, as_of="at", of=of, made_from=made_from)
        return commit.status if commit else None

    assert write(request.refused, "first") == "committed"
    assert write(request.refused, "first") == "skipped_duplicate"
    kept = {(r.customer, *r.reasons) for r in read_table(lake, QUARANTINE).collect()}
    assert kept == {(None, "customer: null"), (7, "customer: there 2 times with other values")}
    assert write(request.refused.limit(0), "mended") == "committed"
    assert read_table(lake, QUARANTINE).count() == 0
    assert write(request.refused.limit(0), "mended") is None


def test_a_request_of_which_no_row_can_be_scored_is_refused_and_an_empty_one_is_not(lake: Lake) -> None:
    nothing = lake.spark.createDataFrame([], "customer long, at timestamp")
    append_once(lake, "orders_due", nothing, write_id="none")
    assert open_request(shop(), lake, Wanted()).rows == 0
    lost = lake.spark.createDataFrame([(None, EARLY)], "customer long, at timestamp")
    append_once(lake, "orders_due", lost, write_id="one")
    with pytest.raises(ContractError, match="of 1 rows 1 cannot be scored"):
        open_request(shop(), lake, Wanted())
