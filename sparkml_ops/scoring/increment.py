"""Only what is new or changed: rows of a request that consumers do not see yet as they would be scored now."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.lake import Lake, read_table
from sparkml_ops.scoring.ledger import CURRENT, read_batches
from sparkml_ops.scoring.request import is_increment
from sparkml_ops.scoring.roles import Asked, Roles, find_publisher

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.use_case import UseCase

_INPUT_LETTERS = 8  # of a hash, in the name of an increment: the same inputs give the same name


def digest_features(columns: Sequence[str]) -> "Column":
    """64 bits that tell whether the features of two rows are equal; Spark's hash alone passes over nulls."""
    named = [F.col(f"`{name}`") for name in sorted(columns)]
    return F.xxhash64(*[part for column in named for part in (column.isNull(), column)])


def select_changed(
    features: "DataFrame", current: "DataFrame", *, key: Sequence[str], as_of: str, version: int, columns: Sequence[str]
) -> "DataFrame":
    """Rows that are new, newer than what is published, or at the same moment with other features or from another version.

    Args:
        features: rows of the request with their features; each key once.
        current: `predictions_current`.
        key: the columns that name a decision.
        as_of: the column with the moment.
        version: the model version that would score.
        columns: the features that it looks at.
    """
    seen = current.select(
        *[F.col(f"`{name}`").alias(f"_{at}") for at, name in enumerate(key)],
        F.col("as_of").alias("_as_of"),
        ((F.col("model_version") == version) & F.col("features_digest").isNotNull()).alias("_is_ours"),
        F.col("features_digest").alias("_digest"),
    )
    same_key = [F.col(f"`{name}`") == F.col(f"_{at}") for at, name in enumerate(key)]
    moment = F.col(f"`{as_of}`").cast("timestamp")
    is_same = F.col("_is_ours") & (F.col("_digest") == digest_features(columns))
    is_changed = (moment > F.col("_as_of")) | ((moment == F.col("_as_of")) & ~is_same)
    joined = features.join(seen, same_key, "left")
    return joined.where(F.col("_as_of").isNull() | is_changed).select(*[F.col(f"`{n}`") for n in features.columns])


@contextmanager
def hold_features(use_case: "UseCase", lake: Lake, asked: Asked, models: Roles) -> "Iterator[Asked]":
    """Keep the features at hand, with `scoring.incremental` of changed rows alone; then the batch is named by its inputs too."""
    whole = asked.features.persist()
    held, request = [whole], asked.request
    try:
        if is_increment(use_case, asked.wanted):
            version, model = find_publisher(use_case, models)
            current = read_table(lake, CURRENT)
            changed = select_changed(
                whole, current, key=use_case.dataset.key_columns(), as_of=use_case.scoring.as_of, version=version.version,
                columns=model.feature_columns,
            ).persist()  # fmt: skip
            held.append(changed)
            inputs = hash_config(use_case.scoring, asked.rows_from, version.digest)[:_INPUT_LETTERS]
            request = replace(request, batch_id=f"{request.batch_id}-{inputs}", rows=changed.count())
        before = read_batches(lake, f"batch_id = '{request.batch_id}'")
        known = {(b.model_version, b.role): b for b in before}
        yield replace(asked, request=request, features=held[-1], known=known)
    finally:
        for frame in held:
            frame.unpersist()
