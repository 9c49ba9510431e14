"""Predictions for all rows of a DataFrame, on Spark's workers."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import ArrayType, DoubleType, StringType, StructField, StructType

from sparkml_ops.errors import ModelError
from sparkml_ops.models.encoder import find_kind
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds.trust import adopt_named_packages, list_named_packages
from sparkml_ops.models.package import (
    PackagedModel,
    digest_package,
    dump_package,
    parse_package,
    predict_matrix,
    rank_contributions,
)

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

PREDICTION = "prediction"
REASONS = "reasons"
REASONS_TYPE = ArrayType(StructType([StructField("feature", StringType()), StructField("contribution", DoubleType())]))
MODELS_PER_WORKER = 4  # champion, challenger and two baselines at most meet in one job
_LOADED: dict[str, PackagedModel] = {}
"""Models of this Python worker, by digest: tasks come and go, the worker stays."""


def predict_rows(rows: DataFrame, model: PackagedModel, *, explain: int = 0) -> DataFrame:
    """Add each row's `prediction`: the probability of the positive class; float64, never null.

    Columns are found by name. The answers do not depend on how the rows are spread over partitions. The model travels
    to the workers once, is parsed once per Python worker, and uses one thread in each task.

    Args:
        rows: Rows with the model's feature columns, and any others, which are kept.
        model: The model.
        explain: How many of the strongest reasons to add per row as `reasons`; none with 0.

    Raises:
        ModelError: Columns are missing, have the wrong type, or would be overwritten; said before any job. Later, while
            the rows are computed, the job itself fails when the model answers with what is no probability.
    """
    added = [StructField(PREDICTION, DoubleType())] + ([StructField(REASONS, REASONS_TYPE)] if explain else [])
    check_rows(rows, model, [field.name for field in added])
    if explain and not find_estimator_kind(model.kind).has_contributions(model.estimator):
        log.warning("model %s (%s) does not say what its columns add: reasons are null", model.name, model.kind)
    score = make_scorer(ship_model(rows.sparkSession, model), explain)
    return rows.mapInArrow(score, StructType([*rows.schema.fields, *added]))


def check_rows(rows: DataFrame, model: PackagedModel, added: Sequence[str] = (PREDICTION,)) -> None:
    """Whether a model can be asked for these rows; runs no job.

    Raises:
        ModelError: Columns are missing, have the wrong type, or would be overwritten.
    """
    model.encoder.check_columns(rows.columns)
    taken = sorted(set(added) & set(rows.columns))
    if taken:
        raise ModelError(
            f"The rows already have the columns {', '.join(taken)}: drop or rename them before predicting."
        )
    wrong = [
        f"{column.name} is {rows.schema[column.name].dataType.simpleString()}, trained as {column.kind}"
        for column in model.encoder.columns
        if find_kind(rows.schema[column.name].dataType) != column.kind
    ]
    if wrong:
        raise ModelError(f"Columns do not have the type that model {model.name} was trained with: {'; '.join(wrong)}.")


def ship_model(spark: SparkSession, model: PackagedModel) -> Callable[[], PackagedModel]:
    """A function that gives the model to a task: it travels to each worker once, and is parsed there once."""
    files = dump_package(model)
    digest, shipped, trusted = digest_package(files), spark.sparkContext.broadcast(files), list_named_packages()

    def load() -> PackagedModel:
        adopt_named_packages(trusted)
        return _load_once(digest, lambda: shipped.value)

    return load


def make_scorer(
    load: Callable[[], PackagedModel], explain: int
) -> Callable[[Iterable["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]:
    """What a task does with its rows: adds the predictions, and as many reasons as are asked for."""

    def score(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        model = load()
        for batch in batches:
            yield _score_batch(batch, model, explain)

    return score


def _load_once(digest: str, read_files: Callable[[], dict[str, bytes]]) -> PackagedModel:
    if digest not in _LOADED:
        if len(_LOADED) >= MODELS_PER_WORKER:
            _LOADED.clear()
        _LOADED[digest] = parse_package(read_files())
    return _LOADED[digest]


def _score_batch(batch: "pa.RecordBatch", model: PackagedModel, explain: int) -> "pa.RecordBatch":
    import pyarrow as pa

    matrix = model.encoder.encode_batch(batch)
    columns: list[Any] = [*batch.columns, pa.array(predict_matrix(model, matrix), type=pa.float64())]
    names = [*batch.schema.names, PREDICTION]
    if explain:
        columns.append(_explain_matrix(matrix, model, explain))
        names.append(REASONS)
    return pa.RecordBatch.from_arrays(columns, names=names)


def _explain_matrix(matrix: Any, model: PackagedModel, top: int) -> "pa.Array":
    import numpy as np
    import pyarrow as pa

    struct = pa.struct([("feature", pa.string()), ("contribution", pa.float64())])
    if not len(matrix) or not find_estimator_kind(model.kind).has_contributions(model.estimator):
        return pa.nulls(len(matrix), pa.list_(struct))
    positions, contributions = rank_contributions(model, matrix, top)
    names = np.asarray(model.encoder.encoded_columns, dtype=object)[positions.ravel()]
    pairs = pa.StructArray.from_arrays(
        [pa.array(names, type=pa.string()), pa.array(contributions.ravel(), type=pa.float64())], fields=list(struct)
    )
    offsets = np.arange(0, positions.size + 1, positions.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pairs)
