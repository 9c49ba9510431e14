"""Rows scored with a probability for each of several classes -> counts by block, in a size that is bounded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_ops.config.tasks import sort_classes
from sparkml_ops.errors import ModelError
from sparkml_ops.models.score_counts import BINS, EPSILON, ScoreCounts, find_bin, lengthen_scores, spread_counts

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PROBABILITIES = "map<string,double>"
"""SQL type of a prediction: the probability of each class, by name."""
SUM_TOLERANCE = 1e-3  # a hundred probabilities of 32 bits are off by 1e-5 at most
ALL_BINS, FEWEST_BINS = 8192, 64  # of all classes together; bins of one class


@dataclass(frozen=True)
class ClassCounts:
    """Counts of one prediction column.

    Attributes:
        names: All classes: those that the model knows, in order, then those that only labels have.
        known: How many of them the model knows.
        confusion: Rows by block, label (all names) and most probable class (known names).
        top: Of the most probable class, by block and bin: whether it is the label, as binary scores are counted. Its `log_loss` and
            `squared_error` are those of all classes: `-ln p_label`, and the sum over the classes of `(p - y)²`.
        rows: Rows by block, known class, and bin of its probability.
        hits: Those of them that are of the class.
    """

    names: tuple[str, ...]
    known: int
    confusion: "NDArray[np.float64]"
    top: ScoreCounts
    rows: "NDArray[np.float64]"
    hits: "NDArray[np.float64]"


def count_scores(
    scored: DataFrame, *, label: str, predictions: Sequence[str], block: str | Column
) -> list[ClassCounts]:
    """Count all prediction columns; rows without a label are left out, and blocks are those of `score_counts.count_scores`.

    The rows are computed once and counted three times: by label and answer, by the answer's probability, and once for each class. Of k
    classes at most 64 x (k² + 2048 + 8192) counts per column reach the driver, more of the last only with more than 128 classes.

    Args:
        scored: Rows with the name of a class as label, and maps of probabilities by class.
        label: The label's column.
        predictions: The columns of predictions. Each may know other classes; one that it does not know has probability 0.
        block: What rows that depend on each other have in common, such as the day.

    Returns:
        The counts of each prediction column, in order; all have the same blocks.

    Raises:
        ModelError: A prediction is missing, or its probabilities cannot be.
    """
    long = lengthen_scores(
        scored, label=F.col(label).cast("string"), predictions=predictions, block=block, kind=PROBABILITIES
    )
    with _hold(long.select("block", "model", "label", "p", *describe_answer(F.col("p"), F.col("label")))) as judged:
        tops = _count_tops(judged)
        refuse_impossible(tops, predictions)
        pairs = judged.groupBy("block", "model", "label", "predicted").agg(F.count("*").alias("rows")).toPandas()
        classes = judged.select(F.max(F.size("p"))).collect()[0][0] or 1
        ranks = _count_ranks(judged, choose_bins(classes))
    blocks = np.unique(tops["block"].to_numpy())
    return [_gather(tops, pairs, ranks, model, blocks) for model in range(len(predictions))]


def describe_answer(p: Column, label: Column) -> list[Column]:
    """Of a map of probabilities: `top` (the highest), `predicted` (its class, the first of equals), `of_label`, `squared_error`, `is_possible`."""
    values = F.map_values(p)
    top = F.array_max(values)
    of_label = F.coalesce(F.try_element_at(p, label), F.lit(0.0))
    squares = F.aggregate(values, F.lit(0.0), lambda total, value: total + value * value)
    total = F.aggregate(values, F.lit(0.0), lambda total, value: total + value)
    is_possible = (F.array_min(values) >= 0) & ~F.isnan(top) & (F.abs(total - 1) <= SUM_TOLERANCE)
    return [
        top.alias("top"),
        name_most_probable(p).alias("predicted"),
        of_label.alias("of_label"),
        (squares - 2 * of_label + 1).alias("squared_error"),
        F.coalesce(is_possible, F.lit(0).cast("boolean")).alias("is_possible"),
    ]


def name_most_probable(p: Column) -> Column:
    """The class with the highest probability, the first of equals."""
    values = F.map_values(p)
    return F.try_element_at(F.map_keys(p), F.array_position(values, F.array_max(values)).cast("int"))


def tell_loss(of_label: Column) -> Column:
    """`-ln p_label` of the label's probability, clipped."""
    return -F.ln(F.greatest(F.least(of_label, F.lit(1 - EPSILON)), F.lit(EPSILON)))


def choose_bins(classes: int) -> int:
    """Bins of each class's probabilities: as many as of two classes where there are few, and fewer of many."""
    return min(BINS, max(ALL_BINS // max(classes, 1), FEWEST_BINS))


@contextmanager
def _hold(rows: DataFrame) -> Iterator[DataFrame]:
    held = rows.persist()
    try:
        yield held
    finally:
        held.unpersist()


def _count_tops(judged: DataFrame) -> "pd.DataFrame":
    is_hit = F.col("predicted").eqNullSafe(F.col("label")).cast("double")
    at = F.when(F.col("is_possible"), find_bin(F.col("top"), F.lit(0.0))).otherwise(F.lit(-1))
    sums = {
        "rows": F.count("*"),
        "positives": F.sum(is_hit),
        "probability": F.sum("top"),
        "log_loss": F.sum(tell_loss(F.col("of_label"))),
        "squared_error": F.sum("squared_error"),
    }
    summed = judged.groupBy("block", "model", at.alias("bin")).agg(*(how.alias(name) for name, how in sums.items()))
    return summed.orderBy(
        "model", "block", "bin"
    ).toPandas()  # sums on the driver are then always taken in the same order


def _count_ranks(judged: DataFrame, bins: int) -> "pd.DataFrame":
    each = judged.select("block", "model", "label", F.explode("p").alias("name", "value"))
    at = find_bin(F.col("value"), F.lit(0.0), bins)
    counted = each.groupBy("block", "model", "name", at.alias("bin")).agg(
        F.count("*").alias("rows"), F.count_if(F.col("name") == F.col("label")).alias("hits")
    )
    return counted.toPandas().assign(bins=bins)


def _gather(
    tops: "pd.DataFrame", pairs: "pd.DataFrame", ranks: "pd.DataFrame", model: int, blocks: "NDArray[np.int64]"
) -> ClassCounts:
    ranks, pairs = ranks[ranks["model"] == model], pairs[pairs["model"] == model]
    known = sort_classes(set(ranks["name"]))
    names = (*known, *sort_classes(set(pairs["label"]) - set(known)))
    position = {name: at for at, name in enumerate(names)}
    confusion = np.zeros((len(blocks), len(names), len(known)))
    at_pair = (pairs["label"].map(position).astype("int64"), pairs["predicted"].map(position).astype("int64"))
    confusion[np.searchsorted(blocks, pairs["block"]), *at_pair] = pairs["rows"]
    bins = int(ranks["bins"].max()) if len(ranks) else FEWEST_BINS
    rows, hits = np.zeros((2, len(blocks), len(known), bins))
    at = (np.searchsorted(blocks, ranks["block"]), ranks["name"].map(position).astype("int64"), ranks["bin"])
    rows[at], hits[at] = ranks["rows"], ranks["hits"]
    values = {str(name): tops[name].to_numpy() for name in tops.columns}
    top = spread_counts(values, model, np.searchsorted(blocks, values["block"]), len(blocks))
    return ClassCounts(names, len(known), confusion, top, rows, hits)


def refuse_impossible(tops: "pd.DataFrame", predictions: Sequence[str]) -> None:
    """Refuse rows in the bin -1, told by prediction column.

    Raises:
        ModelError: There are such rows.
    """
    wrong = tops[tops["bin"] < 0]
    if len(wrong):
        by_model = {name: int(wrong.loc[wrong["model"] == at, "rows"].sum()) for at, name in enumerate(predictions)}
        found = ", ".join(f"{name}: {rows}" for name, rows in by_model.items() if rows)
        raise ModelError(
            "Rows cannot be judged: their probabilities are missing, below 0, or do not add up to 1. "
            f"Rows by prediction column: {found}. Score all rows with a model that gives a probability for each class."
        )
