"""JSON: one object per line, or several lines (`multiline`), read as text first, so that no part can be passed over."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.contract import BLOCK, HEADER, IS_ROW, POSITION, RAW, name_columns
from sparkml_ops.ingestion.damage import look_into
from sparkml_ops.ingestion.partitions import partition_values, require_partitions
from sparkml_ops.ingestion.readers.lines import read_lines
from sparkml_ops.ingestion.readers.plain import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

NO_OBJECT = "row: is not one JSON object, whole and alone"
IN_PATH = "row: has a column that the path tells as well"
# Objects whose keys are data (an id, a date) would make a column of each.
_MOST_COLUMNS = 2000


def read_json(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Read one object per line, every value as text; a line that is not exactly one object is malformed.

    Raises:
        ContractError: a file is no JSON, or the objects have too many different keys.
    """
    require_partitions(paths, source)
    return read_objects(read_lines(spark, source, look_into(spark, paths, form="json")), source)


def read_objects(lines: "DataFrame", source: "Source") -> "DataFrame":
    """Read the object of each line."""
    objects = lines.withColumn("_object", _read_object(F.ltrim(RAW, F.lit(BYTE_ORDER_MARK))))
    names = (
        [*source.columns]
        if source.on_new_columns == "ignore"
        else name_columns(_list_keys(objects), source, place="JSON objects")
    )
    return objects.select(
        RAW,
        F.lit(None).cast("string").alias(HEADER),
        _find_fault(source).alias("_malformed"),
        "_source_file",
        IS_ROW,
        BLOCK,
        POSITION,
        *[
            F.try_element_at("_object", F.lit(name)).cast("string").alias(name)
            for name in names
            if name not in source.partition_columns
        ],
        *partition_values(source),
    )


def _find_fault(source: "Source") -> "Column":
    told_twice = F.arrays_overlap(F.map_keys("_object"), F.array(*map(F.lit, source.partition_columns)))
    fault = F.when(F.col("_fault").isNotNull(), F.col("_fault")).when(F.col("_object").isNull(), NO_OBJECT)
    return fault.when(told_twice, IN_PATH) if source.partition_columns else fault


def _read_object(text: "Column") -> "Column":
    """The object that is the whole line, as a map from key to value; null where the line is anything else.

    Spark's parsers stop at the end of the first value and pass over the rest of the line without a word, so a second object
    would be lost. Put into brackets, the line must be a list of one; and a bracket of the line's own cannot close ours early
    when the line is the value of a key as well. A key that is there twice is refused by the parser itself.
    """
    alone = F.try_parse_json(F.concat(F.lit("["), text, F.lit("]"))).try_cast("array<variant>")
    closes = ~F.contains(text, F.lit("]")) | F.try_parse_json(F.concat(F.lit('{"":'), text, F.lit("}"))).isNotNull()
    return F.when((F.size(alone) == 1) & closes, F.get(alone, F.lit(0)).try_cast("map<string, variant>"))


def _list_keys(objects: "DataFrame") -> list[str]:
    keys = objects.select(F.explode(F.map_keys("_object")).alias("key")).distinct().limit(_MOST_COLUMNS + 1).collect()
    if len(keys) > _MOST_COLUMNS:
        raise ContractError(
            f"the JSON objects have more than {_MOST_COLUMNS} different keys, for instance {keys[0]['key']!r}: are keys data? "
            "With `new_columns: ignore` only the declared ones are read. The batch was refused; nothing was written."
        )
    return sorted(row["key"] for row in keys)
