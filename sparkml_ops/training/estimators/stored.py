"""Encoded rows where `write_matrix` has left them, for fits that Spark makes: none of them comes to the driver."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.model import ClassWeight
from sparkml_ops.config.tasks import METRICS
from sparkml_ops.errors import TrainingError
from sparkml_ops.models import PREDICTION, EncodedColumn, FeatureEncoder, PackagedModel, find_task, predict_rows
from sparkml_ops.models.evaluation import evaluate_counts
from sparkml_ops.training.estimators.figures import measure_answers, require_learnable, require_span
from sparkml_ops.training.mapped_files import IS_VALID, LABEL, TIE, TIME, WEIGHT
from sparkml_ops.training.matrix import Part
from sparkml_ops.training.weights import balance_classes, list_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROW_WEIGHT = "_counts"
"""The column of `weigh`, named as no feature is."""
VALUES_PER_PARTITION = (
    2_000_000  # 16 MB: so many are summed in well under a second, and a model of fewer needs no cluster
)
MOST_PARTITIONS = 10_000
EXACT_ROWS = 200_000
"""Tuning rows whose figures are exact: label and answer of so many are 3 MB on the driver. Those of more are counted on Spark by bins of
the answers (`score_counts.py`), which rank rows alike whose log odds are within 0.012 of each other; errors are summed exactly. Of several classes
all are counted on Spark: a hundred probabilities a row would be too much, and nothing but roc_auc is of bins (`class_counts.py`)."""
_CAUSES = ("Error: ", "Check failed", "Caused by: ")
_UID = re.compile(r"_[0-9a-f]{12}\b")  # MLlib gives each estimator a name of its own, by which nobody knows it
_CLASSES = 2


@dataclass(frozen=True)
class StoredRows:
    """Rows with the columns x0, x1, … and beside them label, weight, part, and what their order is made from.

    Attributes:
        rows: The rows.
        width: Encoded columns.
        counts: Rows whose label is not 1, and those with label 1, shape (2,); of a regression only their sum means something. Of several
            classes the rows of each, and behind them those of any other class, shape (classes + 1,).
        span: The lowest and the highest label.
        task: What is to be predicted.
        classes: How many of several classes train has: labels are their positions, and one past the last is any other class.
    """

    rows: DataFrame
    width: int
    counts: "NDArray[np.float64]"
    span: tuple[float, float]
    task: str = "binary"
    classes: int = 0

    @property
    def names(self) -> list[str]:
        """Of the encoded columns."""
        return [f"x{position}" for position in range(self.width)]

    def require_learnable(self, purpose: str) -> None:
        """Refuse rows of which no difference can be learned.

        Raises:
            TrainingError: They have one label only, or there are none.
        """
        require_span(self.counts.sum(), self.span, purpose, task=self.task)

    def keep_known(self) -> "StoredRows":
        """The rows to fit on: those of a class that train does not have are left out, since no model could answer with it."""
        if not self.classes or not self.counts[self.classes]:
            return self
        counts = np.append(self.counts[: self.classes], 0.0)
        return replace(self, rows=self.rows.where(F.col(LABEL) < self.classes), counts=counts)

    def count_partitions(self) -> int:
        """Into how many they are dealt: by their number alone, so that another cluster gives the same model."""
        values = float(self.counts.sum()) * max(self.width, 1)
        return max(1, min(math.ceil(values / VALUES_PER_PARTITION), MOST_PARTITIONS))

    def deal(self, partitions: int) -> DataFrame:
        """The rows dealt out by a hash of theirs and in the order of time: always the same ones side by side."""
        beside = [name for name in (TIME, TIE, LABEL, IS_VALID, WEIGHT, ROW_WEIGHT) if name in self.rows.columns]
        return self.rows.repartition(partitions, TIE).sortWithinPartitions(*beside)

    def weigh(self, class_weight: ClassWeight | None, *, tuned: bool = False) -> "StoredRows":
        """With a column of what each row counts, where rows or classes have weights; rows to tune on count once if they are among them."""
        if class_weight is None and WEIGHT not in self.rows.columns:
            return self
        weight = F.col(WEIGHT) if WEIGHT in self.rows.columns else F.lit(1.0)
        if class_weight is not None:
            counts = self.counts[: self.classes or _CLASSES]
            of_class = balance_classes(counts) if class_weight == "balanced" else list_weights(class_weight)
            weight = weight * F.get(F.array(*map(F.lit, of_class.tolist())), F.col(LABEL).cast("int"))
        if tuned:
            weight = F.when(F.col(IS_VALID), 1.0).otherwise(weight)
        return replace(self, rows=self.rows.withColumn(ROW_WEIGHT, weight))


def open_stored(folder: str, *, task: str = "binary", classes: int = 0) -> tuple[StoredRows, StoredRows, StoredRows]:
    """All rows of a matrix folder, those to fit on, and those to tune on; of several classes it is said how many there are.

    Raises:
        TrainingError: The rows to fit on have one label only.
    """
    rows = find_session().read.parquet(folder)
    width = sum(name.startswith("x") for name in rows.columns)
    counted = _count_labels(classes)
    looked = rows.groupBy(IS_VALID).agg(*counted, F.min(LABEL), F.max(LABEL))
    found = {bool(row[0]): (np.array(row[1:-2], dtype=np.float64), (row[-2], row[-1])) for row in looked.collect()}
    none = (np.zeros(len(counted)), (0.0, 0.0))
    train, valid = (
        StoredRows(rows.where(F.col(IS_VALID) == part), width, *found.get(part, none), task, classes)
        for part in (False, True)
    )
    train.require_learnable("to fit on")
    ends = [end for part in (train, valid) if part.counts.any() for end in part.span]
    return StoredRows(rows, width, train.counts + valid.counts, (min(ends), max(ends)), task, classes), train, valid


def _count_labels(classes: int) -> list[Column]:
    """What `StoredRows.counts` holds."""
    label = F.col(LABEL)
    if not classes:
        return [F.count_if(label != 1), F.count_if(label == 1)]
    return [F.count_if(label == at) for at in range(classes + 1)]


def store_part(part: Part, *, task: str = "binary", classes: int = 0) -> StoredRows:
    """Some rows of this machine as rows of Spark; for a look at a sample, not for training.

    Raises:
        TrainingError: They have one label only.
    """
    import pyarrow as pa

    require_learnable(part.labels, "to fit on", task=task)
    codes = (part.labels if classes else part.labels == 1).astype(np.int64)
    counts = np.bincount(codes, minlength=classes + 1 if classes else _CLASSES).astype(np.float64)
    order, width = np.arange(len(part.labels)), part.features.shape[1]
    columns: dict[str, Any] = {f"x{at}": np.asarray(part.features[:, at]) for at in range(width)}
    columns |= {LABEL: part.labels, IS_VALID: np.zeros(len(order), bool), TIME: order, TIE: order}
    columns |= {} if part.weights is None else {WEIGHT: part.weights}
    span = (float(np.min(part.labels)), float(np.max(part.labels)))
    return StoredRows(find_session().createDataFrame(pa.table(columns)), width, counts, span, task, classes)


def measure_stored(valid: StoredRows, kind: str, fitted: Any) -> dict[str, float]:
    """The figures of tuning rows whose labels differ, asked on Spark in the packaged form; each row counts once."""
    task, classes = valid.task, tuple(map(str, range(valid.classes)))  # named as labels are: by their positions
    encoder = FeatureEncoder(tuple(EncodedColumn(name, "numeric") for name in valid.names), classes)
    asked = predict_rows(valid.rows, PackagedModel("trial", task, kind, encoder, fitted))
    if classes or valid.counts.sum() > EXACT_ROWS:
        asked = asked.withColumn(LABEL, F.col(LABEL).cast("int")) if classes else asked
        (counts,) = find_task(task).count_scores(asked, label=LABEL, predictions=[PREDICTION], block=F.lit(0))
        figures = {name: figure.value for name, figure in evaluate_counts(counts, seed=0, task=task).metrics.items()}
        return {name: float(figures[name] or 0.0) for name in METRICS[task]}
    answers = asked.select(TIME, TIE, LABEL, PREDICTION).toPandas().sort_values([TIME, TIE, LABEL])
    return measure_answers(answers[LABEL].to_numpy(), answers[PREDICTION].to_numpy(), task=task)


def find_session() -> SparkSession:
    """The session that runs here.

    Raises:
        TrainingError: It is one of Spark Connect, or there is none.
    """
    from pyspark.errors import PySparkException
    from pyspark.sql.utils import is_remote

    if is_remote():
        raise TrainingError(
            "MLlib and xgboost.spark are trained by jobs of this process's own Spark, and this session is one of Spark "
            "Connect, which has no sparkContext. Start it without spark.remote (SPARK_REMOTE), or take lightgbm."
        )
    try:
        return SparkSession.active()
    except PySparkException as error:
        raise TrainingError("No Spark session runs in this process: fits on Spark start from the driver.") from error


@contextmanager
def tell_failures(estimator: str) -> Iterator[None]:
    """Turn what Spark, MLlib or XGBoost refuse in this block into one sentence.

    Raises:
        TrainingError: Says what.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError, ValueError, TypeError, RuntimeError) as error:
        raise TrainingError(f"{estimator} could not be fitted: {_shorten(str(error))}") from error


def _shorten(said: str) -> str:
    """The line that says most: of a stack trace the last cause."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    kept = [line.removeprefix(": ") for line in lines if not line.startswith("An error occurred while calling")]
    causes = [line for line in kept if any(word in line for word in _CAUSES)]
    return _UID.sub("", (causes[-1:] or kept or ["it did not say why"])[0])[:500]
