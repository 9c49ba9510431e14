"""Which way the prediction may go with each column of the matrix."""

from collections.abc import Mapping

from sparkml_ops.errors import ConfigError
from sparkml_ops.models import FeatureEncoder

_SIGNS = {"increasing": 1, "decreasing": -1}


def find_directions(monotone: Mapping[str, str], encoder: FeatureEncoder) -> tuple[int, ...]:
    """1 where the prediction may only rise with a column of the matrix, -1 where it may only fall, 0 where it is free.

    Flags of missing values are free: a missing value is neither more nor less than a known one. A wish about a column that
    the model does not learn from, because it says nothing in the training rows, holds by itself.

    Args:
        monotone: `model.monotone`: increasing or decreasing, by feature column.
        encoder: Fitted on the training rows.

    Returns:
        One number for each column of the matrix; nothing where all are free.

    Raises:
        ConfigError: A column is text, whose levels have no order.
    """
    texts = [column.name for column in encoder.columns if column.name in monotone and column.kind == "categorical"]
    if texts:
        raise ConfigError(
            f"model.monotone: {', '.join(texts)} {'is' if len(texts) == 1 else 'are'} text, whose values have no order. "
            "Only columns of numbers can be increasing or decreasing: derive a number under dataset.derived, or take "
            f"{'it' if len(texts) == 1 else 'them'} out."
        )
    found = tuple(_SIGNS.get(monotone.get(name, ""), 0) for name in encoder.encoded_columns)
    return found if any(found) else ()
