"""What a training of numbers says of itself: slices on which it errs more, and labels that are hard to believe."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, open_lake
from sparkml_ops.models import find_version, load_version, prepare_tracking, write_card
from sparkml_ops.training import train
from sparkml_ops.training.suspects import _is_personal_label
from tests.training.conftest import SCHEMA, make_decisions, read_figures, shop_config, write_training_set

NUMBERS = SCHEMA.replace("label int", "label double")


def make_numbers(rows: int = 1800) -> pd.DataFrame:
    """Minutes, of which every 25th is written down in seconds; those of Kiel are the least certain."""
    decisions = make_decisions(rows)
    random = np.random.default_rng(4)
    amount = decisions["orders__amount"].astype(float).fillna(0.0)
    noise = random.normal(0, 2, rows) * np.where(decisions["orders__town"] == "Kiel", 3, 1)
    sound = 60 + 10 * amount + noise
    return decisions.assign(label=np.where(np.arange(rows) % 25 == 7, sound * 60, sound))


def make_use_case(root: Path, *, personal: bool = False) -> UseCase:
    search = {"max_trials": 1, "parallelism": 1, "seed": 1}
    params = {"num_leaves": 7, "num_iterations": 60, "objective": "huber"}
    config = shop_config(root, task="regression", metric="mae", params=params, search=search)
    config["dataset"]["label"] = "amount * 2"
    columns: dict[str, Any] = {"customer": {"type": "long"}, "amount": {"type": "double", "pii": personal}}
    config["sources"]["orders"]["columns"] = columns
    gates = {"slices": {"by": ["orders__town"], "minimum_rows": 50}}
    return UseCase.model_validate(config | {"gates": gates}, strict=False)


@pytest.fixture
def lake(spark: SparkSession, root: Path) -> Lake:
    lake = open_lake(make_use_case(root), spark)
    write_training_set(lake, make_numbers(), schema=NUMBERS, definition='{"task": "regression"}')
    return lake


def test_slices_and_doubtful_labels_of_numbers_are_told(lake: Lake, root: Path) -> None:
    use_case = make_use_case(root)
    found = {one["finding"]: one for one in train(use_case, lake).diagnosis}
    doubtful = found["doubtful_labels"]
    assert 0.02 < doubtful["figures"]["share"] < 0.05
    assert "lie much farther from the prediction than labels of like rows do, such as customer=" in doubtful["sentence"]
    assert doubtful["sentence"].count(", predicted ") == 5
    assert "(label 5" in doubtful["sentence"] or "(label 4" in doubtful["sentence"]
    rows = [row for row in read_figures(lake) if row["scope"] == "slice"]
    judged = {(row["subject"], row["name"]): row for row in rows}
    assert {name for _, name in judged} == {"rows", "rmse", "difference", "p_value", "p_value_corrected"}
    assert {subject for subject, _ in judged} == {"orders__town=Ulm", "orders__town=Bonn", "orders__town=Kiel"}
    assert judged["orders__town=Kiel", "rmse"]["value"] > 0
    tracking = prepare_tracking(use_case.environment)
    version = find_version(tracking, "shop", version=1)
    card = write_card(version, load_version(tracking, version))
    assert "| `orders__town=Kiel` |" in card
    assert "| rmse |" in card
    assert "positives" not in card


def test_labels_made_of_personal_data_are_not_shown(root: Path) -> None:
    assert not _is_personal_label(make_use_case(root))
    assert _is_personal_label(make_use_case(root, personal=True))
