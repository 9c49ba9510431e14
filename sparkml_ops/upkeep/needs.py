"""Which old versions of which tables somebody still needs, and what for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.features import list_training_sets
from sparkml_ops.lake import read_table, table_exists

if TYPE_CHECKING:
    from sparkml_ops.config.maintenance import Maintenance
    from sparkml_ops.features import TrainingSet
    from sparkml_ops.lake import Lake

PROMOTIONS, BATCHES, RUNS = "promotions", "prediction_batches", "runs"


@dataclass(frozen=True)
class KeptVersion:
    """A version of a table that stays readable, and why."""

    version: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Needs:
    """What must stay readable.

    Attributes:
        versions: by table, the versions that are needed, oldest first.
        released: training sets that need not be made again, each with why; their own rows stay.
    """

    versions: dict[str, tuple[KeptVersion, ...]]
    released: dict[str, str]


def find_needs(lake: "Lake", maintenance: "Maintenance") -> Needs:
    """Read from `training_sets`, `promotions`, `prediction_batches` and `runs` what is needed of all tables."""
    made, promoted = list_training_sets(lake), _read_promoted(lake)
    newest = made if maintenance.keep_training_sets is None else made[-maintenance.keep_training_sets :]
    kept = [one for one in made if one in newest or one.version in promoted]
    wanted = [*_need_training_sets(kept, promoted), *_need_batches(lake, keep=maintenance.keep_batches)]
    reasons: dict[tuple[str, int], list[str]] = {}
    for table, version, reason in wanted:
        reasons.setdefault((table, version), []).append(reason)
    versions: dict[str, tuple[KeptVersion, ...]] = {}
    for (table, version), why in sorted(reasons.items()):
        versions[table] = (*versions.get(table, ()), KeptVersion(version, tuple(dict.fromkeys(why))))
    why_released = f"older than the newest {maintenance.keep_training_sets} (maintenance.keep_training_sets), and no promoted model was trained on it"
    return Needs(versions, {one.version: why_released for one in made if one not in kept})


Wanted = tuple[str, int, str]


def _need_training_sets(kept: "Sequence[TrainingSet]", promoted: dict[str, int]) -> Iterator[Wanted]:
    for one in kept:
        model = f", of promoted model version {promoted[one.version]}" if one.version in promoted else ""
        yield one.table, one.table_version, f"rows of training set {one.version}{model}"
        for table, version in one.inputs.items():
            yield table, version, f"input of training set {one.version}{model}"


def _read_promoted(lake: "Lake") -> dict[str, int]:
    """The newest promoted model version of each training set: any of them may be champion again."""
    if not table_exists(lake, PROMOTIONS):
        return {}
    served = read_table(lake, PROMOTIONS).where("decision IN ('promoted', 'rolled_back')")
    newest = served.groupBy("training_set_version").agg(F.max("to_version").alias("model_version"))
    return {row["training_set_version"]: row["model_version"] for row in newest.collect()}


def _need_batches(lake: "Lake", *, keep: int) -> Iterator[Wanted]:
    """What the newest published batches wrote, and what they were made from."""
    if not table_exists(lake, BATCHES):
        return
    published = read_table(lake, BATCHES).where("published_at IS NOT NULL").orderBy(F.desc("published_at"))
    columns = ("batch_id", "run_id", "predictions_version", "current_version")
    batches = published.limit(keep).select(*columns).collect()
    for batch in batches:
        yield "predictions", batch["predictions_version"], f"rows of batch {batch['batch_id']}"
        if batch["current_version"] is not None:
            at, name = batch["current_version"], batch["batch_id"]
            yield "predictions_current", at, f"published by batch {name}"
            yield "predictions_current", at - 1, f"what a rollback of batch {name} brings back"
    runs = {batch["run_id"]: batch["batch_id"] for batch in batches}
    if runs and table_exists(lake, RUNS):
        scored = read_table(lake, RUNS).where((F.col("step") == "score") & F.col("run_id").isin([*runs]))
        for row in scored.select("run_id", F.explode("inputs").alias("read")).distinct().collect():
            yield row["read"]["table"], row["read"]["version"], f"input of batch {runs[row['run_id']]}"
