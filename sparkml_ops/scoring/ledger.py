"""The tables that consumers read: the ledger of predictions, its batches, and the current predictions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
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

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.lake import Commit, Lake, MergeRules, create_table, merge_rows, read_table, replace_slice, table_exists
from sparkml_ops.lake.tables import add_columns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
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
    ("role", StringType(), "champion, challenger or shadow"),
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
    ("features_digest", LongType(), "hash of the feature values that were scored: where it is the same, they are"),
)
_BATCH_SCHEMA = (
    "batch_id string, model_name string, model_version int, role string, status string, rows bigint, positives bigint, "
    "mean_prediction double, checks array<struct<check: string, verdict: string, figure: double, threshold: double, "
    "reason: string>>, fingerprint string, predictions_version bigint, current_version bigint, run_id string, "
    "scored_at timestamp, published_at timestamp, segment_levels map<string, bigint>, history array<struct<at: timestamp, "
    "status: string, by: string, reason: string, current_version: bigint, run_id: string>>, rows_refused bigint"
)
BATCH_KEYS = ("batch_id", "model_version", "role")
BatchStatus = Literal["scored", "held", "published", "superseded", "rolled_back"]
KEPT_BACK: frozenset[BatchStatus] = frozenset({"held", "rolled_back"})
"""What no consumer sees, because the rules or a person said so."""
RULES = "rules"
"""Who decides where no person does: what is declared in `scoring`."""


@dataclass(frozen=True)
class BatchCheck:
    """What one check of a batch said."""

    check: str
    verdict: Literal["passed", "failed", "no_data"]
    figure: float | None
    threshold: float | None
    reason: str


@dataclass(frozen=True)
class BatchEvent:
    """One decision about a batch: what it became, who said so, and why.

    Attributes:
        at: when; UTC.
        status: what the batch became.
        by: `rules`, or the name of the user.
        reason: why.
        current_version: version of `predictions_current` that came of it; None where that table did not change.
        run_id: the run that decided.
    """

    at: datetime
    status: BatchStatus
    by: str
    reason: str
    current_version: int | None
    run_id: str


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
    history: tuple[BatchEvent, ...] = field(default=())
    rows_refused: int = 0

    @property
    def decided_by(self) -> str | None:
        """Who decided what it is now; None of one that is only scored."""
        return self.history[-1].by if self.history and self.history[-1].status == self.status else None

    @property
    def key(self) -> tuple[str, int, str]:
        """What names its row in `prediction_batches`."""
        return self.batch_id, self.model_version, self.role

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
    content = hash_config([str(asdict(batch)) for batch in batches])
    return merge_rows(lake, BATCHES, rows, rules=MergeRules(BATCH_KEYS), write_id=write_id, fingerprint=content)


def read_batches(lake: Lake, condition: "str | Column" = "true", *, newest: int | None = None) -> list[PredictionBatch]:
    """Rows of `prediction_batches`, oldest first; only the `newest` so many, if that is given."""
    if not table_exists(lake, BATCHES):
        return []
    found = read_table(lake, BATCHES).where(condition)
    order = [F.desc(name) for name in ("scored_at", "batch_id", "role", "model_version")]
    rows = (found if newest is None else found.orderBy(*order).limit(newest)).collect()
    return sorted((_to_batch(row.asDict(recursive=True)) for row in rows), key=lambda b: (b.scored_at, *b.key))


def decide_batch(
    batch: PredictionBatch,
    status: BatchStatus,
    *,
    by: str,
    reason: str,
    run_id: str,
    current_version: int | None = None,
) -> PredictionBatch:
    """Give a batch a status, and put the decision into its history; a decision that says what the last one said is none."""
    last = batch.history[-1] if batch.history else None
    if last and (last.status, last.by, last.reason, last.current_version) == (status, by, reason, current_version):
        return replace(batch, status=status)
    event = BatchEvent(datetime.now(UTC), status, by, reason, current_version, run_id)
    decided = replace(batch, status=status, history=(*batch.history, event))
    if status != "published":
        return decided
    return replace(decided, current_version=current_version, published_at=event.at)


def _to_batch(row: dict[str, Any]) -> PredictionBatch:
    checks = tuple(BatchCheck(**check) for check in row.pop("checks") or [])
    history = tuple(BatchEvent(**{**event, "at": _utc(event["at"])}) for event in row.pop("history", None) or [])
    at: dict[str, Any] = {name: _utc(row.pop(name)) for name in ("scored_at", "published_at")}
    rows_refused = row.pop("rows_refused", None) or 0  # of a table from before the column
    return PredictionBatch(**row, **at, checks=checks, history=history, rows_refused=rows_refused)


def _utc(at: datetime | None) -> datetime | None:
    """Spark gives instants as local wall time."""
    return None if at is None else at.astimezone(UTC)
