"""Rows of a request -> columns of the model -> answers, row by row where a row cannot be answered."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.models import PREDICTION, REASONS, SEGMENT, score_batch
from sparkml_ops.serving.asked_columns import AskedColumn

if TYPE_CHECKING:
    import pyarrow as pa

    from sparkml_ops.serving.champion import Champion

ANSWERED = ("prediction", "predicted_class", "predicted_label", "probabilities", "segment", "reasons")
"""What is told of each row, under the names of the table `predictions`."""


def read_columns(
    columns: Sequence[AskedColumn], row: Mapping[str, Any], features: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The columns of a row.

    Raises:
        ValueError: some are not there or of another type; says which.
    """
    found, mistakes = {}, []
    for column in columns:
        try:
            found[column.name] = column.read(row, features)
        except ValueError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ValueError("; ".join(mistakes))
    return found


def lay_columns(columns: Sequence[AskedColumn], rows: Sequence[Mapping[str, Any]]) -> "pa.RecordBatch":
    """Rows as an Arrow batch, in the types that `score` gives features."""
    import pyarrow as pa

    types = {"number": pa.float64(), "text": pa.string(), "boolean": pa.bool_()}
    arrays = [pa.array([row[column.name] for row in rows], type=types[column.kind]) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])


def answer_rows(
    champion: "Champion", rows: Sequence[Mapping[str, Any]], *, explain: int
) -> list[dict[str, Any] | SparkMLOpsError]:
    """The answer to each row, or why there is none; one row that the model cannot answer leaves the others theirs."""
    if not rows:
        return []
    try:
        batch = score_batch(lay_columns(champion.columns, rows), champion.model, explain, segment=True)
    except SparkMLOpsError as error:
        if len(rows) == 1:
            return [error]
        return [one for row in rows for one in answer_rows(champion, [row], explain=explain)]
    told: list[str] = [PREDICTION, SEGMENT, *([REASONS] if explain else [])]
    return [_tell(champion, row) for row in batch.select(told).to_pylist()]


def _tell(champion: "Champion", row: Mapping[str, Any]) -> dict[str, Any]:
    """An answer as `score` writes it."""
    answer = dict.fromkeys(ANSWERED) | {"segment": row[SEGMENT], "reasons": row.get(REASONS)}
    if champion.model.classes:
        probabilities = dict(row[PREDICTION])
        label = max(probabilities, key=probabilities.__getitem__)  # the first of equals, as Spark's array_position
        return answer | {
            "prediction": probabilities[label],
            "predicted_label": label,
            "probabilities": probabilities,
        }
    prediction = row[PREDICTION]
    is_positive = None if champion.threshold is None else int(prediction >= champion.threshold)
    return answer | {"prediction": prediction, "predicted_class": is_positive}
