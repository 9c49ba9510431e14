"""Business figures are tried on the judged rows before anything is fitted: a slip in SQL must not end a search at its last step."""

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, NumericType

from sparkml_ops.config.sql import forgive_zero
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.features import expression_type

PLACE = "model.evaluation.kpi"


def check_kpis(use_case: UseCase, rows: DataFrame) -> None:
    """Whether each figure can be computed for the rows of the part test, whatever a model predicts.

    Raises:
        ConfigError: An expression reads a column that is not there, or gives no number.
        TrainingError: It cannot be computed for some rows.
    """
    probabilities = F.array(F.lit(0.0), F.lit(0.5), F.lit(1.0))
    asked = rows.where("split = 'test'").withColumn("prediction", F.explode(probabilities))
    asked = asked.withColumn("predicted_class", (F.col("prediction") > 0).cast("int"))
    for name, kpi in use_case.model.evaluation.kpi.items():
        for key, sql in (("value", kpi.value), ("per", kpi.per)):
            _check(asked, sql, place=f"{PLACE}.{name}.{key}")


def _check(asked: DataFrame, sql: str, *, place: str) -> None:
    found = expression_type(asked, sql, place=place)
    if not isinstance(found, NumericType | BooleanType):
        raise ConfigError(
            f"{place}: `{sql}` is {found.simpleString()}; expected a number for each row, which is summed."
        )
    try:
        asked.agg(F.sum(F.expr(forgive_zero(sql)).cast("double"))).collect()
    except PySparkException as error:
        raise TrainingError(
            f"{place}: `{sql}` cannot be computed for some rows ({error.getCondition() or type(error).__name__}). "
            "Say what holds there: try_divide(…), try_cast(…), coalesce(…)."
        ) from error
