"""In which rows two versions of a table differ, found by the files that only one of them has; no other file is read."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import DataFrame
from pyspark.sql.types import DataType, MapType, StructType, VariantType

from sparkml_ops.lake.location import Lake
from sparkml_ops.lake.transactions import from_seq, has_transactions, read_files, start_transaction, to_action

_ADDED_FIELDS = ("path", "partitionValues", "size", "deletionVector")
_File = tuple[str, str | None]


@dataclass(frozen=True)
class Difference:
    """Files that only one of two versions of a table has.

    Attributes:
        lake: where the table is.
        table: its name.
        added: what the log says of those that only the newer one has.
        removed: of those that only the older one has.
        share: how large these are together, in parts of the newer table; above 1 where more was removed than is left.
    """

    lake: Lake
    table: str
    added: tuple[Mapping[str, Any], ...]
    removed: tuple[Mapping[str, Any], ...]
    share: float

    def read_rows(self) -> DataFrame:
        """Rows that were added, removed, or changed: of these both what they are and what they were.

        Rows that were only written anew are not among them, unless a column is a map, by which rows cannot be compared.
        """
        added = _read_files(self.lake, self.table, self.added)
        if not self.removed:
            return added
        removed = _read_files(self.lake, self.table, self.removed)
        if any(_is_incomparable(column.dataType) for column in added.schema):
            return added.union(removed)
        return added.exceptAll(removed).union(removed.exceptAll(added))


def find_difference(lake: Lake, table: str, *, since: int, until: int) -> Difference | None:
    """The files in which two versions differ; None where the log does not tell any more, or cannot be asked.

    Args:
        lake: where the table is.
        table: its name.
        since: a version.
        until: a later one, or the same.
    """
    if lake.database is not None or not has_transactions(lake):
        return None
    transaction = start_transaction(lake, table)
    actions = _read_actions(lake, transaction.deltaLog(), since=since, until=until)
    if actions is None:
        return None
    first: dict[_File, str] = {}
    last: dict[_File, tuple[str, Mapping[str, Any]]] = {}
    for kind, action in actions:
        vector = action.get("deletionVector")
        file = action["path"], json.dumps(vector, sort_keys=True) if vector else None
        first.setdefault(file, kind)
        last[file] = kind, action
    added = tuple(action for file, (kind, action) in last.items() if kind == first[file] == "add")
    removed = tuple(action for file, (kind, action) in last.items() if kind == first[file] == "remove")
    size = sum(action.get("size") or 0 for action in (*added, *removed))
    return Difference(lake, table, added, removed, size / max(transaction.snapshot().sizeInBytes(), 1))


def _read_actions(lake: Lake, log: Any, *, since: int, until: int) -> list[tuple[str, Mapping[str, Any]]] | None:
    """What the versions after one up to another did to files, in their order; None where one of them is gone."""
    path: Any = lake.spark._jvm.org.apache.hadoop.fs.Path  # type: ignore[union-attr]  # noqa: SLF001
    settings, actions = log.newDeltaHadoopConf(), []
    for version in range(since + 1, until + 1):
        try:
            lines = from_seq(lake, log.store().read(path(log.logPath(), f"{version:020d}.json"), settings))
        except Py4JJavaError:
            return None
        parsed = [json.loads(line) for line in lines]
        actions += [(kind, action[kind]) for action in parsed for kind in ("add", "remove") if kind in action]
    return actions


def _read_files(lake: Lake, table: str, files: Iterable[Mapping[str, Any]]) -> DataFrame:
    told = [{name: file[name] for name in _ADDED_FIELDS if name in file} for file in files]
    adds = [to_action(lake, {"add": {**one, "modificationTime": 0, "dataChange": True}}) for one in told]
    return read_files(lake, start_transaction(lake, table), adds)


def _is_incomparable(kind: DataType) -> bool:
    if isinstance(kind, StructType):
        return any(_is_incomparable(field.dataType) for field in kind)
    element = getattr(kind, "elementType", None)
    return isinstance(kind, MapType | VariantType) or (element is not None and _is_incomparable(element))
