"""A look at the rows of a view: the newest, or what was known about each entity at an instant."""

from datetime import datetime
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.config.features import feature_name
from sparkml_ops.config.mistakes import show_value
from sparkml_ops.config.types import parse_instant
from sparkml_ops.errors import ConfigError
from sparkml_ops.features import join_point_in_time
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP
from sparkml_ops.lake import quote_identifier

if TYPE_CHECKING:
    from sparkml_ops.features import ViewRows

DEFAULT_ROWS = 20  # what a screen shows
_MOST_ROWS = 2**31 - 1  # Spark counts them so
AS_OF = "as_of"


def show_newest(view: "ViewRows", *, rows: int) -> DataFrame:
    """The newest rows, those of one instant in the order of their entities."""
    _require_some(rows)
    columns = [F.col(quote_identifier(name)) for name in (*view.entity, TIMESTAMP, KNOWN_AT, *view.columns)]
    order = [F.desc(TIMESTAMP), *(F.col(quote_identifier(name)) for name in view.entity), F.desc(KNOWN_AT)]
    return view.rows.select(*columns).orderBy(*order).limit(rows)


def show_known(view: "ViewRows", *, rows: int, as_of: datetime) -> DataFrame:
    """One row per entity: what a look-up at this instant gives it; null where nothing was known that is young enough."""
    _require_some(rows)
    if AS_OF in (*view.entity, *view.columns):
        raise ConfigError(
            f"{view.name} has a column {AS_OF} of its own; `lookup` with moments of your own shows the same."
        )
    names = [F.col(quote_identifier(name)) for name in view.entity]
    entities = view.rows.select(*names).distinct().orderBy(*names).limit(rows)
    known = join_point_in_time(entities.withColumn(AS_OF, F.lit(as_of)), [view], timestamp=AS_OF)
    features = [F.col(quote_identifier(feature_name(view.name, name))).alias(name) for name in view.columns]
    return known.select(*names, AS_OF, *features).orderBy(*names)


def parse_moment(value: object, place: str) -> datetime:
    """An instant as people give it: ISO 8601 text, a date or a datetime; UTC if it has no zone.

    Raises:
        ConfigError: it is none.
    """
    try:
        at = parse_instant(value if value == value else None)  # noqa: PLR0124  # pandas' NaT is a datetime, and equals nothing
    except ValueError as error:
        raise ConfigError(f"{place}: expected {error}, found {show_value(value)}.") from error
    assert isinstance(at, datetime)  # what everything else than text is refused for, or parsed to
    return at


def require_frame(moments: object, place: str) -> None:
    """Raise ConfigError, with what to do, unless this is a Spark DataFrame whose columns each have a name of their own."""
    if not isinstance(moments, DataFrame):
        found = f"{type(moments).__module__.partition('.')[0]}.{type(moments).__name__}"
        raise ConfigError(
            f"{place}: expected a Spark DataFrame of moments, found {found}. project.spark.createDataFrame(…) makes one."
        )
    folded = [name.casefold() for name in moments.columns]
    twice = next((name for name in moments.columns if folded.count(name.casefold()) > 1), None)
    if twice is not None:
        raise ConfigError(
            f"{place}: the moments have two columns {show_value(twice)}, upper and lower case being the same. Drop or rename one."
        )


def _require_some(rows: object) -> None:
    if not isinstance(rows, int) or isinstance(rows, bool) or not 1 <= rows <= _MOST_ROWS:
        raise ConfigError(f"preview: rows={show_value(rows)}; expected a whole number from 1 up to {_MOST_ROWS:,}.")
