"""The tables that consumers read: the ledger of predictions, its batches, and the current predictions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from sparkml_ops.lake import Commit, Lake, MergeRules, create_table, merge_rows, read_table, replace_slice, table_exists
from sparkml_ops.lake.tables import add_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType

PREDICTIONS, BATCHES, CURRENT = "predictions", "prediction_batches", "predictions_current"

_REASONS = ArrayType(StructType([StructField("feature", StringType()), StructField("contribution", DoubleType())]))
LEDGER_COLUMNS: tuple[tuple[str, "DataType", str], ...] = (
    ("as_of", TimestampType(), "the moment of decision: no feature knows more than was known then; UTC"),
    (
        "prediction",
        DoubleType(),
        "probability that the label is 1; of a regression the number; of several classes the probability of predicted_label",
    ),
    (
        "predicted_class",
        IntegerType(),
        "1 from the threshold on (scoring.threshold, or the model version's own), else 0; null of a regression and of several classes",
    ),
    ("model_name", StringType(), "model in the registry"),
    ("model_version", IntegerType(), "its version"),
    ("role", StringType(), "champion or challenger"),
    (
        "segment",
        StringType(),
        "whose model served the row: a segment, or global; null of a version without models per segment",
    ),
    ("batch_id", StringType(), "the batch; see prediction_batches"),
    ("run_id", StringType(), "the run that scored the row; see runs"),
    ("feature_versions", MapType(StringType(), LongType()), "version of each features table that was looked up"),
    ("scored_at", TimestampType(), "when it was scored; UTC"),
    (
        "reasons",
        _REASONS,
        "features that moved the prediction most, with their contribution to the log odds, of a regression to the number, of several classes to the score of the one predicted",
    ),
    ("predicted_label", StringType(), "of several classes the most probable one, by name; null of other tasks"),
    (
        "probabilities",
        MapType(StringType(), DoubleType()),
        "of several classes the probability of each, by name: probabilities['a']; null of other tasks",
    ),
)
_BATCH_SCHEMA = (
    "batch_id string, model_name string, model_version int, role string, status string, rows bigint, positives bigint, "
    "mean_prediction double, checks array<struct<check: string, verdict: string, figure: double, threshold: double, "
    "reason: string>>, fingerprint string, predictions_version bigint, current_version bigint, run_id string, "
    "scored_at timestamp, published_at timestamp, segment_levels map<string, bigint>"
)
BATCH_KEYS = ("batch_id", "model_version", "role")
BatchStatus = Literal["scored", "held", "published", "superseded", "rolled_back"]


@dataclass(frozen=True)
class BatchCheck:
    """What one check of a batch said."""

    check: str
    verdict: Literal["passed", "failed", "no_data"]
    figure: float | None
    threshold: float | None
    reason: str


@dataclass(frozen=True)
class PredictionBatch:
    """One row of `prediction_batches`: a batch, scored by one model version in one role.

    Without positives of a regression or of several classes, and without levels of a version that has no models per segment.
    """

    batch_id: str
    model_name: str
    model_version: int
    role: str
    status: BatchStatus
    rows: int
    positives: int | None
    mean_prediction: float | None
    fingerprint: str
    predictions_version: int
    run_id: str
    scored_at: datetime
    checks: tuple[BatchCheck, ...] = field(default=())
    current_version: int | None = None
    published_at: datetime | None = None
    segment_levels: Mapping[str, int] | None = None

    @property
    def slice(self) -> dict[str, str | int]:
        """What names its rows in the ledger."""
        return {"batch_id": self.batch_id, "model_version": self.model_version, "role": self.role}


def create_ledger(lake: Lake, entity: list[StructField]) -> None:
    """Create the tables, with comments that SQL users see; the change feed tells consumers what changed."""
    keys = [StructField(column.name, column.dataType, metadata={"comment": "entity"}) for column in entity]
    others = [StructField(name, kind, metadata={"comment": comment}) for name, kind, comment in LEDGER_COLUMNS]
    columns = StructType([*keys, *others])
    feed = {"delta.enableChangeDataFeed": "true"}
    create_table(lake, PREDICTIONS, columns, comment="Every prediction: batch, model version and role")
    create_table(
        lake, CURRENT, columns, comment="The champion's published prediction, one row per decision", properties=feed
    )
    for table in (PREDICTIONS, CURRENT):  # one from before a column gets it
        there = read_table(lake, table).columns
        add_columns(lake, table, StructType([column for column in columns if column.name not in there]))


def write_predictions(lake: Lake, scores: "DataFrame", batch: PredictionBatch) -> Commit:
    """Put a batch's rows into the ledger, in place of those it had."""
    write_id = f"{batch.batch_id}:{batch.model_version}:{batch.role}"
    return replace_slice(lake, PREDICTIONS, scores, where=batch.slice, write_id=write_id, fingerprint=batch.fingerprint)


def read_predictions(lake: Lake, batch: PredictionBatch) -> "DataFrame":
    """A batch's rows in the ledger."""
    return read_table(lake, PREDICTIONS).where(
        (F.col("batch_id") == batch.batch_id)
        & (F.col("model_version") == batch.model_version)
        & (F.col("role") == batch.role)
    )


def write_batches(lake: Lake, batches: list[PredictionBatch], *, write_id: str) -> Commit:
    """Insert or update rows of `prediction_batches`; a table from before a column gets it."""
    rows = lake.spark.createDataFrame([asdict(batch) for batch in batches], _BATCH_SCHEMA)
    if table_exists(lake, BATCHES):
        there = read_table(lake, BATCHES).columns
        add_columns(lake, BATCHES, StructType([column for column in rows.schema if column.name not in there]))
    return merge_rows(lake, BATCHES, rows, rules=MergeRules(BATCH_KEYS), write_id=write_id)


def read_batches(lake: Lake, condition: str = "true") -> list[PredictionBatch]:
    """Rows of `prediction_batches`, oldest first."""
    if not table_exists(lake, BATCHES):
        return []
    rows = read_table(lake, BATCHES).where(condition).orderBy("scored_at", "batch_id", "role").collect()
    return [_to_batch(row.asDict(recursive=True)) for row in rows]


def publish_predictions(lake: Lake, batch: PredictionBatch, *, key: list[str]) -> Commit:
    """Bring a batch's rows into `predictions_current`, in one commit.

    A decision that a newer moment has been published for keeps the newer one; rows that the batch had published before and
    has no more are taken away.
    """
    rules = MergeRules(key, newest_by="as_of", remove_missing={"batch_id": batch.batch_id})
    # Named by the batch alone: a version that comes back after another one published the batch has to publish it again.
    content = f"{batch.model_version}@{batch.predictions_version}"
    rows = read_predictions(lake, batch)
    return merge_rows(lake, CURRENT, rows, rules=rules, write_id=f"publish:{batch.batch_id}", fingerprint=content)


def _to_batch(row: dict[str, Any]) -> PredictionBatch:
    checks = tuple(BatchCheck(**check) for check in row.pop("checks") or [])
    at: dict[str, Any] = {name: _utc(row.pop(name)) for name in ("scored_at", "published_at")}
    return PredictionBatch(**row, **at, checks=checks)


def _utc(at: datetime | None) -> datetime | None:
    """Spark gives instants as local wall time."""
    return None if at is None else at.astimezone(UTC)
