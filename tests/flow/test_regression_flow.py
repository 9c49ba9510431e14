"""A number as label, from raw files to labelled predictions: the same verbs, tables and pages as for two classes."""

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, ConflictError, ContractError, TrainingError
from sparkml_ops.features import audit_training_set, create_training_set, describe_training_set, read_training_set
from sparkml_ops.lake import Lake, open_lake, read_table
from sparkml_ops.models import find_version, load_version, predict_rows, prepare_tracking, read_training, write_card
from sparkml_ops.monitoring import monitor
from sparkml_ops.pipeline import RunResult, run
from sparkml_ops.promotion import promote
from sparkml_ops.reporting import report
from sparkml_ops.scoring import diff_batch, plan_scoring, publish_batch, roll_back_batch, score
from sparkml_ops.training import train
from sparkml_ops.training.compare import compare_trainings
from sparkml_ops.training.reproduce import reproduce
from tests.flow_project import call

pytestmark = pytest.mark.slow

CONF = {
    "base.yml": """
lake: {root: data/lake}
mlflow: {tracking_uri: "sqlite:///data/mlflow.db", artifact_location: data/mlartifacts}
reports: data/reports
""",
    "local.yml": """
spark: {conf: {spark.master: "local[2]", spark.sql.shuffle.partitions: 2}}
""",
    "parcels.yml": """
name: parcels
description: How many minutes will the delivery take?
owner: ops@example.org
sources:
  parcels:
    path: data/landing/*.csv
    format: csv
    mode: incremental
    key: [parcel_id]
    columns:
      parcel_id: {type: long}
      town: {type: string}
      weight: {type: double}
      distance: {type: double, nullable: true}
      sent_at: {type: timestamp}
      minutes: {type: double, nullable: true}
features:
  parcel:
    entity: [parcel_id]
    timestamp: sent_at
    from: parcels
    select: {weight: weight, distance: distance, town: town}
dataset:
  from: parcels
  entity: [parcel_id]
  timestamp: sent_at
  label: minutes
  label_matures_after: 1d
  features: [parcel]
  split: {by: time, train_until: 2024-02-06, valid_until: 2024-02-16, test_until: 2024-03-01}
model:
  task: regression
  params: {num_leaves: 3, num_iterations: 25, min_child_samples: 10}
  early_stopping_rounds: 10
  search: {max_trials: 2, parallelism: 1, seed: 1, space: {learning_rate: {loguniform: [0.05, 0.3]}}}
gates:
  slices: {by: [parcel__town], minimum_rows: 50, maximum_loss: 0.05}
scoring:
  from: SELECT parcel_id, sent_at FROM parcels WHERE sent_at >= TIMESTAMP '2024-03-01'
  as_of: sent_at
  roles: {champion: publish, challenger: shadow}
  explain: 2
monitoring:
  performance: {rmse_over: 1, mae_over: 100, r2_below: 0.1}
""",
}


def make_parcels(rows: int = 3000) -> pd.DataFrame:
    """70 days of parcels: minutes follow distance and weight, Ulm takes longer; some are not known, some distances missing."""
    random = np.random.default_rng(0)
    distance, weight = random.gamma(2, 10, rows), random.uniform(0.1, 20, rows)
    town = random.choice(["Ulm", "Bonn", "Kiel"], rows)
    minutes = 30 + 2 * distance + weight + 25 * (town == "Ulm") + random.normal(0, 8, rows)
    at = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows) * 70 * 24 * 60 // rows, unit="min")
    return pd.DataFrame({
        "parcel_id": np.arange(rows), "town": town, "weight": weight.round(3),
        "distance": np.where(random.random(rows) < 0.05, np.nan, distance.round(3)), "sent_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "minutes": np.where(random.random(rows) < 0.02, np.nan, minutes.round(2)),
    })  # fmt: skip


@dataclass(frozen=True)
class Parcels:
    """The project after its first run."""

    folder: Path
    lake: Lake
    first: RunResult

    def use_case(self, **overrides: str) -> UseCase:
        named = {key.replace("__", "."): value for key, value in overrides.items()}
        return load_use_case("parcels", env="local", conf_dir=self.folder / "conf", overrides=named)


@pytest.fixture(scope="module")
def parcels(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Parcels:
    folder = tmp_path_factory.mktemp("parcels")
    (folder / "conf").mkdir()
    (folder / "data" / "landing").mkdir(parents=True)
    for name, text in CONF.items():
        (folder / "conf" / name).write_text(text)
    make_parcels().to_csv(folder / "data" / "landing" / "all.csv", index=False)
    use_case = load_use_case("parcels", env="local", conf_dir=folder / "conf")
    lake = open_lake(use_case, spark)
    return Parcels(folder, lake, run(use_case, lake))


@pytest.fixture(scope="module")
def second(parcels: Parcels) -> dict[str, Any]:
    """A better version, decided about with the first one as champion, and scored with."""
    changed = parcels.use_case(model__params__num_leaves="15", model__params__num_iterations="400")
    trained = train(changed, parcels.lake)
    return {"use_case": changed, "trained": trained, "promoted": promote(changed, parcels.lake)}


def test_every_step_of_the_first_run_was_done(parcels: Parcels) -> None:
    assert {step.status for step in parcels.first.steps} == {"succeeded"}
    assert [step.name for step in parcels.first.steps][-5:] == ["dataset", "train", "promote", "score", "monitor"]


def test_labels_are_numbers_and_the_training_set_tells_of_them(parcels: Parcels) -> None:
    made = describe_training_set(parcels.lake)
    rows = read_training_set(parcels.lake, made.version)
    assert rows.schema["label"].dataType.simpleString() == "double"
    assert (made.task, made.positives) == ("regression", {})
    mean, highest = rows.where("split = 'train'").agg(F.avg("label"), F.max("label")).first()
    assert made.labels["train"]["mean"] == pytest.approx(mean)
    assert made.labels["train"]["highest"] == highest
    assert made.left_out["no_label"] > 20


def test_the_candidate_is_better_than_both_baselines(parcels: Parcels) -> None:
    rows = read_table(parcels.lake, "metrics").where("scope = 'evaluation' AND model_version = 1").collect()
    figures = {(row.subject, row.name): row for row in rows}
    assert figures["candidate", "rmse"].upper < figures["trivial", "rmse"].lower
    assert figures["candidate", "r2"].value > 0.4
    assert figures["trivial", "r2"].value < 0.1
    trials = read_table(parcels.lake, "trials").collect()
    assert all(set(trial.metrics) == {"rmse", "mae", "r2"} for trial in trials)
    assert all(trial.loss == trial.metrics["rmse"] for trial in trials)


def test_predictions_are_numbers_without_a_class_and_with_reasons_in_minutes(parcels: Parcels) -> None:
    found = (
        read_table(parcels.lake, "predictions_current")
        .selectExpr("count(*)", "count(predicted_class)", "min(prediction)", "max(prediction)", "min(size(reasons))")
        .first()
    )
    asked = int((make_parcels()["sent_at"] >= "2024-03-01").sum())
    assert tuple(found)[:2] == (asked, 0)
    assert 20 < found[2] < 60
    assert found[3] > 100
    assert found[4] == 2
    assert {row.positives for row in read_table(parcels.lake, "prediction_batches").collect()} == {None}


def test_monitoring_measures_the_error_and_holds_it_against_the_limits(parcels: Parcels) -> None:
    rows = read_table(parcels.lake, "metrics").where("scope = 'performance' AND subject = 'champion'").collect()
    figures = {row.name: row for row in rows}
    assert {name: row.verdict for name, row in figures.items()} == {
        "rmse": "alert", "mae": "ok", "r2": "ok", "bias": "info", "mape": "info",
    }  # fmt: skip
    scored = read_table(parcels.lake, "predictions_current").select("parcel_id", "prediction").toPandas()
    both = scored.merge(make_parcels().dropna(subset="minutes"), on="parcel_id")
    assert figures["rmse"].value == pytest.approx(np.sqrt(np.mean((both["prediction"] - both["minutes"]) ** 2)))
    assert read_table(parcels.lake, "alerts").where("kind = 'performance'").count() == 1


def test_a_fresh_process_loads_the_version_and_answers_the_same(parcels: Parcels) -> None:
    tracking = prepare_tracking(parcels.use_case().environment)
    version = find_version(tracking, "parcels", version=1)
    rows = read_training_set(parcels.lake, describe_training_set(parcels.lake).version).where("split = 'test'")
    here = predict_rows(rows, load_version(tracking, version)).select("parcel_id", "prediction", *["parcel__weight", "parcel__distance", "parcel__town"]).toPandas()  # fmt: skip
    here.to_parquet(parcels.folder / "rows.parquet")
    program = (
        "import mlflow, pandas as pd; mlflow.set_tracking_uri('sqlite:///data/mlflow.db'); rows = pd.read_parquet('rows.parquet'); "
        "answers = mlflow.pyfunc.load_model('models:/parcels/1').predict(rows); print(float(abs(answers - rows['prediction']).max()))"
    )
    ended = call(parcels.folder, "-c", program, program=(sys.executable,))
    assert ended.stdout.strip().splitlines()[-1:] == ["0.0"], ended.stderr


def test_a_better_version_is_promoted_by_the_error_on_the_same_rows(second: dict[str, Any]) -> None:
    gates = {gate.gate: gate for gate in second["promoted"].gates}
    assert (second["promoted"].decision, second["promoted"].is_opposed) == ("promoted", True)
    assert gates["champion"].reason.startswith("rmse is ")
    assert "a difference of -" in gates["champion"].reason
    assert gates["baseline"].reason.startswith("rmse is ")
    assert "change of rmse on 3 slices, the worst: parcel__town=" in gates["slices"].reason


def test_the_worse_one_would_be_refused(parcels: Parcels, second: dict[str, Any]) -> None:
    found = promote(parcels.use_case(), parcels.lake, version=1)
    assert found.decision == "refused"
    assert {gate.gate for gate in found.gates if gate.verdict == "failed"} >= {"champion"}


def test_both_versions_can_be_held_against_each_other(parcels: Parcels, second: dict[str, Any]) -> None:
    tracking = prepare_tracking(parcels.use_case().environment)
    old, new = (find_version(tracking, "parcels", version=number) for number in (1, 2))
    found = compare_trainings(tracking, old, new, lake=parcels.lake).same_rows
    assert found is not None
    assert (found.verdict, found.metric, found.positives) == ("better", "rmse", None)
    assert "in rmse" in found.sentence


def test_a_version_is_made_again_with_the_same_predictions(parcels: Parcels, second: dict[str, Any]) -> None:
    made = reproduce(parcels.use_case(), parcels.lake, version=1)
    assert (made.verdict, made.rows.equal) == ("identical", made.rows.rows)


def test_the_card_tells_of_numbers_and_of_no_classes(parcels: Parcels) -> None:
    tracking = prepare_tracking(parcels.use_case().environment)
    version = find_version(tracking, "parcels", version=1)
    card = write_card(version, load_version(tracking, version))
    for told in ("the number `minutes`", "| mean label |", "in its unit (Shapley values)", "labels of ", "| `rmse` |"):
        assert told in card, told
    for other in ("positives", "log odds", "## Classes", "Gain and lift", "not recorded"):
        assert other not in card, other
    assert read_training(tracking, version).metric == "rmse"


def find_versions(lake: Lake) -> set[int]:
    return {row[0] for row in read_table(lake, "predictions_current").select("model_version").distinct().collect()}


def test_an_increment_is_published_taken_back_and_brought_again(parcels: Parcels, second: dict[str, Any]) -> None:
    use_case, lake = parcels.use_case(scoring__incremental="true"), parcels.lake
    asked = read_table(lake, "clean_parcels").where("sent_at >= '2024-03-01'").count()
    first = next(one for one in score(use_case, lake).batches if one.role == "champion")
    assert (first.status, first.rows, first.model_version) == ("published", asked, 2)
    assert score(use_case, lake).batches == ()
    days = plan_scoring(use_case, lake).days
    assert (sum(one.asked for one in days), sum(one.published for one in days)) == (asked, asked)
    difference = diff_batch(use_case, lake, first.batch_id)
    assert difference.is_published
    assert (difference.added, difference.removed, difference.changed + difference.same) == (0, 0, asked)
    assert difference.changed > 0

    roll_back_batch(use_case, lake, first.batch_id, reason="not yet")
    assert find_versions(lake) == {1}
    kept = score(use_case, lake)
    assert (kept.is_held, kept.refusal) == (True, "not yet")
    assert find_versions(lake) == {1}
    publish_batch(use_case, lake, first.batch_id, reason="now")
    assert find_versions(lake) == {2}
    with pytest.raises(ConfigError, match="--full scores all rows under this name"):
        score(use_case, lake, batch="mine")


def test_the_pages_tell_of_the_error(parcels: Parcels, second: dict[str, Any]) -> None:
    score(second["use_case"], parcels.lake)
    written = report(second["use_case"], parcels.lake)
    page = written.path.read_text()
    for told in (
        "RMSE on the test rows",
        "Less is better",
        "mean label",
        "the prediction, in its unit",
        "predicted on average",
    ):
        assert told in page, told
    for other in ("ROC AUC", "log odds", "of them positive", "share of positives"):
        assert other not in page, other
    assert "RMSE" in written.experiments_path.read_text()
    assert json.loads(written.json_path.read_text())["facts"]["task"] == "regression"


def test_an_audit_takes_labels_above_their_median_for_a_class(parcels: Parcels) -> None:
    found = audit_training_set(parcels.use_case(), parcels.lake, rows=20)
    alone = {figure.subject: figure.value for figure in found.figures if figure.check == "label_copy"}
    assert alone["parcel__distance"] > 0.85 > alone["parcel__weight"]
    assert not found.findings


@pytest.mark.parametrize(
    ("label", "error", "told"),
    [
        ("if(weight > 19, double('NaN'), minutes)", ContractError, r"gives nan, among others, in \d+ rows; the label of a regression is a finite"),
        ("minutes / if(weight > 19, double(0), double(1))", Exception, "DIVIDE_BY_ZERO|finite number"),
        ("double(3)", TrainingError, "one label alone: it is 3 in all"),
        ("town", ConfigError, "is string; expected a boolean, or a number"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_learned_are_refused(
    parcels: Parcels, label: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        create_training_set(parcels.use_case(dataset__label=label), parcels.lake)


def test_a_task_needs_labels_of_its_own(parcels: Parcels) -> None:
    binary = parcels.use_case(model__task="binary", model__metric="roc_auc", monitoring__performance="{}")
    with pytest.raises(TrainingError, match="has the labels of a regression task, and model.task is binary"):
        train(binary, parcels.lake)
    with pytest.raises(ConfigError, match="was trained for the task regression, and model.task is binary"):
        promote(binary, parcels.lake, version=1)


def test_a_batch_that_was_scored_before_the_task_was_switched_is_told_and_not_judged(parcels: Parcels) -> None:
    """Its rows have no probabilities of classes and no predicted label."""
    asked = parcels.use_case()
    model = asked.model.model_copy(update={"task": "multiclass", "metric": "log_loss"})
    dataset = asked.dataset.model_copy(update={"label": "if(minutes > 30, 'late', 'early')"})
    found = monitor(asked.model_copy(update={"model": model, "dataset": dataset}), parcels.lake)
    (figure,) = [one for one in found.figures if one.scope == "performance"]
    assert (figure.name, figure.value, figure.verdict) == ("task_switched", None, "alert")
    assert "the batch was scored for the task regression, and model.task is multiclass" in found.alerts[-1].message
    assert any(one.scope == "drift" and one.value is not None for one in found.figures)


def test_other_rows_under_a_known_name_are_refused_until_they_may_replace_them(parcels: Parcels) -> None:
    use_case, lake = parcels.use_case(), parcels.lake
    moment = datetime(2024, 3, 5, tzinfo=UTC)
    first = score(use_case, lake, batch="mine", since=moment)
    other = parcels.use_case(scoring__explain="0")
    with pytest.raises(ConflictError, match=rf"{first.batches[0].rows} differ, 0 are new, 0 are gone, 0 are the same"):
        score(other, lake, batch="mine", since=moment)
    replaced = score(other, lake, batch="mine", since=moment, replace=True)
    assert replaced.batches[0].status == "published"
    assert len(replaced.batches[0].history) == len(first.batches[0].history) + 1
    with pytest.raises(ConfigError, match="is not before --to"):
        score(use_case, lake, since=moment, until=moment)


def test_the_command_line_shows_the_batches(parcels: Parcels) -> None:
    listed = subprocess_cli(parcels.folder, "batches", "list", "parcels")
    assert listed.returncode == 0, listed.stderr
    assert "published" in listed.stdout
    unknown = subprocess_cli(parcels.folder, "batches", "show", "parcels", "mien")
    assert (unknown.returncode, "Did you mean mine?" in unknown.stderr) == (2, True)


def test_the_command_line_shows_the_labels(parcels: Parcels) -> None:
    ended = subprocess_cli(parcels.folder, "datasets", "show", "parcels")
    assert ended.returncode == 0, ended.stderr
    assert "mean label" in ended.stdout
    assert "positives" not in ended.stdout


def subprocess_cli(folder: Path, *verb: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "--env", "local", *verb)
