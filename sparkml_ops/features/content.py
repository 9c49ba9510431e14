"""What a training set's table holds, found by one scan: rows, positives, and a hash that no row order changes."""

import hashlib
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType

from sparkml_ops.config.tasks import sort_classes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, Row
    from pyspark.sql.types import DataType

_OF_NUMBERS = {"mean": F.avg, "stddev": F.stddev_pop, "lowest": F.min, "highest": F.max}


@dataclass(frozen=True)
class Content:
    """Figures of a table with a column `split` and a column `label`.

    Attributes:
        rows: rows by part.
        positives: rows with label 1, by part; empty where labels are numbers or several classes.
        content_hash: 16 hex digits.
        labels: mean, standard deviation, lowest and highest of labels that are numbers, by part; rows by class of several classes.
    """

    rows: dict[str, int]
    positives: dict[str, int]
    content_hash: str
    labels: dict[str, dict[str, float]] = field(default_factory=dict)


def measure_content(rows: "DataFrame") -> Content:
    """Count and hash the rows in one pass."""
    kind = rows.schema["label"].dataType
    is_number, is_name = isinstance(kind, DoubleType), isinstance(kind, StringType)
    label = F.lit(0) if is_name else F.col("label")
    by_part = (
        rows.withColumn("__hash", _hash_row(rows))
        .groupBy("split")
        .agg(
            F.count("*").alias("rows"),
            F.sum(label).alias("positives"),
            *(measure(label).cast("double").alias(name) for name, measure in _OF_NUMBERS.items()),
            F.bit_xor("__hash").alias("xor"),
            # A sum too, because equal rows cancel out in the other; as a decimal, because a long would overflow.
            F.sum(F.col("__hash").cast("decimal(38,0)")).alias("total"),
        )
    )
    found = sorted(by_part.collect(), key=lambda row: str(row["split"]))
    figures = [
        sum(row["rows"] for row in found),
        reduce(xor, (row["xor"] for row in found), 0),
        sum(int(row["total"]) for row in found),
    ]
    text = ",".join([*(f"{name}:{kind.simpleString()}" for name, kind in _columns(rows)), *map(str, figures)])
    return Content(
        rows={row["split"]: row["rows"] for row in found},
        positives={} if is_number or is_name else {row["split"]: row["positives"] for row in found},
        content_hash=hashlib.sha256(text.encode()).hexdigest()[:16],
        labels=_count_classes(rows) if is_name else _tell_numbers(found) if is_number else {},
    )


def _tell_numbers(found: "Sequence[Row]") -> dict[str, dict[str, float]]:
    return {row["split"]: {name: row[name] for name in _OF_NUMBERS} for row in found}


def _count_classes(rows: "DataFrame") -> dict[str, dict[str, float]]:
    """Rows of each class by part, the classes in the order of `sort_classes`; of at most `MAX_CLASSES` a part there are no more to read."""
    counted = rows.groupBy("split", "label").count().collect()
    order = sort_classes({row["label"] for row in counted})
    by_part: dict[str, dict[str, float]] = {part: {} for part in sorted({row["split"] for row in counted})}
    for row in sorted(counted, key=lambda row: order.index(row["label"])):
        by_part[row["split"]][row["label"]] = float(row["count"])
    return by_part


def _hash_row(rows: "DataFrame") -> "Column":
    """Hash of a row. xxhash64 passes over nulls, so where they are is hashed too."""
    columns = [F.col(f"`{name}`") for name, _ in _columns(rows)]
    return F.xxhash64(F.array(*(column.isNull() for column in columns)), *columns)


def _columns(rows: "DataFrame") -> list[tuple[str, "DataType"]]:
    return sorted(((field.name, field.dataType) for field in rows.schema), key=lambda column: column[0])
