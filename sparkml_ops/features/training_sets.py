"""Training sets as versions: what was asked, what it was made from, and what came out.

* The rows of a version are in `training_set_<version>`; its row in `training_sets` is written last. Without that row
  the version does not exist.
* A version's name is made of the hash of the definition, the Delta version of every input, and the newest moment
  among the rows. The last tells which rows were mature: so the same inputs give the same version on another day,
  unless labels have matured since.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from pyspark.sql.types import StructType

from sparkml_ops.errors import ConfigError, TableNotFoundError, TrainingSetNotFoundError
from sparkml_ops.features.events import from_microseconds
from sparkml_ops.features.labels import IMMATURE
from sparkml_ops.lake import read_table, table_exists
from sparkml_ops.lake.tables import add_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.lake import Lake

TRAINING_SETS = "training_sets"
TRAINING_SETS_SCHEMA = (
    "version string, table_name string, table_version bigint, definition string, definition_hash string, "
    "inputs string, row_counts string, positives string, left_out string, feature_columns string, as_of timestamp, "
    "newest timestamp, content_hash string, run_id string, created_at timestamp, labels_until timestamp, "
    "labels string"
)
LATEST = "latest"
_EXAMPLES = 5
_INSTANTS = ("as_of", "newest", "created_at", "labels_until")


@dataclass(frozen=True)
class TrainingSet:
    """One version of the training set.

    Attributes:
        version: its name, `ts-` and 12 hex digits.
        table: the table with its rows: entity columns, the moment, `split`, `label` (0 or 1, a number, or the name of a class), feature columns.
        table_version: Delta version of that table.
        inputs: Delta version of every table it was made from.
        rows: rows by part (train, valid, test).
        positives: rows with label 1, by part; empty of a regression and of several classes.
        left_out: rows that were left out, by reason.
        feature_columns: names of the feature columns, in order.
        definition: dataset and feature views, as JSON.
        definition_hash: hash of the definition.
        content_hash: hash of the rows, whatever their order.
        as_of: the instant as of which labels had to be mature.
        labels_until: labels that were settled by then were known: `as_of`, or earlier where a table of events did not
            reach as far; None where nobody knows, since the version is older than this figure.
        newest: the newest moment among the rows.
        run_id: the run that made it.
        created_at: when it was made.
        status: whether this call made it or found it.
        labels: of a regression mean, standard deviation, lowest and highest label, by part; of several classes the rows of each.
    """

    version: str
    table: str
    table_version: int
    inputs: dict[str, int]
    rows: dict[str, int]
    positives: dict[str, int]
    left_out: dict[str, int]
    feature_columns: list[str]
    definition: str
    definition_hash: str
    content_hash: str
    as_of: datetime
    newest: datetime
    run_id: str
    created_at: datetime
    labels_until: datetime | None = None
    status: Literal["created", "existing"] = "existing"
    labels: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def task(self) -> str:
        """What its labels are for; a definition that does not say it is of two classes."""
        return str(json.loads(self.definition).get("task", "binary"))

    @property
    def immature_share(self) -> float:
        """Share of all decisions whose label was not mature, and which were left out for that."""
        immature, left_out = self.left_out.get(IMMATURE, 0), sum(self.left_out.values())
        return immature / max(sum(self.rows.values()) + left_out, 1)


def name_version(definition_hash: str, inputs: Mapping[str, int], newest: datetime) -> str:
    """Name of the version that a definition makes of some inputs."""
    made_of = [definition_hash, sorted(inputs.items()), newest.astimezone(UTC).isoformat()]
    return "ts-" + hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:12]


def training_set_table(version: str) -> str:
    """Name of the table with a version's rows."""
    return f"training_set_{version.replace('-', '_')}"


def read_training_set(lake: "Lake", version: str) -> "DataFrame":
    """Rows of a version: entity columns, the moment, `split`, `label` and the feature columns.

    Raises:
        TrainingSetNotFoundError: there is no such version.
        TableNotFoundError: its rows are gone.
    """
    described = describe_training_set(lake, version)
    try:
        return read_table(lake, described.table, version=described.table_version)
    except TableNotFoundError as error:
        raise TableNotFoundError(
            f"the rows of training set {version} are gone: {described.table}@v{described.table_version} of {lake.use_case} is not there. "
            f"`sparkml-ops datasets recreate {lake.use_case} {version} --to FOLDER` makes them again while its inputs are there."
        ) from error


def describe_training_set(lake: "Lake", version: str | None = None) -> TrainingSet:
    """A version of the training set, or the newest.

    Raises:
        TrainingSetNotFoundError: there is no such version, or none at all.
    """
    versions = list_training_sets(lake)
    if not versions:
        raise TrainingSetNotFoundError(
            f"{lake.use_case} has no training set yet. `sparkml-ops dataset {lake.use_case}` makes one."
        )
    found = versions[-1] if version is None else next((one for one in versions if one.version == version), None)
    if found is None:
        newest = ", ".join(one.version for one in reversed(versions[-5:]))
        raise TrainingSetNotFoundError(f"{lake.use_case} has no training set {version!r}. The newest are: {newest}.")
    return found


def choose_training_set(lake: "Lake", named: str) -> TrainingSet:
    """The version that a person means: its name, a beginning of it that no other has, or `latest`.

    Raises:
        TrainingSetNotFoundError: there is no such version, or none at all; tells the names that are nearest.
        ConfigError: several versions begin so.
    """
    if named == LATEST:
        return describe_training_set(lake)
    versions = list_training_sets(lake)
    found = [one for one in versions if named and one.version.startswith(named)]
    exact = [one for one in found if one.version == named]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        shown = ", ".join(one.version for one in reversed(found[-_EXAMPLES:]))
        raise ConfigError(
            f"{named}: {len(found)} training sets of {lake.use_case} begin so, such as {shown}. Say more of it."
        )
    nearest = get_close_matches(named, [one.version for one in versions], n=3, cutoff=0.5)
    if not versions or not nearest:
        return describe_training_set(lake, named)
    raise TrainingSetNotFoundError(
        f"{lake.use_case} has no training set {named!r}. The nearest are: {', '.join(nearest)}; "
        f"`sparkml-ops datasets list {lake.use_case}` shows all."
    )


def find_training_set(lake: "Lake", version: str) -> TrainingSet | None:
    """A version of the training set, or None."""
    return next((one for one in list_training_sets(lake) if one.version == version), None)


def make_row(lake: "Lake", training_set: TrainingSet) -> "DataFrame":
    """The row of `training_sets` for a version; a table from before a column gets it."""
    row = lake.spark.createDataFrame([to_row(training_set)], TRAINING_SETS_SCHEMA)
    if table_exists(lake, TRAINING_SETS):
        there = read_table(lake, TRAINING_SETS).columns
        add_columns(lake, TRAINING_SETS, StructType([column for column in row.schema if column.name not in there]))
    return row


def to_row(training_set: TrainingSet) -> dict[str, Any]:
    """The row of `training_sets` for a version, by column."""
    return {
        "version": training_set.version,
        "table_name": training_set.table,
        "table_version": training_set.table_version,
        "definition": training_set.definition,
        "definition_hash": training_set.definition_hash,
        "inputs": _to_json(training_set.inputs),
        "row_counts": _to_json(training_set.rows),
        "positives": _to_json(training_set.positives),
        "left_out": _to_json(training_set.left_out),
        "feature_columns": json.dumps(training_set.feature_columns),
        "as_of": training_set.as_of,
        "newest": training_set.newest,
        "content_hash": training_set.content_hash,
        "run_id": training_set.run_id,
        "created_at": training_set.created_at,
        "labels_until": training_set.labels_until,
        "labels": json.dumps(training_set.labels, sort_keys=True),
    }


def list_training_sets(lake: "Lake") -> list[TrainingSet]:
    """All versions of the training set, oldest first."""
    if not table_exists(lake, TRAINING_SETS):
        return []
    rows = read_table(lake, TRAINING_SETS)
    # Instants as numbers: collected timestamps would come in the zone of this process.
    instants = {name: f"unix_micros({name})" for name in _INSTANTS if name in rows.columns}
    found = rows.selectExpr(
        f"* EXCEPT ({', '.join(instants)})", *(f"{sql} AS {name}" for name, sql in instants.items())
    ).collect()
    return [_from_row(row.asDict()) for row in sorted(found, key=lambda row: (row["created_at"], row["version"]))]


def _from_row(row: Mapping[str, Any]) -> TrainingSet:
    return TrainingSet(
        version=row["version"],
        table=row["table_name"],
        table_version=row["table_version"],
        inputs=json.loads(row["inputs"]),
        rows=json.loads(row["row_counts"]),
        positives=json.loads(row["positives"]),
        left_out=json.loads(row["left_out"]),
        feature_columns=json.loads(row["feature_columns"]),
        definition=row["definition"],
        definition_hash=row["definition_hash"],
        content_hash=row["content_hash"],
        as_of=from_microseconds(row["as_of"]),
        newest=from_microseconds(row["newest"]),
        run_id=row["run_id"],
        created_at=from_microseconds(row["created_at"]),
        labels=json.loads(row.get("labels") or "{}"),
        labels_until=None if row.get("labels_until") is None else from_microseconds(row["labels_until"]),
    )


def _to_json(figures: Mapping[str, int]) -> str:
    return json.dumps(figures, sort_keys=True)
