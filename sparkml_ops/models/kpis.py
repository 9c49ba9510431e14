"""Business figures over judged rows: a sum divided by a sum, so that days can be drawn again as for all other figures.

`value` and `per` are summed by day. A resample of whole days has the sums of its days, so that the block bootstrap of
`models/evaluation.py` is exact for these figures, from one pass over the rows. As for SQL's avg, a row whose `value` is null
counts on neither side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from sparkml_ops.config.evaluation import Kpi
from sparkml_ops.config.sql import forgive_zero, list_map_keys
from sparkml_ops.models.bulk import PREDICTED_LABEL, PREDICTION, summarise_answer
from sparkml_ops.models.class_counts import name_most_probable
from sparkml_ops.models.evaluation import Figure, draw_weights, find_interval
from sparkml_ops.models.score_counts import find_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREDICTED_CLASS = "predicted_class"
BY_CLASS = "probabilities"


@dataclass(frozen=True)
class KpiFigure:
    """One business figure of all models on the same rows.

    Attributes:
        declared: How it is declared.
        figures: By model; no value where nothing is divided, or where it is no finite number.
    """

    declared: Kpi
    figures: Mapping[str, Figure]


def add_kpi_terms(scored: DataFrame, kpis: Mapping[str, Kpi], *, thresholds: Mapping[str, float | None]) -> DataFrame:
    """Add, for each model and figure, what the row adds to either sum; see `list_kpi_terms` for the columns.

    A division by zero is null, and not the end of the training.

    Args:
        scored: Rows with a column of answers for each model, `label`, and what the expressions read.
        kpis: By name.
        thresholds: From which probability on the class is 1, by model; None where there are no classes, or several.
    """
    columns = list(scored.columns)
    expressions = [sql for kpi in kpis.values() for sql in (kpi.value, kpi.per)]
    for model, threshold in thresholds.items():
        asked = scored.withColumns(lay_answer(scored, model, threshold=threshold, expressions=expressions))
        terms: dict[str, Column] = {}
        for name, kpi in kpis.items():
            value, per = (F.expr(forgive_zero(sql)).cast("double") for sql in (kpi.value, kpi.per))
            above, below = _name_terms(model, name)
            terms |= {above: value, below: F.when(value.isNotNull(), per)}
        columns += terms
        scored = asked.withColumns(terms).select(*(f"`{one}`" for one in columns))
    return scored


def lay_answer(
    scored: DataFrame, model: str, *, threshold: float | None = None, expressions: Sequence[str] = ()
) -> dict[str, Column]:
    """What a business figure reads of one model's answer, by name: as the columns of the ledger have it.

    Of several classes it has the predicted one in `predicted_label`, its probability in `prediction`, and those of all in `probabilities`.
    There a class that the model does not know has the probability 0 where it is the label or named in an expression, as in all other
    figures: a map has null for it, and rows with null would be left out.

    Args:
        scored: Rows with the model's column, and `label`.
        model: The column: probabilities, numbers, or maps of probabilities by class.
        threshold: From which probability on `predicted_class` is 1; it is null without one.
        expressions: What will be asked.
    """
    answer = F.col(f"`{model}`")
    if not isinstance(scored.schema[model].dataType, MapType):
        is_positive = F.lit(None) if threshold is None else answer >= threshold
        return {PREDICTION: answer, PREDICTED_CLASS: is_positive.cast("int")}
    named = dict.fromkeys(name for sql in expressions for name in list_map_keys(sql, BY_CLASS))
    wanted = F.array_compact(F.array(*(F.lit(name) for name in named), F.col("label").cast("string")))
    unknown = F.array_except(wanted, F.map_keys(answer))
    zeros = F.map_from_arrays(unknown, F.array_repeat(F.lit(0.0), F.size(unknown)))
    return {
        PREDICTION: summarise_answer(scored, model),
        PREDICTED_LABEL: name_most_probable(answer),
        BY_CLASS: F.map_concat(answer, zeros),
    }


def list_kpi_terms(kpis: Mapping[str, Kpi], models: Sequence[str]) -> list[str]:
    """The columns that `add_kpi_terms` adds."""
    return [column for model in models for name in kpis for column in _name_terms(model, name)]


def measure_kpis(
    termed: DataFrame, kpis: Mapping[str, Kpi], *, models: Sequence[str], block: str, seed: int
) -> dict[str, KpiFigure]:
    """The figures of all models, with intervals as `evaluate_all` has them, in one pass.

    Args:
        termed: What `add_kpi_terms` gave.
        kpis: By name.
        models: The columns of answers.
        block: What dependent rows have in common: a date or timestamp means its day.
        seed: Fixes the resamples.
    """
    terms = list_kpi_terms(kpis, models)
    summed = (
        termed.where(F.col("label").isNotNull())
        .groupBy(find_block(termed, block).alias("block"))
        .agg(*(F.coalesce(F.sum(name), F.lit(0.0)).alias(name) for name in terms))
        .orderBy("block")
        .toPandas()
    )
    weights = draw_weights(len(summed), seed=seed)
    found: dict[str, dict[str, Figure]] = {name: {} for name in kpis}
    for model in models:
        for name in kpis:
            sums = summed[list(_name_terms(model, name))].to_numpy(dtype=np.float64)
            value = float(_divide(sums.sum(axis=0)[None])[0])
            known = np.isfinite(value)
            found[name][model] = (
                Figure(value, *find_interval(_divide(weights @ sums))) if known else Figure(None, None, None)
            )
    return {name: KpiFigure(kpis[name], figures) for name, figures in found.items()}


def _divide(sums: "NDArray[np.float64]") -> "NDArray[np.float64]":
    quotient = np.full(len(sums), np.nan)
    with np.errstate(invalid="ignore", over="ignore"):  # sums may be infinite; such a figure has no value
        np.divide(sums[:, 0], sums[:, 1], out=quotient, where=sums[:, 1] != 0)
    return quotient


def _name_terms(model: str, name: str) -> tuple[str, str]:
    return f"_value_{model}_{name}", f"_per_{model}_{name}"
