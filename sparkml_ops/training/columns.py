"""Which feature columns a model can learn from at all."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_ops.errors import TrainingError
from sparkml_ops.models import find_kind

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChosenColumns:
    """The columns to learn from, in order, and why the others are left out."""

    kept: list[str]
    left_out: dict[str, str]


def choose_columns(
    training_rows: DataFrame, feature_columns: Sequence[str], *, withhold: Collection[str] = ()
) -> ChosenColumns:
    """Leave out the columns that say nothing in the training rows: always missing, or always the same value.

    A model must not ask for them at scoring either, so they are not part of it. Infinity counts as missing.

    Args:
        training_rows: Rows of the part `train`.
        feature_columns: The columns to choose from.
        withhold: Columns with personal data, of which no value is told.

    Raises:
        TrainingError: No column is left.
    """
    figures = [
        F.struct(F.count(known).alias("known"), F.min(known).alias("low"), F.max(known).alias("high")).alias(name)
        for name, known in ((name, _known(training_rows, name)) for name in feature_columns)
    ]
    found = training_rows.agg(F.count("*").alias("rows"), F.struct(*figures).alias("columns")).collect()[0]
    left_out = {}
    for name in feature_columns:
        column = found["columns"][name]
        if column["known"] == 0:
            left_out[name] = "missing in all training rows"
        elif column["known"] == found["rows"] and column["low"] == column["high"]:
            value = "(personal data)" if name in withhold else column["low"]
            left_out[name] = f"the same value in all training rows: {value}"
    for name, reason in left_out.items():
        log.warning("feature %s is left out of the model: %s", name, reason)
    if len(left_out) == len(feature_columns):
        raise TrainingError(
            f"None of the {len(feature_columns)} feature columns says anything in the training rows: each is missing "
            "or has one value only. Look at the feature views: are they filled for the time of the training rows?"
        )
    return ChosenColumns(kept=[name for name in feature_columns if name not in left_out], left_out=left_out)


def _known(rows: DataFrame, name: str) -> Column:
    column = F.col(f"`{name}`")
    if find_kind(rows.schema[name].dataType) != "numeric":
        return column
    number = column.cast("double")
    return F.when(~F.isnan(number) & (F.abs(number) != float("inf")), number)
