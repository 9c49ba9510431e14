"""The rows that are asked about: keys and moments."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.lake import Lake, resolve_relation

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

_BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class ScoringRequest:
    """One batch to score.

    Attributes:
        batch_id: its name.
        moments: one row per decision: the entity columns and the moment, under the name that `scoring.as_of` gives it.
        rows: how many.
        versions: versions of the tables that the rows came from.
    """

    batch_id: str
    moments: "DataFrame"
    rows: int
    versions: dict[str, int]


def open_request(use_case: "UseCase", lake: Lake, *, batch: str | None = None) -> ScoringRequest:
    """Read the request, check it, and name it by its first and last day unless it has a name.

    Raises:
        ConfigError: the request lacks a column, or the batch's name cannot be used.
        ContractError: a key is missing or there twice, or a row has no moment.
    """
    if batch is not None and not _BATCH_NAME.fullmatch(batch):
        raise ConfigError(f"{batch!r} is no batch name: letters, digits, dots, dashes and underscores, at most 100")
    asked, versions = resolve_relation(lake, use_case.scoring.relation)
    as_of = use_case.scoring.as_of
    columns = list(dict.fromkeys([*use_case.dataset.entity, as_of]))
    lacking = [column for column in columns if column not in asked.columns]
    if lacking:
        raise ConfigError(f"scoring.from gives no column {', '.join(lacking)}; it has {', '.join(asked.columns)}")
    moments = asked.select(*columns)
    rows, first, last = _check_rows(moments, use_case.dataset.key_columns(), as_of)
    return ScoringRequest(batch or _name_batch(first, last), moments, rows, versions)


def _check_rows(moments: "DataFrame", key: list[str], as_of: str) -> tuple[int, datetime | None, datetime | None]:
    has_gap = F.greatest(*[F.col(column).isNull().cast("int") for column in [*key, as_of]], F.lit(0))
    per_key = (
        moments.withColumn("_gap", has_gap)
        .groupBy(*key)
        .agg(
            F.count("_gap").alias("rows"),
            F.sum("_gap").alias("gaps"),
            F.min(as_of).alias("first"),
            F.max(as_of).alias("last"),
        )
    )
    found = per_key.agg(
        F.coalesce(F.sum("rows"), F.lit(0)).alias("rows"),
        F.coalesce(F.sum("gaps"), F.lit(0)).alias("gaps"),
        F.count(F.when(F.col("rows") > 1, 1)).alias("doubled"),
        F.min("first").cast("timestamp").alias("first"),
        F.max("last").cast("timestamp").alias("last"),
    ).collect()[0]
    if found["gaps"] or found["doubled"]:
        raise ContractError(
            f"scoring.from: of {found['rows']} rows, {found['gaps']} lack a key or a moment, and {found['doubled']} keys are there "
            f"more than once. Each decision is one row with {', '.join(key)} and {as_of}. Nothing was scored."
        )
    return found["rows"], found["first"], found["last"]


def _name_batch(first: datetime | None, last: datetime | None) -> str:
    return "empty" if first is None or last is None else f"{first:%Y-%m-%d}_{last:%Y-%m-%d}"
