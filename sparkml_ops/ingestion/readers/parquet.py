"""Parquet: columns come typed, and are held against the contract like any other, file by file."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.contract import BLOCK, HEADER, IS_ROW, POSITION, RAW, compare_columns, name_columns
from sparkml_ops.ingestion.damage import FILES_AT_A_TIME, READ_OPTIONS, blaming_files, look_into
from sparkml_ops.ingestion.files import literal_path, plain_path
from sparkml_ops.ingestion.partitions import partition_values, refuse_twice, require_partitions
from sparkml_ops.lake.location import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

# A page has a checksum where its writer made one, as Spark does; the reader does not look at it unless told.
_OPTIONS = {**READ_OPTIONS, "mergeSchema": "false", "parquet.page.verify-checksum.enabled": "true"}
_SPARK_SCHEMA = "org.apache.spark.sql.parquet.row.metadata"
_FAMILIES = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), "whole number"),
    **dict.fromkeys(("float", "double"), "floating number"),
    **dict.fromkeys(("timestamp", "timestamp_ntz"), "timestamp"),  # the session's zone is UTC
}
_NULLS_ALONE = re.compile(r"^  optional int32 (.+) \((?:UNKNOWN|NULL)\);$", re.MULTILINE)
"""Columns of nothing but nulls as pandas and pyarrow write them; Spark takes them for whole numbers."""
_NUMBERS = {"whole number", "floating number", "decimal"}


def read_parquet(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Read files by column name; those with the same columns are read together.

    Raises:
        ContractError: a file is damaged or lacks a column of the contract, or two have a column in types that do not fit.
    """
    require_partitions(paths, source)
    look_into(spark, paths, form="parquet")
    with ThreadPoolExecutor(FILES_AT_A_TIME, thread_name_prefix="footer") as readers:
        schemas = list(readers.map(partial(_read_schema, spark), paths))
    alike: dict[str, list[str]] = defaultdict(list)
    for path, schema in zip(paths, schemas, strict=True):
        alike[schema].append(path)
    parts = {files[0]: _read_alike(spark, source, files, schema=schema) for schema, files in alike.items()}
    _require_fitting_types({path: kinds for path, (_, kinds) in parts.items()})
    return reduce(
        lambda left, right: left.unionByName(right, allowMissingColumns=True), (rows for rows, _ in parts.values())
    )


def _read_schema(spark: "SparkSession", path: str) -> str:
    """The columns of a file as its footer tells them."""
    jvm: Any = spark._jvm  # noqa: SLF001  # a job of Spark for each file would take a hundred times as long
    hadoop = spark._jsc.hadoopConfiguration()  # noqa: SLF001
    parquet = jvm.org.apache.parquet.hadoop
    with blaming_files(path):
        input_file = parquet.util.HadoopInputFile.fromPath(jvm.org.apache.hadoop.fs.Path(path), hadoop)
        reader = parquet.ParquetFileReader.open(input_file)
        try:
            told = reader.getFooter().getFileMetaData()
            return f"{told.getSchema()}{told.getKeyValueMetaData().get(_SPARK_SCHEMA)}"
        finally:
            reader.close()


def _read_alike(
    spark: "SparkSession", source: "Source", paths: Sequence[str], *, schema: str
) -> "tuple[DataFrame, dict[str, str]]":
    """The rows of files with the same columns, and the types that these have there."""
    place = plain_path(paths[0])
    try:
        rows = spark.read.options(**_OPTIONS).parquet(*(literal_path(path) for path in paths))
        found = name_columns(rows.columns, source, place=place)
        refuse_twice(found, source, place=place)
        compare_columns([*found, *source.partition_columns], source, place=place)
        kept = found if source.on_new_columns == "add" else [name for name in source.columns if name in found]
        blank = _NULLS_ALONE.findall(schema)
        kinds = {name: "void" if name in blank else kind for name, kind in rows.dtypes if name in kept}
        read = rows.select(
            *[_to_value(kinds[name], name, source).alias(name) for name in kept],
            F.to_json(F.struct(*[F.col(quote_identifier(name)) for name in found])).alias(RAW),
            F.lit(None).cast("string").alias(HEADER),
            F.lit(None).cast("string").alias("_malformed"),
            F.col("_metadata.file_path").alias("_source_file"),
            F.lit(True).alias(IS_ROW),
            F.lit(0).cast("bigint").alias(BLOCK),
            F.col("_metadata.row_index").alias(POSITION),
        )
        return read.select("*", *partition_values(source)), kinds
    except AnalysisException as error:
        what = str(error).strip().splitlines()[0]
        raise ContractError(
            f"{place}: Spark cannot read a column of this file: {what} Nothing was written. Write it with another type or name."
        ) from error


def _to_value(kind: str, name: str, source: "Source") -> "Column":
    """A column as the contract may judge it: as a cast from number to number, or to a moment, would bend it, it is told as text."""
    column, text = F.col(quote_identifier(name)), F.col(quote_identifier(name)).cast("string")
    wanted = source.columns[name].type if name in source.columns else "string"
    family = _family(kind)
    if kind == "void":
        return F.lit(None)
    if kind.startswith(("struct<", "array<", "map<")):
        return F.to_json(column)  # as JSON files tell a value of more than one part
    if wanted in {"date", "timestamp", "boolean"} and family in _NUMBERS:
        return text  # seconds, or thousandths of them? and is 2 true?
    if wanted in {"int", "long"} and family in _NUMBERS - {"whole number"}:
        return F.when(column % 1 == 0, column.try_cast("decimal(38,0)").cast("string")).otherwise(text)
    return column


def _require_fitting_types(found: Mapping[str, Mapping[str, str]]) -> None:
    """Types of one column may differ in width from file to file; an int here and a text there is no width."""
    first: dict[str, tuple[str, str]] = {}
    for path, columns in found.items():
        for name, kind in columns.items():
            where, known = first.setdefault(name, (path, kind))
            if _family(kind) != _family(known) and "void" not in {kind, known}:
                raise ContractError(
                    f"column {name} is {known} in {plain_path(where)} and {kind} in {plain_path(path)}. The batch was refused; nothing "
                    "was written. Write both with one type."
                )


def _family(kind: str) -> str:
    return _FAMILIES.get(kind, kind.partition("(")[0])
