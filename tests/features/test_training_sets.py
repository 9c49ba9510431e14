"""Training sets as versions."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from shop import LATER, NOON, ORDERS, ORDERS_SCHEMA, make_use_case

from sparkml_ops.errors import ConfigError, ContractError, SetupError, TableNotFoundError, TrainingError
from sparkml_ops.features import (
    build_features,
    compare_training_sets,
    create,
    create_training_set,
    describe_training_set,
    export_training_set,
    read_training_set,
    recreate_training_set,
)
from sparkml_ops.features.content import measure_content
from sparkml_ops.features.training_sets import find_training_set
from sparkml_ops.lake import read_table, replace_table, table_exists, table_version
from sparkml_ops.lake.location import table_path


def test_a_version_tells_what_was_asked_and_what_came_out(built, use_case):
    made = create_training_set(use_case, built, as_of=LATER, run_id="run-1")
    assert made.version.startswith("ts-")
    assert len(made.version) == len("ts-") + 12
    assert made.table == "training_set_" + made.version.replace("-", "_")
    assert made.inputs == {"clean_orders": 0, "features_spending": 0, "features_profile": 0}
    assert made.rows == {"train": 4, "valid": 2, "test": 1}
    assert made.positives == {"train": 2, "valid": 1, "test": 1}
    assert made.left_out == {"no_label": 1}
    assert made.feature_columns == use_case.feature_columns()
    assert made.newest == NOON + timedelta(minutes=125)
    assert made.status == "created"
    assert describe_training_set(built) == replace(made, status="existing")
    run = read_table(built, "runs").filter("step = 'dataset'").collect()[0]
    assert {use["table"]: use["version"] for use in run["inputs"]} == made.inputs
    assert [(use["table"], use["rows"]) for use in run["outputs"]] == [(made.table, 7)]
    assert (run["status"], run["details"]["training_set"]) == ("succeeded", made.version)


def test_rows_have_identity_split_label_and_features(trained, use_case):
    rows = read_training_set(trained, describe_training_set(trained).version)
    assert rows.columns == ["order_id", "customer", "ordered_at", "split", "label", *use_case.feature_columns()]
    found = {row["order_id"]: row for row in rows.collect()}
    assert {number: (row["split"], row["label"]) for number, row in found.items()} == {
        1: ("train", 0),
        2: ("train", 1),
        3: ("train", 1),
        4: ("train", 0),
        5: ("valid", 1),
        6: ("valid", 0),
        7: ("test", 1),
    }
    # Order 2 was made when order 1, of 20, was paid and nothing else was; order 5 before order 3 was paid.
    assert (found[2]["spending__amount_sum_1d"], found[2]["age"], found[2]["is_old"]) == (20.0, 44.0, 1.0)
    assert (found[5]["spending__amount_count_1d"], found[5]["profile__town"], found[5]["hour"]) == (0.0, None, 13.0)


def test_the_same_again_is_the_same_version_and_adds_nothing(trained, use_case):
    made = describe_training_set(trained)
    again = create_training_set(use_case, trained, as_of=LATER + timedelta(days=400))
    assert again == made
    assert table_version(trained, "training_sets") == 0
    assert table_version(trained, made.table) == 0


def test_maturity_makes_a_new_version_only_when_it_lets_new_rows_in(built, tmp_path):
    slow = make_use_case(tmp_path, label_matures_after="1h")
    at_noon = {
        minutes: create_training_set(slow, built, as_of=NOON + timedelta(minutes=minutes))
        for minutes in (100, 120, 121)
    }
    assert at_noon[100].rows == {"train": 4}
    assert at_noon[100].left_out == {"immature": 4}
    assert at_noon[120].version == at_noon[100].version
    assert at_noon[121].rows == {"train": 4, "valid": 1}
    assert len({made.version for made in at_noon.values()}) == 2
    runs = read_table(built, "runs").filter("step = 'dataset'").orderBy("started_at").collect()
    assert runs[0]["details"]["left_out_immature"] == "4"
    assert runs[0]["details"]["immature_share"] == "0.5"


def test_new_input_and_new_definition_make_new_versions(trained, use_case, tmp_path, rows):
    first = describe_training_set(trained)
    other = create_training_set(make_use_case(tmp_path, label="amount > 70"), trained, as_of=LATER)
    replace_table(trained, "clean_orders", rows(ORDERS_SCHEMA, [*ORDERS, (9, "ann", 1, 2, 99.0)]), write_id="orders-2")
    newer = create_training_set(use_case, trained, as_of=LATER)
    assert len({first.version, other.version, newer.version}) == 3
    assert other.positives == {"train": 1, "valid": 1, "test": 0}
    assert newer.rows["train"] == 5
    assert describe_training_set(trained).version == newer.version
    assert describe_training_set(trained, first.version) == first
    assert read_training_set(trained, first.version).count() == 7


def test_a_version_exists_only_once_its_row_is_written(built, use_case, monkeypatch):
    append_once = create.append_once

    def die_before_the_marker(lake, table, rows, *, write_id):
        if table == "training_sets":
            raise KeyboardInterrupt
        return append_once(lake, table, rows, write_id=write_id)

    monkeypatch.setattr(create, "append_once", die_before_the_marker)
    with pytest.raises(KeyboardInterrupt):
        create_training_set(use_case, built, as_of=LATER)
    monkeypatch.undo()
    assert not table_exists(built, "training_sets")
    with pytest.raises(TableNotFoundError, match="has no training set yet"):
        describe_training_set(built)
    made = create_training_set(use_case, built, as_of=LATER)
    assert (made.status, sum(made.rows.values())) == ("created", 7)
    assert table_version(built, made.table) == 0
    assert read_training_set(built, made.version).count() == 7


def test_an_unknown_version_is_answered_with_those_there_are(trained):
    made = describe_training_set(trained)
    with pytest.raises(TableNotFoundError, match=rf"no training set 'ts-0'\. The newest are: {made.version}") as told:
        read_training_set(trained, "ts-0")
    assert told.value.exit_code == 2  # 1 is what a check says
    assert find_training_set(trained, "ts-0") is None


def test_a_version_can_be_made_again_after_inputs_and_configuration_moved_on(trained, tmp_path, rows):
    made = describe_training_set(trained)
    replace_table(trained, "clean_orders", rows(ORDERS_SCHEMA, ORDERS[:3]), write_id="orders-2")
    moved_on = make_use_case(tmp_path, label="amount > 70", derived={})
    build_features(moved_on, trained, views=["spending"])
    again, before = recreate_training_set(moved_on, trained, made.version), read_training_set(trained, made.version)
    assert measure_content(again).content_hash == made.content_hash
    assert again.columns == before.columns
    assert sorted(map(str, again.collect())) == sorted(map(str, before.collect()))


def test_rows_that_are_gone_are_told_and_made_again_by_the_next_dataset(trained, use_case, tmp_path):
    made = describe_training_set(trained)
    folder = Path(table_path(trained, made.table))
    for file in folder.glob("*.parquet"):
        file.unlink()
    for look in (
        lambda: export_training_set(trained, made.version, to=str(tmp_path / "out")),
        lambda: compare_training_sets(trained, made.version, made.version),
    ):
        with pytest.raises(
            SetupError, match=rf"the table {made.table} of shop is not whole: .*\.parquet cannot be read"
        ):
            look()
    assert not (tmp_path / "out").exists()
    shutil.rmtree(folder)
    with pytest.raises(TableNotFoundError, match=rf"`sparkml-ops datasets recreate shop {made.version} --to FOLDER`"):
        read_training_set(trained, made.version)
    again = create_training_set(use_case, trained, as_of=LATER)
    assert (again.version, again.status) == (made.version, "existing")
    assert measure_content(read_training_set(trained, made.version)).content_hash == made.content_hash


def test_a_vacuumed_input_is_named_with_its_version(trained, use_case, rows):
    made = describe_training_set(trained)
    replace_table(
        trained, "clean_customers", rows("customer string, born int, town string", []), write_id="customers-2"
    )
    old_files = set(Path(trained.root, "features_profile").glob("*.parquet"))
    build_features(use_case, trained, views=["profile"])
    for file in old_files:
        file.unlink()
    with pytest.raises(TableNotFoundError, match="features_profile@v0 of shop cannot be read any more"):
        recreate_training_set(use_case, trained, made.version)


def test_an_input_that_was_made_anew_under_its_old_version_is_noticed(trained, use_case, rows):
    made = describe_training_set(trained)
    shutil.rmtree(Path(trained.root, "clean_orders"))
    with pytest.raises(TableNotFoundError, match="has no table clean_orders"):
        recreate_training_set(use_case, trained, made.version)
    replace_table(trained, "clean_orders", rows(ORDERS_SCHEMA, ORDERS[:4]), write_id="orders-1")
    with pytest.raises(ContractError, match="made again it has the hash"):
        recreate_training_set(use_case, trained, made.version)


def test_a_single_class_writes_nothing(built, tmp_path):
    with pytest.raises(TrainingError, match="single class: 0 of 4 rows"):
        create_training_set(make_use_case(tmp_path, label="amount > 1000"), built, as_of=LATER)
    assert not table_exists(built, "training_sets")


def test_doubled_decisions_are_refused(built, use_case, rows):
    replace_table(built, "clean_orders", rows(ORDERS_SCHEMA, [*ORDERS, ORDERS[1]]), write_id="orders-2")
    with pytest.raises(ContractError, match=r"dataset\.key: 1 keys name more than one decision, such as order_id=2"):
        create_training_set(use_case, built, as_of=LATER)


@pytest.mark.parametrize("leak", ["amount * 1", "label + 1", "paid_at"])
def test_a_derived_column_cannot_see_more_of_a_row_than_scoring_has(built, tmp_path, leak):
    with pytest.raises(ConfigError, match=r"dataset\.derived\.leak: .* cannot be computed"):
        create_training_set(make_use_case(tmp_path, derived={"leak": leak}), built, as_of=LATER)


def test_a_feature_cannot_be_called_label(built, tmp_path):
    with pytest.raises(ConfigError, match="`label` would be two columns of the training set"):
        create_training_set(make_use_case(tmp_path, derived={"label": "1"}), built, as_of=LATER)


def test_the_content_hash_is_of_the_rows_and_not_of_their_order(rows):
    schema = "split string, label int, a double, b double"
    first, second = ("train", 1, None, 5.0), ("test", 0, 2.0, 3.0)
    hashed = {
        name: measure_content(rows(schema, content)).content_hash
        for name, content in {
            "as it is": [first, second],
            "other order": [second, first],
            "null moved": [("train", 1, 5.0, None), second],
            "row doubled twice": [first, second, second, second],
            "other part": [("valid", 1, None, 5.0), second],
        }.items()
    }
    assert hashed.pop("other order") == hashed["as it is"]
    assert len(set(hashed.values())) == 4
