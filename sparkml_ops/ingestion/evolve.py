"""A table that its rows have outgrown: columns that the contract does not declare come and go (`new_columns: add`)."""

from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkml_ops.errors import ContractError
from sparkml_ops.lake import Lake, read_table, table_exists
from sparkml_ops.lake.tables import add_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source


def match_table(lake: Lake, source: "Source", table: str, rows: "DataFrame") -> "DataFrame":
    """Rows with the columns of the table that they are added to, which has theirs from now on; what either lacks is null there.

    Args:
        lake: where the table is.
        source: the contract; without `new_columns: add` the columns are its own, and nothing is done.
        table: the clean table; one that is not there yet is made by the rows.
        rows: what is to be added.

    Raises:
        ContractError: a column has another type in the table, or is written in another case there.
    """
    if source.on_new_columns != "add" or not table_exists(lake, table):
        return rows
    there = read_table(lake, table).schema
    _require_same_types(rows.schema, there, table)
    # What begins with _ is ingestion's own, and no column of a file.
    new = [column for column in rows.schema if column.name not in there.names and not column.name.startswith("_")]
    add_columns(lake, table, StructType(new))
    gone = [column for column in there if column.name not in rows.columns]
    return rows.withColumns({column.name: F.lit(None).cast(column.dataType) for column in gone})


def _require_same_types(found: StructType, there: StructType, table: str) -> None:
    known = {column.name.casefold(): column for column in there}
    lines = [
        f"  ~ {old.name}: {old.dataType.simpleString()} in the table; {column.name}: {column.dataType.simpleString()} in the batch"
        for column in found
        if (old := known.get(column.name.casefold())) is not None
        and (old.name, old.dataType) != (column.name, column.dataType)
    ]
    if lines:
        raise ContractError(
            f"{table}: columns that the contract does not declare are not what they were in earlier batches:\n"
            + "\n".join(lines)
            + "\nThe batch was refused; nothing was written. Declare them in `columns` of the source with the type and the name "
            "that they are to have, or land files that agree."
        )
