"""A view held against an example written by hand: these events, so at these moments these values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import types as T

from sparkml_ops.config.features import feature_name
from sparkml_ops.config.mistakes import list_names, show_value
from sparkml_ops.config.sql import table_names
from sparkml_ops.errors import ConfigError, TableNotFoundError
from sparkml_ops.features import join_point_in_time, take_rows
from sparkml_ops.features.compute import compute_features
from sparkml_ops.lake import read_table, relate_frames, resolve_relation
from sparkml_ops.lake.location import resolve_table_name
from sparkml_ops.notebook.typed_rows import Row, make_rows, read_row, require_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.lake import Lake

DEFAULT_MOMENT = "at"
DEFAULT_TOLERANCE = 1e-9  # of the greater number: sums of doubles in another order differ by less
_NUMBER = "_number"


@dataclass(frozen=True)
class Examples:
    """What is asked.

    Attributes:
        events: rows of the view's relation, or rows by table.
        moments: the entity's columns and the moment of each question.
        expected: the values that each moment should find, by column.
        moment: key of the moment in `moments`.
        tolerance: by how much numbers may differ, as a share of the greater one.
    """

    events: Sequence[Row] | Mapping[str, Sequence[Row]]
    moments: Sequence[Row]
    expected: Sequence[Row]
    moment: str = DEFAULT_MOMENT
    tolerance: float = DEFAULT_TOLERANCE


@dataclass(frozen=True)
class Difference:
    """A value that is not as expected: which moment, counted from 0, and which column."""

    moment: int
    column: str
    expected: Any
    found: Any


@dataclass(frozen=True)
class ExamplesResult:
    """What came of it.

    Attributes:
        view: name of the view.
        values: how many values were compared.
        differences: those that are not as expected.
    """

    view: str
    values: int
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether every value was as expected."""
        return not self.differences

    def __str__(self) -> str:
        """One line, and one for each difference."""
        head = f"{self.view}: {self.values - len(self.differences)} of {self.values} values as expected"
        lines = [
            f"  moments[{one.moment}].{one.column}: expected {one.expected!r}, found {one.found!r}"
            for one in self.differences
        ]
        return "\n".join([head, *lines])

    __repr__ = __str__


def try_examples(name: str, view: "FeatureView", lake: "Lake", asked: Examples) -> ExamplesResult:
    """Compute the view of the events, look it up at the moments, and compare.

    Raises:
        ConfigError: a row names a column that is not there, or a value has another type; says which.
        TableNotFoundError: a table is not there, so that the types of its columns are not known.
    """
    expected, moments = require_rows(asked.expected, "expected"), require_rows(asked.moments, "moments")
    if len(moments) != len(expected):
        raise ConfigError(
            f"{len(moments)} moments and {len(expected)} expected rows: expected one row for each moment."
        )
    if asked.moment in view.entity:
        raise ConfigError(
            f"`{asked.moment}` is an entity column of {name}: say moment='…', another key for the moments."
        )
    rows = compute_features(_make_events(view, lake, asked.events), view, name=name)
    wanted = _read_expected(expected, view, rows.schema)
    found = _look_up(name, view, lake, rows, asked) if moments else []
    differences = [
        Difference(at, column, value, found[at][column])
        for at, row in enumerate(wanted)
        for column, value in row.items()
        if not _is_alike(value, found[at][column], asked.tolerance)
    ]
    return ExamplesResult(name, sum(map(len, wanted)), tuple(differences))


def _make_events(view: "FeatureView", lake: "Lake", events: Sequence[Row] | Mapping[str, Sequence[Row]]) -> "DataFrame":
    if not isinstance(events, Mapping):
        rows, _ = resolve_relation(lake, view.relation)
        return make_rows(lake.spark, rows.schema, events, place="events")
    read = {view.relation.table} if view.relation.table else table_names(view.relation.sql) if view.relation.sql else ()
    unknown = sorted(set(events) - set(read)) if read else []
    if unknown:
        raise ConfigError(
            f"events: {show_value(unknown[0])} is no table of the relation, which reads {list_names(read)}."
        )
    frames = {
        table: make_rows(lake.spark, _read_schema(lake, table), events.get(table, ()), place=f"events.{table}")
        for table in dict.fromkeys([*events, *read])
    }
    return relate_frames(lake, view.relation, frames)


def _read_schema(lake: "Lake", table: str) -> T.StructType:
    try:
        return read_table(lake, resolve_table_name(lake, table)).schema
    except TableNotFoundError as error:
        error.add_note(f"The types of its columns are read there. `sparkml-ops ingest {lake.use_case}` makes it.")
        raise


def _read_expected(expected: Sequence[Row], view: "FeatureView", schema: T.StructType) -> list[dict[str, Any]]:
    columns = T.StructType([schema[name] for name in view.column_names()])
    return [read_row(row, columns, place=f"expected[{at}]") for at, row in enumerate(expected)]


def _look_up(name: str, view: "FeatureView", lake: "Lake", rows: "DataFrame", asked: Examples) -> list[dict[str, Any]]:
    """What each moment finds, by column, in the order of the moments."""
    schema = T.StructType(
        [
            *(rows.schema[column] for column in view.entity),
            T.StructField(asked.moment, T.TimestampType()),
            T.StructField(_NUMBER, T.LongType()),
        ]
    )
    without = next((at for at, row in enumerate(asked.moments) if row.get(asked.moment) is None), None)
    if without is not None:
        raise ConfigError(f"moments[{without}]: no `{asked.moment}`, the instant of the question.")
    numbered = [{**row, _NUMBER: at} for at, row in enumerate(asked.moments)]
    moments = make_rows(lake.spark, schema, numbered, place="moments")
    known = join_point_in_time(moments, [take_rows(name, view, rows)], timestamp=asked.moment)
    told = {row[_NUMBER]: row.asDict(recursive=True) for row in known.collect()}
    return [
        {column: told[at][feature_name(name, column)] for column in view.column_names()} for at in range(len(numbered))
    ]


def _is_alike(expected: Any, found: Any, tolerance: float) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        both_none = math.isnan(expected) and math.isnan(found)
        return both_none or math.isclose(expected, found, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(expected, datetime) and isinstance(found, datetime) and expected.tzinfo is not None:
        return expected == found.astimezone(expected.tzinfo)  # Spark gives instants as local wall time
    if isinstance(expected, list | tuple) and isinstance(found, list | tuple):
        return len(expected) == len(found) and all(
            _is_alike(one, two, tolerance) for one, two in zip(expected, found, strict=True)
        )
    return bool(expected == found)
