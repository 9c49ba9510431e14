"""Every kind of leakage is planted once and found by the audit; where nothing is planted, nothing is found."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shop import CUSTOMERS_SCHEMA, LATER, ORDERS_SCHEMA, make_use_case, shop_config

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.features import audit_training_set, build_features, create_training_set
from sparkml_ops.features.audit_figures import judge_change
from sparkml_ops.features.compute import compute_features
from sparkml_ops.features.stored_differences import Difference
from sparkml_ops.lake import read_table, record_step, replace_table, resolve_relation


def find(result):
    return {(figure.check, figure.subject) for figure in result.findings}


def test_nothing_is_found_in_the_shop(trained, use_case):
    result = audit_training_set(use_case, trained, run_id="look")
    assert find(result) == set()
    assert {(each.view, each.rows, each.rows_before_history) for each in result.history} == {
        ("spending", 7, 7),
        ("profile", 7, 7),
        ("dataset.derived", 7, 0),
    }
    run = read_table(trained, "runs").filter("step = 'audit'").collect()[0]
    assert (run["status"], run["run_id"]) == ("succeeded", "look")
    assert (run["details"]["findings"], run["details"]["training_set"]) == ("0", result.training_set)
    kept = read_table(trained, "metrics").filter("scope = 'audit' AND step = 'audit'").collect()
    assert {(row["name"], row["subject"], row["verdict"], row["batch_id"]) for row in kept} == {
        (figure.check, figure.subject, figure.verdict, result.training_set) for figure in result.figures
    }


def test_values_from_after_the_moment_are_found(built, use_case):
    """The view's table takes orders for paid when they are made, half an hour before anybody knows."""
    early = use_case.features["spending"].model_copy(update={"timestamp": "ordered_at"})
    rows, inputs = resolve_relation(built, early.relation)
    with record_step(built, run_id="bad", step="features:spending", config_hash="bad") as record:
        for table, version in inputs.items():
            record.read(table, version)
        record.wrote(
            replace_table(built, "features_spending", compute_features(rows, early, name="spending"), write_id="bad")
        )
    create_training_set(use_case, built, as_of=LATER)
    result = audit_training_set(use_case, built)
    columns = {"amount_count_1h", "amount_count_1d", "amount_sum_1h", "amount_sum_1d"}
    assert find(result) == {("after_moment", f"spending__{column}") for column in columns}
    told = next(figure for figure in result.findings if figure.subject == "spending__amount_sum_1h")
    assert told.value == 1.0, "each order counts itself"
    assert "7 of 7 rows have another value" in told.message
    assert "order_id=" in told.message
    run = read_table(built, "runs").filter("step = 'audit'").collect()[0]
    assert (run["status"], run["details"]["findings"]) == ("refused", "4")


def test_what_was_corrected_after_the_moment_is_found_in_the_tables_own_history(shop, tmp_path, rows):
    """Decisions are made between two commits of the customers; orders are committed after all of them."""
    time.sleep(0.01)
    moment = datetime.now(UTC)
    time.sleep(0.01)
    replace_table(
        shop, "clean_customers", rows(CUSTOMERS_SCHEMA, [("ann", 1980, "Köln"), ("bob", 1999, None)]), write_id="moved"
    )
    orders = [(1, "ann", moment, None, 20.0), (2, "ann", moment, None, 80.0), (3, "bob", moment, None, 60.0)]
    replace_table(shop, "clean_orders", rows(ORDERS_SCHEMA, orders), write_id="new")
    split = {
        "by": "time",
        "train_until": str(moment + timedelta(days=1)),
        "valid_until": str(moment + timedelta(days=2)),
    }
    use_case = make_use_case(tmp_path, split=split)
    build_features(use_case, shop)
    create_training_set(use_case, shop, as_of=moment + timedelta(days=1))
    result = audit_training_set(use_case, shop)
    assert find(result) == {("changed_since", "profile__town")}
    (told,) = result.findings
    assert "2 of 3 rows" in told.message
    assert "stored 'Köln', known then 'Bonn'" in told.message
    looked = {each.view: (each.rows_at_moment, each.rows_before_history) for each in result.history}
    assert looked == {"spending": (3, 0), "profile": (3, 0), "dataset.derived": (0, 0)}
    assert judge_change(Difference("profile__town", 2), rows=3, keys=[], limit=0.7).verdict == "ok"


@pytest.fixture
def many(shop, spark, tmp_path):
    """A shop with 1,000 orders of 50 customers, and features that give the label away, each in its own way."""
    orders = spark.range(1000).selectExpr(
        "id AS order_id",
        "concat('c', pmod(xxhash64(id), 50)) AS customer",
        "timestamp'2024-03-01 12:00:00' + make_interval(0, 0, 0, 0, 0, 0, id * 7) AS ordered_at",
        "timestamp'2024-03-01 12:05:00' + make_interval(0, 0, 0, 0, 0, 0, id * 7) AS paid_at",
        "cast(pmod(xxhash64(id, 'amount'), 100) AS double) AS amount",
    )
    replace_table(shop, "clean_orders", orders, write_id="many")
    config = shop_config(
        tmp_path,
        features=["spending", "outcome"],
        derived={"hour": "hour(ordered_at)", "number": "order_id", "clock": "unix_micros(ordered_at) / 7.0D"},
        split={"by": "hash", "of": ["order_id"], "train": 0.6, "valid": 0.2},
    )
    config["features"]["outcome"] = {
        "entity": ["order_id"],
        "from": "orders",
        "select": {
            "price": "amount",
            "refund": "if(amount > 50, pmod(order_id, 5), null)",
            "name": "concat('order ', order_id)",
        },
    }
    use_case = UseCase.model_validate(config)
    build_features(use_case, shop)
    create_training_set(use_case, shop, as_of=LATER)
    return use_case, shop


def test_features_that_tell_the_label_or_name_rows_are_found(many):
    use_case, lake = many
    result = audit_training_set(use_case, lake, rows=20)
    planted = {
        ("label_copy", "outcome__price"),
        ("missing_tells", "outcome__refund"),
        ("one_class_gaps", "outcome__refund"),
        ("identifier", "outcome__name"),
        ("identifier", "number"),
        ("row_order", "clock"),
    }
    assert find(result) == planted
    assert (result.rows, result.sampled) == (1000, 1000)
    reasons = {"outcome__price": "a toy", "outcome__refund": "a toy", "outcome__name": "a toy", "number": "a toy"}
    few = use_case.audit.model_copy(update={"accept": reasons, "sample_rows": 400})
    again = audit_training_set(use_case.model_copy(update={"audit": few}), lake, rows=20, seed=5)
    assert find(again) == {("row_order", "clock")}
    assert 300 < again.sampled < 500


def test_views_that_cannot_be_computed_again_are_said_to_be_unchecked(trained, use_case):
    """One was written by hand, of the other the files that it was made from are gone."""
    features = read_table(trained, "features_spending")
    replace_table(trained, "features_spending", features.limit(2), write_id="by hand")
    create_training_set(use_case, trained, as_of=LATER)
    for file in (Path(trained.root) / "clean_customers").glob("*.parquet"):
        file.unlink()
    result = audit_training_set(use_case, trained)
    unchecked = {each.view: each.reason for each in result.history if not each.rows}
    assert unchecked["spending"] == "no run tells what features_spending was made from"
    assert unchecked["profile"] == "clean_customers cannot be read at that version: it is gone"
    assert {f.subject for f in result.figures if f.check == "after_moment" and f.verdict == "no_data"} == {
        "spending",
        "profile",
    }
    derived = {f.subject: f.verdict for f in result.figures if f.check == "after_moment" and "__" not in f.subject}
    assert derived == {"spending": "no_data", "profile": "no_data", "hour": "ok"}, "age comes from what is gone"
    assert find(result) == set()


def test_an_unknown_version_is_told(trained, use_case):
    with pytest.raises(TableNotFoundError, match="has no training set 'ts-none'"):
        audit_training_set(use_case, trained, training_set="ts-none")
