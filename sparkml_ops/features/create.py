"""Create a training set: labelled decisions and their features in, one version out."""

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkml_ops.errors import ContractError
from sparkml_ops.features.content import Content, measure_content
from sparkml_ops.features.decisions import DecisionCounts, count_decisions, require_learnable, require_unique
from sparkml_ops.features.definitions import describe_dataset, hash_dataset
from sparkml_ops.features.label_events import describe_events, summarise_events
from sparkml_ops.features.orders import Order, join_features, take_order
from sparkml_ops.features.recreate import recreate_training_set
from sparkml_ops.features.training_sets import (
    TRAINING_SETS,
    TrainingSet,
    find_training_set,
    make_row,
    name_version,
    training_set_table,
)
from sparkml_ops.lake import Commit, append_once, change_versions, new_run_id, read_table, record_step, table_exists

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake, StepRecord

logger = logging.getLogger(__name__)


def create_training_set(
    use_case: "UseCase", lake: "Lake", *, run_id: str | None = None, as_of: datetime | None = None
) -> TrainingSet:
    """Create the version of the training set that the newest inputs make; if it is there already, return it.

    Args:
        use_case: the use case.
        lake: where its tables are.
        run_id: the run this belongs to; a new one by default.
        as_of: labels must have matured by this instant (UTC if it has no zone); now by default.

    Raises:
        TrainingError: the training part is empty or has one label alone.
        ContractError: a label is none of the task, or two decisions have the same key.
        ConfigError: dataset, features and relation do not fit together.
        TableNotFoundError: an input is not there.
    """
    run = run_id or new_run_id()
    with record_step(lake, run_id=run, step="dataset", config_hash=hash_dataset(use_case)) as record:
        order = take_order(use_case, lake, as_of=_to_utc(as_of), versions=None)
        _note_labels(record, order)
        task = use_case.model.task
        counts = count_decisions(order.decisions, timestamp=use_case.dataset.timestamp, task=task)
        require_learnable(counts, task=task, told_by=summarise_events(order.events) if order.events else "")
        rows_from = change_versions(lake, order.inputs)
        version = name_version(hash_dataset(use_case), rows_from, counts.newest or order.as_of)
        found = find_training_set(lake, version)
        if found is not None and not table_exists(lake, found.table):
            found = _write_again(use_case, lake, found)
        training_set = found or _write_version(order, lake, version=version, counts=counts, run_id=run)
        _record(record, training_set)
    logger.info("training set %s: %s, rows %s", version, training_set.status, training_set.rows)
    return training_set


def _write_version(order: Order, lake: "Lake", *, version: str, counts: DecisionCounts, run_id: str) -> TrainingSet:
    """Write the rows, then the row that makes the version exist."""
    require_unique(order.decisions, order.use_case.dataset.key_columns())
    rows = join_features(order, lake)
    commit = append_once(lake, training_set_table(version), rows, write_id=version)
    content = measure_content(read_table(lake, commit.table, version=commit.version))
    _require_same_counts(content, counts, commit)
    training_set = TrainingSet(
        version=version,
        table=commit.table,
        table_version=commit.version,
        inputs=order.inputs,
        rows=content.rows,
        positives=content.positives,
        labels=content.labels,
        left_out=counts.left_out(),
        feature_columns=order.use_case.feature_columns(),
        definition=json.dumps(describe_dataset(order.use_case)),
        definition_hash=hash_dataset(order.use_case),
        content_hash=content.content_hash,
        as_of=order.as_of,
        labels_until=order.labels_until,
        newest=counts.newest or order.as_of,
        run_id=run_id,
        created_at=datetime.now(UTC),
        status="created",
    )
    append_once(lake, TRAINING_SETS, make_row(lake, training_set), write_id=version)
    return training_set


def _write_again(use_case: "UseCase", lake: "Lake", made: TrainingSet) -> TrainingSet:
    """Put the rows of a version back whose table is gone: made again from its own inputs, and proven."""
    append_once(lake, made.table, recreate_training_set(use_case, lake, made.version), write_id=made.version)
    logger.warning("training set %s: its rows were gone, and were made again", made.version)
    return made


def _require_same_counts(content: Content, counts: DecisionCounts, commit: Commit) -> None:
    expected = {part: rows for part, rows in counts.rows.items() if part in content.rows}
    if content.rows != expected or sum(content.rows.values()) != counts.kept():
        raise ContractError(
            f"dataset.from gives other rows each time it is read: counted {counts.rows}, then {content.rows} in "
            f"{commit.table}@v{commit.version}. Take rand(), now() or a limit without an order out of it."
        )


def _record(record: "StepRecord", training_set: TrainingSet) -> None:
    for table, version in training_set.inputs.items():
        record.read(table, version)
    rows = sum(training_set.rows.values())
    is_new = training_set.status == "created"
    commit = Commit(
        training_set.table, training_set.table_version, rows, "committed" if is_new else "skipped_duplicate"
    )
    record.wrote(commit)
    record.note("training_set", training_set.version)
    for reason, number in training_set.left_out.items():
        record.note(f"left_out_{reason}", number)
    record.note("immature_share", round(training_set.immature_share, 6))


def _note_labels(record: "StepRecord", order: Order) -> None:
    """Noted first, so that the ledger tells them of a training set that could not be made as well."""
    for name, figure in describe_events(order.events).items() if order.events else ():
        record.note(name, figure)


def _to_utc(as_of: datetime | None) -> datetime:
    if as_of is None:
        return datetime.now(UTC)
    return as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of.astimezone(UTC)
