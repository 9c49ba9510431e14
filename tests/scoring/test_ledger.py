"""What consumers see of a batch, whichever version published it last."""

from sparkml_ops.lake import Lake, read_table
from sparkml_ops.scoring.ledger import CURRENT, PREDICTIONS
from sparkml_ops.scoring.publications import publish_predictions
from tests.scoring.ledger_shop import read_current, score


def test_a_version_that_comes_back_publishes_its_batch_again(lake: Lake) -> None:
    first, second = score(lake, 1, {"a": 0.1, "b": 0.2}), score(lake, 2, {"a": 0.8, "c": 0.9})
    told = {"a": (0.1, 1), "b": (0.2, 1)}
    assert publish_predictions(lake, first, key=["customer"]).status == "committed"
    assert read_current(lake) == told
    publish_predictions(lake, second, key=["customer"])
    assert read_current(lake) == {"a": (0.8, 2), "c": (0.9, 2)}
    assert publish_predictions(lake, first, key=["customer"]).status == "committed"
    assert read_current(lake) == told


def test_publishing_twice_writes_once(lake: Lake) -> None:
    batch = score(lake, 1, {"a": 0.1})
    written = publish_predictions(lake, batch, key=["customer"])
    again = publish_predictions(lake, batch, key=["customer"])
    assert (again.status, again.version) == ("skipped_duplicate", written.version)


def test_a_publication_that_was_taken_back_by_restore_can_be_made_again(lake: Lake) -> None:
    batch = score(lake, 1, {"a": 0.1})
    written = publish_predictions(lake, batch, key=["customer"])
    lake.spark.sql(f"RESTORE delta.`{lake.root}/{CURRENT}` TO VERSION AS OF {written.version - 1}")
    assert read_current(lake) == {}
    assert publish_predictions(lake, batch, key=["customer"]).status == "committed"
    assert read_current(lake) == {"a": (0.1, 1)}


def test_a_batch_scored_again_replaces_its_own_rows_alone(lake: Lake) -> None:
    score(lake, 1, {"a": 0.1, "b": 0.2})
    score(lake, 2, {"a": 0.8})
    score(lake, 1, {"a": 0.3})
    rows = read_table(lake, PREDICTIONS).select("customer", "prediction", "model_version").collect()
    assert sorted(map(tuple, rows)) == [("a", 0.3, 1), ("a", 0.8, 2)]
