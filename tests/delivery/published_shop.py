"""Published predictions of a shop, put into the lake without a model: what an export brings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake
from sparkml_ops.scoring.ledger import (
    LEDGER_COLUMNS,
    PredictionBatch,
    create_ledger,
    write_batches,
    write_predictions,
)
from sparkml_ops.scoring.publications import publish_predictions

AT = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)  # an hour that clocks in Berlin pass over
PUBLISHED_AT = AT + timedelta(hours=9)
ENTITY = [StructField("order", StringType()), StructField("user", LongType())]
KEY = ["order"]


@dataclass(frozen=True)
class Shop:
    """A lake with published batches."""

    lake: Lake

    def publish(self, batch: str, answers: Mapping[str, float], *, version: int = 1, status: str = "published") -> int:
        """Score and publish a batch; gives the version of `predictions_current`."""
        create_ledger(self.lake, ENTITY)
        draft = PredictionBatch(
            batch_id=batch, model_name="shop", model_version=version, role="champion", status="scored", rows=len(answers),
            positives=0, mean_prediction=None, fingerprint=f"{version}: {sorted(answers.items())}", predictions_version=-1,
            run_id="run", scored_at=AT + timedelta(hours=version),
        )  # fmt: skip
        commit = write_predictions(self.lake, self._lay_out(answers, batch, version), draft)
        scored = replace(draft, predictions_version=commit.version, status=status)
        current = None
        if status == "published":
            current = publish_predictions(self.lake, scored, key=KEY).version
        write_batches(
            self.lake,
            [replace(scored, current_version=current, published_at=PUBLISHED_AT)],
            write_id=f"{batch}:{version}:{status}",
        )
        return -1 if current is None else current

    def _lay_out(self, answers: Mapping[str, float], batch: str, version: int) -> Any:
        rows = self.lake.spark.createDataFrame([*answers.items()], "order string, answer double")
        reasons = F.array(
            F.struct(F.lit("größe 'x\"").alias("feature"), F.lit(None).cast("double").alias("contribution"))
        )
        given = {
            "as_of": F.lit(AT), "prediction": F.col("answer"), "batch_id": F.lit(batch), "reasons": reasons,
            "model_version": F.lit(version), "role": F.lit("champion"), "scored_at": F.lit(AT),
            "model_name": F.lit("shop"), "run_id": F.lit("run"), "predicted_class": F.col("answer") >= 0.5,
            "feature_versions": F.create_map(F.lit("features_f"), F.lit(3)),
        }  # fmt: skip
        columns = [given.get(name, F.lit(None)).cast(kind).alias(name) for name, kind, _ in LEDGER_COLUMNS]
        return rows.select("order", F.length("order").cast("long").alias("user"), *columns)


def describe_exports(environment: Environment, exports: Mapping[str, Any]) -> UseCase:
    """The use case of the shop with some exports."""
    columns = {"order": {"type": "string"}, "user": {"type": "long"}, "at": {"type": "timestamp"}}
    return UseCase.model_validate(
        {
            "name": "shop",
            "sources": {"orders": {"path": "/nowhere", "format": "csv", "key": ["order"], "columns": columns}},
            "features": {"f": {"entity": ["user"], "from": "orders", "select": {"first": "user"}}},
            "dataset": {
                "from": "orders", "entity": ["order", "user"], "key": KEY, "timestamp": "at", "label": "true", "features": ["f"],
                "split": {"by": "hash", "of": ["order"]},
            },
            "model": {"task": "binary"},
            "scoring": {"from": "orders", "as_of": "at"},
            "exports": dict(exports),
            "environment": environment,
        }
    )  # fmt: skip
