"""Which rows, and how many, a model is explained on."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.package import PackagedModel

EXPLAINED_ROWS = 20_000  # the mean size of a contribution is then known to about one percent of its spread
LEAST_ROWS = 500  # to about five percent
LEAF_VISITS = (
    20_000_000  # contributions of one row take 0.3 to 1.3 microseconds a leaf: half a minute of one core in all
)
DRAW_SLOTS = 1 << 20  # the hash is cut into so many: a share is met to a millionth


def choose_sample_size(model: PackagedModel) -> int:
    """Rows that contributions are computed of: `EXPLAINED_ROWS`, or as few as keep the work of large forests bounded."""
    kind = find_estimator_kind(model.kind)
    if not kind.has_contributions(model.estimator):
        return EXPLAINED_ROWS
    steps = max(kind.count_contribution_steps(model.estimator), 1)
    return max(min(EXPLAINED_ROWS, LEAF_VISITS // steps), LEAST_ROWS)


def draw_rows(rows: DataFrame, columns: Sequence[str], *, known: int, most: int) -> DataFrame:
    """About `most` of the rows, by a hash of some columns: always the same ones, however the rows lie in files.

    Args:
        rows: The rows.
        columns: What a row is known by.
        known: How many rows there are.
        most: How many are wanted; all are taken when there are no more.
    """
    if known <= most:
        return rows
    slot = F.pmod(F.xxhash64(*(F.col(f"`{name}`") for name in columns)), F.lit(DRAW_SLOTS))
    return rows.where(slot < round(most / known * DRAW_SLOTS))
