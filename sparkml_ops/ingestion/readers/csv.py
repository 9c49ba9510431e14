"""CSV: columns are matched by the header's names, file by file, never by position."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.contract import compare_columns
from sparkml_ops.ingestion.files import literal_path, plain_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source


def read_csv(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Read files that may order their columns each in its own way.

    Raises:
        ContractError: a header names a column twice or not at all, or lacks a column of the contract.
    """
    by_header: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in paths:
        by_header[_read_header(spark, path, source.delimiter)].append(path)
    for header, files in by_header.items():
        compare_columns(header, source, place=plain_path(files[0]))
    parts = [_read_alike(spark, source, header, files) for header, files in by_header.items()]
    return reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), parts)


def _read_alike(spark: "SparkSession", source: "Source", header: tuple[str, ...], paths: list[str]) -> "DataFrame":
    fields = [StructField(name, StringType()) for name in (*header, "_malformed")]
    return (
        spark.read.schema(StructType(fields))
        .option("header", "true")
        .option("enforceSchema", "false")
        .option("sep", source.delimiter)
        .option("quote", '"')
        .option("escape", '"')  # as RFC 4180 doubles a quote; Spark's own default is a backslash
        .option("mode", "PERMISSIVE")
        .option("columnNameOfCorruptRecord", "_malformed")
        .csv([literal_path(path) for path in paths])
        .withColumn("_source_file", F.col("_metadata.file_path"))
    )


def _read_header(spark: "SparkSession", path: str, delimiter: str) -> tuple[str, ...]:
    first = spark.read.text(literal_path(path)).first()
    line = (first["value"] if first else "").removeprefix("\ufeff")
    names = tuple(next(csv.reader([line], delimiter=delimiter), []))
    doubled = sorted({name for name in names if names.count(name) > 1})
    if not names or "" in names or doubled:
        what = (
            "has no header line"
            if not names
            else f"names {doubled} twice"
            if doubled
            else "has a column without a name"
        )
        raise ContractError(f"{plain_path(path)} {what}. The batch was refused; nothing was written.")
    return names
