"""Which row of `predictions` is meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkml_ops.config.mistakes import list_names, nearest_name, show_value
from sparkml_ops.dossier.facts import ScoredRow
from sparkml_ops.dossier.keys import Key, describe_key, match_key
from sparkml_ops.errors import ConfigError
from sparkml_ops.lake import Lake, read_table, table_exists

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

PREDICTIONS, BATCHES = "predictions", "prediction_batches"
MOST_LISTED = 5
_LOOKED_AT = (
    200  # rows of one entity in one batch are a handful; of a question that names no decision, enough to say so
)
_BATCH_KEY = ["batch_id", "model_version", "role"]


@dataclass(frozen=True)
class Question:
    """What was asked: the entity, and what else narrows it down."""

    key: Key
    batch: str | None = None
    role: str | None = None
    version: int | None = None
    as_of: datetime | None = None

    def describe(self) -> str:
        """For a message."""
        others = {"batch": self.batch, "role": self.role, "version": self.version}
        told = [f"{name} {show_value(value)}" for name, value in others.items() if value is not None]
        at = [] if self.as_of is None else [f"as of {_tell_time(self.as_of)}"]
        return ", ".join([describe_key(self.key), *told, *at])


@dataclass(frozen=True)
class Chosen:
    """The row, itself as Arrow has it with the types of the table, and what others scored for the same decision in its batch."""

    row: ScoredRow
    record: "pa.Table"
    beside: tuple[ScoredRow, ...]


def choose_row(lake: Lake, question: Question, *, entity: Sequence[T.StructField], hint: str = "") -> Chosen:
    """Find the row; of several roles and versions the one that was published.

    Args:
        lake: where the tables are.
        question: what was asked.
        entity: the entity columns of `predictions`.
        hint: for the message, where nothing is found.

    Raises:
        ConfigError: there is none, or more than one; says where it was looked, and which there are.
    """
    ledger = _join_batches(lake).where(match_key(question.key, entity))
    table = _read_candidates(ledger, question)
    rows = [_to_row(row, entity) for row in table.to_pylist()]
    if not rows:
        _tell_absent(lake, ledger, question, entity=entity, hint=hint)
    if question.batch is None and table["batch_published_at"][0].as_py() is None:
        raise ConfigError(
            f"{question.describe()} is in no published batch. Name another with --batch; {PREDICTIONS} has it in:{_list_rows(rows)}"
        )
    mine = [(at, row) for at, row in enumerate(rows) if row.batch_id == rows[0].batch_id]
    at, chosen = _narrow(mine, question)
    beside = [row for _, row in mine if row is not chosen and _is_same(row, chosen)]
    return Chosen(chosen, table.slice(at, 1), tuple(beside))


def _is_same(row: ScoredRow, other: ScoredRow) -> bool:
    return (row.entity, row.as_of) == (other.entity, other.as_of)


def _join_batches(lake: Lake) -> "DataFrame":
    """`predictions` with the state of each batch; a batch that was never written down has none."""
    ledger = read_table(lake, PREDICTIONS)
    if not table_exists(lake, BATCHES):
        return ledger.withColumns(
            {"batch_status": F.lit(None).cast("string"), "batch_published_at": F.lit(None).cast("timestamp")}
        )
    batches = read_table(lake, BATCHES)
    status = batches.select(*_BATCH_KEY, F.col("status").alias("batch_status"))
    published = batches.where("status = 'published'").groupBy("batch_id")
    return ledger.join(status, _BATCH_KEY, "left").join(
        published.agg(F.max("published_at").alias("batch_published_at")), ["batch_id"], "left"
    )


def _read_candidates(ledger: "DataFrame", question: Question) -> "pa.Table":
    asked = {"batch_id": question.batch, "role": question.role, "model_version": question.version}
    for name, value in asked.items():
        if value is not None:
            ledger = ledger.where(F.col(name) == value)
    if question.as_of is not None:
        ledger = ledger.where(F.col("as_of") == F.lit(question.as_of))
    newest = [F.desc_nulls_last("batch_published_at"), F.desc("scored_at"), F.desc("model_version"), F.asc("role")]
    return ledger.orderBy(*newest).limit(_LOOKED_AT).toArrow()


def _narrow(rows: Sequence[tuple[int, ScoredRow]], question: Question) -> tuple[int, ScoredRow]:
    """The one that is meant: the published one, or else the champion's, or else the only one.

    Raises:
        ConfigError: there is more than one.
    """
    published = [one for one in rows if one[1].status == "published"]
    champions = [one for one in rows if one[1].role == "champion"]
    meant = published or champions or list(rows)
    if len(meant) == 1:
        return meant[0]
    decisions = {(str(row.entity), row.as_of) for _, row in meant}
    how = "--role or --version" if len(decisions) == 1 else "more columns of the entity, --as-of, --role or --version"
    raise ConfigError(
        f"{question.describe()} means more than one row of batch {meant[0][1].batch_id}. "
        f"Say which, by {how}:{_list_rows([row for _, row in meant])}"
    )


def _tell_absent(
    lake: Lake, ledger: "DataFrame", question: Question, *, entity: Sequence[T.StructField], hint: str
) -> NoReturn:
    """Say what of the question is not there: the batch, the entity, or the two together."""
    if question.batch is not None:
        _require_batch(lake, question.batch)
    elsewhere = _read_candidates(ledger, Question(question.key)).to_pylist()
    if elsewhere:
        found = _list_rows([_to_row(row, entity) for row in elsewhere])
        raise ConfigError(f"{question.describe()} is not in {PREDICTIONS}. The entity is there:{found}")
    counted = read_table(lake, PREDICTIONS).agg(F.count("*"), F.min("as_of"), F.max("as_of")).toArrow().to_pylist()[0]
    rows, first, last = counted.values()
    span = f" as of {_tell_time(first)} to {_tell_time(last)}" if rows else ""
    hint = hint or _find_alike(read_table(lake, PREDICTIONS), question, entity)
    raise ConfigError(
        f"{describe_key(question.key)} is in no batch: looked at all {rows} rows of {PREDICTIONS}{span}.{hint}"
    )


def _find_alike(ledger: "DataFrame", question: Question, entity: Sequence[T.StructField]) -> str:
    """A hint at an entity that differs in upper case or in spaces around it alone; nothing where there is none."""
    names = [name for name, value in question.key.items() if isinstance(value, str)]
    exact = {name: value for name, value in question.key.items() if name not in names}
    for name in names:
        ledger = ledger.where(F.lower(F.trim(F.col(f"`{name}`"))) == str(question.key[name]).strip().lower())
    found = (ledger.where(match_key(exact, entity)) if exact else ledger).select(*question.key).limit(1).collect()
    return f" There is {describe_key(found[0].asDict())}, though." if names and found else ""


def _require_batch(lake: Lake, batch: str) -> None:
    newest = read_table(lake, PREDICTIONS).groupBy("batch_id").agg(F.max("scored_at").alias("at")).orderBy(F.desc("at"))
    names = [row["batch_id"] for row in newest.limit(_LOOKED_AT).collect()]
    if batch in names or not newest.where(F.col("batch_id") == batch).isEmpty():
        return
    nearest = nearest_name(batch, names)
    hint = f" Did you mean {nearest}?" if nearest else ""
    raise ConfigError(f"there is no batch {show_value(batch)} in {PREDICTIONS}.{hint} There are: {list_names(names)}.")


def _list_rows(rows: Sequence[ScoredRow]) -> str:
    """At most five, each on a line, and how many there are beside them."""
    told, more = [_tell_row(row) for row in rows[:MOST_LISTED]], len(rows) - MOST_LISTED
    if more > 0:
        told.append(f"and {'at least ' if len(rows) == _LOOKED_AT else ''}{more} more")
    return "".join(f"\n  {one}" for one in told)


def _tell_row(row: ScoredRow) -> str:
    entity = describe_key(row.entity)
    state = f" ({row.status})" if row.status else ""
    return (
        f"batch {row.batch_id}{state}, {row.role} version {row.model_version}, {entity}, as of {_tell_time(row.as_of)}"
    )


def _tell_time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="auto").replace("+00:00", "Z")


def _to_row(row: Mapping[str, Any], entity: Sequence[T.StructField]) -> ScoredRow:
    probabilities, reasons = row.get("probabilities"), row.get("reasons")
    return ScoredRow(
        entity={column.name: row[column.name] for column in entity},
        as_of=row["as_of"].astimezone(UTC),
        prediction=row["prediction"],
        predicted_class=row["predicted_class"],
        predicted_label=row.get("predicted_label"),
        probabilities=None if probabilities is None else dict(probabilities),
        reasons=None if reasons is None else tuple(reasons),
        segment=row.get("segment"),
        model_name=row["model_name"],
        model_version=row["model_version"],
        role=row["role"],
        batch_id=row["batch_id"],
        run_id=row["run_id"],
        feature_versions=dict(row["feature_versions"] or {}),
        scored_at=row["scored_at"].astimezone(UTC),
        status=row["batch_status"],
    )
