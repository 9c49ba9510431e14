"""What is published at this moment, and what changed in it since an earlier one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.config.mistakes import list_names, nearest_name, show_value
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake import Lake, change_version, read_table, table_exists, table_id
from sparkml_ops.lake.feeds import read_feed_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

BATCHES, CURRENT = "prediction_batches", "predictions_current"
GONE = "_is_gone"
"""True of a decision that is published no more."""
_OF_FEED = ("_change_type", "_commit_version", "_commit_timestamp")


@dataclass(frozen=True)
class Published:
    """`predictions_current` at a version, whole or the rows of one batch.

    Attributes:
        lake: where it is.
        version: the version that its rows are from.
        table_id: Delta's own id of the table.
        batch: name of the batch; None for all.
    """

    lake: Lake
    version: int
    table_id: str
    batch: str | None = None

    def read_rows(self) -> "DataFrame":
        """Its rows."""
        rows = read_table(self.lake, CURRENT, version=self.version)
        return rows if self.batch is None else rows.where(F.col("batch_id") == self.batch)

    def measure(self) -> tuple[int, datetime | None]:
        """How many rows there are, and the newest moment of decision among them."""
        newest = F.unix_micros(F.max("as_of")).alias("newest")
        counts: Any = self.read_rows().agg(F.count(F.lit(1)).alias("rows"), newest).collect()[0]
        at = None if counts["newest"] is None else datetime.fromtimestamp(counts["newest"] / 1e6, UTC)
        return int(counts["rows"]), at

    def read_changes(self, since: int, keys: "Sequence[str]") -> "DataFrame":
        """Decisions that changed after an earlier version: each once, as it is now, or with `GONE` where it is no more.

        Raises:
            TableNotFoundError: the change feed does not go back so far.
        """
        feed = read_feed_rows(self.lake, CURRENT, since=since, until=self.version)
        feed = feed.where("_change_type <> 'update_preimage'")
        is_gone = F.col("_change_type") == "delete"
        # A commit that moves a decision, as RESTORE does, both removes it and puts it in.
        order = F.struct(F.col("_commit_version"), ~is_gone)
        others = [F.col(f"`{name}`") for name in feed.columns if name not in {*keys, *_OF_FEED}]
        last = F.max_by(F.struct(*others, is_gone.alias(GONE)), order).alias("_last")
        named = [F.col(f"`{key}`") for key in keys]
        columns = [name for name in feed.columns if name not in _OF_FEED]
        found = feed.groupBy(*named).agg(last)
        return found.select(
            *[F.col(f"`{n}`") if n in keys else F.col(f"_last.`{n}`") for n in columns], F.col(f"_last.`{GONE}`")
        )


def find_published(lake: Lake, *, batch: str | None = None) -> Published:
    """What is published now.

    Raises:
        TableNotFoundError: nothing was published yet, or the batch is not.
    """
    known = _read_batches(lake)
    published = [name for name, status in known.items() if status == "published"]
    if batch is not None and batch not in published:
        found = f"it is {known[batch]}" if batch in known else "there is none of that name"
        nearest = nearest_name(batch, published)
        hint = f" Did you mean {nearest}?" if nearest else ""
        raise TableNotFoundError(
            f"{lake.use_case}: the batch {show_value(batch)} is not published: {found}.{hint} Published are: {list_names(published)}."
        )
    if not known or not table_exists(lake, CURRENT):
        raise TableNotFoundError(
            f"{lake.use_case}: nothing is published yet. `sparkml-ops score {lake.use_case}` scores and publishes a batch; one that was "
            "held is not published."
        )
    return Published(lake, change_version(lake, CURRENT), table_id(lake, CURRENT), batch)


def _read_batches(lake: Lake) -> dict[str, str]:
    """Batches that were ever published, by name, with what became of each; newest first."""
    if not table_exists(lake, BATCHES):
        return {}
    rows = read_table(lake, BATCHES).groupBy("batch_id")
    # A batch has other roles too, which were only scored.
    told = F.max_by("status", F.struct(F.col("status") == "published", F.col("status") != "scored", "scored_at"))
    found = rows.agg(told.alias("status"), F.max("scored_at").alias("at"), F.max("current_version").alias("version"))
    ordered = found.orderBy(F.desc("at"), "batch_id").collect()
    if all(row["version"] is None for row in ordered):
        return {}
    return {row["batch_id"]: row["status"] for row in ordered}
