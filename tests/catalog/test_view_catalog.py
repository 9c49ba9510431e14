"""The feature views as the tables and ledgers have them: how new, what they hold over time, who learned from them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.catalog import ViewStory, read_view, read_views
from sparkml_ops.catalog.ledger import read_models
from sparkml_ops.cli.feature_lines import describe_view, describe_views
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError
from sparkml_ops.features import build_features, create_training_set
from sparkml_ops.lake import Lake, open_lake, record_step, replace_table

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)


def make_use_case(root: Path) -> UseCase:
    columns = {
        "id": {"type": "long"},
        "who": {"type": "string"},
        "paid": {"type": "timestamp"},
        "amount": {"type": "double"},
    }
    return UseCase.model_validate(
        {
            "name": "shop",
            "owner": "ops@example.org",
            "environment": {"lake": {"root": str(root)}, "mlflow": {"tracking_uri": "sqlite://"}},
            "sources": {
                "orders": {"path": "/x/*.csv", "format": "csv", "key": ["id"], "columns": columns, "derive": {"euros": "amount / 100"}}
            },
            "features": {
                "spending": {
                    "entity": ["who"], "timestamp": "paid", "from": "orders", "owner": "ann@example.org", "description": "what they paid",
                    "aggregate": [{"of": "euros", "ops": ["sum"], "windows": ["1h", "1d"]}],
                    "columns": {"euros_sum_1d": {"description": "euros of a day", "owner": "bob@example.org"}},
                },
                "last": {"entity": ["who"], "timestamp": "paid", "from": "orders", "select": {"amount": "amount"}, "ttl": "6h"},
                "unbuilt": {"entity": ["who"], "from": "orders", "select": {"id": "id"}},
            },
            "dataset": {
                "from": "orders", "entity": ["id", "who"], "key": ["id"], "timestamp": "paid", "label": "amount > 50", "features": ["spending"],
                "derived": {"log_day": "ln(spending__euros_sum_1d)", "is_rich": "log_day > 3"},
                "leave_out": ["spending__euros_sum_1d"],
                "split": {"by": "time", "train_until": "2024-03-02", "valid_until": "2024-03-03"},
            },
            "model": {"task": "binary"},
            "scoring": {"from": "orders", "as_of": "paid"},
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[UseCase, Lake, str]:
    """Built twice, the second time with another order, and learned from by version 3 of a model."""
    use_case = make_use_case(tmp_path_factory.mktemp("views"))
    lake = open_lake(use_case, spark)
    rows: list[Any] = [(n, "ann", NOON + timedelta(minutes=n), 30.0 * n, 0.3 * n) for n in (1, 2, 3)]
    for number in (2, 3):
        frame = spark.createDataFrame(rows[:number], "id long, who string, paid timestamp, amount double, euros double")
        replace_table(lake, "clean_orders", frame.coalesce(1), write_id=f"orders-{number}")
        build_features(use_case, lake, views=["spending", "last"])
    made = create_training_set(use_case, lake, as_of=NOON + timedelta(days=9))
    with record_step(lake, run_id="r", step="train", config_hash="h") as record:
        record.model("shop", 3)
        record.note("training_set", made.version)
    return use_case, lake, made.version


@pytest.fixture(scope="module")
def spending(shop: tuple[UseCase, Lake, str]) -> ViewStory:
    return read_view(shop[0], shop[1], "spending")


def test_each_view_with_owner_size_age_and_models(shop):
    spending, last, unbuilt = read_views(shop[0], shop[1])
    assert (spending.view, spending.owner, spending.entity, spending.sources) == (
        "spending",
        "ann@example.org",
        ("who",),
        ("orders",),
    )
    assert (last.owner, last.ttl, last.version, last.rows, last.is_learned) == ("ops@example.org", "6h", 1, 3, False)
    assert last.newest_at == NOON + timedelta(minutes=3)
    assert spending.newest_at == NOON + timedelta(minutes=3)  # though its last row is when that order leaves the day
    assert [(use.version, use.training_set, use.is_champion) for use in spending.models] == [(3, shop[2], False)]
    assert (unbuilt.version, unbuilt.rows, unbuilt.built_at, unbuilt.age_seconds, unbuilt.models) == (
        None,
        None,
        None,
        None,
        (),
    )
    assert spending.built_at is not None
    assert not spending.is_published


def test_figures_over_time_are_newest_first(spending):
    assert [one.version for one in spending.sizes] == [1, 0]
    assert spending.sizes[0].figures["rows"] > spending.sizes[1].figures["rows"]
    column = spending.columns[0]
    assert [one.version for one in column.statistics] == [1, 0]
    assert {"nulls", "mean", "p05", "p50", "p95", "distinct"} <= column.statistics[0].figures.keys()


def test_a_column_is_followed_from_what_comes_in_to_the_models(spending, shop):
    hour, day = spending.columns
    assert (hour.reads, hour.raw, hour.is_traced) == (("orders.euros",), ("orders.amount",), True)
    assert (hour.feature, hour.derived, hour.is_learned, hour.models) == ("spending__euros_sum_1h", (), True, (3,))
    # The looked-up column is left out, but what is derived from it is learned from.
    assert (day.derived, day.is_learned, day.models) == (("log_day", "is_rich"), True, (3,))
    assert (day.meaning, day.owner, day.type) == (
        "euros of a day (sum of euros over the last 1d)",
        "bob@example.org",
        "double",
    )
    assert spending.rows_by == ("orders.who", "orders.paid")
    assert spending.training_sets == (shop[2],)


def test_a_view_that_was_never_built_is_told_all_the_same(shop):
    story = read_view(shop[0], shop[1], "unbuilt")
    assert [(one.name, one.type, one.statistics, one.is_learned) for one in story.columns] == [("id", None, (), False)]
    assert story.sizes == story.training_sets == ()


def test_a_table_of_another_definition_is_told_and_its_newest_event_is_not_guessed(shop):
    use_case, lake, _ = shop
    (last,) = use_case.features["spending"].aggregates
    longer = use_case.features["spending"].model_copy(
        update={"aggregates": [last.model_copy(update={"windows": [timedelta(hours=1), timedelta(days=2)]})]}
    )
    changed = use_case.model_copy(update={"features": use_case.features | {"spending": longer}})
    found = read_views(changed, lake)
    assert [(e.view, e.is_current) for e in found] == [("spending", False), ("last", True), ("unbuilt", None)]
    assert (found[0].newest_at, found[1].newest_at) == (None, NOON + timedelta(minutes=3))
    told = describe_views(found)
    assert told[-1].startswith("Built from another definition, or changed by another hand: spending.")
    assert "Built from another" not in "".join(describe_views(read_views(use_case, lake)))
    head = [line for line in describe_view(read_view(changed, lake, "spending")) if line.startswith("newest event")]
    assert head == ["newest event: not known of another definition"]


def test_an_unknown_view_is_answered_with_the_nearest(shop):
    with pytest.raises(
        ConfigError, match=r"no feature view 'spendin'\. Did you mean spending\? There are: spending, last, unbuilt"
    ):
        read_view(shop[0], shop[1], "spendin")


def test_a_lake_without_anything_has_views_too(spark, tmp_path):
    use_case = make_use_case(tmp_path)
    assert [one.version for one in read_views(use_case, open_lake(use_case, spark))] == [None, None, None]


def test_the_models_of_a_table_are_those_of_its_training_sets(shop):
    models, published = read_models(shop[1], "clean_orders")
    assert ([use.version for use in models], published) == ([3], False)
    assert read_models(shop[1], "features_last") == ((), False)
