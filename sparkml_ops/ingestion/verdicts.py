"""What a batch as a whole must keep: its budget of bad rows, its volume, freshness and skew."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from sparkml_ops.config.types import format_duration
from sparkml_ops.ingestion.counts import BatchCounts

if TYPE_CHECKING:
    from sparkml_ops.config.sources import Freshness, Severity, Skew, Source, Volume

_REASONS_SHOWN = 5
_LONGEST_VALUE = 50  # characters
_FEWEST_ROWS = 2


def judge_rows(counts: BatchCounts, source: "Source", severities: Mapping[str, "Severity"]) -> str | None:
    """Why a batch must be refused for its rows: one breaks a rule that refuses a batch, or too many are refused; None if not."""
    default = "fail" if source.on_violation == "fail" else "quarantine"  # keys, and rows that could not be taken apart
    fatal = {rule: rows for rule, rows in counts.by_rule.items() if severities.get(rule, default) == "fail"}
    limit = 0.0 if fatal else source.max_violation_ratio
    bad = counts.rows_refused
    if not fatal and bad <= limit * counts.rows_in:
        return None
    worst = sorted(((rows, rule) for rule, rows in (fatal or counts.by_rule).items()), reverse=True)[:_REASONS_SHOWN]
    policy = "on_violation: fail" if fatal else f"max_violation_ratio: {source.max_violation_ratio:g}"
    head = f"{bad} of {counts.rows_in} rows ({bad / counts.rows_in:.1%}) break the contract, and {limit:.1%} may ({policy})."
    return "\n".join([head, *(f"  {rows:>8} rows  {rule}" for rows, rule in worst)])


def judge_volume(rows_in: int, earlier: Sequence[float], volume: "Volume") -> str | None:
    """Why a batch has too few or too many rows; None if it has not.

    Args:
        rows_in: rows of the batch.
        earlier: rows that the batches before it would have had with as many files, newest first; without any there is nothing
            to compare with.
        volume: the rule.
    """
    if rows_in < volume.at_least:
        return f"{rows_in} rows came in, at least {volume.at_least} should (volume.at_least)"
    compared = earlier[: volume.last_batches]
    if volume.changed_more_than is None or not compared:
        return None
    usual = median(compared)
    change = abs(rows_in - usual) / max(usual, 1)
    if change <= volume.changed_more_than:
        return None
    return (
        f"{rows_in} rows came in where {usual:g} are usual (the median of {len(compared)} batches): {change:.0%} off, "
        f"{volume.changed_more_than:.0%} may be (volume.changed_more_than)"
    )


def judge_freshness(newest: datetime | None, now: datetime, freshness: "Freshness") -> str | None:
    """Why the newest row of a batch is too old; None if it is not, and when the batch has no row."""
    if newest is None or now - newest <= freshness.within:
        return None
    return (
        f"the newest {freshness.of} is {newest.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, {(now - newest).days} days before this batch; "
        f"it may be {format_duration(freshness.within)} old (freshness.within)"
    )


def judge_skew(frequent: tuple[str, int] | None, rows: int, skew: "Skew", *, column: str, is_shown: bool) -> str | None:
    """Why too many rows of a batch have one value of a column; None if they have not, and when there is nothing to compare.

    Args:
        frequent: the most frequent value, and the rows that have it.
        rows: rows that are taken in; a single one says nothing.
        skew: the rule.
        column: name of the column.
        is_shown: whether the value may be told.
    """
    if frequent is None or rows < _FEWEST_ROWS or frequent[1] <= skew.at_most * rows:
        return None
    shown = repr(frequent[0][:_LONGEST_VALUE])
    value = f"{shown} as {column}" if is_shown else f"one value of {column}, which is personal data"
    return (
        f"{frequent[1]} of {rows} rows ({frequent[1] / rows:.1%}) have {value}, {skew.at_most:.1%} may (skew.at_most)"
    )
