"""The rows that are asked about: keys and moments."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.lake import Lake, resolve_relation
from sparkml_ops.scoring.refusals import MomentCounts, count_moments, tell_reasons

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

_BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Wanted:
    """What is asked of a scoring.

    Attributes:
        batch: name of the batch; by default its first and last day.
        since: the first moment; rows without a moment are always looked at, so that none is lost.
        until: the first moment that is not asked for any more.
        full: whether rows that are published as they would be scored are scored again, where `scoring.incremental` leaves them out.
        replace: whether rows that differ from those that the batch had may take their place.
    """

    batch: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    full: bool = False
    replace: bool = False


@dataclass(frozen=True)
class ScoringRequest:
    """One batch to score.

    Attributes:
        batch_id: its name.
        moments: one row per decision: the entity columns and the moment, under the name that `scoring.as_of` gives it.
        refused: rows that cannot be scored, with their `reasons`.
        rows_refused: how many these are.
        rows: how many can be scored.
        versions: versions of the tables that the rows came from.
    """

    batch_id: str
    moments: "DataFrame"
    refused: "DataFrame"
    rows_refused: int
    rows: int
    versions: dict[str, int]


def is_increment(use_case: "UseCase", wanted: Wanted) -> bool:
    """Whether only rows are scored that are new or changed."""
    return use_case.scoring.incremental and not wanted.full


def open_request(use_case: "UseCase", lake: Lake, wanted: Wanted) -> ScoringRequest:
    """Read the request, put rows aside that cannot be scored, and name it by its first and last day unless it has a name.

    Raises:
        ConfigError: the request lacks a column, the batch's name cannot be used, or the span is empty.
        ContractError: more rows than `scoring.max_violation_ratio` allows lack a key or a moment, or have a key that others have.
    """
    batch = wanted.batch
    if batch is not None and not _BATCH_NAME.fullmatch(batch):
        raise ConfigError(f"{batch!r} is no batch name: letters, digits, dots, dashes and underscores, at most 100")
    asked, versions = resolve_relation(lake, use_case.scoring.relation)
    as_of, key = use_case.scoring.as_of, use_case.dataset.key_columns()
    columns = list(dict.fromkeys([*use_case.dataset.entity, as_of]))
    lacking = [column for column in columns if column not in asked.columns]
    if lacking:
        raise ConfigError(f"scoring.from gives no column {', '.join(lacking)}; it has {', '.join(asked.columns)}")
    moments = choose_span(
        asked.select(*[F.col(f"`{name}`") for name in columns]), as_of, since=wanted.since, until=wanted.until
    )
    counts = count_moments(moments, key, as_of)
    _require_budget(use_case, counts)
    named = batch or _name_batch(counts.first, counts.last)
    if not counts.refused:
        nothing = moments.limit(0).withColumn("reasons", F.array().cast("array<string>"))
        return ScoringRequest(named, moments, nothing, 0, counts.rows, versions)
    judged = tell_reasons(moments, key, as_of)
    good, bad = judged.where("size(reasons) = 0").drop("reasons"), judged.where("size(reasons) > 0")
    return ScoringRequest(named, good, bad, counts.refused, counts.rows - counts.refused, versions)


def choose_span(moments: "DataFrame", as_of: str, *, since: datetime | None, until: datetime | None) -> "DataFrame":
    """Rows of a span of moments, its end excluded, and those without a moment.

    Raises:
        ConfigError: the span is empty.
    """
    if since is not None and until is not None and since >= until:
        raise ConfigError(f"--from {since:%Y-%m-%dT%H:%M:%SZ} is not before --to {until:%Y-%m-%dT%H:%M:%SZ}")
    moment = F.col(f"`{as_of}`")
    if since is not None:
        moments = moments.where(moment.isNull() | (moment >= F.lit(since)))
    return moments if until is None else moments.where(moment.isNull() | (moment < F.lit(until)))


def _require_budget(use_case: "UseCase", counts: MomentCounts) -> None:
    budget = use_case.scoring.max_violation_ratio
    if counts.refused <= budget * counts.rows:
        return
    scoring, key = use_case.scoring, ", ".join(use_case.dataset.key_columns())
    raise ContractError(
        f"scoring.from: of {counts.rows} rows {counts.refused} cannot be scored, more than scoring.max_violation_ratio: {budget:g} allows: {counts.gaps} lack "
        f"a key or a moment, {counts.doubled} have a key that is there with other values too, {counts.copies} are copies. Each decision is one row "
        f"with {key} and {scoring.as_of}. Nothing was scored."
    )


def _name_batch(first: datetime | None, last: datetime | None) -> str:
    return "empty" if first is None or last is None else f"{first:%Y-%m-%d}_{last:%Y-%m-%d}"
