"""From clean rows to the ledger: which model served a row is told with it, and the version with its segments is made again."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.catalog import describe_tables
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ModelError
from sparkml_ops.features import build_features, create_training_set
from sparkml_ops.lake import append_once, open_lake, read_table
from sparkml_ops.models import find_version, load_version, prepare_tracking, set_alias
from sparkml_ops.scoring import read_batches, score
from sparkml_ops.training import reproduce, train
from tests.training.conftest import make_decisions

SCHEMA = "order_id long, ordered_at timestamp, amount double, town string, bought int"
ROWS = 4000


def make_orders() -> pd.DataFrame:
    """In Ulm it is the small orders that are bought, elsewhere the large ones; a tenth has no town."""
    random = np.random.default_rng(7)
    made = make_decisions(ROWS, 7)
    town = np.where(random.random(ROWS) < 0.1, None, random.choice(["Ulm", "Bonn", "Kiel", "Bonn"], ROWS))
    amount = random.normal(0, 1, ROWS)
    chance = 1 / (1 + np.exp(-np.where(town == "Ulm", -2, 2) * amount))
    return pd.DataFrame({
        "order_id": np.arange(ROWS), "ordered_at": made["ordered_at"], "amount": amount, "town": town,
        "bought": (random.random(ROWS) < chance).astype(int),
    })  # fmt: skip


def make_use_case(root: Path) -> UseCase:
    types = {"order_id": "long", "ordered_at": "timestamp", "amount": "double", "town": "string", "bought": "int"}
    search = {"max_trials": 1, "parallelism": 1, "seed": 3}
    # one straight line for all towns cannot rise with the amount in one of them and fall in the others
    model = {
        "task": "binary",
        "estimator": "sklearn.linear_model.LogisticRegression",
        "search": search,
        "diagnosis": False,
    }
    return UseCase.model_validate(
        {
            "name": "shop",
            "environment": {
                "lake": {"root": str(root / "lake")},
                "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db"},
            },
            "sources": {
                "orders": {
                    "path": "/nowhere/*.csv", "format": "csv", "key": ["order_id"],
                    "columns": {name: {"type": kind, "nullable": name == "town"} for name, kind in types.items()},
                }
            },
            "features": {
                "basket": {
                    "entity": ["order_id"], "timestamp": "ordered_at", "from": "orders",
                    "select": {"amount": "amount", "town": "town"},
                }
            },
            "dataset": {
                "from": "orders", "entity": ["order_id"], "timestamp": "ordered_at", "label": "bought = 1",
                "features": ["basket"], "derived": {"hour": "hour(ordered_at)"},
                "split": {"by": "time", "train_until": "2024-02-06", "valid_until": "2024-02-15"},
            },
            "model": {**model, "segment_by": "basket__town"},
            "scoring": {"from": "orders", "as_of": "ordered_at", "explain": 1},
        },
        strict=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("served")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    use_case = make_use_case(root)
    lake = open_lake(use_case, spark)
    orders = make_orders()
    append_once(lake, "clean_orders", spark.createDataFrame(orders, SCHEMA), write_id="1")
    build_features(use_case, lake)
    create_training_set(use_case, lake)
    train(use_case, lake)
    tracking = prepare_tracking(use_case.environment)
    version = find_version(tracking, "shop")
    set_alias(tracking, version, "champion")
    return {"use_case": use_case, "lake": lake, "tracking": tracking, "version": version, "orders": orders}


def test_each_prediction_says_whose_model_served_it(shop: dict[str, Any]) -> None:
    model = load_version(shop["tracking"], shop["version"])
    assert model.family is not None
    assert "basket__town=Ulm" in model.family.names
    (scored,) = score(shop["use_case"], shop["lake"], batch="b1").batches
    ledger = read_table(shop["lake"], "predictions").orderBy("order_id").toPandas()
    orders = shop["orders"].assign(basket__town=shop["orders"]["town"], basket__amount=shop["orders"]["amount"])
    orders["hour"] = [at.hour for at in orders["ordered_at"]]
    assert len(ledger) == ROWS
    assert ledger["segment"].tolist() == model.find_segments(orders)
    assert set(ledger.loc[orders["town"].isna(), "segment"]) == {"global"}
    assert set(ledger.loc[orders["town"] == "Ulm", "segment"]) == {"basket__town=Ulm"}
    np.testing.assert_array_equal(ledger["prediction"], model.predict(orders))
    served = {"segment": int((ledger["segment"] != "global").sum()), "parent": 0}
    assert scored.segment_levels == served | {"global": ROWS - served["segment"]}
    assert 0 < served["segment"] < ROWS
    in_ulm = ledger[orders["town"] == "Ulm"]
    reasons = [row[0] for row in in_ulm["reasons"]]
    amounts = orders.loc[in_ulm.index, "amount"].to_numpy()
    clear = [at for at, row in enumerate(reasons) if row["feature"] == "basket__amount" and abs(amounts[at]) > 1]
    assert len(clear) > 50
    assert all(np.sign(reasons[at]["contribution"]) == -np.sign(amounts[at]) for at in clear)


def test_sql_sees_how_many_rows_fell_back_and_an_older_table_gets_the_column(shop: dict[str, Any]) -> None:
    """`prediction_batches` of before has no such column: its rows stay as they are, and the next batch tells."""
    lake, use_case = shop["lake"], shop["use_case"]
    (first,) = score(use_case, lake, batch="old").batches
    old = read_table(lake, "prediction_batches").drop("segment_levels")
    old.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(
        f"{lake.root}/prediction_batches"
    )
    assert {batch.segment_levels for batch in read_batches(lake)} == {None}
    score(use_case, lake, batch="new")
    found = read_table(lake, "prediction_batches").where("batch_id IN ('old', 'new')")
    sql = (
        "batch_id",
        "segment_levels['global'] / rows AS share",
        "aggregate(map_values(segment_levels), 0L, (a, b) -> a + b) AS total",
    )
    shares = {row["batch_id"]: (row["share"], row["total"]) for row in found.selectExpr(*sql).collect()}
    assert first.segment_levels is not None
    assert shares == {"old": (None, None), "new": (first.segment_levels["global"] / ROWS, ROWS)}
    describe_tables(use_case, lake, tables=["prediction_batches"])
    comments = {
        field.name: field.metadata.get("comment", "") for field in read_table(lake, "prediction_batches").schema
    }
    assert comments["segment_levels"].startswith("rows by whose model served them: segment, parent")


def test_the_same_family_comes_out_again(shop: dict[str, Any]) -> None:
    result = reproduce(shop["use_case"], shop["lake"])
    assert (result.verdict, result.differences, result.rows.rows) == ("identical", (), ROWS)
    assert {figure.model for figure in result.figures} == {"candidate", "global", "linear", "trivial"}


def test_a_file_of_segments_that_was_changed_is_not_used(shop: dict[str, Any]) -> None:
    (file,) = Path(shop["version"].source.removeprefix("file:")).rglob("segments.bin")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(ModelError, match=r"segments\.bin was changed"):
            load_version(shop["tracking"], shop["version"])
    finally:
        file.write_bytes(whole)
