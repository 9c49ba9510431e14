"""The page from real tables: what is in them stands on it, and nothing in the lake moves."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from reporting_facts import HOSTILE, parse_page

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import SetupError
from sparkml_ops.lake import (
    Commit,
    Lake,
    Metric,
    append_once,
    list_tables,
    open_lake,
    record_metrics,
    record_step,
    table_version,
)
from sparkml_ops.reporting import report
from sparkml_ops.reporting.candidates import read_card

BATCH = "2024-02"
SCORED_AT = datetime(2024, 3, 1, 6, 30, tzinfo=UTC)


def make_use_case(root: Path, **environment: Any) -> UseCase:
    column = {"type": "long"}
    return UseCase.model_validate(
        {
            "name": "shop",
            "description": HOSTILE,
            "environment": {
                "lake": {"root": str(root / "lake")},
                "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db"},
                "reports": str(root / "reports"),
            }
            | environment,
            "sources": {"orders": {"path": "/x/*.csv", "format": "csv", "key": ["id"], "columns": {"id": column}}},
            "features": {
                "orders": {"entity": ["id"], "timestamp": "at", "from": "orders", "select": {"amount": "amount"}}
            },
            "dataset": {
                "from": "orders",
                "entity": ["id"],
                "timestamp": "at",
                "label": "amount > 50",
                "features": ["orders"],
                "split": {"by": "hash", "of": ["id"]},
            },
            "model": {"task": "binary"},
            "scoring": {"from": "orders", "as_of": "at"},
        },
        strict=False,
    )


@pytest.fixture
def use_case(tmp_path: Path) -> UseCase:
    return make_use_case(tmp_path)


@pytest.fixture
def shop(use_case: UseCase, spark: SparkSession) -> Lake:
    return open_lake(use_case, spark)


def write_ingestion(lake: Lake) -> None:
    with record_step(lake, run_id="r1", step="ingest:orders", config_hash="h") as step:
        for table, rows in (("clean_orders", 97), ("quarantine_orders", 3)):
            step.wrote(append_once(lake, table, lake.spark.range(rows), write_id="w"))
        for name, value in (("batch_id", "orders-1"), ("files", 2), ("rows_in", 100)):
            step.note(name, value)
        counts = {"rows_in": 100.0, "rows_bad": 3.0, f"expect: {HOSTILE}": 3.0}
        figures = [Metric("ingestion", "orders", name, value, batch_id="orders-1") for name, value in counts.items()]
        record_metrics(lake, figures, run_id="r1", step="ingest:orders", write_id="i1")


def write_decision(lake: Lake) -> None:
    models = {"candidate": 0.78, "linear": 0.72, "trivial": 0.5}
    figures = [
        Metric("evaluation", who, "roc_auc", value, lower=value - 0.01, upper=value + 0.01, model_version=1)
        for who, value in models.items()
    ]
    record_metrics(lake, figures, run_id="r1", step="train", write_id="e1")
    gate = {"gate": "baseline", "verdict": "passed", "figure": 0.27, "threshold": 0.02, "reason": HOSTILE}
    row = {
        "decision_id": "d1", "decided_at": SCORED_AT, "model_name": "shop", "decision": "promoted", "from_version": None,
        "to_version": 1, "is_opposed": False, "reason": "unopposed", "gates": [gate], "evidence": '{"kpi": null}',
        "training_set_version": "ts-1", "decided_by": "ann", "run_id": "r1",
    }  # fmt: skip
    schema = (
        "decision_id string, decided_at timestamp, model_name string, decision string, from_version int, to_version int, "
        "is_opposed boolean, reason string, gates array<struct<gate: string, verdict: string, figure: double, "
        "threshold: double, reason: string>>, evidence string, training_set_version string, decided_by string, run_id string"
    )
    append_once(lake, "promotions", lake.spark.createDataFrame([row], schema), write_id="d1")


def write_predictions(lake: Lake, status: str = "published", batch: str = BATCH) -> Commit:
    """Forty rows over four days: 0.025, 0.05, … 1.0; ten rows of another role, which are not the champion's."""
    slices = [("champion", i) for i in range(40)] + [("challenger", i) for i in range(10)]
    ledger = [(i, datetime(2024, 2, 1 + i % 4, 23, 30, tzinfo=UTC), (i + 1) / 40, 1, role, batch) for role, i in slices]
    columns = "id long, as_of timestamp, prediction double, model_version int, role string, batch_id string"
    append_once(lake, "predictions", lake.spark.createDataFrame(ledger, columns), write_id=batch)
    check = {
        "check": "rows_changed",
        "verdict": "failed" if status == "held" else "passed",
        "figure": 0.9,
        "threshold": 0.5,
    }
    row = {
        "batch_id": batch, "model_version": 1, "role": "champion", "status": status, "rows": 40, "positives": 20,
        "mean_prediction": 0.5125, "checks": [check | {"reason": HOSTILE}],
        "scored_at": SCORED_AT + timedelta(hours=len(list_tables(lake))), "published_at": SCORED_AT if status == "published" else None,
    }  # fmt: skip
    schema = (
        "batch_id string, model_version int, role string, status string, rows bigint, positives bigint, mean_prediction "
        "double, checks array<struct<check: string, verdict: string, figure: double, threshold: double, reason: string>>, "
        "scored_at timestamp, published_at timestamp"
    )
    return append_once(lake, "prediction_batches", lake.spark.createDataFrame([row], schema), write_id=batch)


def write_monitoring(lake: Lake, run_id: str, psi: float) -> None:
    about = {"batch_id": BATCH, "model_version": 1}
    verdict = "alert" if psi > 0.2 else "ok"
    figures = [
        Metric("drift", HOSTILE, "psi", psi, threshold=0.2, verdict=verdict, **about),
        Metric("performance", "champion", "roc_auc", 0.75, lower=0.7, upper=0.8, **about),
        Metric("performance", "2024-02-02", "observed_rate", 0.4, **about),
    ]
    record_metrics(lake, figures, run_id=run_id, step="monitor", write_id=run_id)


def write_everything(lake: Lake) -> None:
    write_ingestion(lake)
    write_decision(lake)
    write_predictions(lake)
    write_monitoring(lake, "m1", psi=0.1)


@pytest.fixture(scope="module")
def written_folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with everything in it, to be copied: Delta tables that live by path can be."""
    lake = open_lake(make_use_case(tmp_path_factory.mktemp("written")), spark)
    write_everything(lake)
    return Path(lake.root)


@pytest.fixture
def written(written_folder: Path, mlflow_template: Path, shop: Lake, tmp_path: Path) -> Lake:
    """A lake of the test's own with everything in it, beside an MLflow that has nothing."""
    shutil.copytree(written_folder, shop.root)
    shutil.copy(mlflow_template, tmp_path / "mlflow.db")
    return shop


def read_versions(lake: Lake) -> dict[str, int]:
    return {table: table_version(lake, table) for table in list_tables(lake)}


def test_an_empty_lake_gives_a_page_that_says_so(use_case: UseCase, shop: Lake, tmp_path: Path) -> None:
    result = report(use_case, shop)
    page = parse_page(result.path.read_text())
    assert result.status == "no_data"
    assert result.path == tmp_path / "reports" / "shop" / "summary.html"
    assert "Nothing has run yet." in page.text
    assert "The lake has no table of this use case yet." in page.text
    assert json.loads(result.json_path.read_text())["facts"]["tables"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reports"]


def test_the_page_tells_what_the_tables_hold(use_case: UseCase, written: Lake) -> None:
    result = report(use_case, written, run_id="r1")
    found, page = json.loads(result.json_path.read_text()), parse_page(result.path.read_text())
    facts = found["facts"]
    assert facts["sources"][0] | {"ended_at": None} == {
        "source": "orders", "batch_id": "orders-1", "ended_at": None, "files": 2, "rows_in": 100, "rows_clean": 97, "rows_quarantined": 3, "rows_aside": 0,
    }  # fmt: skip
    assert facts["violations"] == [{"source": "orders", "rule": f"expect: {HOSTILE}", "rows": 3}]
    assert (facts["model"]["champion"], facts["model"]["newest"]) == (1, 1)
    assert "No version of a model 'shop' is registered" in facts["model"]["note"]
    assert facts["decisions"][0]["gates"][0]["reason"] == HOSTILE
    assert facts["scoring"]["published"]["batch_id"] == BATCH
    assert facts["scoring"]["shares"] == pytest.approx([0.025] + [0.05] * 18 + [0.075])
    assert [day["day"] for day in facts["scoring"]["days"]] == [f"2024-02-0{day}" for day in (1, 2, 3, 4)]
    assert [day["rows"] for day in facts["scoring"]["days"]] == [10, 10, 10, 10]
    assert [day["observed"] for day in facts["scoring"]["days"]] == [None, 0.4, None, None]
    assert facts["monitoring"]["drift"][0]["value"] == 0.1
    assert {table["table"]: table["rows"] for table in facts["tables"]}["clean_orders"] == 97
    assert "100 rows in = 97 clean + 3 quarantined" in page.text
    assert "0.780 [0.770, 0.790]" in page.text
    assert f"expect: {HOSTILE}" in page.text
    assert "script" not in {tag for tag, _ in page.tags}


def test_the_newest_look_counts(use_case: UseCase, written: Lake) -> None:
    write_monitoring(written, "m2", psi=0.5)
    result = report(use_case, written)
    found = json.loads(result.json_path.read_text())
    assert [figure["value"] for figure in found["facts"]["monitoring"]["drift"]] == [0.5]
    assert len(found["facts"]["monitoring"]["history"]) == 1
    assert result.status == "attention"


def test_a_held_batch_leaves_the_published_one_in_the_plots(use_case: UseCase, shop: Lake) -> None:
    write_predictions(shop)
    write_predictions(shop, "held", "2024-03")
    found = json.loads(report(use_case, shop).json_path.read_text())
    assert [batch["batch_id"] for batch in found["facts"]["scoring"]["batches"]] == ["2024-03", BATCH]
    assert found["facts"]["scoring"]["published"]["batch_id"] == BATCH
    assert next(v for v in found["verdicts"] if v["stage"] == "scoring")["status"] == "attention"


def test_a_report_moves_no_table_and_leaves_no_other_file(use_case: UseCase, written: Lake) -> None:
    before = read_versions(written)
    first = report(use_case, written)
    told = json.loads(first.json_path.read_text())
    again = report(use_case, written)
    assert read_versions(written) == before
    assert sorted(path.name for path in again.path.parent.iterdir()) == [
        "experiments.html",
        "experiments.json",
        "features.html",
        "features.json",
        "summary.html",
        "summary.json",
    ]
    told_again = json.loads(again.json_path.read_text())
    assert told["facts"].pop("written_at") < told_again["facts"].pop("written_at")
    assert told == told_again


def test_a_registry_out_of_reach_is_told_and_ends_nothing(written: Lake, tmp_path: Path) -> None:
    use_case = make_use_case(tmp_path, mlflow={"tracking_uri": "http://127.0.0.1:9"})
    found = json.loads(report(use_case, written).json_path.read_text())
    assert "No MLflow server answers" in found["facts"]["model"]["note"]
    assert found["facts"]["model"]["figures"][0]["value"] == 0.78


@pytest.mark.parametrize("place", ["s3://bucket/reports", "{root}/file/reports"])
def test_a_folder_that_cannot_be_written_is_named(place: str, shop: Lake, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    reports = place.format(root=tmp_path)
    with pytest.raises(SetupError, match=reports):
        report(make_use_case(tmp_path, reports=reports), shop)


def test_a_page_that_fails_leaves_the_old_one(use_case: UseCase, shop: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    path = report(use_case, shop).path
    before = path.read_text()

    def refuse(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(SetupError, match="No space left on device"):
        report(use_case, replace(shop), run_id="r2")
    assert path.read_text() == before
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "experiments.html",
        "experiments.json",
        "features.html",
        "features.json",
        "summary.html",
        "summary.json",
    ]


def test_the_newest_search_is_told_each_trial_as_it_ended_last(shop: Lake, tmp_path: Path) -> None:
    trials = [
        ("early", 0, "ok", 0.5, 0.55, 0),
        ("late", 1, "ok", 0.3, 0.7, 6),
        ("late", 0, "cancelled", None, None, 1),
        ("late", 0, "ok", 0.4, 0.6, 3),
        ("late", 2, "failed", None, None, 5),
        ("late", 3, "cancelled", None, None, 9),
    ]
    rows = [
        (search, number, status, loss, {} if auc is None else {"roc_auc": auc}, f'{{"num_leaves": {number}}}',
         "Traceback\nValueError: no" if status == "failed" else None, SCORED_AT + timedelta(minutes=minutes), "ts-1")
        for search, number, status, loss, auc, minutes in trials
    ]  # fmt: skip
    schema = (
        "search_id string, number int, status string, loss double, metrics map<string, double>, params string, cause string, "
        "ended_at timestamp, training_set string"
    )
    append_once(shop, "trials", shop.spark.createDataFrame(rows, schema), write_id="t1")
    result = report(make_use_case(tmp_path), shop)
    found = json.loads(result.experiments_path.with_suffix(".json").read_text())["facts"]
    assert [(one["number"], one["figure"], one["cause"]) for one in found["trials"]] == [
        (0, 0.6, None), (1, 0.7, None), (2, None, "ValueError: no"),
    ]  # fmt: skip
    assert (found["metric"], found["training_set"], found["trainings"]) == ("roc_auc", "ts-1", [])
    page = parse_page(result.experiments_path.read_text())
    assert "3 trials on training set ts-1 , 1 failed" in page.text
    assert "script" not in {tag for tag, _ in page.tags}


def test_a_card_of_what_the_package_says() -> None:
    metadata = {
        "training_set_version": "ts-1",
        "params": {"learning_rate": 0.123456},
        "judged_on": {"rows": 10, "positives": 2},
        "calibration": [{"rows": 5, "predicted": 0.1, "observed": 0.2}],
        "column_weights": {"a": 0.2, "b": 0.8, "c": 0.0},
        "reference": {"prediction": {"edges": [0.0, 0.5], "levels": None, "counts": [0, 10, 0, 0]}},
    }
    card = read_card(3, metadata)
    assert card.weights == (("b", 0.8), ("a", 0.2))
    assert card.params == {"learning_rate": "0.1235"}
    assert card.reference_shares == pytest.approx((0.1,) * 10 + (0.0,) * 10)
    assert read_card(3, {}).calibration == ()


def test_a_card_of_what_the_model_looks_at() -> None:
    groups = [
        {"kind": "range", "rows": 4, "mean_contribution": -0.2, "upper": 1.0, "mean_value": 0.5},
        {"kind": "range", "rows": 4, "mean_contribution": 0.2, "lower": 1.0, "mean_value": 2.0},
        {"kind": "missing", "rows": 2, "mean_contribution": 0.0},
    ]
    features = [{"name": "a", "importance": 0.2, "groups": groups}, {"name": "b", "importance": 0.1, "groups": []}]
    card = read_card(3, {"explanation": {"method": "shap", "rows": 10, "features": features}})
    assert (card.importance_method, card.importance_rows) == ("shap", 10)
    assert [column.name for column in card.importance] == ["a", "b"]
    assert [point.label for point in card.importance[0].groups] == ["up to 1.00", "above 1.00", "missing"]
    assert card.importance[0].groups[1].contribution == 0.2


def test_a_card_of_what_the_training_found() -> None:
    found = {"finding": "few_days", "severity": "info", "sentence": "few days", "figures": {}, "advice": "take more"}
    figures = {
        "fit": {"metric": "roc_auc", "train": 0.9, "valid": 0.8, "test": None},
        "curve": [{"rows": 500, "value": 0.7}, {"rows": 1000, "value": 0.8}],
    }
    told = read_card(3, {"diagnosis": [found], "diagnosis_figures": figures}).diagnosis
    assert told is not None
    assert [(one.severity, one.sentence) for one in told.findings] == [("info", "few days")]
    assert told.told == (
        "roc_auc by part: train 0.900, valid 0.800. Learning curve, fitted on so many rows of train and judged on valid: "
        "500: 0.700, 1,000: 0.800."
    )
    assert read_card(3, {}).diagnosis is None
    empty = read_card(3, {"diagnosis": []}).diagnosis
    assert empty is not None
    assert empty.told == "The rows are too few to measure anything else."
