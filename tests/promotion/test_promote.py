"""A version is judged on real rows, loaded by a fresh process, and serves or does not."""

import dataclasses
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, GateError, ModelError, ModelNotFoundError
from sparkml_ops.lake import Lake, open_lake, read_table
from sparkml_ops.models import (
    FeatureEncoder,
    ModelVersion,
    PackagedModel,
    answer_in_fresh_process,
    count_named_slices,
    find_largest_slice,
    find_version,
    list_aliases,
    open_experiment,
    prepare_tracking,
    register_model,
    start_run,
)
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.promotion import PromoteResult, approve, promote, roll_back
from tests.training.conftest import make_decisions, shop_config, write_training_set

VERSION = "ts-0123456789ab"
ENCODER = FeatureEncoder(
    columns=(
        EncodedColumn("orders__amount", "numeric"),
        EncodedColumn("orders__town", "categorical", levels=("Bonn", "Kiel", "Ulm")),
    )
)
GATES: dict[str, Any] = {
    "slices": {"by": ["orders__town"], "minimum_rows": 50, "maximum_loss": 0.5, "must_have": {"orders__town": ["Ulm"]}},
    "calibration": {"maximum_error": 0.5},
    "fairness": {"by": ["orders__town"], "maximum_gap": 0.9, "minimum_rows": 50},
}


@dataclasses.dataclass(frozen=True)
class Shop:
    root: Path
    lake: Lake
    decisions: pd.DataFrame
    first: PromoteResult

    def use_case(self, **gates: Any) -> UseCase:
        return ask_gates(self.root, **gates)

    def promote(self, **gates: Any) -> tuple[PromoteResult, dict[str, Any]]:
        found = promote(self.use_case(**gates), self.lake, version=2)
        return found, {gate.gate: gate for gate in found.gates}


def ask_gates(root: Path, **gates: Any) -> UseCase:
    return UseCase.model_validate(shop_config(root) | {"gates": GATES | gates}, strict=False)


def train_model(decisions: pd.DataFrame, rounds: int) -> PackagedModel:
    learned = decisions[decisions["split"] == "train"]
    data = lightgbm.Dataset(ENCODER.encode_frame(learned), learned["label"].astype(float), categorical_feature=[1])
    params = {"objective": "binary", "num_leaves": 7, "verbosity": -1, "num_threads": 1, "deterministic": True}
    metadata = {"training_set_version": VERSION, "operating_point": {"threshold": {"value": 0.4}}}
    booster = lightgbm.train(params, data, num_boost_round=rounds)
    return PackagedModel("shop", "binary", "lightgbm", ENCODER, booster, metadata)


def register(use_case: UseCase, model: PackagedModel) -> ModelVersion:
    tracking = prepare_tracking(use_case.environment)
    return register_model(tracking, model, run_id=start_run(tracking, open_experiment(tracking, "shop"), name="train"))


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Shop:
    """Version 1 serves; version 2 is the same model with fewer rounds."""
    root = tmp_path_factory.mktemp("shop")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    use_case, decisions = ask_gates(root), make_decisions()
    lake = open_lake(use_case, spark)
    write_training_set(lake, decisions, VERSION)
    register(use_case, train_model(decisions, 40))
    first = promote(use_case, lake)
    register(use_case, train_model(decisions, 2))
    return Shop(root, lake, decisions, first)


def test_the_first_version_serves_by_gates_that_need_no_champion(shop: Shop) -> None:
    assert (shop.first.decision, shop.first.champion) == ("promoted", 1), shop.first.reason
    assert {gate.gate: gate.verdict for gate in shop.first.gates} == {
        "baseline": "passed", "champion": "unopposed", "slices": "unopposed", "calibration": "passed", "fairness": "passed",
        "loads": "passed",
    }  # fmt: skip
    loads = shop.first.gates[-1]
    assert (loads.figure, loads.reason.split(";")[0]) == (
        0.0,
        "a fresh process loaded the registered files and answered 375 test rows",
    )


def test_rates_of_groups_are_those_of_the_rows_at_the_threshold_of_the_version(shop: Shop) -> None:
    asked = shop.decisions[shop.decisions["split"] == "test"]
    taken = train_model(shop.decisions, 40).predict(asked) >= 0.4
    rates = pd.Series(taken, index=asked["orders__town"]).groupby(level=0).mean()
    fairness = next(gate for gate in shop.first.gates if gate.gate == "fairness")
    assert fairness.figure == pytest.approx(rates.max() - rates.min(), abs=1e-12)
    rows = read_table(shop.lake, "metrics").where("scope = 'gate' AND name = 'positive_rate'").collect()
    assert {row.subject: row.value for row in rows} == pytest.approx(
        {f"orders__town={town}": rate for town, rate in rates.items()}
    )


def test_a_named_slice_that_is_missing_refuses_the_version(shop: Shop) -> None:
    slices = GATES["slices"] | {"must_have": {"orders__town": ["Ulm", "Trier"]}}
    found, gates = shop.promote(slices=slices, fairness=None, loads=None)
    assert (found.decision, found.champion, gates["slices"].verdict) == ("refused", 1, "failed")
    assert "orders__town=Trier is in none of the 375 judged rows" in gates["slices"].reason
    assert "change of roc_auc on 3 slices" in gates["slices"].reason
    assert set(gates) == {"baseline", "champion", "slices", "calibration"}


def test_named_slices_are_counted_as_values_of_their_column(shop: Shop, spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(5.0, "a", 1), (5.0, None, 0), (None, "a", 1), (7.0, "a", None)], "size double, kind string, label int"
    )
    found = count_named_slices(rows, {"size": [5, "x"], "kind": ["a", "b"]}, label="label")
    assert [(one.column, one.value, one.rows, one.of) for one in found] == [
        ("size", "5.0", 2, 3), ("size", "x", 0, 3), ("kind", "a", 2, 3), ("kind", "b", 0, 3),
    ]  # fmt: skip
    largest = find_largest_slice(rows, ["kind", "size"], label="label")
    assert largest is not None
    assert (largest.column, largest.value, largest.rows, largest.of) == ("kind", "a", 2, 3)
    assert find_largest_slice(rows.where("label > 1"), ["kind"], label="label") is None


def test_a_version_whose_files_are_others_is_told_by_the_fresh_process(shop: Shop) -> None:
    tracking = prepare_tracking(shop.use_case().environment)
    version = find_version(tracking, "shop", version=2)
    named = shop.decisions[["orders__amount", "orders__town"]].head(3)
    rows = shop.lake.spark.createDataFrame(named, "orders__amount double, orders__town string").toArrow()
    answers = answer_in_fresh_process(tracking, version, rows)
    assert np.array_equal(answers, train_model(shop.decisions, 2).predict(rows.to_pandas()))
    with pytest.raises(ModelError, match=r"version 2: it ended with exit code 1: The rows lack 1 of 2 feature columns"):
        answer_in_fresh_process(tracking, version, rows.select(["orders__town"]))
    with pytest.raises(ModelError, match="not those that were registered"):
        answer_in_fresh_process(tracking, dataclasses.replace(version, digest="0" * 64), rows)


def test_a_version_that_passes_waits_for_a_person(shop: Shop) -> None:
    none = dict.fromkeys(("baseline", "champion", "slices", "fairness", "loads"))
    with pytest.raises(GateError, match=r"version 2 does not await approval: the last decision about it is refused"):
        approve(shop.use_case(), shop.lake, version=2, by="Ann Lee", reason="reviewed")
    found, gates = shop.promote(approval="required", **none)
    assert (found.decision, found.champion, set(gates)) == ("awaiting_approval", 1, {"calibration"})
    assert "sparkml-ops promote shop --version 2 --approve --by NAME --reason WHY" in found.reason
    tracking = prepare_tracking(shop.use_case().environment)
    assert list_aliases(tracking, "shop") == {"champion": 1, "challenger": 2}
    with pytest.raises(ConfigError, match="--by has no text"):
        approve(shop.use_case(), shop.lake, version=2, by=" \n", reason="reviewed")
    done = approve(shop.use_case(), shop.lake, version=2, by="Ann  Lee", reason="reviewed")
    assert (done.decision, done.champion, done.gates) == ("promoted", 2, found.gates)
    assert list_aliases(tracking, "shop") == {"champion": 2}
    last = read_table(shop.lake, "promotions").where("decided_by = 'Ann Lee'").collect()
    assert [(row.decision, row.from_version, row.to_version) for row in last] == [("promoted", 1, 2)]
    assert last[0].reason == f"approved by Ann Lee: reviewed; the gates were asked in run {found.run_id}"
    assert "calibration" in {gate.gate for gate in last[0].gates}
    with pytest.raises(GateError, match="the last decision about it is promoted"):
        approve(shop.use_case(), shop.lake, version=2, by="Ann Lee", reason="reviewed")


def test_with_the_gates_off_any_version_serves(shop: Shop) -> None:
    found = promote(shop.use_case(mode=False), shop.lake, version=1)  # how YAML reads the bare word off
    assert (found.decision, found.champion, found.gates) == ("promoted", 1, ())
    assert found.reason == "gates.mode is off: no gate was asked"
    assert list_aliases(prepare_tracking(shop.use_case().environment), "shop") == {"champion": 1}
    last = read_table(shop.lake, "promotions").where("decision = 'promoted'").orderBy("decided_at").collect()[-1]
    assert (last.from_version, last.to_version, last.gates) == (2, 1, [])


def test_a_champion_goes_back_without_the_gates_and_the_way_back_is_told(shop: Shop) -> None:
    use_case = shop.use_case(mode="off")
    tracking = prepare_tracking(use_case.environment)
    before = list_aliases(tracking, "shop")["champion"]
    to = 3 - before
    found = roll_back(use_case, shop.lake, to_version=to, reason="late alarms")
    assert (found.decision, found.champion, found.champion_before) == ("rolled_back", to, before)
    assert list_aliases(tracking, "shop")["champion"] == to
    newest = read_table(shop.lake, "promotions").orderBy("decided_at").collect()[-1]
    assert (newest.decision, newest.from_version, newest.to_version) == ("rolled_back", before, to)
    assert newest.reason == "late alarms"
    assert found.tell_undo("shop") == f"sparkml-ops rollback shop --to {before} --reason WHY"
    again = roll_back(use_case, shop.lake, to_version=to, reason="once more")
    assert (again.decision, again.tell_undo("shop")) == ("no_change", None)
    with pytest.raises(ModelNotFoundError, match="99"):
        roll_back(use_case, shop.lake, to_version=99, reason="a slip of the hand")
    assert list_aliases(tracking, "shop")["champion"] == to
