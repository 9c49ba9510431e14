"""A version's parameters on window after window: each model knows the past, and is judged on what came next."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.errors import ConfigError
from sparkml_ops.features import describe_dataset
from sparkml_ops.lake import open_lake, read_table
from sparkml_ops.training import BacktestPlan, backtest, check_plan, train
from tests.training.conftest import make_decisions, make_use_case, write_training_set

KPI = {"kpi": {"missed": {"value": "label * (1 - predicted_class)", "per": "label", "better": "lower"}}}


@pytest.fixture(scope="module")
def tested(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> dict[str, Any]:
    """Four windows of 7.5 days; in the last one all labels are 0."""
    root = tmp_path_factory.mktemp("backtest")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    search = {"max_trials": 1, "parallelism": 1, "seed": 1}
    use_case = make_use_case(root, search=search, evaluation=KPI, diagnosis=False)
    lake = open_lake(use_case, spark)
    decisions = make_decisions()
    decisions.loc[decisions.index >= 1313, "label"] = 0
    write_training_set(lake, decisions, definition=json.dumps(describe_dataset(use_case)))
    train(use_case, lake)
    return {"lake": lake, "decisions": decisions, "result": backtest(use_case, lake, run_id="b1")}


def test_each_window_is_fitted_on_the_rows_before_it_and_judged_on_its_own(tested: dict[str, Any]) -> None:
    decisions, windows = tested["decisions"], tested["result"].windows
    assert windows[-1].window.until - decisions["ordered_at"].max() == timedelta(microseconds=1)
    for one in windows:
        at, moments = one.window, decisions["ordered_at"]
        inside = decisions[(moments >= at.origin) & (moments < at.until)]
        assert (one.rows["test"], one.positives["test"]) == (len(inside), inside["label"].sum())
        assert one.rows["train"] + one.rows["valid"] == (moments < at.origin).sum()
    for one in windows[:3]:
        value = {model: figures["roc_auc"]["value"] for model, figures in one.figures.items()}
        assert value["candidate"] > value["linear"] > value["trivial"] == 0.5  # the signal is in |amount|
    assert [list(one.figures) for one in windows[:2]] == [
        ["candidate", "linear", "trivial"],
        ["candidate", "first", "linear", "trivial"],
    ]


def test_a_window_that_cannot_be_judged_says_why(tested: dict[str, Any]) -> None:
    assert [one.status for one in tested["result"].windows] == ["judged", "judged", "judged", "skipped"]
    assert tested["result"].windows[3].reason == "all 188 labels of test are 0, labels that differ are needed"


def test_the_summary_is_that_of_the_judged_windows(tested: dict[str, Any]) -> None:
    result = tested["result"]
    values = [one.figures["candidate"]["roc_auc"]["value"] for one in result.windows[:3]]
    found = result.summary["candidate"]
    assert (found.windows, found.mean, found.lowest) == (3, pytest.approx(sum(values) / 3), min(values))
    assert result.ageing.startswith("whether it gets worse with age cannot be told from 2 windows")
    assert result.notes == ()  # one trial: no parameter was chosen


def test_figures_and_the_run_are_in_the_lake_and_nothing_is_registered(tested: dict[str, Any]) -> None:
    found = read_table(tested["lake"], "metrics").where("scope = 'backtest'").collect()
    told = {(row["subject"], row["name"], json.loads(row["details"]).get("window")): row for row in found}
    second = tested["result"].windows[1].figures
    assert told["first", "roc_auc", 2]["value"] == second["first"]["roc_auc"]["value"]
    assert told["linear", "kpi_missed", 2]["lower"] == second["linear"]["kpi_missed"]["lower"]
    assert told["candidate", "judged", 4]["verdict"] == "no_data"
    assert told["candidate", "roc_auc_mean", None]["value"] == tested["result"].summary["candidate"].mean
    run = read_table(tested["lake"], "runs").where("run_id = 'b1'").collect()[0]
    assert (run["step"], run["status"], run["model_version"]) == ("backtest", "succeeded", 1)
    assert run["details"]["windows_judged"] == "3"
    assert list(Path(tested["lake"].root).glob("_scratch/*")) == []


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (BacktestPlan(windows=0), "windows: found 0; expected 1 to 50"),
        (BacktestPlan(window="rolling"), "rolling windows need a length above 0"),
        (BacktestPlan(length=timedelta(days=9)), "a length is for rolling windows"),
        (BacktestPlan(every=timedelta(0)), "every: found a duration of 0"),
    ],
    ids=["no windows", "rolling without a length", "a length without rolling", "windows of no length"],
)
def test_a_plan_that_is_none_is_refused(plan: BacktestPlan, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_plan(plan)
