"""One prediction of a chain of shops, from its files to who let the model serve; and what is told when parts of that are gone."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkml_ops.cli import explain_row as verb
from sparkml_ops.cli.app import app
from sparkml_ops.cli.row_lines import describe_row
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.dossier import RowExplanation, explain_row
from sparkml_ops.dossier.answer import ask_again
from sparkml_ops.dossier.choose import Question, choose_row
from sparkml_ops.dossier.decisions import find_training_set, read_decisions
from sparkml_ops.dossier.definition import list_younger_tables
from sparkml_ops.dossier.facts import ScoredRow
from sparkml_ops.dossier.keys import read_key
from sparkml_ops.dossier.model import read_model
from sparkml_ops.errors import ConfigError
from sparkml_ops.features import build_features, create_training_set
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, append_once, open_lake, read_table
from sparkml_ops.models import (
    find_version,
    load_version,
    open_experiment,
    prepare_tracking,
    register_model,
    start_run,
)
from sparkml_ops.promotion import promote, roll_back, set_shadow
from sparkml_ops.scoring import score
from sparkml_ops.training import train
from tests.dossier.chain import SHOPS, configure_chain, land_sales

DAY = "2024-02-27"
UGLY = SHOPS[0]


@dataclass(frozen=True)
class Chain:
    """The chain: version 1 published the batches `first` and, after version 2 was rolled back, nothing more; version 2 published `second`."""

    use_case: UseCase
    lake: Lake

    def explain(self, *key: str, **narrowed: Any) -> RowExplanation:
        return explain_row(self.use_case, self.lake, key, **narrowed)


@pytest.fixture(scope="module")
def chain(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Chain:
    root = tmp_path_factory.mktemp("chain")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    use_case = configure_chain(root)
    lake = open_lake(use_case, spark)
    land_sales(root / "landing")
    ingest(use_case, lake, sources=["sales"])
    sizes = spark.createDataFrame([(shop, float(len(shop))) for shop in SHOPS], "shop string, size double")
    stamps = {"_ingested_at": F.current_timestamp(), "_batch_id": F.lit("b"), "_source_file": F.lit("shops.csv")}
    append_once(lake, "clean_shops", sizes.withColumns(stamps), write_id="shops")
    build_features(use_case, lake)
    create_training_set(use_case, lake)
    train(use_case, lake)
    promote(use_case, lake)
    tracking = prepare_tracking(use_case.environment)
    first = load_version(tracking, find_version(tracking, "chain"))
    other = replace(first, metadata={**first.metadata, "trained_at": "2026-01-01T00:00:00+00:00"})
    run = start_run(tracking, open_experiment(tracking, "chain"), name="train")
    register_model(tracking, other, run_id=run)
    set_shadow(use_case, lake, version=2, reason="how would it do?")
    score(use_case, lake, batch="first")
    promote(use_case.model_copy(update={"gates": use_case.gates.model_copy(update={"mode": "off"})}), lake, version=2)
    score(use_case, lake, batch="second")
    roll_back(use_case, lake, to_version=1, reason="late alarms")
    return Chain(use_case, lake)


@pytest.fixture(scope="module")
def first(chain: Chain) -> RowExplanation:
    return chain.explain(UGLY, DAY, "-1", batch="first")


def test_a_published_row_is_told_from_its_files_to_its_evidence(first: RowExplanation) -> None:
    found, row = first, first.row
    assert (row.role, row.model_version, row.status, row.entity["town"]) == ("champion", 1, "published", None)
    assert [(one.role, one.model_version) for one in found.beside] == [("shadow", 2)]
    assert found.missing == ()
    assert found.definition == "today's configuration"
    assert found.answer.is_equal
    assert found.answer.prediction == pytest.approx(row.prediction, rel=1e-12)
    assert row.reasons is not None
    assert len(row.reasons) == 2
    assert found.batch is not None
    assert found.batch["status"] == "published"
    assert found.run is not None
    assert found.run["inputs"]["clean_sales"] == 0
    assert found.current is not None
    assert (found.current["batch_id"], found.current["model_version"]) == ("second", 2)


def test_the_values_of_a_row_are_those_of_its_sales(chain: Chain, first: RowExplanation) -> None:
    """By plain SQL over the clean rows, which shares nothing with the look-up."""
    views, at = {view.view: view for view in first.views}, first.row.as_of
    sales = read_table(chain.lake, "clean_sales").where(F.col("shop") == UGLY)
    known = sales.where(F.col("sold_at") <= F.lit(at) - F.expr("INTERVAL 1 HOUR"))
    week = known.where(F.col("sold_at") > F.lit(at) - F.expr("INTERVAL 7 DAYS"))
    mean, count = week.agg(F.avg("amount"), F.count("*")).first()
    assert views["takings"].values["amount_count_7d"] == count == 6
    assert views["takings"].values["amount_mean_7d"] == pytest.approx(mean, rel=1e-12)
    amount = sales.where(F.col("sold_at") == F.lit(at)).first()["amount"]
    assert views["sale"].values == {"amount": amount, "digits": float(len(UGLY))}
    assert (views["sale"].timestamp, views["sale"].known_at) == (at, at)
    assert first.derived == {"weekday": 3.0}


def test_the_files_behind_a_value_are_named_and_bounded(chain: Chain, first: RowExplanation) -> None:
    views = {view.view: view for view in first.views}
    (sale,) = views["sale"].origins
    assert (sale.table, sale.version, sale.rows, sale.more_files) == ("clean_sales", 0, 1, 0)
    assert [Path(str(file.path)).name.replace("%20", " ") for file in sale.files] == ["sales 50.csv"]
    assert sale.files[0].batch_id == read_table(chain.lake, "clean_sales").first()["_batch_id"]
    (takings,) = views["takings"].origins
    counted = views["takings"].values["amount_count_21d"]
    assert takings.rows == counted == sum(file.rows for file in takings.files)
    assert len(takings.files) == 3
    assert takings.matched_by == f"shop={UGLY!r} and sold_at > 2024-02-06T12:00:00Z and sold_at <= 2024-02-27T11:00:00Z"


def test_a_view_that_had_no_row_says_so(first: RowExplanation) -> None:
    towns = next(view for view in first.views if view.view == "towns")
    assert (towns.timestamp, towns.values) == (None, {"last": None})
    assert towns.note == "no row was known at the moment, or it was older than 6:00:00"
    assert {origin.table for origin in towns.origins} == {"clean_sales", "clean_shops"}


def test_who_let_a_version_serve_is_told_with_the_evidence(first: RowExplanation) -> None:
    known = first.decisions
    assert known.serving is not None
    assert (known.serving.decision, known.serving.from_version, known.champion_then) == ("promoted", None, 1)
    assert known.judged == known.serving
    assert {gate["gate"]: gate["verdict"] for gate in known.serving.gates}["baseline"] == "passed"
    assert known.serving.evidence["candidate"]
    assert [(one.decision, one.from_version, one.to_version) for one in known.history] == [
        ("promoted", None, 1), ("promoted", 1, 2), ("rolled_back", 2, 1),
    ]  # fmt: skip


def test_a_batch_of_a_model_that_was_rolled_back_is_told_with_that(chain: Chain) -> None:
    """By default the newest published batch is taken; this shop has a town, so that a query gave it features."""
    found = chain.explain("007", DAY, "1")
    assert (found.row.batch_id, found.row.model_version, found.model.aliases) == ("second", 2, ())
    assert [(one.decision, one.reason) for one in found.decisions.history] == [
        ("shadowed", "how would it do?"), ("promoted", "gates.mode is off: no gate was asked"), ("rolled_back", "late alarms"),
    ]  # fmt: skip
    assert found.missing == (
        "the gates' evidence: promotions has no decision in which they were asked about version 2 before it scored",
    )
    assert found.answer.is_equal
    sales, shops = next(view for view in found.views if view.view == "towns").origins
    assert (sales.table, sales.matched_by, len(sales.files), sales.more_files) == ("clean_sales", "town='town 0'", 5, 1)
    assert sales.rows == read_table(chain.lake, "clean_sales").where("town = 'town 0'").count()
    assert (shops.table, shops.rows, shops.files) == ("clean_shops", None, ())
    assert shops.note == "joined by other columns than the entity's: which of its rows is not recorded"


def choose(chain: Chain, given: Any, **narrowed: Any) -> ScoredRow:
    schema = read_table(chain.lake, "predictions").schema
    entity = [schema[name] for name in chain.use_case.dataset.entity]
    question = Question(read_key(given, entity, key=chain.use_case.dataset.key_columns()), **narrowed)
    return choose_row(chain.lake, question, entity=entity).row


@pytest.mark.parametrize("shop", SHOPS[:6])
def test_any_name_finds_its_row(chain: Chain, shop: str) -> None:
    row = choose(chain, [f"till={SHOPS.index(shop) % 3 - 1}", f"shop={shop}", f"day={DAY}"], batch="second")
    assert row.entity["shop"] == shop
    assert choose(chain, row.entity, batch="second") == row


def test_a_shadow_is_asked_for_by_its_role_or_version(chain: Chain, first: RowExplanation) -> None:
    row = choose(chain, [UGLY, DAY, "-1"], batch="first", role="shadow")
    assert (row.model_version, row.status, row.reasons) == (2, "scored", None)
    assert choose(chain, [UGLY, DAY, "-1"], batch="first", version=2) == row == first.beside[0]
    told = describe_row(replace(first, row=row, decisions=read_decisions(chain.lake, row)))
    assert "it was scored beside the champion, as shadow" in told


@pytest.mark.parametrize(
    ("key", "narrowed", "message"),
    [
        (["z", DAY, "0"], {}, r"^shop='z', day=2024-02-27, till=0 is in no batch: looked at all \d+ rows of predictions as of 2024-"),
        ([UGLY.lower(), DAY, "-1"], {}, r"There is shop='O\\'Brien, \"Ulm\" & Söhne', day=2024-02-27, till=-1, though\.$"),
        (["shp=a", DAY, "0"], {}, r"'shp=a' was taken as a value; did you mean shop=…\?"),
        ([UGLY, DAY, "-1"], {"batch": "frist"}, r"there is no batch 'frist' in predictions\. Did you mean first\? There are: second, first"),
        ([UGLY, DAY, "1"], {}, r"is in no batch"),
        ([UGLY, DAY, "-1"], {"role": "challenger"}, r"role 'challenger' is not in predictions\. The entity is there:\n  batch second \(published\), champion version 2"),
        ([UGLY, DAY, "-1"], {"version": 9, "batch": "first"}, r"version 9 is not in predictions"),
        ([f"day={DAY}"], {}, r"more than one row of batch second\. Say which, by more columns of the entity.*:\n  (batch second .*\n  ){5}and 7 more$"),
        ([f"shop={UGLY}"], {"as_of": datetime(2024, 2, 27, 12, 1, tzinfo=UTC)}, r"as of 2024-02-27T12:01:00Z is not in predictions"),
        ([UGLY, "today", "-1"], {}, r"KEY: day is date; expected a date such as 2013-02-01, or NULL; found 'today'"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_cannot_be_found_is_told(chain: Chain, key: list[str], narrowed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        chain.explain(*key, **narrowed)


def test_a_moment_narrows_down_an_entity_of_several_rows(chain: Chain) -> None:
    at = datetime(2024, 2, 27, 12, 0)
    assert choose(chain, [f"shop={UGLY}"], as_of=at.replace(tzinfo=UTC)).as_of == at.replace(tzinfo=UTC)


def test_the_verb_tells_it_from_top_to_bottom_and_as_json(
    chain: Chain, first: RowExplanation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = describe_row(first)
    titles = [line for line, below in pairwise(lines) if below and set(below) == {"="}]
    assert titles == [
        "Prediction", "Model", "Who let it serve, and on what evidence", "Training set", "The row that was asked about",
        "Features as they were used, by today's configuration", "The same model, asked again",
        "Not recorded, or not there any more", "Card of the model",
    ]  # fmt: skip
    assert "- nothing" in lines
    assert "# chain, version 1" in lines
    monkeypatch.setattr(verb, "open_both", lambda *_: (chain.use_case, chain.lake))
    arguments = ["explain-row", "chain", UGLY, DAY, "--batch", "first", "--json", "--", "-1"]
    assert app(arguments, standalone_mode=False) == 0
    result = json.loads(capsys.readouterr().out)["result"]
    assert result["row"]["entity"] == {"shop": UGLY, "day": DAY, "till": -1, "town": None}
    assert result["row"]["as_of"] == "2024-02-27T12:00:00+00:00"
    assert result["answer"]["is_equal"] is True
    assert result["model"]["card"].startswith("# chain, version 1\n")


def test_a_definition_that_changed_since_is_told_and_the_recorded_one_is_used(chain: Chain) -> None:
    views = dict(chain.use_case.features)
    views["sale"] = views["sale"].model_copy(update={"select": {"amount": "amount * 2", "digits": "length(shop)"}})
    scoring = chain.use_case.scoring.model_copy(update={"explain": 0})
    changed = chain.use_case.model_copy(update={"features": views, "scoring": scoring})
    found = explain_row(changed, chain.lake, [UGLY, DAY, "-1"], batch="first")
    assert found.definition == (
        "the training set's, since today's configuration is another one (changed since: features_sale)"
    )
    assert found.answer.is_equal
    assert [one.split(": ")[0] for one in found.missing] == ["the section scoring as it was"]


def test_a_table_that_was_made_anew_is_not_taken_for_the_one_that_was_looked_up(
    chain: Chain, first: RowExplanation
) -> None:
    assert list_younger_tables(chain.lake, first.row) == {}
    told = list_younger_tables(chain.lake, replace(first.row, scored_at=first.row.as_of))
    assert set(told) == {"features_sale", "features_takings", "features_towns"}
    assert told["features_sale"].startswith(
        "features_sale@v0: another table has its name now, whose version was written on"
    )


@pytest.fixture
def gone(chain: Chain) -> Callable[[], None]:
    """What a plain vacuum and a hand in the registry take away."""

    def take_away() -> None:
        build_features(chain.use_case, chain.lake, views=["takings"], full=True)
        spark, table = chain.lake.spark, f"delta.`{chain.lake.root}/features_takings`"
        spark.sql(f"ALTER TABLE {table} UNSET TBLPROPERTIES IF EXISTS ('delta.deletedFileRetentionDuration')")
        spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
        spark.conf.set("spark.sql.sources.parallelPartitionDiscovery.parallelism", "2")  # or VACUUM starts 10,000 tasks
        spark.sql(f"VACUUM {table} RETAIN 0 HOURS")
        prepare_tracking(chain.use_case.environment).client.delete_model_version("chain", "2")

    return take_away


def test_what_is_gone_is_named_and_the_rest_is_told(
    chain: Chain, first: RowExplanation, gone: Callable[[], None]
) -> None:
    """Last in this file: it takes tables and a version away."""
    gone()
    found = chain.explain(UGLY, DAY, "-1", batch="first")
    told = "1 of the 1 files of features_takings@v0 are gone (vacuumed, or taken away), such as part-"
    assert [one[: len(told)] for one in found.missing] == [told]
    views = {view.view: view for view in found.views}
    assert (views["takings"].values, views["takings"].note) == ({}, "it cannot be read any more")
    assert views["sale"].values["amount"] > 0
    assert found.answer == replace(found.answer, is_equal=None, note="the features cannot be read any more")
    assert found.row == first.row
    model, packaged = read_model(chain.use_case.environment, first.beside[0])
    assert (model.is_there, model.card, packaged) == (False, None, None)
    assert model.note == "chain version 2: the registry has no such version any more"
    deleted = replace(found, model=model, answer=ask_again(chain.lake, first.row, features=None, model=None))
    assert found.training_set is not None
    known = read_decisions(chain.lake, first.beside[0])
    assert find_training_set(known, 2) == found.training_set["version"]
    lines = describe_row(deleted)
    assert "  version      chain version 2, which the registry has no more" in lines
    assert "it could not be asked: the features and the model cannot be read any more" in lines
