"""Feature columns -> one matrix of float64, fitted on training rows only and stored with the model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DataType, NumericType, StringType

from sparkml_ops.config.features import Impute
from sparkml_ops.config.model import Levels
from sparkml_ops.errors import ModelError
from sparkml_ops.models.levels import find_levels

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

MAX_LEVELS = 255  # LightGBM bins a category into at most max_bin=255 levels; rarer ones would only be noise
MISSING_SUFFIX = "__missing"

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class EncodedColumn:
    """How one feature column becomes numbers.

    Attributes:
        name: The feature column.
        kind: Whether it is a number or one of some levels.
        levels: The levels of a categorical column; the position is the code.
        fill: What stands in for a missing value: a number, or a level's code; None leaves it missing (NaN).
        flag: Whether a column `<name>__missing` of 0 and 1 is added.
        others: Whether all other values of a categorical column are one level together, whose code follows the last.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    fill: float | None = None
    flag: bool = False
    others: bool = False


@dataclass(frozen=True)
class FeatureEncoder:
    """Turns rows into a matrix: the columns in order, then the flags of missing values.

    Null, NaN and infinity are all the same: missing. So is a value that is no level, because the training rows had it too rarely
    or not at all, unless the column has a level for all others.

    Attributes:
        columns: The feature columns.
        classes: Of a label of several classes those that the training rows have, in the order of `sort_classes`: a label becomes its
            position among them, and that of any other class one past the last. None of other labels.
    """

    columns: tuple[EncodedColumn, ...]
    classes: tuple[str, ...] = ()

    @property
    def feature_columns(self) -> list[str]:
        """Names of the columns that rows must have."""
        return [column.name for column in self.columns]

    @property
    def encoded_columns(self) -> list[str]:
        """Names of the matrix's columns."""
        return [*self.feature_columns, *(c.name + MISSING_SUFFIX for c in self.columns if c.flag)]

    @property
    def categorical_positions(self) -> list[int]:
        """Positions of the matrix's columns that hold codes of levels."""
        return [position for position, column in enumerate(self.columns) if column.kind == "categorical"]

    def encode_label(self, label: Column) -> Column:
        """The label as a double: a number as it is, a class as its position."""
        if not self.classes:
            return label.cast("double")
        at = F.array_position(F.array(*(F.lit(name) for name in self.classes)), label.cast("string")) - 1
        return F.when(label.isNotNull(), F.when(at >= 0, at).otherwise(len(self.classes))).cast("double")

    def encode_batch(self, batch: "pa.RecordBatch") -> "NDArray[np.float64]":
        """Encode an Arrow batch that has the feature columns among others; shape (rows, encoded columns)."""
        matrix = np.empty((batch.num_rows, len(self.encoded_columns)), dtype=np.float64)
        flag_position = len(self.columns)
        for position, column in enumerate(self.columns):
            values = _read_values(column, batch.column(column.name))
            missing = np.isnan(values)
            if column.flag:
                matrix[:, flag_position] = missing
                flag_position += 1
            matrix[:, position] = values if column.fill is None else np.where(missing, column.fill, values)
        return matrix

    def encode_frame(self, frame: "pd.DataFrame") -> "NDArray[np.float64]":
        """Encode a pandas frame that has the feature columns among others.

        Raises:
            ModelError: Columns are missing, or hold what cannot be read as numbers or text.
        """
        import pyarrow as pa

        self.check_columns(frame.columns)
        try:
            batch = pa.RecordBatch.from_pandas(frame[self.feature_columns], preserve_index=False)
            return self.encode_batch(batch)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ModelError(f"The rows cannot be read as the model's features: {error}") from error

    def check_columns(self, present: Iterable[str]) -> None:
        """Refuse rows that lack feature columns, naming all of them."""
        missing = sorted(set(self.feature_columns) - set(present))
        if missing:
            raise ModelError(
                f"The rows lack {len(missing)} of {len(self.columns)} feature columns: {', '.join(missing)}. "
                "Look up the features that the model was trained with."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"columns": [asdict(column) for column in self.columns]} | (
            {"classes": list(self.classes)} if self.classes else {}
        )

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "FeatureEncoder":
        """Read what `to_dict` wrote."""
        columns = (EncodedColumn(**{**column, "levels": tuple(column["levels"])}) for column in plain["columns"])
        return cls(columns=tuple(columns), classes=tuple(plain.get("classes", ())))


def find_kind(data_type: DataType) -> Kind | None:
    """Say how a column of this Spark type is encoded; None when a model cannot learn from it."""
    if isinstance(data_type, NumericType | BooleanType):
        return "numeric"
    return "categorical" if isinstance(data_type, StringType) else None


def find_kinds(rows: DataFrame, columns: Sequence[str]) -> dict[str, Kind]:
    """The kind of each feature column.

    Raises:
        ModelError: A column has a type that cannot be learned from, such as a timestamp.
    """
    kinds = {name: find_kind(rows.schema[name].dataType) for name in columns}
    unusable = [f"{name} ({rows.schema[name].dataType.simpleString()})" for name, kind in kinds.items() if kind is None]
    if unusable:
        raise ModelError(
            f"Features must be numbers, booleans or text; these are not: {', '.join(unusable)}. "
            "Turn them into numbers in the feature view or under dataset.derived."
        )
    return {name: kind for name, kind in kinds.items() if kind is not None}


def fit_encoder(
    rows: DataFrame, columns: Sequence[str], *, impute: Mapping[str, Impute] | None = None, levels: Levels | None = None
) -> FeatureEncoder:
    """Fit an encoder on training rows: the levels of text columns, and what stands in for missing values.

    Args:
        rows: Training rows, and nothing else: what is learned here goes into the model.
        columns: Feature columns, in the order of the matrix.
        impute: How missing values are filled, by feature column.
        levels: Which values of text columns are levels, and what all others are; the `MAX_LEVELS` most frequent by default.

    Raises:
        ModelError: A column cannot be learned from, or cannot be filled in the way asked for.
    """
    wanted = {name: how for name, how in (impute or {}).items() if name in columns}
    kinds = find_kinds(rows, columns)
    texts = [name for name in columns if kinds[name] == "categorical"]
    asked = levels or Levels()
    most = min(asked.at_most, MAX_LEVELS - (asked.others == "level"))
    frequent = find_levels(rows, texts, most=most, at_least=asked.at_least)
    fills = _find_fills(rows, kinds, wanted)
    known = {name: _with_level(tuple(sorted(found)), fills.get(name)) for name, found in frequent.items()}
    return FeatureEncoder(
        columns=tuple(
            EncodedColumn(
                name=name,
                kind=kinds[name],
                levels=known.get(name, ()),
                fill=_encode_fill(fills.get(name), known.get(name)),
                flag=name in wanted and wanted[name].flag,
                others=name in known and asked.others == "level",
            )
            for name in columns
        )
    )


def _read_values(column: EncodedColumn, array: "pa.Array") -> "NDArray[np.float64]":
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.kind == "categorical":
        texts = array.cast(pa.string())
        codes = pc.index_in(texts, value_set=pa.array(column.levels, type=pa.string()))
        if column.others:
            is_other = pc.and_(pc.is_null(codes), pc.is_valid(texts))
            codes = pc.if_else(is_other, pa.scalar(len(column.levels), pa.int32()), codes)
        return np.asarray(codes.cast(pa.float64()).to_numpy(zero_copy_only=False))
    values = np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return np.where(np.isfinite(values), values, np.nan)


def _find_fills(rows: DataFrame, kinds: Mapping[str, Kind], wanted: Mapping[str, Impute]) -> dict[str, Any]:
    constants = {name: how.value for name, how in wanted.items() if how.method == "constant"}
    fitted = {name: how.method for name, how in wanted.items() if how.method not in ("constant", "none")}
    for name, how in wanted.items():
        _check_impute(name, kinds[name], how)
    if not fitted:
        return constants
    aggregates = [_aggregate_fill(name, kinds[name], method).alias(name) for name, method in fitted.items()]
    return constants | rows.agg(*aggregates).first().asDict()  # type: ignore[union-attr]  # an aggregate has one row


def _aggregate_fill(name: str, kind: Kind, method: str) -> Any:
    column = F.col(f"`{name}`")
    if kind == "numeric":
        number = column.cast("double")
        column = F.when(~F.isnan(number) & (F.abs(number) != float("inf")), number)
    if method == "most_frequent":
        return F.mode(column, deterministic=True)
    # the exact median: an approximate one depends on the order in which partitions arrive, and so would the model
    return F.median(column) if method == "median" else F.avg(column)


def _check_impute(name: str, kind: Kind, how: Impute) -> None:
    if kind == "categorical" and how.method in ("median", "mean"):
        raise ModelError(f"{name} is text: impute it with most_frequent or constant, not with {how.method}.")
    if how.method == "constant" and isinstance(how.value, str) != (kind == "categorical"):
        raise ModelError(f"{name} is {kind}, but the constant to impute it with is {how.value!r}.")


def _with_level(levels: tuple[str, ...], fill: str | None) -> tuple[str, ...]:
    return levels if fill is None or fill in levels else (*levels, fill)


def _encode_fill(fill: Any, levels: tuple[str, ...] | None) -> float | None:
    if fill is None:
        return None
    if levels is None:
        return float(fill)
    return float(levels.index(fill))
