"""Predictions for all rows of a DataFrame, on Spark's workers."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DoubleType, MapType, StringType, StructField, StructType

from sparkml_ops.errors import ModelError
from sparkml_ops.models.digests import digest_package
from sparkml_ops.models.encoder import find_kind
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds.trust import adopt_named_packages, list_named_packages
from sparkml_ops.models.package import (
    PackagedModel,
    dump_package,
    parse_package,
    predict_matrix,
    rank_contributions,
)
from sparkml_ops.models.segments import find_segment_kind

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

PREDICTION = "prediction"
PREDICTED_LABEL = "predicted_label"
ANSWERS = (PREDICTION, PREDICTED_LABEL)
"""Columns of answers that have bins of their own, beside the features."""
REASONS = "reasons"
SEGMENT = "segment"
REASONS_TYPE = ArrayType(StructType([StructField("feature", StringType()), StructField("contribution", DoubleType())]))
JOINED_ROWS = 65_536
MODELS_PER_WORKER = 4  # champion, challenger and two baselines at most meet in one job
_LOADED: dict[str, PackagedModel] = {}
"""Models of this Python worker, by digest: tasks come and go, the worker stays."""


def predict_rows(rows: DataFrame, model: PackagedModel, *, explain: int = 0, segment: bool = False) -> DataFrame:
    """Add each row's `prediction`: the probability of the positive class, or of a regression the number; float64, never null.

    Of several classes it is a map of their probabilities by name, in the order of the model's classes.

    Columns are found by name. The answers do not depend on how the rows are spread over partitions. The model travels
    to the workers once, is parsed once per Python worker, and uses one thread in each task.

    Args:
        rows: Rows with the model's feature columns, and any others, which are kept.
        model: The model.
        explain: How many of the strongest reasons to add per row as `reasons`; none with 0.
        segment: Whether to add `segment`: whose model served the row, `global` where that of all rows did; null of a model
            that has none per segment.

    Raises:
        ModelError: Columns are missing, have the wrong type, or would be overwritten; said before any job. Later, while
            the rows are computed, the job itself fails when the model answers with what cannot be.
    """
    answer = MapType(StringType(), DoubleType()) if model.classes else DoubleType()
    added = [StructField(PREDICTION, answer)] + ([StructField(REASONS, REASONS_TYPE)] if explain else [])
    added += [StructField(SEGMENT, StringType())] if segment else []
    check_rows(rows, model, [field.name for field in added])
    if explain and not find_estimator_kind(model.kind).has_contributions(model.estimator):
        log.warning("model %s (%s) does not say what its columns add: reasons are null", model.name, model.kind)
    score = make_scorer(ship_model(rows.sparkSession, model), explain, segment=segment)
    return rows.mapInArrow(score, StructType([*rows.schema.fields, *added]))


def summarise_answer(rows: DataFrame, prediction: str) -> Column:
    """The prediction as one number, for bins and averages: of several classes the probability of the most probable one."""
    answer = F.col(f"`{prediction}`")
    return F.array_max(F.map_values(answer)) if isinstance(rows.schema[prediction].dataType, MapType) else answer


def check_rows(rows: DataFrame, model: PackagedModel, added: Sequence[str] = (PREDICTION,)) -> None:
    """Whether a model can be asked for these rows; runs no job.

    Raises:
        ModelError: Columns are missing, have the wrong type, or would be overwritten.
    """
    model.encoder.check_columns(rows.columns)
    if model.family is not None:
        model.family.check_columns(rows.columns)
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
    wrong += [
        f"{column.name} is {rows.schema[column.name].dataType.simpleString()}, segments were told by a {column.kind}"
        for column in (model.family.columns if model.family else ())
        if find_segment_kind(rows.schema[column.name].dataType) != column.kind
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
    load: Callable[[], PackagedModel], explain: int, *, segment: bool = False
) -> Callable[[Iterable["pa.RecordBatch"]], Iterator["pa.RecordBatch"]]:
    """What a task does with its rows: adds the predictions, and as many reasons as are asked for."""

    def score(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
        model = load()
        for batch in batches if model.family is None else _join_batches(batches):
            yield score_batch(batch, model, explain, segment=segment)

    return score


def _load_once(digest: str, read_files: Callable[[], dict[str, bytes]]) -> PackagedModel:
    if digest not in _LOADED:
        if len(_LOADED) >= MODELS_PER_WORKER:
            _LOADED.clear()
        _LOADED[digest] = parse_package(read_files())
    return _LOADED[digest]


def _join_batches(batches: Iterable["pa.RecordBatch"]) -> Iterator["pa.RecordBatch"]:
    """Batches of about `JOINED_ROWS` rows: each segment is asked once for each batch, however few rows it has there."""
    import pyarrow as pa

    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(part.num_rows for part in held) >= JOINED_ROWS:
            yield from pa.Table.from_batches(held).combine_chunks().to_batches()
            held = []
    if held:
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()


def score_batch(
    batch: "pa.RecordBatch", model: PackagedModel, explain: int = 0, *, segment: bool = False
) -> "pa.RecordBatch":
    """Add `prediction`, and what else is asked for, to an Arrow batch: what a task does with its rows, and a server without Spark.

    Args:
        batch: Rows with the columns that the model needs.
        model: The model.
        explain: How many reasons to add per row; none with 0.
        segment: Whether to add whose model served the row.

    Raises:
        ModelError: The model answers with what cannot be.
    """
    import pyarrow as pa

    matrix = model.encoder.encode_batch(batch)
    served = None if model.family is None else model.family.serve_batch(batch)
    columns: list[Any] = [*batch.columns, _lay_answers(predict_matrix(model, matrix, served), model.classes)]
    names = [*batch.schema.names, PREDICTION]
    if explain:
        columns.append(_explain_matrix(matrix, model, explain, served))
        names.append(REASONS)
    if segment:
        columns.append(_name_segments(model, served, len(matrix)))
        names.append(SEGMENT)
    return pa.RecordBatch.from_arrays(columns, names=names)


def _lay_answers(answers: Any, classes: Sequence[str]) -> "pa.Array":
    """Numbers, or maps of the probabilities of classes."""
    import numpy as np
    import pyarrow as pa

    if not classes:
        return pa.array(answers, type=pa.float64())
    offsets = np.arange(0, answers.size + 1, len(classes), dtype=np.int32)
    names = pa.array(classes, type=pa.string()).take(pa.array(np.tile(np.arange(len(classes)), len(answers))))
    return pa.MapArray.from_arrays(pa.array(offsets), names, pa.array(answers.ravel(), type=pa.float64()))


def _name_segments(model: PackagedModel, served: Any, rows: int) -> "pa.Array":
    import pyarrow as pa

    return pa.nulls(rows, pa.string()) if model.family is None else model.family.name_members(served)


def _explain_matrix(matrix: Any, model: PackagedModel, top: int, served: Any) -> "pa.Array":
    import numpy as np
    import pyarrow as pa

    struct = pa.struct([("feature", pa.string()), ("contribution", pa.float64())])
    if not len(matrix) or not find_estimator_kind(model.kind).has_contributions(model.estimator):
        return pa.nulls(len(matrix), pa.list_(struct))
    positions, contributions = rank_contributions(model, matrix, top, served)
    names = np.asarray(model.encoder.encoded_columns, dtype=object)[positions.ravel()]
    pairs = pa.StructArray.from_arrays(
        [pa.array(names, type=pa.string()), pa.array(contributions.ravel(), type=pa.float64())], fields=list(struct)
    )
    offsets = np.arange(0, positions.size + 1, positions.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pairs)
