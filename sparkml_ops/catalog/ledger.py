"""What the ledgers say about tables: who used them, what their contract said, which models came of them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.features import list_training_sets
from sparkml_ops.lake import read_table, table_exists

if TYPE_CHECKING:
    from sparkml_ops.lake import Lake


@dataclass(frozen=True)
class Used:
    """A step that read or wrote a table, and when it did last."""

    table: str
    step: str
    is_written: bool
    last_at: datetime


@dataclass(frozen=True)
class ContractVerdict:
    """What a contract said about the last batch: its rows, and those that broke a rule."""

    status: str
    ended_at: datetime
    batch_id: str | None
    rows_in: int | None
    rows_bad: int | None
    error: str | None


@dataclass(frozen=True)
class ModelUse:
    """A model version that was trained on a table, through a training set."""

    version: int
    training_set: str
    is_champion: bool


def read_uses(lake: "Lake") -> tuple[Used, ...]:
    """Each pair of step and table that the ledger knows: as many as there are steps and tables, however long it is."""
    if not table_exists(lake, "runs"):
        return ()
    runs = read_table(lake, "runs").where("error IS NULL")
    sides = [
        F.struct(F.lit(is_written).alias("is_written"), F.col(column).alias("uses"))
        for is_written, column in ((True, "outputs"), (False, "inputs"))
    ]
    uses = F.explode(F.array(*sides))
    each = runs.select("step", "ended_at", uses.alias("side")).select(
        "step", "ended_at", "side.is_written", F.explode("side.uses").alias("use")
    )
    newest = each.groupBy("step", "is_written", F.col("use.table").alias("table")).agg(
        F.max("ended_at").alias("last_at")
    )
    return tuple(Used(row["table"], row["step"], row["is_written"], _utc(row["last_at"])) for row in newest.collect())


def read_verdict(lake: "Lake", source: str) -> ContractVerdict | None:
    """How the last batch of a source ended; None when none was ever taken in."""
    if not table_exists(lake, "runs"):
        return None
    runs = read_table(lake, "runs").where(F.col("step") == f"ingest:{source}").orderBy(F.desc("ended_at"))
    last = runs.select("status", "ended_at", "details", "error").limit(1).collect()
    if not last:
        return None
    details: dict[str, str] = last[0]["details"] or {}
    return ContractVerdict(
        status=last[0]["status"],
        ended_at=_utc(last[0]["ended_at"]),
        batch_id=details.get("batch_id"),
        rows_in=int(details["rows_in"]) if "rows_in" in details else None,
        rows_bad=int(details["rows_bad"]) if "rows_bad" in details else None,
        error=last[0]["error"],
    )


def read_models(lake: "Lake", table: str) -> tuple[tuple[ModelUse, ...], bool]:
    """Model versions that were trained on a table, newest first, and whether published predictions come from one."""
    sets = {one.version for one in list_training_sets(lake) if table in one.inputs or table == one.table}
    found = tuple(use for use in read_trainings(lake) if use.training_set in sets) if sets else ()
    return found, bool(found and {use.version for use in found} & read_published(lake))


def read_trainings(lake: "Lake") -> tuple[ModelUse, ...]:
    """Every model version and the training set that it was trained on, newest first."""
    if not table_exists(lake, "runs"):
        return ()
    trained = read_table(lake, "runs").where("step = 'train' AND error IS NULL AND model_version IS NOT NULL")
    made_of = F.col("details")["training_set"]
    rows = trained.where(made_of.isNotNull()).select("model_version", made_of.alias("made_of")).distinct().collect()
    champion = _find_champion(lake)
    found = [ModelUse(row["model_version"], row["made_of"], row["model_version"] == champion) for row in rows]
    return tuple(sorted(found, key=lambda use: -use.version))


def _find_champion(lake: "Lake") -> int | None:
    if not table_exists(lake, "promotions"):
        return None
    served = read_table(lake, "promotions").where("decision IN ('promoted', 'rolled_back')")
    last: Any = served.orderBy(F.desc("decided_at")).select("to_version").limit(1).collect()
    return int(last[0]["to_version"]) if last else None


def read_published(lake: "Lake") -> frozenset[int]:
    """Versions of the models whose predictions are published."""
    if not table_exists(lake, "prediction_batches"):
        return frozenset()
    published = read_table(lake, "prediction_batches").where("status = 'published' AND model_version IS NOT NULL")
    return frozenset(row["model_version"] for row in published.select("model_version").distinct().collect())


def _utc(at: datetime) -> datetime:
    """Spark gives instants as local wall time."""
    return at.astimezone(UTC)
