"""`derive` of an `aggregate` view: SQL over the columns of its own rows.

* A column may use the view's aggregates and the derived columns before it.
* Division by zero (`/`, `%`, `div`, `mod`) is null. A share of nothing is unknown, and no reason to stop a build, as
  it would be under ANSI rules. Everything else follows them: a sum that does not fit, or a text that is no number,
  stops it.
* Where no window of the view has an event, derived columns are null, as they are where the view has no row.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.sql import forgive_zero
from sparkml_ops.features.expressions import compile_expression

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def derive_ratios(figures: "DataFrame", derive: Mapping[str, str], *, place: str, filled: str) -> "DataFrame":
    """Add the derived columns.

    Args:
        figures: rows with the view's aggregates.
        derive: SQL by the name of the column.
        place: where it stands in the configuration, for messages.
        filled: column that says whether some window has an event.

    Raises:
        ConfigError: an expression cannot be computed.
    """
    for name, sql in derive.items():
        compile_expression(figures, sql, place=f"{place}.{name}")
        value = compile_expression(figures, forgive_zero(sql), place=f"{place}.{name}")
        figures = figures.withColumn(name, F.when(F.col(filled), value))
    return figures
