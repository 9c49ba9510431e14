"""What differs between two versions of the training set: what was asked, what it was made from, and the rows."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_ops.features.row_differences import RowDifference, compare_rows
from sparkml_ops.features.training_sets import TrainingSet, describe_training_set, read_training_set
from sparkml_ops.lake.changes import RowChanges, count_changes, count_rows
from sparkml_ops.lake.failed_reads import blaming_tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.lake import Lake


@dataclass(frozen=True)
class KeyChange:
    """A key of the definition, dotted as in the YAML; None on the side that has none."""

    key: str
    old: Any
    new: Any


@dataclass(frozen=True)
class InputChange:
    """A table that is not read at the same version by both.

    Attributes:
        table: its name.
        old_version: version that the old training set was made from; None when it does not read the table.
        new_version: as much of the new one.
        old_rows: rows that it had; None when that version is gone.
        new_rows: as much of the new one.
        changes: rows added, updated and removed in between; None when the history does not tell.
    """

    table: str
    old_version: int | None
    new_version: int | None
    old_rows: int | None
    new_rows: int | None
    changes: RowChanges | None


@dataclass(frozen=True)
class TrainingSetDiff:
    """What differs between two versions; empty parts are alike.

    Attributes:
        old: name of one version.
        new: name of the other.
        definition: keys that differ.
        inputs: tables that differ.
        columns_added: columns that only the new one has, with their types.
        columns_removed: columns that only the old one has.
        columns_retyped: columns of both, with the old and the new type.
        rows: rows by part, old and new.
        positives: rows with label 1 by part, old and new.
        difference: the rows by key; None when the two have no key in common.
        has_same_rows: whether both have the same columns and rows, by their hashes.
    """

    old: str
    new: str
    definition: tuple[KeyChange, ...]
    inputs: tuple[InputChange, ...]
    columns_added: dict[str, str]
    columns_removed: dict[str, str]
    columns_retyped: dict[str, tuple[str, str]]
    rows: dict[str, tuple[int, int]]
    positives: dict[str, tuple[int, int]]
    difference: RowDifference | None
    has_same_rows: bool


def compare_training_sets(lake: "Lake", old: str, new: str, *, withhold: Collection[str] = ()) -> TrainingSetDiff:
    """Find out what differs between two versions.

    Args:
        lake: where the tables are.
        old: name of a version.
        new: name of another.
        withhold: columns with personal data, whose values are not among the examples.

    Raises:
        TableNotFoundError: a version, or its rows, are gone.
        SetupError: a file with the rows is gone.
    """
    sets = describe_training_set(lake, old), describe_training_set(lake, new)
    before, after = (read_training_set(lake, one.version) for one in sets)
    kinds = tuple({field.name: field.dataType.simpleString() for field in rows.schema} for rows in (before, after))
    same_rows = sets[0].content_hash == sets[1].content_hash
    return TrainingSetDiff(
        old=old,
        new=new,
        definition=tuple(compare_definitions(sets[0].definition, sets[1].definition)),
        inputs=tuple(_compare_inputs(lake, *sets)),
        columns_added={name: kind for name, kind in kinds[1].items() if name not in kinds[0]},
        columns_removed={name: kind for name, kind in kinds[0].items() if name not in kinds[1]},
        columns_retyped={
            name: (kind, kinds[1][name]) for name, kind in kinds[0].items() if kinds[1].get(name, kind) != kind
        },
        rows=_pair(sets[0].rows, sets[1].rows),
        positives=_pair(sets[0].positives, sets[1].positives),
        difference=_compare_rows(lake, before, after, key=_shared_key(*sets), withhold=withhold),
        has_same_rows=same_rows,
    )


def compare_definitions(old: str, new: str) -> Iterator[KeyChange]:
    """Keys in which two definitions differ, as JSON has them; a list is one value unless it holds sections."""
    before, after = (dict(_flatten(json.loads(definition))) for definition in (old, new))
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield KeyChange(key, before.get(key), after.get(key))


def _compare_rows(
    lake: "Lake", before: "DataFrame", after: "DataFrame", *, key: list[str], withhold: Collection[str]
) -> RowDifference | None:
    kinds = [[rows.schema[name].dataType for name in key] for rows in (before, after)] if key else [[], []]
    if not key or kinds[0] != kinds[1]:
        return None
    with blaming_tables(lake):
        return compare_rows(before, after, key=key, withhold=withhold)


def _shared_key(old: TrainingSet, new: TrainingSet) -> list[str]:
    """The columns that name a decision, where both say the same; none otherwise."""
    keys = []
    for made in (old, new):
        dataset = json.loads(made.definition)["dataset"]
        keys.append(dataset.get("key") or dataset["entity"])
    return list(keys[0]) if sorted(keys[0]) == sorted(keys[1]) else []


def _compare_inputs(lake: "Lake", old: TrainingSet, new: TrainingSet) -> Iterator[InputChange]:
    for table in dict.fromkeys([*old.inputs, *new.inputs]):
        before, after = old.inputs.get(table), new.inputs.get(table)
        if before == after:
            continue
        rows = [None if at is None else count_rows(lake, table, version=at) for at in (before, after)]
        moved = None if before is None or after is None else count_changes(lake, table, since=before, until=after)
        yield InputChange(table, before, after, rows[0], rows[1], moved)


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    has_sections = isinstance(value, list) and any(isinstance(item, dict) for item in value)
    if isinstance(value, dict):
        parts = [(f"{path}.{name}" if path else str(name), part) for name, part in value.items()]
    elif has_sections:
        parts = [(f"{path}[{number}]", part) for number, part in enumerate(value)]
    else:
        yield path, value
        return
    for name, part in parts:
        yield from _flatten(part, name)


def _pair(old: Mapping[str, int], new: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    return {part: (old.get(part, 0), new.get(part, 0)) for part in dict.fromkeys([*old, *new])}
