"""Rolling origins: which rows a model is fitted on, and which it is judged on, window by window.

For a window [origin, until) the model knows what was known at its origin, and nothing else (Tashman 2000, "Out-of-sample
tests of forecasting accuracy")::

    fit_from                     valid_from                     origin               until
    ────┤ train        ├◀embargo▶├ valid        ├◀   gap      ▶├ test ───────────────┤

The gap is as long as a label takes to be settled and known, or the embargo of the split where that is longer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkml_ops.config.dataset import Dataset, TimeSplit
from sparkml_ops.config.types import format_duration
from sparkml_ops.errors import ConfigError
from sparkml_ops.training.requirements import MINIMUM_ROWS, PURPOSES

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

MOST_WINDOWS = 50
_VALID_SHARE = 5  # a fifth of the stretch is the part valid where the split says nothing, and at most that
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class BacktestPlan:
    """How the rows are gone through.

    Attributes:
        windows: How many windows are judged; the last one ends with the newest row.
        every: Their length, and how far their origins are apart; by default the later half of the time, in equal parts.
        window: expanding: fitted on all rows before; rolling: on those of the last `length`.
        length: Of the stretch that is fitted on, for rolling windows.
    """

    windows: int = 4
    every: timedelta | None = None
    window: Literal["expanding", "rolling"] = "expanding"
    length: timedelta | None = None


@dataclass(frozen=True)
class Window:
    """One origin; all instants are UTC, each stretch without its end.

    Attributes:
        number: From 1, the earliest.
        fit_from: First moment of the rows to fit on.
        train_until: Their last one, before the part valid and its embargo.
        valid_from: First moment of the part valid.
        fit_until: Its last one, before the gap.
        origin: First moment that is judged.
        until: Last one.
    """

    number: int
    fit_from: datetime
    train_until: datetime
    valid_from: datetime
    fit_until: datetime
    origin: datetime
    until: datetime


def check_plan(plan: BacktestPlan) -> None:
    """Refuse a plan that says two things, before anything is started.

    Raises:
        ConfigError: It is no plan.
    """
    if not 1 <= plan.windows <= MOST_WINDOWS:
        raise ConfigError(f"windows: found {plan.windows}; expected 1 to {MOST_WINDOWS}")
    if plan.window == "rolling" and not plan.length:
        raise ConfigError(
            "rolling windows need a length above 0: how much of the past each model is fitted on, such as 90d"
        )
    if plan.window == "expanding" and plan.length is not None:
        raise ConfigError("a length is for rolling windows; expanding ones are fitted on all rows before")
    if plan.every is not None and not plan.every:
        raise ConfigError("every: found a duration of 0; expected one above it, such as 7d")


def plan_windows(first: datetime, last: datetime, plan: BacktestPlan, dataset: Dataset) -> list[Window]:
    """The windows over rows from a first to a last moment, the earliest first.

    Raises:
        ConfigError: The windows leave no time to fit on.
    """
    end = last + _MICROSECOND
    every = plan.every or (end - first) / (2 * plan.windows)
    embargo = dataset.split.embargo if isinstance(dataset.split, TimeSplit) else timedelta(0)
    gap = max(embargo, dataset.label_delay())
    if every * plan.windows + gap >= end - first:
        raise ConfigError(
            f"{plan.windows} windows of {_tell(every)}{f' and a gap of {_tell(gap)}' if gap else ''} leave no rows to fit on: the rows go from "
            f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC, which is {_tell(end - first)}. Ask for fewer or shorter windows."
        )
    return [
        _place_window(number, end - every * (plan.windows - number + 1), every, (gap, embargo), (first, plan, dataset))
        for number in range(1, plan.windows + 1)
    ]


def _place_window(
    number: int,
    origin: datetime,
    every: timedelta,
    apart: tuple[timedelta, timedelta],
    asked: tuple[datetime, BacktestPlan, Dataset],
) -> Window:
    (gap, embargo), (first, plan, dataset) = apart, asked
    fit_until = origin - gap
    known = fit_until - first
    fit_from = fit_until - min(known, plan.length or known)
    share = max(fit_until - fit_from, timedelta(0)) / _VALID_SHARE
    split = dataset.split
    valid = min(split.valid_until - split.train_until, share) if isinstance(split, TimeSplit) else share
    valid_from = fit_until - valid
    return Window(number, fit_from, valid_from - embargo, valid_from, fit_until, origin, origin + every)


class PartCount(NamedTuple):
    """Rows of one part of a window, those whose label is 1, and the lowest and highest label; None where there is none.

    Labels that are names of classes are ordered as texts, and none of them is 1.
    """

    rows: int
    positives: int
    lowest: float | str | None
    highest: float | str | None


def deal_window(window: Window, timestamp: str) -> "Column":
    """The part of a row in a window: train, valid or test; null where it is in none."""
    at = F.unix_micros(F.col(f"`{timestamp}`").cast("timestamp"))

    def lies(start: datetime, end: datetime) -> "Column":
        return (at >= _to_micros(start)) & (at < _to_micros(end))

    dealt = F.when(lies(window.fit_from, window.train_until), "train")
    dealt = dealt.when(lies(window.valid_from, window.fit_until), "valid")
    return dealt.when(lies(window.origin, window.until), "test")


def find_range(rows: "DataFrame", timestamp: str) -> tuple[datetime, datetime]:
    """The first and the last moment of the rows."""
    at = F.unix_micros(F.col(f"`{timestamp}`").cast("timestamp"))
    first, last = rows.agg(F.min(at), F.max(at)).collect()[0]
    return _from_micros(first), _from_micros(last)


def count_windows(rows: "DataFrame", windows: Sequence[Window], timestamp: str) -> list[dict[str, PartCount]]:
    """What each part of each window has, in one pass."""
    counts, is_named = [], isinstance(rows.schema["label"].dataType, StringType)
    of_row = F.col("label") if is_named else F.col("label").cast("double")
    for window in windows:
        part = deal_window(window, timestamp)
        for name in MINIMUM_ROWS:
            is_of, label = part == name, F.when(part == name, of_row)
            positives = F.lit(0) if is_named else F.count_if(label == 1)
            counts += [F.count_if(is_of), positives, F.min(label), F.max(label)]
    found = iter(rows.agg(*counts).collect()[0])
    return [{name: PartCount(*(next(found) for _ in range(4))) for name in MINIMUM_ROWS} for _ in windows]


def find_shortage(counts: Mapping[str, PartCount]) -> str | None:
    """Why a window cannot be judged; None when it can."""
    wrong = []
    for part, least in MINIMUM_ROWS.items():
        found = counts[part]
        if found.rows < least:
            wrong.append(f"{part} has {found.rows} rows {PURPOSES[part]}, at least {least} are needed")
        elif found.lowest is None or found.lowest == found.highest:
            told = repr(found.lowest) if isinstance(found.lowest, str) else f"{found.lowest or 0:g}"
            wrong.append(f"all {found.rows} labels of {part} are {told}, labels that differ are needed")
    return "; ".join(wrong) or None


def _to_micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND


def _from_micros(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _tell(duration: timedelta) -> str:
    return format_duration(timedelta(seconds=int(duration.total_seconds()) or 1))
