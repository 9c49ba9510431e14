"""A slip in the SQL of a business figure is told before anything is fitted."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.errors import ArithmeticException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.gates import Gates, KpiGate, SlicesGate
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.training import hash_training
from sparkml_ops.training.kpis import check_kpis
from sparkml_ops.training.train import _name_search
from tests.training.conftest import SCHEMA, make_decisions, make_use_case


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(make_decisions(200), SCHEMA)


@pytest.fixture(scope="module")
def named_rows(rows: DataFrame) -> DataFrame:
    """The label is the name of a town."""
    return rows.withColumn("label", F.col("orders__town"))


def check(rows: DataFrame, root: Path, **kpi: str) -> None:
    check_kpis(make_use_case(root, evaluation={"kpi": {"cost": {"better": "lower", **kpi}}}), rows)


@pytest.mark.parametrize(
    ("sql", "error", "told"),
    [
        ("label * loss", ConfigError, "model.evaluation.kpi.cost.value: `label * loss` cannot be computed"),
        ("orders__town", ConfigError, "`orders__town` is string; expected a number for each row, which is summed."),
        ("cast(orders__town AS int)", TrainingError, "cannot be computed for some rows (CAST_INVALID_INPUT). Say what"),
    ],
    ids=["a column that is not there", "text", "a cast that fails"],
)
def test_what_cannot_be_summed_is_told(
    rows: DataFrame, tmp_path: Path, sql: str, error: type[Exception], told: str
) -> None:
    with pytest.raises(error) as raised:
        check(rows, tmp_path, value=sql)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    ("sql", "error", "told"),
    [
        (
            "probabilities['Ulmm']",
            ConfigError,
            "'Ulmm', which is the label of no row of the training set; its classes are Bonn, Kiel, Ulm. Did you mean 'Ulm'?",
        ),
        ("predicted_label", ConfigError, "`predicted_label` is string; expected a number for each row"),
        ("probabilities", ConfigError, "`probabilities` is map<string,double>; expected a number for each row"),
        ("predicted_class * 2", ConfigError, "The columns there are: customer"),
        ("2 * label", TrainingError, "label and predicted_label are names of classes, as in label = 'Bonn'"),
    ],
    ids=["a class that is not there", "a name", "all probabilities", "a class of two", "a name as number"],
)
def test_what_cannot_be_summed_of_several_classes_is_told(
    named_rows: DataFrame, tmp_path: Path, sql: str, error: type[Exception], told: str
) -> None:
    kpi = {"kpi": {"cost": {"better": "lower", "value": sql}}}
    with pytest.raises(error) as raised:
        check_kpis(make_use_case(tmp_path, task="multiclass", evaluation=kpi), named_rows)
    assert told in str(raised.value)


def test_what_can_be_summed_of_several_classes_passes(named_rows: DataFrame, tmp_path: Path) -> None:
    value = "CASE WHEN predicted_label = label THEN orders__amount / (1 - prediction) ELSE -probabilities['Kiel'] END"
    kpi = {"kpi": {"cost": {"better": "lower", "value": value, "per": "probabilities[label]"}}}
    assert check_kpis(make_use_case(tmp_path, task="multiclass", evaluation=kpi), named_rows) is None


@pytest.mark.parametrize(
    ("sql", "error", "told"),
    [
        ("avg(probability)", ConfigError, "gates.kpi.sql: `avg(probability)` cannot be computed"),
        ("max(orders__town)", ConfigError, "gates.kpi.sql: `max(orders__town)` is string; expected a number."),
        ("sum(cast(orders__town AS int))", TrainingError, "cannot be computed for some rows (CAST_INVALID_INPUT)"),
    ],
    ids=["a column that is not there", "text", "a cast that fails"],
)
def test_the_figure_of_the_gate_is_tried_too(
    rows: DataFrame, tmp_path: Path, sql: str, error: type[Exception], told: str
) -> None:
    gates = Gates(kpi=KpiGate(sql=sql, at_least=0))
    with pytest.raises(error) as raised:
        check_kpis(make_use_case(tmp_path).model_copy(update={"gates": gates}), rows)
    assert told in str(raised.value)


def test_what_can_be_summed_passes(rows: DataFrame, tmp_path: Path) -> None:
    """A division by zero is null in a figure, where a plain one would end the job."""
    value, asked = "orders__amount / (predicted_class - label)", rows.withColumn("predicted_class", F.col("label"))
    assert check(rows, tmp_path, value=value, per="orders__town = 'Ulm'") is None
    with pytest.raises(ArithmeticException, match="DIVIDE_BY_ZERO"):
        asked.agg(F.sum(F.expr(value))).collect()


def test_new_figures_and_slices_make_a_new_version_and_search_nothing_anew(tmp_path: Path) -> None:
    plain = make_use_case(tmp_path)
    kpi = make_use_case(tmp_path, evaluation={"kpi": {"cost": {"value": "label", "better": "lower"}}})
    sliced = plain.model_copy(update={"gates": Gates(slices=SlicesGate(by=["customer"]))})
    strict = plain.model_copy(update={"gates": Gates(slices=SlicesGate(by=["customer"], maximum_loss=0.5))})
    assert len({hash_training(one) for one in (plain, kpi, sliced)}) == 3
    assert hash_training(strict) == hash_training(sliced)  # what may be lost is for the gate
    made: Any = SimpleNamespace(content_hash="c", definition_hash="d")
    assert len({_name_search(one, made) for one in (plain, kpi, sliced)}) == 1
