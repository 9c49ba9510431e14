"""A training set goes in, one registered candidate comes out, however often it is asked for."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.errors import ConfigError, TableNotFoundError, TrainingError
from sparkml_ops.features import read_training_set
from sparkml_ops.lake import Lake, open_lake, read_table, table_version
from sparkml_ops.models import (
    Reference,
    count_bins,
    find_environment,
    find_version,
    list_aliases,
    list_versions,
    load_environment,
    load_version,
    open_experiment,
    population_stability_index,
    predict_rows,
    prepare_tracking,
    shorten_card,
    write_card,
)
from sparkml_ops.training import TrainResult, hash_training, train
from tests.training.conftest import FEATURES, make_decisions, make_use_case, read_figures, write_training_set


@pytest.fixture(scope="module")
def trained(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> dict[str, Any]:
    """One training, looked at from all sides."""
    root = tmp_path_factory.mktemp("trained")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    use_case = make_use_case(root)
    lake = open_lake(use_case, spark)
    training_set = write_training_set(lake, make_decisions())
    result = train(use_case, lake, run_id="r1")
    tracking = prepare_tracking(use_case.environment)
    return {
        "root": root, "use_case": use_case, "lake": lake, "training_set": training_set, "result": result,
        "tracking": tracking, "model": load_version(tracking, find_version(tracking, "shop")),
    }  # fmt: skip


@pytest.fixture(scope="module")
def undiagnosed_once(
    spark: SparkSession, ready_folder: Path, mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, TrainResult]:
    """A shop whose training was not diagnosed, to be copied; the files of its runs are found where they are."""
    root = tmp_path_factory.mktemp("undiagnosed")
    shutil.copy(mlflow_template, root / "mlflow.db")
    use_case = make_use_case(root, diagnosis=False)
    lake = open_lake(use_case, spark)
    shutil.copytree(ready_folder, lake.root)
    return root, train(use_case, lake)


@pytest.fixture
def undiagnosed(
    undiagnosed_once: tuple[Path, TrainResult], spark: SparkSession, tmp_path: Path
) -> tuple[Lake, TrainResult]:
    """A lake of the test's own with a training that was not diagnosed, and what that gave."""
    folder, result = undiagnosed_once
    shutil.copytree(folder / "lake", tmp_path / "lake")
    shutil.copy(folder / "mlflow.db", tmp_path)
    return open_lake(make_use_case(tmp_path), spark), result


def test_the_candidate_beats_both_baselines_on_rows_it_never_saw(trained: dict[str, Any]) -> None:
    figures = trained["result"].figures
    candidate, linear, trivial = (figures[name]["roc_auc"] for name in ("candidate", "linear", "trivial"))
    assert candidate["lower"] > trivial["value"] == 0.5
    assert candidate["value"] > linear["value"] + 0.05  # the signal is in |amount|, which no straight line follows
    assert figures["candidate"]["log_loss"]["value"] < figures["trivial"]["log_loss"]["value"]


def test_the_figures_are_those_of_the_registered_model(trained: dict[str, Any]) -> None:
    from sklearn.metrics import log_loss

    test_rows = read_training_set(trained["lake"], trained["training_set"].version).where("split = 'test'")
    scored = predict_rows(test_rows, trained["model"]).toPandas()
    found = trained["result"].figures["candidate"]["log_loss"]["value"]
    assert found == pytest.approx(log_loss(scored["label"], scored["prediction"]), rel=1e-9)


def test_the_model_asks_only_for_columns_that_say_something(trained: dict[str, Any]) -> None:
    assert trained["model"].feature_columns == ["orders__amount", "orders__town", "hour"]
    assert (
        set(trained["model"].metadata["left_out"])
        == {"nothing", "always"}
        == set(FEATURES) - set(trained["model"].feature_columns)
    )
    assert "orders__amount__missing" in trained["model"].encoder.encoded_columns


def test_the_version_says_where_it_came_from(trained: dict[str, Any]) -> None:
    version, metadata = find_version(trained["tracking"], "shop"), trained["model"].metadata
    assert (version.version, version.training_set_version) == (1, trained["training_set"].version)
    assert version.write_id == metadata["write_id"]
    assert version.config_hash == metadata["config_hash"] != ""
    assert metadata["training_set"]["rows"] == trained["training_set"].rows
    here = find_environment()
    assert metadata["environment"] == {"python": here.python, "platform": here.platform, "hash": here.hash}
    assert load_environment(trained["tracking"], version, expected_hash=metadata["environment"]["hash"]) == here
    assert list_aliases(trained["tracking"], "shop") == {}  # whether it serves is not for training to say


def test_the_reference_is_that_of_the_training_rows(trained: dict[str, Any]) -> None:
    reference = Reference.from_dict(trained["model"].metadata["reference"])
    assert [column.name for column in reference.columns] == [*trained["model"].feature_columns, "prediction"]
    rows = read_training_set(trained["lake"], trained["training_set"].version)
    features = Reference(reference.columns[:-1])
    counted = count_bins(rows.where("split = 'train'"), features)
    assert [population_stability_index(reference.counts[name], counts) for name, counts in counted.items()] == [0, 0, 0]
    assert sum(reference.counts["prediction"]) == trained["training_set"].rows["test"]


def test_mlflow_has_the_training_and_its_trials(trained: dict[str, Any]) -> None:
    client, result = trained["tracking"].client, trained["result"]
    runs = client.search_runs([open_experiment(trained["tracking"], "shop")])
    parent = next(run for run in runs if run.info.run_id == result.mlflow_run_id)
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == result.mlflow_run_id]
    assert len(runs) == 4
    assert len(trials) == result.trials == 3
    for trial in trials:
        assert trial.info.status == "FINISHED"
        assert {"roc_auc", "log_loss", "loss", "seconds", "rounds"} <= set(trial.data.metrics)
        assert trial.data.params["num_leaves"] == "7"
        seconds = (trial.info.end_time - trial.info.start_time) / 1000
        assert seconds == pytest.approx(trial.data.metrics["seconds"], abs=0.01)
    best = min(trials, key=lambda run: run.data.metrics["loss"])
    assert parent.data.params["learning_rate"] == best.data.params["learning_rate"]
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["candidate_roc_auc"] == result.figures["candidate"]["roc_auc"]["value"]
    assert parent.data.tags["training_set_version"] == trained["training_set"].version
    assert "figures.json" in [file.path for file in client.list_artifacts(result.mlflow_run_id)]


def test_mlflow_shows_what_the_run_learned_from(trained: dict[str, Any]) -> None:
    client, made = trained["tracking"].client, trained["training_set"]
    (noted,) = client.get_run(trained["result"].mlflow_run_id).inputs.dataset_inputs
    assert (noted.dataset.name, noted.dataset.digest) == (made.version, made.content_hash)
    assert [(tag.key, tag.value) for tag in noted.tags] == [("mlflow.data.context", "training")]
    assert json.loads(noted.dataset.source)["delta_table_version"] == made.table_version
    assert json.loads(noted.dataset.profile) == {"num_rows": 1500, **made.rows}


def test_the_lake_has_the_run_and_its_figures(trained: dict[str, Any]) -> None:
    run = read_table(trained["lake"], "runs").where("run_id = 'r1'").collect()[0]
    assert (run["step"], run["status"], run["model_name"], run["model_version"]) == ("train", "succeeded", "shop", 1)
    assert [use["table"] for use in run["inputs"]] == [trained["training_set"].table]
    assert float(run["details"]["roc_auc"]) == trained["result"].figures["candidate"]["roc_auc"]["value"]
    figures = read_figures(trained["lake"])
    assert {(row["scope"], row["subject"]) for row in figures} == {
        ("evaluation", "candidate"), ("evaluation", "linear"), ("evaluation", "trivial"),
        ("importance", "orders__amount"), ("importance", "orders__town"), ("importance", "hour"), ("diagnosis", "findings"),
        *(("diagnosis", one["finding"]) for one in trained["result"].diagnosis),
    }  # fmt: skip
    assert len(figures) == 29 + sum(len(one["figures"]) for one in trained["result"].diagnosis)
    auc = next(row for row in figures if (row["subject"], row["name"]) == ("candidate", "roc_auc"))
    assert auc["lower"] < auc["value"] < auc["upper"]
    assert auc["model_version"] == 1


def test_the_card_is_kept_with_the_version_and_tells_of_the_training(trained: dict[str, Any], tmp_path: Path) -> None:
    client, version = trained["tracking"].client, find_version(trained["tracking"], "shop")
    card = Path(client.download_artifacts(version.run_id, "card.md", str(tmp_path))).read_text()
    assert card == write_card(version, trained["model"])
    counts = trained["training_set"].rows
    for told in (
        "# shop, version 1", f"| train | fitted on | {counts['train']} | ", " | 2024-01-01 00:00:00 UTC | ", "| `nothing` | missing in all training rows |",
        "3 trials at most, 3 made, 0 failed, 0 cancelled", "the probability of `amount > 50`", "`sparkml-ops reproduce shop@1`",
    ):  # fmt: skip
        assert told in card, told
    assert "not recorded" not in card
    assert client.get_model_version("shop", "1").description == shorten_card(card)


def test_words_of_the_card_train_nothing_anew(trained: dict[str, Any]) -> None:
    worded = make_use_case(trained["root"], card={"intended_use": "to plan", "limits": "none known"})
    assert hash_training(worded) == hash_training(trained["use_case"])
    assert train(worded, trained["lake"]).status == "skipped_duplicate"


def test_the_version_says_what_it_looks_at(trained: dict[str, Any]) -> None:
    explanation = trained["model"].metadata["explanation"]
    assert (explanation["method"], explanation["rows"]) == ("shap", trained["training_set"].rows["test"])
    columns = {column["name"]: column for column in explanation["features"]}
    assert [*columns] == ["orders__amount", "orders__town", "hour"]
    (ulm,) = (group for group in columns["orders__town"]["groups"] if group["level"] == "Ulm")
    assert ulm["mean_contribution"] > 0.3
    recorded = next(row for row in read_figures(trained["lake"]) if row["subject"] == "hour")
    assert (recorded["name"], recorded["value"]) == ("mean_abs_shap", columns["hour"]["importance"])


def test_the_training_is_diagnosed(trained: dict[str, Any]) -> None:
    found = {one["finding"]: one for one in trained["result"].diagnosis}
    assert list(found.values()) == trained["model"].metadata["diagnosis"]
    assert found["constant_columns"]["sentence"].endswith("training rows: always, nothing")
    assert "hour" in found["useless_features"]["sentence"]
    assert not {"no_signal", "under_fitting", "repeated_rows", "unstable_features", "harmful_features"} & set(found)
    fit = trained["model"].metadata["diagnosis_figures"]["fit"]
    assert fit["test"] == trained["result"].figures["candidate"]["roc_auc"]["value"]
    assert fit["train"] > fit["valid"] > 0.6
    rows = [point["rows"] for point in trained["model"].metadata["diagnosis_figures"]["curve"]]
    assert rows == [112, 225, 450, 900]
    alert = next(row for row in read_figures(trained["lake"]) if row["subject"] == "constant_columns")
    assert (alert["name"], alert["value"], alert["verdict"]) == ("columns", 2.0, "info")
    assert "To try: " in alert["details"]


def test_nothing_is_left_in_the_scratch_folder(trained: dict[str, Any]) -> None:
    assert list(Path(trained["lake"].root).glob("_scratch/*")) == []


def test_the_same_again_changes_nothing(trained: dict[str, Any]) -> None:
    lake, before = trained["lake"], trained["result"]
    version = table_version(lake, "metrics")
    again = train(trained["use_case"], lake, training_set=trained["training_set"].version)
    assert (again.status, again.model_version, again.figures) == ("skipped_duplicate", 1, before.figures)
    assert len(list_versions(trained["tracking"], "shop")) == 1
    assert table_version(lake, "metrics") == version


def test_the_same_seed_gives_the_same_model_in_another_lake(
    trained: dict[str, Any], shop_lake: Lake, root: Path
) -> None:
    write_training_set(shop_lake, make_decisions().sample(frac=1, random_state=4))
    use_case = make_use_case(root)
    train(use_case, shop_lake)
    tracking = prepare_tracking(use_case.environment)
    rows = make_decisions(200, seed=9)[trained["model"].feature_columns].astype({"orders__amount": float})
    twin = load_version(tracking, find_version(tracking, "shop"))
    np.testing.assert_array_equal(twin.predict(rows), trained["model"].predict(rows))


def test_a_kill_just_after_registration_does_not_double_the_version(
    ready_lake: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = make_use_case(root)
    with monkeypatch.context() as patched:
        patched.setitem(train.__globals__, "record_metrics", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(use_case, ready_lake)
    result = train(use_case, ready_lake)
    assert (result.status, result.model_version) == ("skipped_duplicate", 1)
    scopes = [row["scope"] for row in read_figures(ready_lake)]  # what the kill left out was made up for
    assert [scopes.count(scope) for scope in ("evaluation", "importance")] == [25, 3]
    assert scopes.count("diagnosis") > 0
    statuses = [row["status"] for row in read_table(ready_lake, "runs").orderBy("started_at").collect()]
    assert statuses == ["failed", "succeeded"]


def test_another_configuration_gives_another_version(ready_lake: Lake, root: Path) -> None:
    forest = "sklearn.ensemble.RandomForestClassifier"
    settings = {"params": {"n_estimators": 10, "max_depth": 4}, "search": {"max_trials": 1, "parallelism": 1}}
    first = train(make_use_case(root, estimator=forest, **settings), ready_lake)
    second = train(make_use_case(root, estimator=forest, metric="log_loss", **settings), ready_lake)
    assert (first.model_version, second.model_version) == (1, 2)
    assert second.figures["candidate"]["roc_auc"]["value"] > 0.6
    figures = read_figures(ready_lake)
    assert sum(row["scope"] == "evaluation" for row in figures) == 50
    # a forest does not say what its columns add: they are shuffled instead
    shuffled = {row["subject"]: row for row in figures if (row["scope"], row["model_version"]) == ("importance", 1)}
    assert {row["name"] for row in shuffled.values()} == {"permutation_loss"}
    assert shuffled["orders__amount"]["lower"] > 0 > shuffled["hour"]["lower"]


def test_costs_choose_the_threshold_and_the_search_is_not_made_again(
    undiagnosed: tuple[Lake, TrainResult], tmp_path: Path
) -> None:
    lake, first = undiagnosed
    dear = {"false_positive": 1, "false_negative": 20}
    second = train(make_use_case(tmp_path, costs=dear, diagnosis=False), lake)
    assert (first.model_version, second.model_version, second.params) == (1, 2, first.params)
    assert read_table(lake, "trials").count() == first.trials == 3
    evaluated = {
        (row["model_version"], row["name"]): row["value"]
        for row in read_figures(lake)
        if (row["scope"], row["subject"]) == ("evaluation", "candidate")
    }
    assert evaluated[1, "threshold"] == 0.5
    assert 0 < evaluated[2, "threshold"] < 0.3
    assert evaluated[2, "recall"] > evaluated[1, "recall"]
    outcomes = ("true_positive", "false_positive", "false_negative", "true_negative")
    wrong = evaluated[2, "false_positive"] + 20 * evaluated[2, "false_negative"]
    assert evaluated[2, "cost_per_row"] == pytest.approx(wrong / sum(evaluated[2, name] for name in outcomes))


def test_planted_faults_of_the_rows_are_found(shop_lake: Lake, root: Path) -> None:
    decisions = make_decisions()
    random = np.random.default_rng(2)
    amount = random.normal(0, 1, len(decisions))
    late = decisions["split"] != "train"
    flipped = (random.random(len(decisions)) < 0.06) & late
    decisions = decisions.assign(
        label=((amount > 0) ^ flipped).astype(int), orders__amount=amount, hour=decisions["hour"] + 100 * late
    )
    again = decisions.sample(200, random_state=1).assign(customer=lambda rows: rows["customer"] + 1000)
    write_training_set(shop_lake, pd.concat([decisions, again]))
    result = train(make_use_case(root, search={"max_trials": 1, "parallelism": 1}), shop_lake)
    found = {one["finding"]: one for one in result.diagnosis}
    assert found["repeated_rows"]["figures"]["rows"] == (again["split"] == "train").sum()
    assert "hour (" in found["unstable_features"]["sentence"]
    doubtful = found["doubtful_labels"]
    assert 0.02 < doubtful["figures"]["share"] < 0.08
    assert doubtful["sentence"].count("customer=") == 5
    assert "over_fitting" not in found


def test_a_training_may_be_left_undiagnosed_and_goes_on_with_the_same_trials(
    undiagnosed: tuple[Lake, TrainResult], tmp_path: Path
) -> None:
    lake, quick = undiagnosed
    assert quick.diagnosis == ()
    assert {row["scope"] for row in read_figures(lake)} == {"evaluation", "importance"}
    told = train(make_use_case(tmp_path), lake)
    assert (told.model_version, told.params) == (2, quick.params)
    assert told.diagnosis
    assert read_table(lake, "trials").count() == 3


def test_a_diagnosis_that_fails_is_told_and_costs_no_model(
    ready_lake: Lake, root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("a fit on a sample went wrong")

    monkeypatch.setattr("sparkml_ops.training.diagnose.draw_curve", fail)
    result = train(make_use_case(root, search={"max_trials": 1, "parallelism": 1}), ready_lake)
    assert (result.status, result.diagnosis) == ("trained", ())
    assert "not diagnosed: ValueError: a fit on a sample went wrong" in caplog.text


def test_features_that_say_nothing_are_told_and_not_hidden_by_what_comes_after(shop_lake: Lake, root: Path) -> None:
    write_training_set(shop_lake, make_decisions(200).assign(orders__amount=None, orders__town="Ulm", hour=3.0))
    with pytest.raises(TrainingError, match="None of the 5 feature columns says anything in the training rows"):
        train(make_use_case(root), shop_lake)


def test_failed_trials_are_failed_runs_and_the_training_says_why(ready_lake: Lake, root: Path) -> None:
    space = {"num_leaves": {"choice": [-3, -4]}}
    use_case = make_use_case(root, params={}, search={"max_trials": 2, "parallelism": 1, "space": space})
    with pytest.raises(TrainingError, match=r"2 of 2 trials failed .*num_leaves"):
        train(use_case, ready_lake)
    tracking = prepare_tracking(use_case.environment)
    runs = tracking.client.search_runs([open_experiment(tracking, "shop")])
    assert [run.info.status for run in runs] == ["FAILED"] * 3
    assert all("num_leaves" in run.data.tags["cause"] for run in runs)
    assert list_versions(tracking, "shop") == []
    assert list(Path(ready_lake.root).glob("_scratch/*")) == []
    assert read_table(ready_lake, "runs").collect()[0]["status"] == "refused"


def test_too_few_rows_and_single_classes_are_all_named(shop_lake: Lake, root: Path) -> None:
    decisions = make_decisions(100).assign(label=lambda rows: rows["label"].where(rows["split"] != "test", 1))
    write_training_set(shop_lake, decisions)
    with pytest.raises(TrainingError, match=r"valid has 15 rows to tune on, at least 20.*all 25 labels of test are 1"):
        train(make_use_case(root), shop_lake)


def test_wrong_parameters_are_said_before_anything_is_read(shop_lake: Lake, root: Path) -> None:
    with pytest.raises(ConfigError, match="no parameter 'num_leafs'"):
        train(make_use_case(root, params={"num_leafs": 3}), shop_lake)


def test_no_training_set_is_said(shop_lake: Lake, root: Path) -> None:
    with pytest.raises(TableNotFoundError, match="no training set"):
        train(make_use_case(root), shop_lake)


def test_a_run_whose_version_is_there_is_finished_by_the_next_training(
    ready_lake: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = make_use_case(root, diagnosis=False)
    register = train.__globals__["register_model"]

    def register_and_die(*arguments: Any, **keywords: Any) -> None:
        register(*arguments, **keywords)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setitem(train.__globals__, "register_model", register_and_die)
        with pytest.raises(KeyboardInterrupt):
            train(use_case, ready_lake)
    client = prepare_tracking(use_case.environment).client
    run = find_version(prepare_tracking(use_case.environment), "shop").run_id
    assert client.get_run(run).info.status == "KILLED"
    assert train(use_case, ready_lake).status == "skipped_duplicate"
    assert client.get_run(run).info.status == "FINISHED"


def _interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_a_search_that_broke_off_goes_on_in_the_same_run(
    ready_lake: Lake, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_case = make_use_case(root)
    with monkeypatch.context() as patched:
        patched.setitem(train.__globals__, "log_outcome", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(use_case, ready_lake, run_id="r1")
    longer = make_use_case(root, search=use_case.model.search.model_dump(mode="json") | {"max_trials": 5})
    result = train(longer, ready_lake, run_id="r2")
    kept = read_table(ready_lake, "trials").orderBy("number").collect()
    assert [(row["number"], row["run_id"], row["status"]) for row in kept] == [
        *((number, "r1", "ok") for number in range(3)), (3, "r2", "ok"), (4, "r2", "ok"),
    ]  # fmt: skip
    assert len({row["search_id"] for row in kept}) == 1
    tracking = prepare_tracking(use_case.environment)
    runs = tracking.client.search_runs([open_experiment(tracking, "shop")])
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sorted(run.info.run_name for run in runs if run.info.run_id != result.mlflow_run_id) == [
        f"trial {number}" for number in range(5)
    ]
    assert result.trials == 5
    longest = make_use_case(root, search=use_case.model.search.model_dump(mode="json") | {"max_trials": 6})
    after = train(longest, ready_lake, run_id="r3")
    assert (after.status, after.trials, after.model_version) == ("trained", 6, 2)
    assert [row["number"] for row in read_table(ready_lake, "trials").where("run_id = 'r3'").collect()] == [5]


def test_the_intervals_are_finite(trained: dict[str, Any]) -> None:
    for figures in trained["result"].figures.values():
        assert all(math.isfinite(figure["value"]) for figure in figures.values())
