"""A training set whose labels come from events, made again after everything it was made of has moved on."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from shop import LATER, NOON, ORDERS, ORDERS_SCHEMA, make_use_case, shop_config

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, TableNotFoundError, TrainingError
from sparkml_ops.features import (
    build_features,
    choose_training_set,
    create_training_set,
    describe_training_set,
    list_training_sets,
    read_training_set,
    recreate_training_set,
)
from sparkml_ops.features.content import measure_content
from sparkml_ops.lake import append_once, read_table, replace_table, table_version

RETURNS = "order_id long, returned_at timestamp, reason string"
EVENTS = [
    (2, 40, "late"),
    (3, 21, "broken"),
    (5, 70, "late"),
    (6, 110, "too late"),
    (None, 30, "?"),
    (7, None, "?"),
    (99, 170, ""),
]
LABEL = {
    "from": "returns",
    "entity": ["order_id"],
    "timestamp": "returned_at",
    "within": "30m",
    "value": "count(*) > 0",
}
SPLIT = {"by": "time", "train_until": "2024-03-01T13:00", "valid_until": "2024-03-01T14:00", "embargo": "5m"}


@pytest.fixture
def returned(built, rows):
    """The shop with a table of what came back."""
    replace_table(built, "returns", rows(RETURNS, EVENTS).coalesce(1), write_id="returns-1")
    return built


def by_events(tmp_path, **label) -> UseCase:
    return make_use_case(tmp_path, label=LABEL | label, split=SPLIT)


def test_a_version_with_labels_from_events_pins_their_table_and_tells_what_was_mature(returned, tmp_path):
    use_case = by_events(tmp_path)
    made = create_training_set(use_case, returned, as_of=LATER, run_id="run-1")
    assert made.inputs["returns"] == 0
    found = {
        row["order_id"]: (row["split"], row["label"]) for row in read_training_set(returned, made.version).collect()
    }
    # Order 6 came back 35 minutes later; order 8, of minute 150, could still come back: nothing after 170 was delivered.
    assert found == {
        1: ("train", 0), 2: ("train", 1), 3: ("train", 1), 4: ("train", 0), 5: ("valid", 1), 6: ("valid", 0), 7: ("test", 0),
    }  # fmt: skip
    assert made.left_out == {"immature": 1}
    assert made.immature_share == 1 / 8
    assert made.labels_until == NOON + timedelta(minutes=170)
    assert describe_training_set(returned).labels_until == made.labels_until
    details = read_table(returned, "runs").filter("step = 'dataset'").collect()[0]["details"]
    assert (details["immature_share"], details["label_events"], details["label_events_left_out"]) == ("0.125", "5", "2")
    assert details["label_events_known_until"] == "2024-03-01T14:50:00+00:00"


def test_a_new_event_makes_a_new_version_and_lets_more_rows_mature(returned, tmp_path, rows):
    use_case = by_events(tmp_path)
    first = create_training_set(use_case, returned, as_of=LATER)
    assert create_training_set(use_case, returned, as_of=LATER + timedelta(days=3)).version == first.version
    append_once(returned, "returns", rows(RETURNS, [(8, 160, "late"), (99, 300, "")]), write_id="returns-2")
    second = create_training_set(use_case, returned, as_of=LATER)
    assert (second.version != first.version, second.left_out, second.rows["test"]) == (True, {}, 2)
    assert choose_training_set(returned, "latest").version == second.version
    assert choose_training_set(returned, first.version[:-1]).version == first.version
    with pytest.raises(ConfigError, match="2 training sets of shop begin so"):
        choose_training_set(returned, "ts-")
    with pytest.raises(TableNotFoundError, match=rf"The nearest are: {first.version}"):
        choose_training_set(returned, first.version[:-1] + "#")
    with pytest.raises(TableNotFoundError, match="no training set 'nonsense'"):
        choose_training_set(returned, "nonsense")


def test_a_version_is_made_again_after_every_input_and_the_configuration_have_changed(returned, tmp_path, rows):
    made = create_training_set(by_events(tmp_path), returned, as_of=LATER)
    before = sorted(map(str, read_training_set(returned, made.version).collect()))
    changed = shop_config(tmp_path, label=LABEL | {"within": "2d", "value": "count(*) = 0"}, derived={}, split=SPLIT)
    changed["features"]["spending"]["aggregate"] = [{"of": "amount", "ops": ["max"], "windows": ["2h"]}]
    changed["features"]["profile"]["select"] = {"town": "upper(town)"}
    replace_table(
        returned, "clean_orders", rows(ORDERS_SCHEMA, [*ORDERS[1:], (9, "zoe", 1, 2, 9.0)]), write_id="orders-2"
    )
    replace_table(
        returned, "clean_customers", rows("customer string, town string", [("ann", "Ulm")]), write_id="customers-2"
    )
    append_once(
        returned, "returns", rows(RETURNS, [(1, 5, "late"), (4, 31, "late"), (99, 4000, "")]), write_id="returns-2"
    )
    moved_on = UseCase.model_validate(changed)
    build_features(moved_on, returned)
    assert create_training_set(moved_on, returned, as_of=LATER).version != made.version
    assert [t for t, version in made.inputs.items() if table_version(returned, t) == version] == []
    without_sources = replace(returned, sources=frozenset())
    again = recreate_training_set(moved_on, without_sources, made.version)
    assert sorted(map(str, again.collect())) == before
    assert measure_content(again).content_hash == made.content_hash


def test_a_table_of_events_that_was_vacuumed_is_named_with_its_version(returned, tmp_path, rows, set_conf):
    use_case = by_events(tmp_path)
    made = create_training_set(use_case, returned, as_of=LATER)
    replace_table(returned, "returns", rows(RETURNS, []), write_id="returns-2")
    returned.spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    returned.spark.sql(f"VACUUM delta.`{returned.root}/returns` RETAIN 0 HOURS")
    with pytest.raises(
        TableNotFoundError, match=rf"{made.version} cannot be made again without returns@v0\. returns@v0 of shop"
    ):
        recreate_training_set(use_case, returned, made.version)
    for file in Path(returned.root, "clean_orders").glob("*.parquet"):
        file.unlink()
    with pytest.raises(TableNotFoundError, match=r"without clean_orders@v0\..*Gone as well: returns@v0\."):
        recreate_training_set(use_case, returned, made.version)


def test_events_that_match_no_decision_are_told_with_what_was_read(returned, tmp_path):
    with pytest.raises(TrainingError, match=r"single class: 0 of 4.*5 events.*known until 2024-03-01T14:50:00"):
        create_training_set(by_events(tmp_path, value="count_if(reason = 'stolen') > 0"), returned, as_of=LATER)


def test_the_list_of_a_lake_from_before_labels_until_is_read_and_goes_on(returned, tmp_path, spark):
    use_case = by_events(tmp_path)
    made = create_training_set(use_case, returned, as_of=LATER)
    old = read_table(returned, "training_sets").drop("labels_until")
    old.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(f"{returned.root}/training_sets")
    assert [one.labels_until for one in list_training_sets(returned)] == [None]
    newer = create_training_set(by_events(tmp_path, value="count(*) = 0"), returned, as_of=LATER)
    assert {one.version: one.labels_until for one in list_training_sets(returned)} == {
        made.version: None,
        newer.version: newer.labels_until,
    }
