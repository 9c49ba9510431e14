"""Raw files in, versioned predictions out: the whole use case on a sample of the real files."""

import json
import subprocess
from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.lake import list_tables, query_tables, read_table, table_version
from sparkml_ops.pipeline import plan
from sparkml_ops.scoring import score
from tests.flow_project import Project

pytestmark = pytest.mark.slow
Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_the_first_run_does_every_step(project: Project) -> None:
    result = project.first_run["result"]
    assert {step["status"] for step in result["steps"]} == {"succeeded"}
    assert [step["name"] for step in result["steps"] if ":" not in step["name"]] == [
        "dataset",
        "train",
        "promote",
        "score",
        "monitor",
    ]


def test_rows_in_are_rows_clean_and_quarantined_by_a_scan(project: Project, spark: SparkSession) -> None:
    lines = sum(
        len(file.read_text().splitlines()) - 1 for file in (project.folder / "data/landing/flights").glob("*.csv")
    )
    lake = project.lake()
    scanned = [
        read_table(lake, t).selectExpr("sum(1 + 0 * xxhash64(*))").first()[0] or 0
        for t in ("clean_flights", "quarantine_flights")
    ]
    assert sum(scanned) == lines > 9000


def test_the_tables_are_those_of_the_design(project: Project, spark: SparkSession) -> None:
    wanted = {
        "clean_flights",
        "quarantine_flights",
        "features_origin_weather",
        "features_carrier_delays",
        "training_sets",
        "predictions",
    }
    wanted |= {"prediction_batches", "predictions_current", "runs", "metrics", "promotions"}
    assert wanted <= set(list_tables(project.lake()))


def test_every_row_of_the_request_has_one_published_prediction(project: Project, spark: SparkSession) -> None:
    lake = project.lake()
    asked = "SELECT count(*) FROM flights WHERE sched_dep_at >= TIMESTAMP '2013-02-01'"
    rows = query_tables(lake, asked)[0].first()[0]
    found = (
        read_table(lake, "predictions_current")
        .selectExpr(
            "count(prediction)",
            "count(DISTINCT flight_id)",
            "min(prediction) >= 0 AND max(prediction) <= 1",
            "count(DISTINCT model_version)",
            "min(size(reasons))",
            "sum(CAST(predicted_class = CAST(prediction >= 0.3 AS INT) AS INT))",
        )
        .first()
    )
    assert tuple(found) == (rows, rows, True, 1, 3, rows)


def test_the_first_champion_is_marked_as_unopposed(project: Project, spark: SparkSession) -> None:
    row = read_table(project.lake(), "promotions").collect()[0]
    assert (row.decision, row.is_opposed, row.from_version, row.to_version) == ("promoted", False, None, 1)
    assert row.reason.startswith("unopposed")
    assert {gate.gate: gate.verdict for gate in row.gates} == {
        "baseline": "passed",
        "champion": "unopposed",
        "slices": "unopposed",
        "latency": "passed",
        "kpi": "passed",
        "loads": "passed",
    }


def test_the_model_beats_the_trivial_one(project: Project, spark: SparkSession) -> None:
    found = read_table(project.lake(), "metrics").where("scope = 'evaluation' AND name = 'roc_auc'").collect()
    figures = {row.subject: row for row in found}
    assert figures["candidate"].lower > figures["trivial"].value == 0.5
    assert figures["candidate"].value < 0.85, "so good that something must leak"


def test_a_second_run_changes_nothing(project: Project, cli: Cli, spark: SparkSession) -> None:
    lake = project.lake()
    before = {table: table_version(lake, table) for table in list_tables(lake)}
    ended = cli("run", "flights")
    assert (ended.returncode, ended.stdout) == (0, "No changes.\n"), ended.stderr
    assert {table: table_version(lake, table) for table in list_tables(lake)} == before


def test_an_audit_finds_no_leakage_in_the_flights(project: Project, cli: Cli, spark: SparkSession) -> None:
    """Each figure of 100 departures is computed again from the raw flights and weather, by another road."""
    ended = cli("audit", "flights", "--rows", "100", "--json")
    found = json.loads(ended.stdout)["result"]
    assert (ended.returncode, found["findings"]) == (0, []), ended.stderr
    assert {one["view"]: one["rows"] for one in found["history"]} == {
        **dict.fromkeys(project.use_case().dataset.features, 100),
        "dataset.derived": 100,
    }
    computed = {one["subject"]: one["value"] for one in found["figures"] if one["check"] == "after_moment"}
    assert computed == dict.fromkeys(project.use_case().feature_columns(), 0.0)
    judged = {one["check"] for one in found["figures"] if one["verdict"] == "ok"}
    assert judged >= {"after_moment", "label_copy", "missing_tells", "identifier", "shared_keys", "duplicate_rows"}


def test_plan_says_the_same_and_what_a_new_limit_would_touch(project: Project, spark: SparkSession) -> None:
    use_case, lake = project.use_case(), project.lake()
    assert not plan(use_case, lake).has_changes
    stricter = use_case.model_copy(update={"gates": use_case.gates.model_copy(update={"kpi": None})})
    touched = {p.step.name: p.reason for p in plan(stricter, lake).steps if p.runs}
    assert touched == {"promote": "its configuration changed", "score": "follows promote", "monitor": "follows score"}


def test_scoring_again_replaces_its_own_rows_and_nothing_else(project: Project, spark: SparkSession) -> None:
    lake, use_case = project.lake(), project.use_case()
    other = use_case.model_copy(
        update={
            "scoring": use_case.scoring.model_copy(
                update={
                    "relation": type(use_case.scoring.relation)(
                        sql="SELECT flight_id, carrier, origin, dest, tailnum, sched_dep_at FROM flights WHERE sched_dep_at >= TIMESTAMP '2013-02-05'"
                    )
                }
            )
        }
    )
    fingerprint = "sum(CAST(xxhash64(flight_id, prediction, as_of, batch_id) AS DECIMAL(38, 0)))"
    kept = (
        read_table(lake, "predictions").where("batch_id = '2013-02-01_2013-02-06'").selectExpr(fingerprint).first()[0]
    )
    score(other, lake, batch="again")
    first = (
        read_table(lake, "predictions").where("batch_id = 'again'").selectExpr("count(prediction)", fingerprint).first()
    )
    score(other, lake, batch="again")
    second = (
        read_table(lake, "predictions").where("batch_id = 'again'").selectExpr("count(prediction)", fingerprint).first()
    )
    assert first == second
    assert first[0] > 0
    assert (
        read_table(lake, "predictions").where("batch_id = '2013-02-01_2013-02-06'").selectExpr(fingerprint).first()[0]
        == kept
    )


def test_no_feature_of_a_prediction_depends_on_what_else_is_in_the_batch(project: Project, spark: SparkSession) -> None:
    rows = query_tables(
        project.lake(),
        "SELECT count(*), max(abs(a.prediction - b.prediction)) FROM predictions a JOIN predictions b ON a.flight_id = b.flight_id "
        "WHERE a.batch_id = 'again' AND b.batch_id <> 'again' AND a.role = 'champion' AND b.role = 'champion'",
    )[0].first()
    assert rows[0] > 0
    assert rows[1] == 0.0


def test_readers_that_are_not_spark_find_the_same_rows(project: Project, spark: SparkSession) -> None:
    import duckdb
    from deltalake import DeltaTable, QueryBuilder
    from duckdb_extensions import import_extension

    import_extension("delta")
    connection = duckdb.connect()
    connection.execute("LOAD delta")
    for table in ("predictions", "predictions_current", "features_origin_weather"):
        path = project.folder / "data" / "lake" / "flights" / table
        figure = "CAST(sum(prediction) AS DOUBLE)" if table.startswith("predictions") else "CAST(sum(temp) AS DOUBLE)"
        by_spark = read_table(project.lake(), table).selectExpr("count(*)", figure).first()
        by_duckdb = connection.execute(f"SELECT count(*), {figure} FROM delta_scan('{path}')").fetchone()
        arrow = (
            QueryBuilder()
            .register("t", DeltaTable(path))
            .execute(f"SELECT count(*) AS n, {figure} AS s FROM t")
            .read_all()
        )
        for found in (by_duckdb, (arrow["n"][0].as_py(), arrow["s"][0].as_py())):
            assert found[0] == by_spark[0] > 0
            assert found[1] == pytest.approx(by_spark[1], rel=1e-12)


def test_sql_and_runs_answer_in_json(project: Project, cli: Cli) -> None:
    ended = cli(
        "sql",
        "flights",
        "SELECT carrier, count(*) AS n FROM predictions_current GROUP BY carrier ORDER BY carrier",
        "--json",
    )
    answer = json.loads(ended.stdout)
    assert [row[0] for row in answer["result"]["rows"]] == ["B6", "UA"]
    steps = json.loads(cli("runs", "flights", "--step", "train", "--json").stdout)["result"]
    assert [(step["status"], step["model_version"]) for step in steps] == [("succeeded", 1)]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("sql", "flights", "DROP TABLE runs"), 2, "expected one SELECT"),
        (("sql", "flights", "SELECT nope FROM runs"), 2, "Spark refuses this query"),
        (("sql", "flights", "SELECT * FROM nothing_here"), 1, "has no table nothing_here"),
        (("score", "flights", "--batch", "../up"), 2, "is no batch name"),
        (("promote", "flights", "--version", "99"), 2, "has no version 99"),
    ],
)
def test_a_wrong_question_gets_a_clear_answer(cli: Cli, arguments: tuple[str, ...], code: int, message: str) -> None:
    ended = cli(*arguments)
    assert ended.returncode == code, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_new_files_touch_only_what_they_reach(project: Project, spark: SparkSession) -> None:
    """Last in this file: it changes the tables."""
    landing = project.folder / "data/landing/weather"
    (landing / "weather.csv").write_text(
        (landing / "weather.csv").read_text().replace("\nEWR,2013,1,1,1,39.02", "\nEWR,2013,1,1,1,39.03")
    )
    touched = {p.step.name for p in plan(project.use_case(), project.lake()).steps if p.runs}
    assert touched == {"ingest:weather", "features:origin_weather", "dataset", "train", "promote", "score", "monitor"}
