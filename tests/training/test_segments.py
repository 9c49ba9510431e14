"""Models per segment: kept where they are better than their parent's, and not where chance makes them look so."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.segments import SegmentBy
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.features import read_training_set
from sparkml_ops.lake import open_lake, read_table
from sparkml_ops.models import PackagedModel, find_version, load_version, predict_rows, prepare_tracking, write_card
from sparkml_ops.models.package import dump_package, parse_package
from sparkml_ops.training import segments as segments_file
from sparkml_ops.training import train
from sparkml_ops.training.matrix import unmap_matrix
from sparkml_ops.training.prepare import prepare_rows
from sparkml_ops.training.segment_columns import require_segments, tell_columns
from sparkml_ops.training.winner import Winner, fit_winner
from tests.training.conftest import FEATURES, SCHEMA, make_decisions, shop_config, write_training_set

SEGMENT_BY = {"columns": ["shop", "member"], "minimum_rows": 200}
COSTS = {"false_positive": 1, "false_negative": 2}
FLIP = 'shop="flip, \\"x\\"=1"'
NOISE = [f"noise {number}" for number in range(8)]
SEGMENTED = f"{SCHEMA}, shop string, member boolean"
SHOPS = ['flip, "x"=1', "mixed", "plain", "", *NOISE, "tiny", None]


def make_rows(rows: int = 12000, seed: int = 4) -> pd.DataFrame:
    """In one shop the relation is reversed, in another only for members; the others are all alike, and two are no segment."""
    random = np.random.default_rng(seed)
    decisions = make_decisions(rows, seed)
    share = np.array([3, 4, 16, 2, *[1.4] * len(NOISE), 0.05, 1])
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


@pytest.fixture(scope="module")
def trained(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("segments")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    use_case = make_use_case(root, segment_by=SEGMENT_BY, costs=COSTS)
    lake = open_lake(use_case, spark)
    write_training_set(lake, make_rows(), schema=SEGMENTED)
    result = train(use_case, lake, run_id="r1")
    tracking = prepare_tracking(use_case.environment)
    return {"root": root, "use_case": use_case, "lake": lake, "result": result, "tracking": tracking,
            "model": load_version(tracking, find_version(tracking, "shop"))}  # fmt: skip


def find_segments(trained: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in trained["model"].metadata["segments"]["found"]}


def read_rows(trained: dict[str, Any]) -> DataFrame:
    return read_training_set(trained["lake"], "ts-0123456789ab")


def fit_again(trained: dict[str, Any], tmp_path: Path, rows: DataFrame, **model: Any) -> PackagedModel:
    """The winner of the first training, on these rows and with these wishes."""
    use_case, folder = make_use_case(trained["root"], **model), str(tmp_path / "again")
    metadata = trained["model"].metadata
    winner = Winner({"num_leaves": 4}, 20) if model.get("estimator") is None else Winner({}, 0)
    if "costs" in model:
        winner = Winner(metadata["params"], metadata["rounds"])
    _, encoder = prepare_rows(use_case, rows, FEATURES, folder=folder)
    try:
        return fit_winner(use_case, rows, encoder, winner, folder=folder)[0]
    finally:
        unmap_matrix(folder)


def test_a_segment_whose_relation_is_reversed_has_a_model_of_its_own(trained: dict[str, Any]) -> None:
    found = find_segments(trained)[FLIP]
    assert found["kept"]
    assert found["parent"] == "global"
    assert found["gain"] == pytest.approx(found["parent_log_loss"] - found["log_loss"])
    assert found["gain"] > found["lower"] > 0.1


def test_a_segment_within_a_segment_can_be_the_one_that_gains(trained: dict[str, Any]) -> None:
    found = find_segments(trained)
    assert found["shop=mixed, member=true"]["kept"]
    assert not found["shop=plain"]["kept"]
    assert found[f"{FLIP}, member=true"]["parent"] == FLIP


def test_segments_that_are_as_all_others_fall_back(trained: dict[str, Any]) -> None:
    noise = [one for name, one in find_segments(trained).items() if name.startswith("shop=noise")]
    assert len(noise) == len(NOISE)
    assert sum(one["kept"] for one in noise) <= 1
    assert {one["reason"] for one in noise if not one["kept"]} == {"not better than its parent's beyond chance"}


def test_small_and_missing_segments_are_none(trained: dict[str, Any]) -> None:
    assert not [name for name in find_segments(trained) if "tiny" in name or "None" in name or "null" in name]
    first, second = trained["model"].metadata["segments"]["levels"]
    assert (first["columns"], first["too_small"]) == (["shop"], 1)
    assert (second["columns"], second["too_small"] > 10) == (["shop", "member"], True)


def test_the_family_is_judged_beside_the_model_of_all_rows(trained: dict[str, Any]) -> None:
    figures, metadata = trained["result"].figures, trained["model"].metadata
    assert list(figures) == ["candidate", "global", "linear", "trivial"]
    assert figures["candidate"]["log_loss"]["upper"] < figures["global"]["log_loss"]["value"]
    served = metadata["served"]
    assert sum(served.values()) == metadata["judged_on"]["rows"]
    assert set(served) == {"global", *(name for name, one in find_segments(trained).items() if one["kept"])}


def test_rows_that_no_segment_has_seen_are_for_the_model_of_all_rows(trained: dict[str, Any]) -> None:
    model = trained["model"]
    rows = read_rows(trained).where("split = 'test'").limit(6).toPandas()
    rows["shop"] = [SHOPS[0], None, "unheard of", "tiny", "mixed", "mixed"]
    rows["member"] = [None, True, True, True, None, True]
    segments = ["global", "global", "global", "global", "global", "shop=mixed, member=true"]
    assert model.find_segments(rows) == [FLIP, *segments[1:]]


def test_answers_do_not_depend_on_how_rows_are_spread(trained: dict[str, Any]) -> None:
    rows, model = read_rows(trained), trained["model"]
    for spread in (rows.repartition(5), rows.coalesce(1)):
        found = predict_rows(spread, model, segment=True).orderBy("customer").toPandas()
        np.testing.assert_array_equal(found["prediction"], model.predict(found))
        assert found["segment"].tolist() == model.find_segments(found)


def test_mlflow_answers_the_same(trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", trained["tracking"].tracking_uri)
    version = find_version(trained["tracking"], "shop")
    loaded = mlflow.pyfunc.load_model(f"models:/shop/{version.version}")
    rows = read_rows(trained).where("split = 'test'").toPandas()
    asked = rows[trained["model"].needed_columns]
    np.testing.assert_array_equal(loaded.predict(asked), trained["model"].predict(rows))
    with pytest.raises(mlflow.exceptions.MlflowException, match="shop"):
        loaded.predict(asked.drop(columns="shop"))


def test_the_lake_has_the_figures_of_each_segment(trained: dict[str, Any]) -> None:
    rows = read_table(trained["lake"], "metrics").where("scope = 'segment'").collect()
    figures = {(row["subject"], row["name"]): row for row in rows}
    gain, found = figures[FLIP, "gain"], find_segments(trained)[FLIP]
    assert (gain["value"], gain["lower"], gain["threshold"]) == (found["gain"], found["lower"], 0.0)
    assert (gain["verdict"], gain["details"]) == ("ok", "own model: better than its parent's")
    assert figures["global", "rows_served"]["value"] == trained["model"].metadata["served"]["global"]
    assert figures["shop=plain", "gain"]["details"].startswith("served by global: not better")
    summed = read_table(trained["lake"], "metrics").where("scope = 'segment_importance' AND name = 'first'").collect()
    first = {row["subject"]: row["value"] for row in summed}
    assert max(first, key=first.__getitem__) == "orders__amount"  # by which the segments differ
    assert sum(first.values()) == sum(one["kept"] for one in find_segments(trained).values())


def test_the_card_tells_of_segments(trained: dict[str, Any]) -> None:
    card = write_card(find_version(trained["tracking"], "shop"), trained["model"])
    told = card.partition("## Segments")[2].partition("\n## ")[0]
    assert "shop, member" in told
    assert "all rows" in told
    assert told.count("at least") >= 3
    assert "models of segments look at" in told


def test_the_same_rows_in_other_files_give_the_same_models(trained: dict[str, Any], tmp_path: Path) -> None:
    wishes = {"segment_by": SEGMENT_BY, "costs": COSTS}
    again = fit_again(trained, tmp_path, read_rows(trained).repartition(7), **wishes)
    assert again.family == trained["model"].family


def test_estimators_of_scikit_learn_have_segments_too(trained: dict[str, Any], tmp_path: Path) -> None:
    linear = {"estimator": "sklearn.linear_model.LogisticRegression", "params": {}}
    model = fit_again(trained, tmp_path, read_rows(trained), segment_by="shop", **linear)
    assert model.family is not None
    assert FLIP in model.family.names
    again = parse_package(dump_package(model))
    rows = read_rows(trained).where("split = 'test'").limit(500).toPandas()
    np.testing.assert_array_equal(again.predict(rows), model.predict(rows))
    assert len(again.explain(rows, 1)) == 500


@pytest.mark.parametrize("value", ["cast(null as string)", "'the only one'", "true", "cast(3 as decimal(4, 1))"])
def test_no_segment_or_one_alone_is_the_model_of_all_rows(trained: dict[str, Any], tmp_path: Path, value: str) -> None:
    rows = read_rows(trained).withColumn("shop", F.expr(value))
    model = fit_again(trained, tmp_path, rows, segment_by="shop")
    assert model.family is not None
    assert model.family.names == ()
    assert predict_rows(rows, model, segment=True).where("segment != 'global'").count() == 0


def test_more_segments_than_a_version_can_have_are_refused(
    trained: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments_file, "MAX_FAMILY_BYTES", 100)
    with pytest.raises(TrainingError, match=r"the models of \d segments take 0 MB; a version can have at most 0 MB"):
        fit_again(trained, tmp_path, read_rows(trained), segment_by="shop")
    monkeypatch.setattr(segments_file, "MAX_SEGMENTS", 3)
    with pytest.raises(TrainingError, match=r"\d+ segments have at least 60 rows of train; at most 3 can have a model"):
        fit_again(trained, tmp_path, read_rows(trained), segment_by={"columns": ["shop"], "minimum_rows": 60})


def test_columns_that_tell_no_segment_are_refused(trained: dict[str, Any]) -> None:
    rows = read_rows(trained)
    with pytest.raises(
        ConfigError, match="ordered_at is timestamp; segments are told by texts, numbers, or true and false"
    ):
        tell_columns(rows, SegmentBy(columns=["shop", "ordered_at"]))
    with pytest.raises(ConfigError, match="the training set has no column town. Make a new version of it"):
        tell_columns(rows, SegmentBy(columns=["town"]))


def test_personal_data_are_refused(trained: dict[str, Any]) -> None:
    config = shop_config(trained["root"], segment_by="customer")
    config["sources"]["orders"]["columns"]["customer"]["pii"] = True
    with pytest.raises(ConfigError, match=r"model\.segment_by: customer may hold personal data"):
        train(UseCase.model_validate(config, strict=False), trained["lake"])


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"estimator": "tests.training.own_trainers.Shares"}, "is neither. Take one of those, or take segment_by out"),
        ({"estimator": "xgboost.spark.SparkXGBClassifier"}, "is neither. Take one of those, or take segment_by out"),
        ({"estimator": "pyspark.ml.classification.GBTClassifier"}, "is neither. Take one of those"),
        ({"task": "regression", "metric": "rmse"}, "is judged by its log loss, which regression has not"),
    ],
)
def test_what_segments_cannot_have_is_refused(trained: dict[str, Any], keys: dict[str, str], told: str) -> None:
    asked = make_use_case(trained["root"], segment_by="shop", params={}, **keys)
    with pytest.raises(ConfigError, match=told):
        require_segments(asked)
