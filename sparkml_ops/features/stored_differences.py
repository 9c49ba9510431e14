"""A few rows of a training set, and where what is stored of them is not what was found again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkml_ops.features.rederive import MOMENT, ROW, STORED, as_feature

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

RELATIVE, ABSOLUTE = 1e-6, 1e-9
"""How far two ways to add the same numbers up may be apart."""


@dataclass(frozen=True)
class Sample:
    """Some rows of a training set.

    Attributes:
        rows: the rows as a DataFrame: `__row`, entity columns, the moment, `__moment`, and features as `__stored_<feature>`.
        moments: each row's moment in microseconds since 1970, by its number.
        keys: what names each row, by its number, for messages.
    """

    rows: "DataFrame"
    moments: list[int]
    keys: list[str]


@dataclass(frozen=True)
class Difference:
    """How many rows of a sample have another value of a feature than was found; with one of them."""

    feature: str
    rows: int
    row: int | None = None
    stored: Any = None
    found: Any = None


def draw_rows(  # noqa: PLR0913  # what a row is, which ones, and what may be shown of them
    rows: "DataFrame",
    features: Sequence[str],
    *,
    key: Sequence[str],
    timestamp: str,
    number: int,
    seed: int,
    withhold: Collection[str] = (),
) -> Sample:
    """Draw some rows of a training set: the same ones with the same seed, however the table is laid out.

    Args:
        rows: rows of a training set.
        features: its feature columns.
        key: columns that name a row.
        timestamp: the column with the moment.
        number: how many rows.
        seed: which ones.
        withhold: columns whose values no message may show.
    """
    drawn = rows.orderBy(F.xxhash64(F.lit(seed), *key), *key).limit(number)
    kept = [name for name in rows.columns if name not in (*features, "split", "label")]
    table: pa.Table = drawn.select(
        *(F.col(f"`{name}`") for name in kept),
        F.unix_micros(F.col(timestamp).cast("timestamp")).alias(MOMENT),
        *(F.col(f"`{name}`").alias(f"{STORED}{name}") for name in features),
    ).toArrow()
    table = table.append_column(ROW, pa.array(np.arange(len(table))))
    shown = {name: table[name].to_pylist() for name in key}
    keys = [
        ", ".join(f"{name}={'…' if name in withhold else values[at]}" for name, values in shown.items())
        for at in range(len(table))
    ]
    return Sample(rows.sparkSession.createDataFrame(table), table[MOMENT].to_pylist(), keys)


def find_differences(found: "DataFrame", features: Sequence[str]) -> list[Difference]:
    """Hold what is stored of some rows against what was found again; one job.

    Args:
        found: rows with the features, and what is stored of them as `__stored_<feature>`.
        features: which ones.
    """
    if not features:
        return []
    asked = []
    for name in features:
        again = as_feature(F.col(f"`{name}`"), found, name)
        example = F.struct(F.col(ROW).alias("row"), F.col(f"`{STORED}{name}`").alias("stored"), again.alias("found"))
        other = _is_other(found, name)
        asked += [
            F.count_if(other).alias(f"{name} rows"),
            F.min(F.when(other, example)).alias(f"{name} example"),
        ]
    row = found.agg(*asked).collect()[0]
    differences = []
    for name in features:
        example = row[f"{name} example"]
        told = {} if example is None else {key: example[key] for key in ("row", "stored", "found")}
        differences.append(Difference(name, row[f"{name} rows"], **told))
    return differences


def _is_other(found: "DataFrame", name: str) -> "Column":
    stored, again = F.col(f"`{STORED}{name}`"), as_feature(F.col(f"`{name}`"), found, name)
    same = stored.eqNullSafe(again)
    if isinstance(found.schema[name].dataType, StringType):
        return ~same
    apart = F.abs(stored - again)
    slack = F.greatest(F.abs(stored), F.abs(again)) * RELATIVE + ABSOLUTE
    # Beside infinity or NaN, which Spark holds to be the greatest number, every slack would be wide enough.
    is_near = (apart < float("inf")) & (apart <= slack)
    return ~(same | F.coalesce(is_near, F.lit(False)))
