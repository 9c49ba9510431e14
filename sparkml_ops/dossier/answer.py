"""Whether the packaged model, given the features that were looked up again, gives the recorded prediction again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException

from sparkml_ops.dossier.facts import Answer, ScoredRow
from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.lake import Lake
from sparkml_ops.models import PREDICTION, SEGMENT, PackagedModel, predict_rows

if TYPE_CHECKING:
    import pyarrow as pa

ROUNDING = 1e-9
"""Relative. A row alone and the same row among others may differ in the last bits, where a library adds up in another order."""


def ask_again(lake: Lake, row: ScoredRow, *, features: "pa.Table | None", model: PackagedModel | None) -> Answer:
    """Ask the model on a worker, as scoring did.

    Args:
        lake: whose session.
        row: what is recorded.
        features: one row with the feature columns; None where they are not there any more.
        model: the packaged model; None where it is not there any more.
    """
    lacking = [name for name, part in (("the features", features), ("the model", model)) if part is None]
    if features is None or model is None:
        return Answer(None, note=f"{' and '.join(lacking)} cannot be read any more")
    try:
        asked = predict_rows(lake.spark.createDataFrame(features), model, segment=True)
        said = asked.select(PREDICTION, SEGMENT).toArrow().to_pylist()[0]
    except (SparkMLOpsError, PySparkException) as error:
        return Answer(None, note=str(error).strip().splitlines()[0])
    return compare_answers(row, said[PREDICTION], said[SEGMENT])


def compare_answers(row: ScoredRow, said: Any, segment: str | None) -> Answer:
    """Hold what the model says against what is recorded; of several classes all probabilities."""
    now = dict(said) if isinstance(said, list) else said
    prediction = max(now.values()) if isinstance(now, Mapping) else float(now)
    differences = [prediction - row.prediction]
    if isinstance(now, Mapping) and row.probabilities is not None:
        names = {*now, *row.probabilities}
        differences += [now.get(name, 0.0) - row.probabilities.get(name, 0.0) for name in names]
    largest = max(differences, key=abs)
    other = segment != row.segment
    note = f"served by {segment or 'the model of all rows'}, and recorded is {row.segment}" if other else ""
    is_equal = abs(largest) <= ROUNDING * max(1.0, abs(row.prediction)) and not other
    return Answer(is_equal, prediction, largest, note)
