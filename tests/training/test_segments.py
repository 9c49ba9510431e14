"""Models per segment: kept where they are better than their parent's, and not where chance makes them look so."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.features.training_sets import training_set_table
from sparkml_ops.lake import Lake, open_lake, read_table
from sparkml_ops.models import find_version, load_version, prepare_tracking
from sparkml_ops.training import train
from tests.training.conftest import make_decisions, shop_config, write_training_set

NOISE = [f"noise {number}" for number in range(8)]
SHOPS = ['flip, "x"=1', "mixed", "plain", "", *NOISE, "tiny", None]


def make_rows(rows: int = 9000, seed: int = 4) -> pd.DataFrame:
    """In one shop the relation is reversed, in another only for members; the others are all alike, and two are no segment."""
    random = np.random.default_rng(seed)
    decisions = make_decisions(rows, seed)
    share = np.array([4, 5, 4, 2, *[1] * len(NOISE), 0.05, 1])
    shop = np.array(SHOPS, dtype=object)[random.choice(len(SHOPS), rows, p=share / share.sum())]
    member = random.choice(np.array([True, False, None], dtype=object), rows, p=[0.5, 0.4, 0.1])
    amount = random.normal(0, 1, rows)
    is_reversed = (shop == SHOPS[0]) | ((shop == "mixed") & (member == True))  # noqa: E712
    logit = np.where(is_reversed, -1.5, 1.5) * amount
    label = (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    return decisions.assign(customer=np.arange(rows), orders__amount=amount, label=label, shop=shop, member=member)


def make_use_case(root: Path, **model: Any) -> UseCase:
    config = shop_config(root, **model)
    config["dataset"] |= {"entity": ["customer", "shop"], "key": ["customer"]}
    config["dataset"]["derived"] |= {"member": "shop is null"}
    return UseCase.model_validate(config, strict=False)


def write_rows(lake: Lake, decisions: pd.DataFrame, version: str = "ts-0123456789ab") -> None:
    """As `write_training_set`, with two columns more in the rows."""
    described = write_training_set(lake, decisions.drop(columns=["shop", "member"]), version)
    spark = lake.spark
    beside = spark.createDataFrame(
        [
            (int(c), s, None if m is None else bool(m))
            for c, s, m in decisions[["customer", "shop", "member"]].to_numpy()
        ],
        "customer long, shop string, member boolean",
    )
    rows = read_table(lake, described.table).join(beside, "customer")
    rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(
        str(Path(lake.root) / training_set_table(version))
    )


@pytest.fixture(scope="module")
def trained(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("segments")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    segment_by = {"columns": ["shop", "member"], "minimum_rows": 150}
    use_case = make_use_case(root, segment_by=segment_by, costs={"false_positive": 1, "false_negative": 2})
    lake = open_lake(use_case, spark)
    write_rows(lake, make_rows())
    result = train(use_case, lake, run_id="r1")
    tracking = prepare_tracking(use_case.environment)
    return {"root": root, "use_case": use_case, "lake": lake, "result": result, "tracking": tracking,
            "model": load_version(tracking, find_version(tracking, "shop"))}  # fmt: skip


def test_show(trained):
    print(json.dumps(trained["model"].metadata["segments"], indent=1)[:6000])
    print(trained["model"].metadata["served"], trained["result"].figures)
    print(trained["result"].diagnosis)
    assert 0
