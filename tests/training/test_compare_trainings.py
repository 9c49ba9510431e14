"""Two versions are asked on the same rows, unless one has seen them; what differs between them is told with it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.features import read_training_set
from sparkml_ops.lake import Lake, open_lake
from sparkml_ops.models import ModelVersion, Tracking, list_trainings, list_versions, load_version, prepare_tracking
from sparkml_ops.training import compare_trainings, train
from sparkml_ops.training.same_rows import TEST, Contestant, find_obstacle, judge_same_rows
from tests.training.conftest import make_decisions, make_use_case, write_training_set

SEARCH = {"max_trials": 1, "parallelism": 1, "seed": 1}


@dataclass(frozen=True)
class Shop:
    """Three versions: of few rows, of more, and of the same once more with stumps."""

    lake: Lake
    tracking: Tracking
    versions: list[ModelVersion]

    def contestant(self, number: int) -> Contestant:
        recorded = next(one for one in list_trainings(self.tracking, "shop") if one.version == number)
        return Contestant(recorded, load_version(self.tracking, self.versions[number - 1]))


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Shop:
    root = tmp_path_factory.mktemp("compared")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    use_case = make_use_case(root, search=SEARCH, diagnosis=False)
    lake, rows = open_lake(use_case, spark), make_decisions(1500)
    write_training_set(lake, split(rows[:800]), "ts-aaaaaaaaaaaa", content="a")
    train(use_case, lake, training_set="ts-aaaaaaaaaaaa")
    write_training_set(lake, split(rows), "ts-bbbbbbbbbbbb", content="b")
    train(use_case, lake, training_set="ts-bbbbbbbbbbbb")
    stumps = make_use_case(
        root, search=SEARCH, diagnosis=False, params={"num_leaves": 2, "num_iterations": 1}, class_weight="balanced"
    )
    train(stumps, lake, training_set="ts-bbbbbbbbbbbb")
    tracking = prepare_tracking(use_case.environment)
    return Shop(lake, tracking, list_versions(tracking, "shop"))


def split(rows: pd.DataFrame) -> pd.DataFrame:
    at = np.arange(len(rows)) / len(rows)
    return rows.assign(split=np.select([at < 0.6, at < 0.75], ["train", "valid"], "test"))


def test_a_weak_version_is_told_to_be_worse_on_the_same_rows(shop: Shop) -> None:
    found = compare_trainings(shop.tracking, shop.versions[1], shop.versions[2], lake=shop.lake)
    assert found.same_rows is not None
    assert (found.same_rows.verdict, found.same_rows.training_set, found.same_rows.rows) == (
        "worse", "ts-bbbbbbbbbbbb", 375,
    )  # fmt: skip
    assert found.differences.has_same_rows
    assert {"num_leaves", "num_iterations"} <= {change.key for change in found.differences.params}
    assert "model.class_weight" in {change.key for change in found.differences.configuration}
    assert found.environment == "the same"
    pair = next(pair for pair in found.differences.figures if pair.metric == "roc_auc")
    asked = found.same_rows.metrics["roc_auc"]
    assert (asked.champion, asked.candidate) == pytest.approx((pair.old.value, pair.new.value), rel=1e-12)
    back = compare_trainings(shop.tracking, shop.versions[2], shop.versions[1], lake=shop.lake)
    assert back.same_rows is not None
    assert back.same_rows.verdict == "better"


def test_an_older_version_is_asked_on_rows_that_came_later(shop: Shop) -> None:
    found = compare_trainings(shop.tracking, shop.versions[0], shop.versions[1], lake=shop.lake)
    assert found.same_rows is not None
    assert found.same_rows.verdict in {"better", "worse", "no_difference"}
    assert (found.same_rows.training_set, found.same_rows.rows) == ("ts-bbbbbbbbbbbb", 375)
    assert found.differences.rows == {"train": (480, 900), "valid": (120, 225), "test": (200, 375)}


def test_without_a_lake_only_what_is_recorded_is_told(shop: Shop) -> None:
    found = compare_trainings(shop.tracking, shop.versions[0], shop.versions[1])
    assert found.same_rows is None
    assert found.differences.has_same_rows is False


def test_the_list_ranks_what_was_judged_on_the_same_rows(shop: Shop) -> None:
    found = list_trainings(shop.tracking, "shop")
    assert [(one.version, one.rank) for one in found] == [(2, 1), (3, 2), (1, None)]
    assert found[-1].note == "not comparable: judged on other rows than version 3"


def test_a_version_that_was_fitted_on_the_test_rows_is_not_asked(shop: Shop) -> None:
    rows = make_decisions(1500).assign(split=np.where(np.arange(1500) < 400, "test", "train"))
    write_training_set(shop.lake, rows, "ts-cccccccccccc", content="c")
    second, third = shop.contestant(2), shop.contestant(3)
    newer = replace(
        third, recorded=replace(third.recorded, training_set="ts-cccccccccccc", content_hash="c", period={})
    )
    found = judge_same_rows(shop.lake, second, newer)
    assert (found.verdict, found.metrics) == ("refused", {})
    assert "version 2 was fitted on 400 of the test rows of ts-cccccccccccc" in found.sentence


def test_rows_of_the_same_days_that_it_was_not_fitted_on_may_be_asked(shop: Shop) -> None:
    rows = make_decisions(1500).assign(split=np.where(np.arange(1500) % 4 == 0, "test", "train"))[1125:]
    write_training_set(shop.lake, rows, "ts-dddddddddddd", content="d")
    second = shop.contestant(2)
    asked = replace(second.recorded, training_set="ts-dddddddddddd", content_hash="d", period={}, version=9)
    test_rows = read_training_set(shop.lake, "ts-dddddddddddd").where(TEST)
    assert find_obstacle(shop.lake, test_rows, asked, second) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"training_set": "ts-nope"}, "has no training set 'ts-nope'"),
        ({"recipe": {}}, "trained by a release that kept no recipe"),
        (
            {
                "recipe": {"dataset": {"entity": ["other"], "timestamp": "ordered_at"}},
                "content_hash": "x",
                "period": {},
            },
            "name their decisions by other keys",
        ),
    ],
)
def test_what_cannot_be_asked_is_told_and_ends_nothing(shop: Shop, changes: dict[str, object], told: str) -> None:
    second, third = shop.contestant(2), shop.contestant(3)
    newer = replace(third, recorded=replace(third.recorded, **changes))  # type: ignore[arg-type]
    found = judge_same_rows(shop.lake, second, newer)
    assert found.verdict == "refused"
    assert told in found.sentence
