"""Create a training set: labelled decisions and their features in, one version out; and make an old version again."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, ContractError, TableNotFoundError
from sparkml_ops.features.content import Content, measure_content
from sparkml_ops.features.decisions import (
    FATE,
    LABEL,
    DecisionCounts,
    count_decisions,
    keep_decisions,
    label_decisions,
    require_both_classes,
    require_unique,
)
from sparkml_ops.features.definitions import describe_dataset, hash_dataset
from sparkml_ops.features.lookup import features_table, look_up_features
from sparkml_ops.features.training_sets import (
    TRAINING_SETS,
    TRAINING_SETS_SCHEMA,
    TrainingSet,
    describe_training_set,
    find_training_set,
    name_version,
    to_row,
    training_set_table,
    with_definition,
)
from sparkml_ops.lake import (
    Commit,
    append_once,
    change_versions,
    new_run_id,
    read_table,
    record_step,
    resolve_relation,
    table_version,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake, StepRecord

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Order:
    """What is asked for: everything a version's rows depend on."""

    use_case: "UseCase"
    decisions: "DataFrame"
    inputs: dict[str, int]
    as_of: datetime


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
        TrainingError: the training part is empty or has a single class.
        ContractError: a label is neither 0 nor 1, or two decisions have the same key.
        ConfigError: dataset, features and relation do not fit together.
        TableNotFoundError: an input is not there.
    """
    run = run_id or new_run_id()
    with record_step(lake, run_id=run, step="dataset", config_hash=hash_dataset(use_case)) as record:
        order = _take_order(use_case, lake, as_of=_to_utc(as_of), versions=None)
        counts = count_decisions(order.decisions, timestamp=use_case.dataset.timestamp)
        require_both_classes(counts)
        rows_from = change_versions(lake, order.inputs)
        version = name_version(hash_dataset(use_case), rows_from, counts.newest or order.as_of)
        found = find_training_set(lake, version)
        training_set = found or _write_version(order, lake, version=version, counts=counts, run_id=run)
        _record(record, training_set)
    logger.info("training set %s: %s, rows %s", version, training_set.status, training_set.rows)
    return training_set


def recreate_training_set(use_case: "UseCase", lake: "Lake", version: str) -> "DataFrame":
    """Make the rows of a version again, from the inputs and the definition it was made of.

    Args:
        use_case: the use case, for its sources; dataset and feature views are taken from the version.
        lake: where its tables are.
        version: name of the version.

    Returns:
        The same rows, proven by their hash.

    Raises:
        TableNotFoundError: the version, or the version of one of its inputs, is gone; says which.
        ContractError: the inputs are there but give other rows.
    """
    made = describe_training_set(lake, version)
    for table, pinned in made.inputs.items():
        _require_readable(lake, table, pinned)
    order = _take_order(with_definition(use_case, made.definition), lake, as_of=made.as_of, versions=made.inputs)
    rows = _join_features(order, lake)
    found = measure_content(rows).content_hash
    if found != made.content_hash:
        raise ContractError(
            f"training set {version}: made again it has the hash {found}, expected {made.content_hash}. Its inputs "
            "are there, so one was made anew under its old version, or a Python function gives other values now."
        )
    return rows


def _take_order(use_case: "UseCase", lake: "Lake", *, as_of: datetime, versions: Mapping[str, int] | None) -> _Order:
    """Pin every input, at the newest version unless told, and label the decisions."""
    pinned = dict(versions or {})
    for table in map(features_table, use_case.dataset.features):
        pinned.setdefault(table, table_version(lake, table))
    rows, read = resolve_relation(lake, use_case.dataset.relation, versions=pinned)
    decisions = label_decisions(rows, use_case.dataset, as_of=as_of)
    return _Order(use_case, decisions, pinned | read, as_of)


def _join_features(order: _Order, lake: "Lake") -> "DataFrame":
    """The rows of the training set. Features are looked up for bare moments: no label can reach a derived column."""
    dataset, features = order.use_case.dataset, order.use_case.feature_columns()
    identity = [column for column in dataset.entity if column != dataset.timestamp] + [dataset.timestamp]
    taken = sorted({"split", "label"} & {*identity, *features} | set(identity) & set(features))
    if taken:
        raise ConfigError(f"dataset: `{taken[0]}` would be two columns of the training set. Give one another name.")
    joined, _ = look_up_features(
        keep_decisions(order.decisions), order.use_case, lake, timestamp=dataset.timestamp, versions=order.inputs
    )
    return joined.select(*identity, F.col(FATE).alias("split"), F.col(LABEL).cast("int").alias("label"), *features)


def _write_version(order: _Order, lake: "Lake", *, version: str, counts: DecisionCounts, run_id: str) -> TrainingSet:
    """Write the rows, then the row that makes the version exist."""
    require_unique(order.decisions, order.use_case.dataset.key_columns())
    rows = _join_features(order, lake)
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
        left_out=counts.left_out(),
        feature_columns=order.use_case.feature_columns(),
        definition=json.dumps(describe_dataset(order.use_case)),
        definition_hash=hash_dataset(order.use_case),
        content_hash=content.content_hash,
        as_of=order.as_of,
        newest=counts.newest or order.as_of,
        run_id=run_id,
        created_at=datetime.now(UTC),
        status="created",
    )
    append_once(
        lake, TRAINING_SETS, lake.spark.createDataFrame([to_row(training_set)], TRAINING_SETS_SCHEMA), write_id=version
    )
    return training_set


def _require_same_counts(content: Content, counts: DecisionCounts, commit: Commit) -> None:
    expected = {part: rows for part, rows in counts.rows.items() if part in content.rows}
    if content.rows != expected or sum(content.rows.values()) != counts.kept():
        raise ContractError(
            f"dataset.from gives other rows each time it is read: counted {counts.rows}, then {content.rows} in "
            f"{commit.table}@v{commit.version}. Take rand(), now() or a limit without an order out of it."
        )


def _require_readable(lake: "Lake", table: str, version: int) -> None:
    """Read a pinned input through: after a vacuum its log is still there, and its files are not."""
    rows = read_table(lake, table, version=version)
    try:
        rows.select(F.xxhash64(*(F.col(f"`{name}`") for name in rows.columns)).alias("hash")).agg(
            F.bit_xor("hash")
        ).collect()
    except (PySparkException, Py4JError) as error:
        raise TableNotFoundError(
            f"{table}@v{version} of {lake.use_case} cannot be read any more: vacuum ends time travel. "
            "What was made of it cannot be made again."
        ) from error


def _record(record: "StepRecord", training_set: TrainingSet) -> None:
    for table, version in training_set.inputs.items():
        record.read(table, version)
    rows, left_out = sum(training_set.rows.values()), training_set.left_out
    is_new = training_set.status == "created"
    commit = Commit(
        training_set.table, training_set.table_version, rows, "committed" if is_new else "skipped_duplicate"
    )
    record.wrote(commit)
    record.note("training_set", training_set.version)
    for reason, number in left_out.items():
        record.note(f"left_out_{reason}", number)
    record.note("immature_share", round(left_out.get("immature", 0) / (rows + sum(left_out.values())), 6))


def _to_utc(as_of: datetime | None) -> datetime:
    if as_of is None:
        return datetime.now(UTC)
    return as_of.replace(tzinfo=UTC) if as_of.tzinfo is None else as_of.astimezone(UTC)
