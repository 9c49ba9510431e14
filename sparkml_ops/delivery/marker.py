"""What a database has of the predictions, written down in the database itself, in the transaction that brings the rows.

So a database that was killed, or brought back from a backup, says itself from where to go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sparkml_ops.databases import Connection, Dialect, TableName
from sparkml_ops.errors import ConflictError

MARKER = "sparkml_ops_exports"
_FACTS = ("version", "table_id", "row_count", "rows_changed", "rows_removed", "run_id")
_KEYS = ("use_case", "export", "target", "scope")
_INSTANTS = ("newest_as_of", "exported_at")


@dataclass(frozen=True)
class MarkerPlace:
    """Which row of which marker table tells about an export.

    Attributes:
        table: the marker table, beside the target.
        use_case: whose predictions.
        export: name of the export.
        target: name of the target's table.
        scope: name of the batch that was exported alone; empty for all that is published.
    """

    table: TableName
    use_case: str
    export: str
    target: str
    scope: str

    def keys(self) -> tuple[str, ...]:
        """Values of the key."""
        return self.use_case, self.export, self.target, self.scope


@dataclass(frozen=True)
class Marker:
    """What an export brought.

    Attributes:
        version: of `predictions_current`.
        table_id: Delta's own id of that table.
        row_count: rows that were staged.
        rows_changed: rows that were put in or updated.
        rows_removed: rows that were taken away.
        run_id: the run that did it.
    """

    version: int
    table_id: str
    row_count: int
    rows_changed: int
    rows_removed: int
    run_id: str


def read_markers(connection: Connection, dialect: Dialect, place: MarkerPlace) -> dict[str, Marker]:
    """What was exported by this export to this target, by scope; the table of markers has to be there."""
    name = dialect.name
    columns = ", ".join(name((column,)) for column in ("scope", *_FACTS))
    same = " AND ".join(f"{name((key,))} = ?" for key in _KEYS[:-1])
    query = f"SELECT {columns} FROM {name(place.table)} WHERE {same}"  # noqa: S608  # names are quoted
    return {str(row[0] or ""): _to_marker(row[1:]) for row in connection.ask(query, *place.keys()[:-1])}


def write_marker(
    connection: Connection,
    dialect: Dialect,
    place: MarkerPlace,
    *,
    seen: Marker | None,
    new: Marker,
    instants: tuple[datetime | None, datetime],
) -> None:
    """Write the marker in place of the one that was seen before; within a transaction.

    Args:
        connection: in a transaction.
        dialect: of the database.
        place: which row.
        seen: what stood there when the work began.
        new: what is to stand there.
        instants: the newest moment of decision among the rows, and now.

    Raises:
        ConflictError: another export has written since; nothing is changed.
    """
    facts = [getattr(new, fact) for fact in _FACTS]
    times = [None if at is None else f"{at:%Y-%m-%d %H:%M:%S.%f}" for at in instants]
    columns = [dialect.name((column,)) for column in (*_FACTS, *_INSTANTS, *_KEYS)]
    values = [*["?"] * len(_FACTS), dialect.instant(), dialect.instant(), *["?"] * len(_KEYS)]
    table = dialect.name(place.table)
    if seen is None:
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(values)})"  # noqa: S608  # as above
        connection.run(sql, *facts, *times, *place.keys())
        return
    keys = [f"{dialect.name((key,))} = ?" for key in (*_KEYS, "version", "run_id")]
    pairs = zip(columns[: -len(_KEYS)], values[: -len(_KEYS)], strict=True)
    sets = ", ".join(f"{column} = {value}" for column, value in pairs)
    sql = f"UPDATE {table} SET {sets} WHERE {' AND '.join(keys)}"  # noqa: S608  # as above
    if connection.run(sql, *facts, *times, *place.keys(), seen.version, seen.run_id) != 1:
        raise ConflictError(
            f"export {place.export}: another export has written to {place.target} meanwhile. Nothing was written; run again."
        )


def _to_marker(row: Sequence[str | None]) -> Marker:
    version, table, rows, changed, removed, run = (str(value) for value in row)
    return Marker(int(version), table, int(rows), int(changed), int(removed), run)
