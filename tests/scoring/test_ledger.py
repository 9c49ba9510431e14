"""What consumers see of a batch, whichever version published it last."""

from datetime import UTC, datetime

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField

from sparkml_ops.lake import Lake, read_table
from sparkml_ops.scoring.ledger import (
    CURRENT,
    LEDGER_COLUMNS,
    PREDICTIONS,
    PredictionBatch,
    create_ledger,
    publish_predictions,
    write_predictions,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)


def score(lake: Lake, version: int, answers: dict[str, float]) -> PredictionBatch:
    """Write a batch's answers into the ledger."""
    fingerprint = f"{version}: {sorted(answers.items())}"
    batch = PredictionBatch(
        batch_id="day", model_name="shop", model_version=version, role="champion", status="scored", rows=len(answers),
        positives=0, mean_prediction=None, fingerprint=fingerprint, predictions_version=-1, run_id="run", scored_at=AT,
    )  # fmt: skip
    given = {
        "as_of": F.lit(AT), "prediction": F.col("answer"), "batch_id": F.lit("day"),
        "model_version": F.lit(version), "role": F.lit("champion"),
    }  # fmt: skip
    rows = lake.spark.createDataFrame(list(answers.items()), "customer string, answer double")
    columns = [given.get(name, F.lit(None)).cast(kind).alias(name) for name, kind, _ in LEDGER_COLUMNS]
    commit = write_predictions(lake, rows.select("customer", *columns), batch)
    return PredictionBatch(**{**batch.__dict__, "predictions_version": commit.version})


def read_current(lake: Lake) -> dict[str, tuple[float, int]]:
    rows = read_table(lake, CURRENT).select("customer", "prediction", "model_version").collect()
    return {row[0]: (row[1], row[2]) for row in rows}


def test_a_version_that_comes_back_publishes_its_batch_again(lake: Lake) -> None:
    create_ledger(lake, [StructField("customer", StringType())])
    first, second = score(lake, 1, {"a": 0.1, "b": 0.2}), score(lake, 2, {"a": 0.8, "c": 0.9})
    told = {"a": (0.1, 1), "b": (0.2, 1)}
    assert publish_predictions(lake, first, key=["customer"]).status == "committed"
    assert read_current(lake) == told
    publish_predictions(lake, second, key=["customer"])
    assert read_current(lake) == {"a": (0.8, 2), "c": (0.9, 2)}
    assert publish_predictions(lake, first, key=["customer"]).status == "committed"
    assert read_current(lake) == told


def test_publishing_twice_writes_once(lake: Lake) -> None:
    create_ledger(lake, [StructField("customer", StringType())])
    batch = score(lake, 1, {"a": 0.1})
    written = publish_predictions(lake, batch, key=["customer"])
    again = publish_predictions(lake, batch, key=["customer"])
    assert (again.status, again.version) == ("skipped_duplicate", written.version)


def test_a_publication_that_was_taken_back_by_restore_can_be_made_again(lake: Lake) -> None:
    create_ledger(lake, [StructField("customer", StringType())])
    batch = score(lake, 1, {"a": 0.1})
    written = publish_predictions(lake, batch, key=["customer"])
    lake.spark.sql(f"RESTORE delta.`{lake.root}/{CURRENT}` TO VERSION AS OF {written.version - 1}")
    assert read_current(lake) == {}
    assert publish_predictions(lake, batch, key=["customer"]).status == "committed"
    assert read_current(lake) == {"a": (0.1, 1)}


def test_a_batch_scored_again_replaces_its_own_rows_alone(lake: Lake) -> None:
    create_ledger(lake, [StructField("customer", StringType())])
    score(lake, 1, {"a": 0.1, "b": 0.2})
    score(lake, 2, {"a": 0.8})
    score(lake, 1, {"a": 0.3})
    rows = read_table(lake, PREDICTIONS).select("customer", "prediction", "model_version").collect()
    assert sorted(map(tuple, rows)) == [("a", 0.3, 1), ("a", 0.8, 2)]
