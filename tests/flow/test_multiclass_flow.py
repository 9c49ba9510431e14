"""The name of one of several classes as label, from raw files to labelled predictions: the same verbs, tables and pages."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn import metrics

from sparkml_ops.cli.dataset_lines import describe_version
from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, ContractError, TrainingError
from sparkml_ops.features import audit_training_set, create_training_set, describe_training_set, read_training_set
from sparkml_ops.lake import Lake, open_lake, read_table
from sparkml_ops.models import find_version, load_version, predict_rows, prepare_tracking, read_training, write_card
from sparkml_ops.monitoring import monitor
from sparkml_ops.pipeline import RunResult, run
from sparkml_ops.promotion import promote
from sparkml_ops.reporting import report
from sparkml_ops.training import BacktestPlan, backtest, train
from sparkml_ops.training.compare import compare_trainings
from sparkml_ops.training.reproduce import reproduce

pytestmark = pytest.mark.slow

CLASSES = ["banana", "cherry", "plum", "quince"]
CONF = {
    "base.yml": """
lake: {root: data/lake}
mlflow: {tracking_uri: "sqlite:///data/mlflow.db", artifact_location: data/mlartifacts}
reports: data/reports
""",
    "local.yml": """
spark: {conf: {spark.master: "local[2]", spark.sql.shuffle.partitions: 2}}
""",
    "fruits.yml": """
name: fruits
description: Which fruit lies on the belt?
owner: ops@example.org
sources:
  fruits:
    path: data/landing/*.csv
    format: csv
    mode: incremental
    key: [fruit_id]
    columns:
      fruit_id: {type: long}
      belt: {type: string}
      weight: {type: double}
      length: {type: double, nullable: true}
      seen_at: {type: timestamp}
      kind: {type: string, nullable: true}
features:
  fruit:
    entity: [fruit_id]
    timestamp: seen_at
    from: fruits
    select: {weight: weight, length: length, belt: belt}
dataset:
  from: fruits
  entity: [fruit_id]
  timestamp: seen_at
  label: kind
  label_matures_after: 1d
  features: [fruit]
  split: {by: time, train_until: 2024-02-06, valid_until: 2024-02-16, test_until: 2024-03-01}
model:
  task: multiclass
  params: {num_leaves: 3, num_iterations: 8, min_child_samples: 10}
  early_stopping_rounds: 10
  search: {max_trials: 2, parallelism: 1, seed: 1, space: {learning_rate: {loguniform: [0.05, 0.3]}}}
  evaluation:
    kpi:
      right: {value: "CASE WHEN predicted_label = label THEN 1 ELSE 0 END", better: higher, description: as accuracy}
      plum_weight: {value: "probabilities['plum'] * fruit__weight", per: "CASE WHEN label = 'plum' THEN fruit__weight END", better: lower}
gates:
  slices: {by: [fruit__belt], minimum_rows: 50, maximum_loss: 0.05}
  kpi: {sql: "avg(if(predicted_label = label, probabilities[label] / prediction, 0))", at_least: 0.3}
scoring:
  from: SELECT fruit_id, seen_at FROM fruits WHERE seen_at >= TIMESTAMP '2024-03-01'
  as_of: seen_at
  roles: {champion: publish, challenger: shadow}
  explain: 2
  hold_if: {prediction_psi_over: 0.5}
monitoring:
  performance: {log_loss_over: 0.01, accuracy_below: 0.2, macro_f1_below: 0.1}
""",
}


def make_fruits(rows: int = 2000) -> pd.DataFrame:
    """70 days of fruits: their kind follows from weight and length; some kinds are not known, and a mango comes once train is over."""
    random = np.random.default_rng(0)
    kind = random.choice(4, rows, p=[0.5, 0.3, 0.15, 0.05])
    weight = np.array([120.0, 10, 50, 200])[kind] + random.normal(0, 40, rows)
    length = np.array([18.0, 2, 5, 9])[kind] + random.normal(0, 4, rows)
    at = pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows) * 70 * 24 * 60 // rows, unit="min")
    names = np.array(CLASSES, dtype=object)[kind]
    names[[0, 900]] = "quince"
    names[(at >= pd.Timestamp("2024-02-10", tz="UTC")) & (np.arange(rows) % 97 == 0)] = "mango"
    names[random.random(rows) < 0.02] = None
    return pd.DataFrame({
        "fruit_id": np.arange(rows), "belt": random.choice(["left", "right"], rows), "weight": weight.round(3),
        "length": np.where(random.random(rows) < 0.05, np.nan, length.round(3)), "seen_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "kind": names,
    })  # fmt: skip


@dataclass(frozen=True)
class Fruits:
    """The project after its first run."""

    folder: Path
    lake: Lake
    first: RunResult

    def use_case(self, **overrides: str) -> UseCase:
        named = {key.replace("__", "."): value for key, value in overrides.items()}
        return load_use_case("fruits", env="local", conf_dir=self.folder / "conf", overrides=named)


@pytest.fixture(scope="module")
def fruits(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Fruits:
    folder = tmp_path_factory.mktemp("fruits")
    (folder / "conf").mkdir()
    (folder / "data" / "landing").mkdir(parents=True)
    for name, text in CONF.items():
        (folder / "conf" / name).write_text(text)
    make_fruits().to_csv(folder / "data" / "landing" / "all.csv", index=False)
    use_case = load_use_case("fruits", env="local", conf_dir=folder / "conf")
    lake = open_lake(use_case, spark)
    return Fruits(folder, lake, run(use_case, lake))


@pytest.fixture(scope="module")
def second(fruits: Fruits) -> dict[str, Any]:
    """A better version, decided about with the first one as champion."""
    changed = fruits.use_case(
        model__params__num_leaves="7",
        model__params__num_iterations="60",
        model__search__max_trials="1",
        model__diagnosis="false",
    )
    trained = train(changed, fruits.lake)
    return {"use_case": changed, "trained": trained, "promoted": promote(changed, fruits.lake)}


def test_every_step_of_the_first_run_was_done(fruits: Fruits) -> None:
    assert {step.status for step in fruits.first.steps} == {"succeeded"}


def test_the_training_set_has_names_and_tells_how_many_of_each(fruits: Fruits) -> None:
    made, raw = describe_training_set(fruits.lake), make_fruits()
    assert made.task == "multiclass"
    assert made.positives == {}
    assert made.left_out["no_label"] == int(raw["kind"].isna().sum())
    assert set(made.labels["train"]) == set(CLASSES)
    assert "mango" in made.labels["test"]
    assert sum(made.labels["train"].values()) == made.rows["train"]
    rows = read_training_set(fruits.lake, made.version)
    assert rows.schema["label"].dataType.simpleString() == "string"


def test_figures_are_those_that_scikit_learn_finds_in_the_models_answers(fruits: Fruits) -> None:
    tracking = prepare_tracking(fruits.use_case().environment)
    version = find_version(tracking, "fruits", version=1)
    model = load_version(tracking, version)
    assert model.classes == tuple(CLASSES)
    test = read_training_set(fruits.lake, version.training_set_version).where("split = 'test'").toPandas()
    p = model.predict(test)
    assert p.shape == (len(test), 4)
    judged, names = model.metadata["judged_on"], np.array(CLASSES)
    answers, labels = names[p.argmax(axis=1)], test["label"].to_numpy()
    assert judged["unknown_class"] == int((labels == "mango").sum()) > 0
    figures = {name: one["value"] for name, one in model.metadata["figures"]["candidate"].items()}
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(labels, answers), abs=1e-9)
    assert figures["macro_f1"] == pytest.approx(metrics.f1_score(labels, answers, average="macro"), abs=1e-9)
    known = np.isin(labels, CLASSES)
    of_known = metrics.log_loss(labels[known], p[known], labels=CLASSES)
    expected = (of_known * known.sum() - np.log(np.finfo(float).eps) * (~known).sum()) / len(labels)
    assert figures["log_loss"] == pytest.approx(expected, abs=1e-9)
    pairs = {(cell["label"], cell["answer"]): cell["rows"] for cell in model.metadata["confusion"]}
    assert pairs == pd.Series(1, index=[labels, answers]).groupby(level=[0, 1]).sum().to_dict()
    trivial, linear = (model.metadata["figures"][name]["log_loss"]["value"] for name in ("trivial", "linear"))
    assert trivial > figures["log_loss"]
    assert trivial > linear
    assert {one["name"] for one in model.metadata["slices"]} == {"fruit__belt=left", "fruit__belt=right"}
    assert model.metadata["explanation"]["features"][0]["name"] in {"fruit__weight", "fruit__length"}
    assert model.metadata["explanation"]["features"][0]["groups"] == []
    assert model.metadata["diagnosis_figures"]


def test_an_analyst_reads_the_probability_of_each_class_in_plain_sql(fruits: Fruits) -> None:
    current = read_table(fruits.lake, "predictions_current")
    current.createOrReplaceTempView("fruits_now")
    found = fruits.lake.spark.sql("""
        SELECT count(*) AS rows, count(predicted_class) AS classes, count(DISTINCT predicted_label) AS labels,
          max(abs(prediction - probabilities[predicted_label])) AS off, max(abs(1 - aggregate(map_values(probabilities), 0D, (a, v) -> a + v))) AS rest,
          avg(probabilities['cherry']) AS cherry, min(size(reasons)) AS reasons
        FROM fruits_now
    """).collect()[0]
    assert found["rows"] > 0
    assert found["classes"] == 0
    assert found["labels"] >= 3
    assert found["off"] == 0
    assert found["rest"] < 1e-9
    assert 0.1 < found["cherry"] < 0.6
    assert found["reasons"] == 2
    fruits.lake.spark.catalog.dropTempView("fruits_now")


def test_monitoring_judges_the_published_probabilities_on_their_labels(fruits: Fruits) -> None:
    figures = {
        row["name"]: row
        for row in read_table(fruits.lake, "metrics").where("scope = 'performance' AND subject = 'champion'").collect()
    }
    assert figures["log_loss"]["verdict"] == "alert"
    assert figures["accuracy"]["verdict"] == "ok"
    assert figures["accuracy"]["lower"] < figures["accuracy"]["value"] < figures["accuracy"]["upper"]
    drift = {row["subject"] for row in read_table(fruits.lake, "metrics").where("scope = 'drift'").collect()}
    assert {"prediction", "predicted_label"} <= drift
    labels = make_fruits().set_index("fruit_id")["kind"]
    scored = read_table(fruits.lake, "predictions_current").select("fruit_id", "predicted_label").toPandas()
    truth = scored["fruit_id"].map(labels)
    told = truth.notna()
    assert figures["accuracy"]["value"] == pytest.approx(
        float((scored["predicted_label"] == truth)[told].mean()), abs=1e-9
    )


def test_plain_mlflow_answers_with_a_column_for_each_class(fruits: Fruits) -> None:
    tracking = prepare_tracking(fruits.use_case().environment)
    rows = read_training_set(fruits.lake, describe_training_set(fruits.lake).version).where("split = 'test'")
    version = find_version(tracking, "fruits", version=1)
    model = load_version(tracking, version)
    sample = rows.orderBy("fruit_id").limit(20)
    expected = [row["prediction"] for row in predict_rows(sample, model).orderBy("fruit_id").collect()]
    loaded = mlflow.pyfunc.load_model(version.source)
    found = loaded.predict(sample.toPandas().sort_values("fruit_id")[model.feature_columns])
    assert list(found.columns) == loaded.metadata.signature.outputs.input_names() == CLASSES
    assert found.to_numpy().tolist() == [[one[name] for name in CLASSES] for one in expected]


def test_a_better_version_is_promoted_by_the_log_loss_of_the_same_rows(second: dict[str, Any]) -> None:
    gates = {gate.gate: gate for gate in second["promoted"].gates}
    assert (second["promoted"].decision, second["promoted"].is_opposed) == ("promoted", True)
    assert gates["champion"].reason.startswith("log_loss is ")
    assert gates["baseline"].reason.startswith("log_loss is ")
    assert "accuracy on 2 slices, the worst: fruit__belt=" in gates["slices"].reason


def test_both_versions_can_be_held_against_each_other(fruits: Fruits, second: dict[str, Any]) -> None:
    tracking = prepare_tracking(fruits.use_case().environment)
    old, new = (find_version(tracking, "fruits", version=number) for number in (1, 2))
    found = compare_trainings(tracking, old, new, lake=fruits.lake).same_rows
    assert found is not None
    assert (found.verdict, found.metric, found.positives) == ("better", "log_loss", None)


def test_a_version_is_made_again_with_the_same_predictions(fruits: Fruits, second: dict[str, Any]) -> None:
    made = reproduce(fruits.use_case(), fruits.lake, version=1)
    assert (made.verdict, made.rows.equal) == ("identical", made.rows.rows)


def test_the_card_has_the_confusion_matrix_and_tells_of_the_class_that_train_has_not(fruits: Fruits) -> None:
    tracking = prepare_tracking(fruits.use_case().environment)
    version = find_version(tracking, "fruits", version=1)
    card = write_card(version, load_version(tracking, version))
    for told in (
        "a probability for each class of `kind`",
        "| label | `banana` | `cherry` | `plum` | `quince` | found |",
        "are of classes that the part train does not have (`mango`)",
        "| `log_loss` |",
        "the scores of the classes, averaged over them, (Shapley values)",
    ):
        assert told in card, told
    for other in ("positives", "log odds", "Gain and lift", "not recorded"):
        assert other not in card, other
    assert read_training(tracking, version).metric == "log_loss"


def test_the_pages_tell_of_the_classes(fruits: Fruits, second: dict[str, Any]) -> None:
    written = report(second["use_case"], fruits.lake)
    page = written.path.read_text()
    for told in ("log loss on the test rows", "What is taken for what", "mango", "share of the predicted class"):
        assert told in page, told
    for other in ("log odds", "of them positive", "share of positives", "mean label"):
        assert other not in page, other
    assert json.loads(written.json_path.read_text())["facts"]["task"] == "multiclass"


def test_an_audit_finds_a_feature_that_tells_the_most_frequent_class(fruits: Fruits) -> None:
    found = audit_training_set(fruits.use_case(), fruits.lake, rows=20)
    alone = {figure.subject: figure.value for figure in found.figures if figure.check == "label_copy"}
    assert alone["fruit__length"] > 0.9 > alone["fruit__belt"]


@pytest.mark.parametrize(
    ("label", "error", "told"),
    [
        ("weight", ConfigError, "`weight` is double; the label of several classes is text, a whole number or a boolean"),
        ("if(weight > -1e9, 'plum', kind)", TrainingError, "a single class: all \\d+ rows are 'plum'"),
        ("fruit_id", TrainingError, "a label with \\d+ different values in one part of the rows; model.task: multiclass takes up to 100"),
        ("if(kind = 'plum', ' ', kind)", ContractError, "dataset.label gives ' ', text without a letter, in \\d+ rows"),
    ],
)  # fmt: skip
def test_labels_that_name_no_classes_are_refused(fruits: Fruits, label: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        create_training_set(fruits.use_case(dataset__label=label), fruits.lake)


def test_the_lines_of_a_version_show_the_classes_of_each_part(fruits: Fruits) -> None:
    told = "\n".join(describe_version(describe_training_set(fruits.lake)))
    assert "quince" in told
    assert "mango" in told
    assert "positives" not in told


def test_business_figures_have_the_intervals_of_all_figures_and_are_on_the_card(
    fruits: Fruits, second: dict[str, Any]
) -> None:
    tracking = prepare_tracking(fruits.use_case().environment)
    version = find_version(tracking, "fruits", version=2)
    model = load_version(tracking, version)
    figures, right = model.metadata["figures"], model.metadata["kpis"]["right"]["figures"]
    assert list(right) == ["candidate", "champion", "linear", "trivial"]
    for name, figure in right.items():
        assert figure == pytest.approx(figures[name]["accuracy"]), name
    test = read_training_set(fruits.lake, version.training_set_version).where("split = 'test'").toPandas()
    p, weight = model.predict(test)[:, CLASSES.index("plum")], test["fruit__weight"].astype(float)
    found = model.metadata["kpis"]["plum_weight"]["figures"]["candidate"]["value"]
    assert found == pytest.approx((p * weight).sum() / weight[test["label"] == "plum"].sum())
    card = write_card(version, model)
    assert "| `right` | higher |" in card
    assert "as accuracy" in card
    gate = next(gate for gate in second["promoted"].gates if gate.gate == "kpi")
    assert (gate.verdict, gate.figure) == ("passed", pytest.approx(figures["candidate"]["accuracy"]["value"]))


def test_a_backtest_judges_each_window_by_the_classes_of_the_rows_before_it(fruits: Fruits) -> None:
    result = backtest(fruits.use_case(), fruits.lake, version=1, plan=BacktestPlan(windows=2))
    assert [one.status for one in result.windows] == ["judged", "judged"]
    assert [one.positives for one in result.windows] == [{}, {}]
    for one in result.windows:
        value = {model: figures["log_loss"]["value"] for model, figures in one.figures.items()}
        assert value["candidate"] < value["trivial"]
        assert one.figures["candidate"]["kpi_right"] == pytest.approx(one.figures["candidate"]["accuracy"])
    assert list(result.windows[1].figures) == ["candidate", "first", "linear", "trivial"]
    assert result.metric == "log_loss"
    assert result.summary["candidate"].windows == 2


def test_a_batch_of_several_classes_is_not_judged_by_labels_of_two(fruits: Fruits) -> None:
    """The ledger has the probability of the predicted class in `prediction`, which would pass for that of the label 1."""
    asked = fruits.use_case()
    model = asked.model.model_copy(update={"task": "binary", "metric": "roc_auc"})
    dataset = asked.dataset.model_copy(update={"label": "kind = 'plum'"})
    switched = asked.model_copy(update={"model": model, "dataset": dataset})
    found = monitor(switched, fruits.lake)
    assert [figure.name for figure in found.figures if figure.scope == "performance"] == ["task_switched"]
    assert "the batch was scored for the task multiclass, and model.task is binary" in found.alerts[-1].message
    assert {"prediction", "predicted_label", "fruit__weight"} <= {figure.subject for figure in found.figures}
    page = report(switched, fruits.lake).path.read_text()
    assert "Its labels cannot be used: the batch was scored for the task multiclass" in page
