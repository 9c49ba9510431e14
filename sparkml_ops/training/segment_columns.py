"""The columns by which segments are told, once the rows are known: what can tell none is refused."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.config.segments import SegmentBy
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError
from sparkml_ops.models.segments import SegmentColumn, find_segment_kind
from sparkml_ops.training.estimators import find_cluster_estimator, find_estimator
from sparkml_ops.training.mapped_segments import PREFIX
from sparkml_ops.training.segment_fits import JUDGED


def require_segments(use_case: UseCase) -> None:
    """Refuse what models per segment cannot be had of.

    Raises:
        ConfigError: The task is not binary, the estimator is of a kind that has none, or a column has personal data.
    """
    asked, model = use_case.model.segment_by, use_case.model
    if asked is None:
        return
    if model.task != "binary":
        raise ConfigError(
            f"model.segment_by: whether a segment's model is better is judged by its log loss, which {model.task} has not. Take "
            "segment_by out."
        )
    if find_cluster_estimator(model.estimator) is not None or find_estimator(model.estimator).KIND not in JUDGED:
        raise ConfigError(
            f"model.segment_by: models per segment are fitted with lightgbm and with classes of scikit-learn's kind, and "
            f"{model.estimator} is neither. Take one of those, or take segment_by out."
        )
    personal = list_personal_features(use_case)
    if found := [name for name in asked.columns if name in personal]:
        raise ConfigError(
            f"model.segment_by: {', '.join(found)} may hold personal data (pii), and the names of segments are written to "
            "metrics, MLflow and the card. Derive a column that names nobody, or take another one."
        )


def with_segments(rows: DataFrame, asked: SegmentBy | None) -> DataFrame:
    """Rows with the columns of segments a second time, as `write_matrix` looks for them.

    Raises:
        ConfigError: A column is neither text, number nor boolean.
    """
    if asked is None:
        return rows
    tell_columns(rows, asked)
    named = {f"{PREFIX}{at}_{name}": F.col(f"`{name}`") for at, name in enumerate(asked.columns)}
    return rows.withColumns(named)


def tell_columns(rows: DataFrame, asked: SegmentBy) -> tuple[SegmentColumn, ...]:
    """The columns by which segments are told, with their kinds.

    Raises:
        ConfigError: A column is not there, or is neither text, number nor boolean.
    """
    lacking = [name for name in asked.columns if name not in rows.columns]
    if lacking:
        raise ConfigError(
            f"model.segment_by: the training set has no column {', '.join(lacking)}. Make a new version of it."
        )
    kinds = {name: find_segment_kind(rows.schema[name].dataType) for name in asked.columns}
    wrong = [f"{name} is {rows.schema[name].dataType.simpleString()}" for name, kind in kinds.items() if kind is None]
    if wrong:
        raise ConfigError(
            f"model.segment_by: {', '.join(wrong)}; segments are told by texts, numbers, or true and false. Derive such a "
            "column under dataset.derived."
        )
    return tuple(SegmentColumn(name, kind) for name, kind in kinds.items() if kind is not None)
