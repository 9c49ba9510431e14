"""CSV: columns are matched by the header's names, file by file, never by position."""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.contract import BLOCK, HEADER, IS_ROW, POSITION, RAW, compare_columns, name_columns
from sparkml_ops.ingestion.damage import FILES_AT_A_TIME, Glance, blaming_files, look_into
from sparkml_ops.ingestion.files import plain_path, read_first_line
from sparkml_ops.ingestion.partitions import partition_values, refuse_twice, require_partitions
from sparkml_ops.ingestion.readers.lines import read_lines
from sparkml_ops.ingestion.readers.plain import BYTE_ORDER_MARK
from sparkml_ops.lake.location import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

OTHER_COLUMNS = "row: has more or fewer values than the header has columns"
OPEN_QUOTE = "row: a quote is left open"
_CORRUPT = "_corrupt"


def read_csv(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Read files that may order their columns each in its own way; the header, wherever it is repeated, is no row.

    Raises:
        ContractError: a header names a column twice or not at all, or lacks a column of the contract.
    """
    parts = [
        split_lines(read_lines(spark, source, alike.files), source, alike.header, names=alike.names)
        for alike in find_headers(spark, source, paths)
    ]
    return put_together(parts)


@dataclass(frozen=True)
class Alike:
    """Files with the same header.

    Attributes:
        header: the line.
        names: the columns that it names.
        files: the files.
    """

    header: str
    names: tuple[str, ...]
    files: tuple[Glance, ...]


def find_headers(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> list[Alike]:
    """Look into the files, and put those together that have the same header.

    Raises:
        ContractError: a header names a column twice or not at all, or lacks a column of the contract.
    """
    require_partitions(paths, source)
    files = look_into(spark, paths, form="csv")
    with ThreadPoolExecutor(FILES_AT_A_TIME, thread_name_prefix="header") as readers:
        lines = readers.map(partial(_read_header, spark, source), paths)
        by_header: dict[str, list[Glance]] = defaultdict(list)
        for file, line in zip(files, lines, strict=True):
            by_header[line].append(file)
    return [
        Alike(line, _split_header(line, source, path=alike[0].path), tuple(alike)) for line, alike in by_header.items()
    ]


def _read_header(spark: "SparkSession", source: "Source", path: str) -> str:
    with blaming_files(path):
        return read_first_line(spark, path, encoding=source.encoding)


def split_again(lines: "DataFrame", source: "Source") -> "DataFrame":
    """Take lines apart that were kept with the header above them (`_header`), as if they were read anew."""
    headers = [row[HEADER] for row in lines.select(HEADER).distinct().collect()]
    place = "quarantine"
    parts = [
        split_lines(lines.where(F.col(HEADER) == line), source, line, names=_split_header(line, source, path=place))
        for line in sorted(headers)
    ]
    return put_together(parts)


def put_together(parts: Sequence["DataFrame"]) -> "DataFrame":
    """Rows of files with different headers; a column that a file lacks is null there."""
    return reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), parts)


def split_lines(lines: "DataFrame", source: "Source", header: str, *, names: Sequence[str]) -> "DataFrame":
    """Lines of files with one header -> the values of its columns, with the `READER_COLUMNS`."""
    is_row = F.col(IS_ROW) & ~F.col(RAW).isin(header, BYTE_ORDER_MARK + header)
    schema = ", ".join(f"{quote_identifier(name)} string" for name in (*names, _CORRUPT))
    options = {
        "sep": source.delimiter,
        "quote": '"',
        "escape": '"',  # as RFC 4180 doubles a quote; Spark's own default is a backslash
        "mode": "PERMISSIVE",
        "multiLine": str(source.multiline).lower(),  # or the line ends in a value would be bent to one kind
        "columnNameOfCorruptRecord": _CORRUPT,
    }
    # What is no row gives no values, so that no expression of a contract ever meets the words of a header.
    parsed = lines.withColumn(IS_ROW, is_row).withColumn(
        "_values", F.from_csv(F.when(F.col(IS_ROW), F.col(RAW)), F.lit(schema), options)
    )
    return parsed.select(
        *[F.col("_values").getField(name).alias(name) for name in names if not name.startswith("_")],
        *partition_values(source),
        RAW,
        F.lit(header).alias(HEADER),
        _find_fault(source).alias("_malformed"),
        "_source_file",
        IS_ROW,
        BLOCK,
        POSITION,
    )


def _find_fault(source: "Source") -> "Column":
    # A quote left open in the last column swallows nothing, and Spark's parser passes over it.
    separator = re.escape(source.delimiter)
    undoubled = F.replace(RAW, F.lit('""'), F.lit(""))
    quotes = F.octet_length(undoubled) - F.octet_length(F.replace(undoubled, F.lit('"'), F.lit("")))
    is_open = (quotes % 2 == 1) & F.regexp_like(undoubled, F.lit(f'(^|{separator})"[^"]*+$'))
    return (
        F.when(F.col("_fault").isNotNull(), F.col("_fault"))
        .when(is_open, OPEN_QUOTE)
        .when(F.col(f"_values.{_CORRUPT}").isNotNull(), OTHER_COLUMNS)
    )


def _split_header(line: str, source: "Source", *, path: str) -> tuple[str, ...]:
    names = tuple(next(csv.reader([line], delimiter=source.delimiter), []))
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
    refuse_twice(names, source, place=plain_path(path))
    found = [*name_columns(names, source, place=plain_path(path)), *source.partition_columns]
    compare_columns(found, source, place=plain_path(path))
    return names
