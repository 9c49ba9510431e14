"""Columns that the files lack because their path tells them: `…/day=2026-01-01/country=DE/part.csv`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.files import count_files, plain_path, some_of

if TYPE_CHECKING:
    from pyspark.sql import Column

    from sparkml_ops.config.sources import Source

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def require_partitions(paths: Sequence[str], source: "Source") -> None:
    """Raise ContractError for paths that do not tell each partition column once, and name them."""
    for name in source.partition_columns:
        lacking = [plain_path(path) for path in paths if _count_folders(path, name) != 1]
        if lacking:
            raise ContractError(
                f"{count_files(len(lacking))} of {len(paths)} {'has' if len(lacking) == 1 else 'have'} not one folder {name}=… in the path: "
                f"{some_of(lacking)}. The batch was refused; nothing was written. Put them into such folders, or mend "
                "`partition_columns` of the source."
            )


def _count_folders(path: str, name: str) -> int:
    return sum(unquote(folder).startswith(f"{name}=") for folder in path.split("/")[:-1])


def refuse_twice(found: Sequence[str], source: "Source", *, place: str) -> None:
    """Raise ContractError where a file has a column that its path tells as well."""
    doubled = [name for name in source.partition_columns if name in found]
    if doubled:
        raise ContractError(
            f"{place}: the columns {doubled} are in the file, and in its path too (`partition_columns`): which one holds? The batch was "
            "refused; nothing was written. Take them out of the files, or out of `partition_columns`."
        )


def partition_values(source: "Source") -> list["Column"]:
    """The partition columns of a row, as text, read from its `_source_file`."""
    return [_read_value(name).alias(name) for name in source.partition_columns]


def _read_value(name: str) -> "Column":
    # A name that SQL takes without quotes has no sign that a pattern, or a path, would write in another way.
    told = F.regexp_extract("_source_file", rf"/{name}=([^/]*)/", 1)
    value = _decode(_decode(told))  # once as every path is told, and once as Hive and Spark write values into folders
    return F.when(value != NO_VALUE, value)


def _decode(text: "Column") -> "Column":
    decoded = F.try_url_decode(F.replace(text, F.lit("+"), F.lit("%2B")))
    return F.coalesce(decoded, text)
