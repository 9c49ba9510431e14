"""Versions of the training set as lines for people, and as plain values for machines."""

import json
from typing import TYPE_CHECKING, Any

from sparkml_ops.cli.output import format_table, format_value, to_plain
from sparkml_ops.config.tasks import sort_classes

if TYPE_CHECKING:
    from sparkml_ops.features import RowDifference, TrainingSet, TrainingSetDiff

_WIDEST = 80  # characters of a value in a table; --json has all of it


def to_dict(training_set: "TrainingSet") -> dict[str, Any]:
    """A version for machines: the definition as what it is, and the share of immature rows."""
    plain: dict[str, Any] = to_plain(training_set)
    del plain["status"]
    return {
        **plain,
        "definition": json.loads(training_set.definition),
        "immature_share": round(training_set.immature_share, 6),
    }


def describe_left_out(training_set: "TrainingSet") -> str:
    """Rows that were left out, by reason, and the share of immature ones."""
    reasons = ", ".join(f"{reason} {rows}" for reason, rows in training_set.left_out.items()) or "nothing"
    return f"left out: {reasons}; immature: {training_set.immature_share:.1%} of all decisions"


def describe_version(made: "TrainingSet") -> list[str]:
    """What a version was made of, and what came out."""
    inputs = [f"  {table}@v{version}" for table, version in sorted(made.inputs.items())]
    dataset = json.loads(made.definition)["dataset"]
    matured = made.labels_until or made.as_of
    return [
        f"training set {made.version}: {sum(made.rows.values())} rows, {len(made.feature_columns)} feature columns",
        f"created {format_value(made.created_at)} by run {made.run_id}",
        f"rows in {made.table}@v{made.table_version}, content hash {made.content_hash}",
        f"definition hash {made.definition_hash}; split: {json.dumps(dataset['split'])}",
        f"label: {json.dumps(dataset['label'])}",
        f"labels as of {format_value(made.as_of)}, mature when settled by {format_value(matured)} (UTC)",
        *describe_parts(made),
        describe_left_out(made),
        "inputs:",
        *inputs,
    ]


def describe_parts(made: "TrainingSet") -> list[str]:
    """Rows and labels of each part, as a table."""
    if made.task == "multiclass":
        return describe_classes(made)
    if made.labels:
        figures = ("mean", "stddev", "lowest", "highest")
        rows = [(part, made.rows[part], *(made.labels[part][name] for name in figures)) for part in made.labels]
        return format_table(("part", "rows", "mean label", "deviation", "lowest", "highest"), rows)
    counts = [(part, made.rows[part], made.positives.get(part, 0)) for part in made.rows]
    return format_table(("part", "rows", "positives"), counts)


def describe_classes(made: "TrainingSet") -> list[str]:
    """Rows of each class by part, as a table."""
    parts = list(made.labels)
    names = sort_classes({name for part in parts for name in made.labels[part]})
    rows: list[tuple[Any, ...]] = [(name, *(int(made.labels[part].get(name, 0)) for part in parts)) for name in names]
    return format_table(("class", *parts), [*rows, ("all", *(made.rows[part] for part in parts))])


def describe_diff(found: "TrainingSetDiff") -> list[str]:
    """What differs, part by part; what is alike is not told."""
    lines = [f"{found.old} -> {found.new}: {'the same rows' if found.has_same_rows else 'other rows'}"]
    changes = [(change.key, _brief(change.old), _brief(change.new)) for change in found.definition]
    lines += ["", "definition:", *format_table(("key", "old", "new"), changes)] if changes else []
    inputs = [
        (
            change.table,
            *(_show_version(at) for at in (change.old_version, change.new_version)),
            change.old_rows,
            change.new_rows,
            *((c.added, c.updated, c.removed) if (c := change.changes) else (None, None, None)),
        )
        for change in found.inputs
    ]
    columns = ("table", "old", "new", "rows old", "rows new", "added", "updated", "removed")
    lines += ["", "inputs:", *format_table(columns, inputs)] if inputs else []
    columns_changed = [
        *(f"  + {name} {kind}" for name, kind in found.columns_added.items()),
        *(f"  - {name} {kind}" for name, kind in found.columns_removed.items()),
        *(f"  ~ {name} {old} -> {new}" for name, (old, new) in found.columns_retyped.items()),
    ]
    lines += ["", "columns:", *columns_changed] if columns_changed else []
    # Labels that are numbers have no positives on either side.
    pairs = [found.rows, *([found.positives] if found.positives else [])]
    parts = [(part, *(count for pair in pairs for count in pair.get(part, (0, 0)))) for part in found.rows]
    names = ("rows", "positives")[: len(pairs)]
    head = ("part", *(f"{name} {side}" for name in names for side in ("old", "new")))
    lines += ["", *format_table(head, parts)]
    return [*lines, "", *_describe_rows(found.difference)]


def _describe_rows(difference: "RowDifference | None") -> list[str]:
    if difference is None:
        return ["The two name their decisions by other keys, so rows cannot be held against each other."]
    counts = ", ".join(f"{kind.replace('_', ' ')} {rows}" for kind, rows in difference.counts.items())
    by_column = [f"  {name}: {rows} rows" for name, rows in difference.changed_columns.items()]
    examples = [
        f"  {kind.replace('_', ' ')}: {json.dumps(to_plain(example), ensure_ascii=False)}"
        for kind, rows in difference.examples.items()
        for example in rows
    ]
    return [
        f"rows by {', '.join(difference.key)}: {counts}",
        *(["changed columns:", *by_column] if by_column else []),
        *(["examples:", *examples] if examples else []),
    ]


def _show_version(version: int | None) -> str:
    return "not read" if version is None else f"v{version}"


def _brief(value: Any) -> str:
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    flat = " ".join(text.split())
    return flat if len(flat) <= _WIDEST else flat[: _WIDEST - 1] + "…"
