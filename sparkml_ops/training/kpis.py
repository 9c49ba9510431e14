"""Business figures are tried on the judged rows before anything is fitted: a slip in SQL must not end a search at its last step."""

from collections.abc import Mapping, Sequence

from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, NumericType

from sparkml_ops.config.mistakes import list_names, nearest_name
from sparkml_ops.config.sql import forgive_zero, list_map_keys
from sparkml_ops.config.tasks import sort_classes
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.features import expression_type
from sparkml_ops.models import BY_CLASS, PREDICTED_CLASS, lay_answer

PLACE, GATE_PLACE = "model.evaluation.kpi", "gates.kpi.sql"
_ANSWER, _CERTAIN = "_answer", "_certain"
_ABOVE_ZERO = 0.5  # of the probabilities that are tried


def check_kpis(use_case: UseCase, rows: DataFrame) -> None:
    """Whether each figure, and that of the gate, can be computed for the rows of the part test, whatever a model predicts.

    Args:
        use_case: The figures.
        rows: The rows of the training set, all parts.

    Raises:
        ConfigError: An expression reads a column that is not there, asks for a class that is in no row, or gives no number.
        TrainingError: It cannot be computed for some rows.
    """
    figures = {
        f"{PLACE}.{name}.{key}": sql
        for name, kpi in use_case.model.evaluation.kpi.items()
        for key, sql in (("value", kpi.value), ("per", kpi.per))
    }
    gate = {} if use_case.gates.kpi is None else {GATE_PLACE: use_case.gates.kpi.sql}
    if not figures and not gate:
        return
    classes = _list_classes(rows) if use_case.model.task == "multiclass" else {}
    _check_names(figures | gate, [*classes])
    asked = _add_answers(rows.where("split = 'test'"), classes, expressions=[*figures.values(), *gate.values()])
    hint = f" label and predicted_label are names of classes, as in label = {next(iter(classes))!r}." if classes else ""
    for place, sql in figures.items():
        _require_number(asked, sql, place=place, what="a number for each row, which is summed")
        _try(asked, F.sum(_read(sql)), sql, place=place, hint=hint)
    for place, sql in gate.items():
        _require_number(asked.drop(PREDICTED_CLASS), sql, place=place, what="a number")
        _try(asked, _read(sql), sql, place=place, hint=hint)


def _list_classes(rows: DataFrame) -> dict[str, bool]:
    """The classes of all labels, and whether the part train has them: a model answers with no others."""
    is_known = F.max((F.col("split") == "train").cast("int"))
    found = rows.where(F.col("label").isNotNull()).groupBy("label").agg(is_known.alias("known")).collect()
    known = {row["label"]: bool(row["known"]) for row in found}
    return {name: known[name] for name in sort_classes(known)}


def _add_answers(tested: DataFrame, classes: Mapping[str, bool], *, expressions: Sequence[str]) -> DataFrame:
    """Each row once for each of three probabilities, or for each class, of which the answer is certain."""
    if classes:
        names = F.array(*(F.lit(name) for name, is_known in classes.items() if is_known)).cast("array<string>")
        certain = tested.withColumn(_CERTAIN, F.explode(names))
        shares = F.transform(names, lambda name: (name == F.col(_CERTAIN)).cast("double"))
        answered = certain.withColumn(_ANSWER, F.map_from_arrays(names, shares))
    else:
        answered = tested.withColumn(_ANSWER, F.explode(F.array(F.lit(0.0), F.lit(0.5), F.lit(1.0))))
    asked = answered.withColumns(lay_answer(answered, _ANSWER, threshold=_ABOVE_ZERO, expressions=expressions))
    return asked.drop(_ANSWER, _CERTAIN)


def _check_names(expressions: Mapping[str, str], classes: list[str]) -> None:
    for place, sql in expressions.items():
        for name in list_map_keys(sql, BY_CLASS):
            if name not in classes:
                near = nearest_name(name, classes)
                raise ConfigError(
                    f"{place}: `{sql}` asks for the probability of {name!r}, which is the label of no row of the training set; its classes are "
                    f"{list_names(classes)}.{f' Did you mean {near!r}?' if near else ''}"
                )


def _read(sql: str) -> Column:
    return F.expr(forgive_zero(sql)).cast("double")


def _require_number(asked: DataFrame, sql: str, *, place: str, what: str) -> None:
    found = expression_type(asked, sql, place=place)
    if not isinstance(found, NumericType | BooleanType):
        raise ConfigError(f"{place}: `{sql}` is {found.simpleString()}; expected {what}.")


def _try(asked: DataFrame, figure: Column, sql: str, *, place: str, hint: str) -> None:
    try:
        asked.agg(figure).collect()
    except PySparkException as error:
        raise TrainingError(
            f"{place}: `{sql}` cannot be computed for some rows ({error.getCondition() or type(error).__name__}). "
            f"Say what holds there: try_divide(…), try_cast(…), coalesce(…).{hint}"
        ) from error
