"""Features derived from the joined row, and the types that a model takes.

* A derived column may use the entity columns, the moment under the dataset's name for it, the looked-up features, and
  the derived columns before it. Training sees nothing else of a row, so nothing else can slip into a model.
* Where a row has a column of the same name already, the derived one takes its place.
* A feature is a double (numbers and booleans) or a string.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, NumericType, StringType

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.expressions import compile_expression

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def derive_columns(joined: "DataFrame", derived: Mapping[str, str]) -> "DataFrame":
    """Add derived columns in their order, later ones from earlier ones.

    Raises:
        ConfigError: an expression cannot be computed.
    """
    for name, sql in derived.items():
        value = compile_expression(joined, sql, place=f"dataset.derived.{name}").alias(name)
        others = [F.col(f"`{column}`") for column in joined.columns if column != name]
        joined = joined.select(*others, value)
    return joined


def cast_features(rows: "DataFrame", features: Sequence[str]) -> "DataFrame":
    """Give features the types a model takes, and put them after the other columns in their order.

    Raises:
        ConfigError: a feature is neither a number, a boolean nor a string.
    """
    cast = []
    for name in features:
        found = rows.schema[name].dataType
        if isinstance(found, StringType):
            cast.append(F.col(name))
        elif isinstance(found, NumericType | BooleanType):
            cast.append(F.col(name).cast("double").alias(name))
        else:
            raise ConfigError(
                f"feature `{name}` is {found.simpleString()}; a model takes numbers, booleans and strings. "
                "Derive one of those from it, and name it in dataset.leave_out."
            )
    return rows.select(*(F.col(f"`{name}`") for name in rows.columns if name not in features), *cast)
