"""Delta tables of others: a version as a whole, then what later versions added, or changed, by the change feed.

A version never changes, so its rows are read where they are. What must be true of it for that is told when it is not: the
table is still the same one, its versions follow each other, and none of them was vacuumed away.
"""

import re
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion.contract import HEADER, RAW
from sparkml_ops.ingestion.files import LandedFile
from sparkml_ops.ingestion.readers.rows import name_rows, place_columns, plain_values, write_down
from sparkml_ops.lake.feeds import TableCommit, TableFeed, read_changes, read_feed, read_version
from sparkml_ops.lake.location import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

NO_ADDED_ROW = "row: was changed or removed by its version; `delta: {changes: true}` takes such rows"
_NAME = re.compile(r"(?P<table>.+)@v(?P<first>\d+)(?:-v(?P<last>\d+))?", re.DOTALL)
_TYPE, _VERSION, _AT = "_change_type", "_commit_version", "_commit_timestamp"
_SHOWN = 5


def list_versions(
    spark: "SparkSession", source: "Source", *, name: str, taken: Sequence[LandedFile]
) -> list[LandedFile]:
    """What was taken, and the versions that came after it; a snapshot is one version alone.

    Raises:
        TableNotFoundError: there is no such table, or no such version.
        ContractError: the table was made anew, or rows were changed where only added ones are read.
    """
    feed = read_feed(spark, source.path)
    wanted = source.delta.version if source.delta else None
    if wanted is not None:
        commit = feed.find(wanted)
        if commit is None:
            raise ContractError(
                f"source {name}: {source.path} has no version {wanted}; its log has v{feed.commits[-1].version} to "
                f"v{feed.commits[0].version}. Change `sources.{name}.delta.version`."
            )
        return [_name_version(source, commit)]
    newest = feed.commits[0]
    if not taken:
        return [_name_version(source, newest)]
    if source.mode == "snapshot":
        is_same = _is_same(feed, taken[-1]) and not _find_moved(feed, _last_version(taken[-1]))
        return [*taken] if is_same else [_name_version(source, newest)]
    _require_same_table(feed, source, taken[-1], name=name)
    last = _last_version(taken[-1])
    if not _find_moved(feed, last):
        return [*taken]
    _require_readable(feed, source, last, name=name)
    return [*taken, LandedFile(f"{source.path}@v{last + 1}-v{newest.version}", 0, newest.at)]


def read_versions(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Rows of the versions.

    Raises:
        TableNotFoundError: a version is gone.
        ContractError: columns may not be called so.
    """
    parts = (_read_piece(spark, source, path) for path in paths)
    return reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), parts)


def _read_piece(spark: "SparkSession", source: "Source", path: str) -> "DataFrame":
    found = _NAME.fullmatch(path)
    if found is None:
        raise ContractError(
            f"{path!r} names no version of a Delta table. Start over with `sparkml-ops ingest … --full`."
        )
    first, last = int(found["first"]), int(found["last"] or found["first"])
    takes_changes = source.delta is not None and source.delta.changes
    if found["last"] is None:
        rows = read_version(spark, source.path, first)
        at = F.lit(_time_of(spark, source, first)).cast("timestamp")
        about = {_TYPE: F.lit("insert"), _VERSION: F.lit(first).cast("bigint"), _AT: at}
    else:
        # What a row was before it was changed is no news.
        rows = read_changes(spark, source.path, first, last).where(f"{_TYPE} <> 'update_preimage'")
        about = {name: F.col(name) for name in (_TYPE, _VERSION, _AT)}
    own = rows.drop(*about)
    names = name_rows(own, source, place=source.path)
    kept = rows.select(*map(quote_identifier, names), *[column.alias(name) for name, column in about.items()])
    return _give(kept, source, names, takes_changes=takes_changes, path=path)


def _give(rows: "DataFrame", source: "Source", names: Sequence[str], *, takes_changes: bool, path: str) -> "DataFrame":
    if takes_changes:
        renamed = {name.removeprefix("_"): F.col(name) for name in (_TYPE, _VERSION, _AT)}
        clash = sorted(set(renamed) & set(names))
        if clash:
            raise ContractError(
                f"{source.path} has the columns {clash}, which `delta: {{changes: true}}` calls its own. Rename them at the source."
            )
        rows, names = rows.withColumns(renamed), [*names, *renamed]
    fault = F.lit(None).cast("string") if takes_changes else F.when(F.col(_TYPE) != "insert", NO_ADDED_ROW)
    return rows.select(
        *plain_values(rows, names),
        write_down(rows, names).alias(RAW),
        fault.alias("_malformed"),
        F.lit(path).alias("_source_file"),
        F.lit(None).cast("string").alias(HEADER),
        *place_columns(),
    )


def _time_of(spark: "SparkSession", source: "Source", version: int) -> object:
    commit = read_feed(spark, source.path).find(version)
    return commit.at if commit else None


def _name_version(source: "Source", commit: TableCommit) -> LandedFile:
    return LandedFile(f"{source.path}@v{commit.version}", 0, commit.at)


def _last_version(piece: LandedFile) -> int:
    found = _NAME.fullmatch(piece.path)
    return int(found["last"] or found["first"]) if found else -1


def _find_moved(feed: TableFeed, version: int) -> list[TableCommit]:
    """The later versions that did something to the rows; OPTIMIZE, for one, does nothing."""
    return [commit for commit in reversed(feed.commits) if commit.version > version and commit.effect != "none"]


def _is_same(feed: TableFeed, piece: LandedFile) -> bool:
    """Whether the version that was read is still the one of that number."""
    commit = feed.find(_last_version(piece))
    return commit is not None and commit.at == piece.modified_at


def _require_same_table(feed: TableFeed, source: "Source", piece: LandedFile, *, name: str) -> None:
    if _is_same(feed, piece):
        return
    version = _last_version(piece)
    commit = feed.find(version)
    found = (
        f"its log has v{feed.commits[-1].version} to v{feed.commits[0].version}"
        if commit is None
        else f"that version is of {commit.at:%Y-%m-%d %H:%M:%S} now, and was of {piece.modified_at:%Y-%m-%d %H:%M:%S}"
    )
    raise ContractError(
        f"source {name}: {source.path} was read up to v{version}, and {found}: the table was made anew, or its log was cleaned. Nothing "
        f"was written. Take everything in anew with `sparkml-ops ingest … --source {name} --full`."
    )


def _require_readable(feed: TableFeed, source: "Source", last: int, *, name: str) -> None:
    """What came after a version can be told row by row, and is what the source is declared to be."""
    takes_changes = source.delta is not None and source.delta.changes
    changed = [commit for commit in _find_moved(feed, last) if commit.effect == "changed"]
    if changed and not takes_changes:
        shown = ", ".join(f"v{commit.version} ({commit.operation})" for commit in changed[:_SHOWN])
        raise ContractError(
            f"source {name}: rows of {source.path} were changed or removed by {shown}, and only added rows are read. Nothing was "
            f"written. Take changes in with `mode: merge` and `delta: {{changes: true}}`, or all anew with "
            f"`sparkml-ops ingest … --source {name} --full`."
        )
    if not feed.has_changes:
        raise ContractError(
            f"source {name}: {source.path} keeps no change feed, so the rows that came after v{last} cannot be told from the others. "
            f"Its owner can say `ALTER TABLE … SET TBLPROPERTIES (delta.enableChangeDataFeed = true)`, after which `--full` starts "
            "over; `mode: snapshot` reads it without."
        )
