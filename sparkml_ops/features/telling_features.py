"""How much each feature alone tells of the label, by its values and by its gaps, and whether it names rows.

* `alone`: the ROC AUC of the feature itself, of those rows that have it. Of a number by its rank, ties counted half, and in whichever
  direction tells more; of a text, and of a number cut into `BINS` ranges of as many rows, by the share of label 1 among the other
  rows of the same value. Those are out of fold: a row in one of `FOLDS` parts is judged by the other parts, so that a value which only
  one row has says nothing. Of both figures of a number the greater counts, since a code has no direction.
* `missing`: the ROC AUC of whether it is missing. It is 0.5 + |P(missing | 1) - P(missing | 0)| / 2.
* `one_class`: the probability that all rows which lack it, or all which have it, are of one class by chance.
* `distinct`: different values per row.

Of labels that are numbers, those above their median are class 1, of several classes the most frequent one (`split_labels`).

ROC AUC by ranks is the statistic of Mann and Whitney (1947) over the number of pairs. All features take two passes over the sample:
one for numbers, one for texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FOLDS, BINS = 5, 32
ENOUGH_OF_CLASS = 10
"""Rows of each class below which a ROC AUC is chance."""
ENOUGH_ROWS = 100
"""Rows below which nothing is said of gaps and of different values."""


@dataclass(frozen=True)
class Telling:
    """What is told of one feature; None where there are too few rows to tell it.

    Attributes:
        feature: its name.
        known: rows that have it.
        alone: ROC AUC of its values.
        missing: ROC AUC of whether it is missing; None where it never or always is.
        one_class: probability by chance that its gaps, or its values, stand beside one class alone.
        distinct: different values per row.
        is_whole: whether it is text or whole numbers.
    """

    feature: str
    known: int
    alone: float | None
    missing: float | None
    one_class: float | None
    distinct: float | None
    is_whole: bool


def tell_features(sample: "DataFrame", features: Sequence[str], *, key: Sequence[str], seed: int) -> list[Telling]:
    """Say what each feature tells.

    Args:
        sample: rows of a training set with label 0 or 1: as many as Spark may explode once for each feature.
        features: the feature columns, doubles or strings.
        key: columns that name a row.
        seed: how rows are dealt to folds.
    """
    rows = sample.withColumn("__fold", F.pmod(F.xxhash64(F.lit(seed), F.lit("fold"), *key), F.lit(FOLDS)))
    texts = [name for name in features if isinstance(sample.schema[name].dataType, StringType)]
    numbers = [name for name in features if name not in texts]
    counted = rows.agg(F.count("*").alias("rows"), F.coalesce(F.sum("label"), F.lit(0)).alias("positives")).collect()[0]
    told = [_tell_values(rows, names, is_text=names is texts) for names in (numbers, texts) if names]
    found = {row["name"]: row.asDict() for each in told for row in each.collect()}
    return [_tell(name, found.get(name), counted["rows"], counted["positives"]) for name in features]


def split_labels(sample: "DataFrame") -> "DataFrame":
    """The sample with 1 for labels above their median, else 0: a feature that copies a number ranks those first too.

    Of several classes the most frequent one is 1, and all others 0: a feature that copies a class tells it apart as well.
    """
    if isinstance(sample.schema["label"].dataType, StringType):
        return _keep_most_frequent(sample)
    middle = sample.agg(F.median("label")).collect()[0][0]
    return sample.withColumn("label", (F.col("label") > F.lit(middle)).cast("int"))


def _keep_most_frequent(sample: "DataFrame") -> "DataFrame":
    most = sample.groupBy("label").count().orderBy(F.desc("count"), "label").limit(1).collect()
    name = most[0]["label"] if most else ""
    return sample.withColumn("label", (F.col("label") == F.lit(name)).cast("int"))


def correlate_with_time(sample: "DataFrame", features: Sequence[str], *, timestamp: str) -> dict[str, float | None]:
    """Rank correlation (Spearman's) of numbers with the moment, by feature: a counter or a clock has 1 or -1."""
    if not features:
        return {}
    long = _lengthen(sample.withColumn("__at", F.unix_micros(F.col(timestamp).cast("timestamp"))), features, ["__at"])
    by_value, by_time = (F.row_number().over(Window.partitionBy("name").orderBy(at)) for at in ("value", "__at"))
    ranked = long.select("name", by_value.alias("one"), by_time.alias("other"))
    found = ranked.groupBy("name").agg(F.corr("one", "other").alias("correlation")).collect()
    return {row["name"]: row["correlation"] for row in found}


def _tell_values(rows: "DataFrame", names: Sequence[str], *, is_text: bool) -> "DataFrame":
    """Per feature: rows and positives that have it, different values, and both ROC AUC."""
    counts = _lengthen(rows, names, ["label", "__fold"]).groupBy("name", "value", "__fold")
    values = counts.agg(F.count("*").alias("rows"), F.sum("label").alias("positives"))
    whole = F.lit(True) if is_text else F.bool_and(F.col("value") == F.floor("value"))
    figures = values.groupBy("name").agg(
        F.sum("rows").alias("known"),
        F.sum("positives").alias("positives"),
        F.count_distinct("value").alias("values"),
        whole.alias("is_whole"),
    )
    if is_text:
        return figures.join(_area_out_of_fold(values.withColumnRenamed("value", "level")), "name", "left").withColumn(
            "by_rank", F.lit(None).cast("double")
        )
    ranks = Window.partitionBy("name").orderBy("value").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    total = F.sum("rows").over(Window.partitionBy("name"))
    place = F.floor((F.sum("rows").over(ranks) - 1) * BINS / total)
    ranges = (
        values.select("name", place.alias("level"), "__fold", "rows", "positives")
        .groupBy("name", "level", "__fold")
        .agg(F.sum("rows").alias("rows"), F.sum("positives").alias("positives"))
    )
    by_rank = _area(values, "value").withColumnRenamed("area", "by_rank")
    return figures.join(_area_out_of_fold(ranges), "name", "left").join(by_rank, "name", "left")


def _lengthen(rows: "DataFrame", names: Sequence[str], beside: Sequence[str]) -> "DataFrame":
    """A row for each feature that a row has; infinite numbers are no values, as they are none to a model."""
    pairs = F.explode(F.array(*(F.struct(F.lit(n).alias("name"), F.col(f"`{n}`").alias("value")) for n in names)))
    long = rows.select(*beside, pairs.alias("pair")).select(*beside, "pair.*").filter(F.col("value").isNotNull())
    if isinstance(long.schema["value"].dataType, StringType):
        return long
    return long.filter(~F.isnan("value") & (F.abs("value") != float("inf")))


def _area_out_of_fold(values: "DataFrame") -> "DataFrame":
    """ROC AUC of the share of label 1 among the other folds' rows of the same level, as column `area`."""

    def others(of: str, *within: str) -> "Column":
        """The sum over a group less the own fold's."""
        return F.sum(of).over(Window.partitionBy(*within)) - F.sum(of).over(Window.partitionBy(*within, "__fold"))

    prior = F.try_divide(others("positives", "name"), others("rows", "name"))
    # One row of the usual share is added, so that a level which no other row has is judged as all rows are.
    share = (others("positives", "name", "level") + prior) / (others("rows", "name", "level") + 1)
    return _area(values.select("name", "rows", "positives", share.alias("score")), "score")


def _area(values: "DataFrame", score: str) -> "DataFrame":
    """ROC AUC of a score, as column `area`, by feature; null where a class has too few rows."""
    merged = values.groupBy("name", score).agg(F.sum("rows").alias("rows"), F.sum("positives").alias("positives"))
    before = Window.partitionBy("name").orderBy(score).rowsBetween(Window.unboundedPreceding, -1)
    negatives = F.col("rows") - F.col("positives")
    below = F.coalesce(F.sum(negatives).over(before), F.lit(0))
    pairs = merged.select("name", "positives", negatives.alias("negatives"), below.alias("below"))
    summed = pairs.groupBy("name").agg(
        F.sum(F.col("positives").cast("double") * (F.col("below") + F.col("negatives") / 2)).alias("won"),
        F.sum("positives").cast("double").alias("positives"),
        F.sum("negatives").cast("double").alias("negatives"),
    )
    enough = F.least("positives", "negatives") >= ENOUGH_OF_CLASS
    return summed.select("name", F.when(enough, F.col("won") / (F.col("positives") * F.col("negatives"))).alias("area"))


def _tell(name: str, found: dict[str, Any] | None, rows: int, positives: int) -> Telling:
    if found is None:
        return Telling(name, 0, None, None, None, None, is_whole=False)
    areas = [found["area"], *(max(area, 1 - area) for area in [found["by_rank"]] if area is not None)]
    known = found["known"]
    return Telling(
        name,
        known,
        alone=max((area for area in areas if area is not None), default=None),
        missing=_missing_area(known, found["positives"], rows, positives),
        one_class=_chance_of_one_class(known, found["positives"], rows, positives),
        distinct=found["values"] / known if known >= ENOUGH_ROWS else None,
        is_whole=found["is_whole"],
    )


def _missing_area(known: int, known_positives: int, rows: int, positives: int) -> float | None:
    negatives = rows - positives
    if known == rows or min(positives, negatives) < ENOUGH_OF_CLASS:
        return None
    of_positives = 1 - known_positives / positives
    of_negatives = 1 - (known - known_positives) / negatives
    return 0.5 + abs(of_positives - of_negatives) / 2


def _chance_of_one_class(known: int, known_positives: int, rows: int, positives: int) -> float | None:
    """Of those with the value and those without, the smaller probability to be of one class, where they are."""
    if min(positives, rows - positives) < ENOUGH_OF_CLASS or not 0 < known < rows:
        return None
    share = positives / rows
    chances = []
    for size, ones in ((known, known_positives), (rows - known, positives - known_positives)):
        if size >= ENOUGH_ROWS:
            chances.append((1 - share) ** size if ones == 0 else share**size if ones == size else 1.0)
    return min(chances, default=None)
