"""Comments, owners and keys into the tables themselves."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sparkml_ops.catalog.meanings import find_meaning
from sparkml_ops.lake import Lake, list_tables
from sparkml_ops.lake.describe import describe_table

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

_AT_A_TIME = 4  # a look at a table waits for its log more than it works


def describe_tables(use_case: "UseCase", lake: Lake, *, tables: Sequence[str] | None = None) -> tuple[str, ...]:
    """Bring comments and properties of the tables to what the configuration says; a table that has them is not written.

    Args:
        use_case: says what the tables mean.
        lake: where they are.
        tables: names of tables; all by default.

    Returns:
        The tables that were changed, each by a commit that changes no row.
    """
    names = list_tables(lake) if tables is None else list(tables)

    def describe(table: str) -> bool:
        meaning = find_meaning(use_case, table)
        return meaning is not None and describe_table(lake, table, meaning)

    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="describe") as workers:
        return tuple(name for name, changed in zip(names, workers.map(describe, names), strict=True) if changed)
