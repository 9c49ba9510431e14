"""Make the rows of an old version of the training set again, and prove that they are the same."""

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError, TableNotFoundError
from sparkml_ops.features.content import measure_content
from sparkml_ops.features.definitions import with_definition
from sparkml_ops.features.orders import join_features, take_order
from sparkml_ops.features.training_sets import TrainingSet, describe_training_set
from sparkml_ops.lake import read_table, stage_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake


def recreate_training_set(use_case: "UseCase", lake: "Lake", version: str) -> "DataFrame":
    """Make the rows of a version again, from the inputs and the definition it was made of.

    Args:
        use_case: the use case, for its sources; dataset and feature views are taken from the version.
        lake: where its tables are.
        version: name of the version.

    Returns:
        The same rows, proven by their hash.

    Raises:
        TableNotFoundError: the version, or the version of one of its inputs, is gone; says which.
        ContractError: the inputs are there but give other rows.
    """
    made, rows = make_again(use_case, lake, version)
    _require_same(made, rows)
    return rows


@contextmanager
def stage_recreated(use_case: "UseCase", lake: "Lake", version: str, *, name: str) -> "Iterator[DataFrame]":
    """As `recreate_training_set`, with the rows put on disk once, where they are while the block runs.

    Args:
        use_case: as there.
        lake: as there.
        version: as there.
        name: what they are staged under; its lease is held.

    Raises:
        TableNotFoundError: the version, or the version of one of its inputs, is gone; says which.
        ContractError: the inputs are there but give other rows.
    """
    made, rows = make_again(use_case, lake, version)
    with stage_rows(lake, name, rows) as staged:
        _require_same(made, staged)
        yield staged


def _require_same(made: TrainingSet, rows: "DataFrame") -> None:
    found = measure_content(rows).content_hash
    if found != made.content_hash:
        raise ContractError(
            f"training set {made.version}: made again it has the hash {found}, expected {made.content_hash}. Its inputs "
            "are there, so one was made anew under its old version, or a Python function gives other values now."
        )


def make_again(use_case: "UseCase", lake: "Lake", version: str) -> "tuple[TrainingSet, DataFrame]":
    """A version, and rows that must be its own, which nobody has held against its hash yet.

    Raises:
        TableNotFoundError: the version, or the version of one of its inputs, is gone; says which.
    """
    made = describe_training_set(lake, version)
    _require_all_readable(lake, made)
    # A source that has left the configuration since is still what its name means in the definition.
    known = frozenset(table.removeprefix("clean_") for table in made.inputs if table.startswith("clean_"))
    then = replace(lake, sources=lake.sources | known)
    order = take_order(with_definition(use_case, made.definition), then, as_of=made.as_of, versions=made.inputs)
    return made, join_features(order, then)


def _require_all_readable(lake: "Lake", made: TrainingSet) -> None:
    gone: dict[str, TableNotFoundError] = {}
    for table, pinned in made.inputs.items():
        try:
            _require_readable(lake, table, pinned)
        except TableNotFoundError as error:
            gone[f"{table}@v{pinned}"] = error
    if gone:
        first, *others = gone
        also = f" Gone as well: {', '.join(others)}." if others else ""
        raise TableNotFoundError(
            f"training set {made.version} cannot be made again without {first}. {gone[first]}{also}"
        ) from gone[first]


def _require_readable(lake: "Lake", table: str, version: int) -> None:
    """Read a pinned input through: after a vacuum its log is still there, and its files are not."""
    rows = read_table(lake, table, version=version)
    try:
        rows.select(F.xxhash64(*(F.col(f"`{name}`") for name in rows.columns)).alias("hash")).agg(
            F.bit_xor("hash")
        ).collect()
    except (PySparkException, Py4JError) as error:
        raise TableNotFoundError(
            f"{table}@v{version} of {lake.use_case} cannot be read any more: vacuum ends time travel. "
            "What was made of it cannot be made again."
        ) from error
