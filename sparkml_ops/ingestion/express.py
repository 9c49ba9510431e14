"""The express lane: of a large batch, the rows that are beyond doubt are written once, as the files that the clean table will have.

Most rows of most batches are written plainly (`readers/plain.py`) and break no rule. Arrow types them and puts them into files, while
Spark holds them against the rules; a row that breaks one is taken out of its file again. All other lines are kept as they came,
and go the long way (parser, casts, rules, reasons), and with them the first and last lines of each block, by which lines are counted,
and a sample, by which columns are profiled. What a row is, and why it is refused, is said by the long way alone: the express lane
takes only rows of which it would say the same.

Where a column needs Spark (one that is derived, or has a `format`), or the table takes no files, the files are read once more and
their rows written as usual.

A row that is found to be there twice is found too late to have kept its text: such a batch goes the long way from the start.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkml_ops.config.sources import Column as Rule
from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import (
    BLOCK,
    POSITION,
    RAW,
    apply_contract,
    flag_sound,
    text_of,
    type_values,
)
from sparkml_ops.ingestion.files import encoded_path, literal_path
from sparkml_ops.ingestion.lane import (
    FILE,
    PIECE,
    ROW,
    Lane,
    find_lines,
    is_sampled,
    read_lane,
    take_rows_out,
    told_of_lines,
)
from sparkml_ops.ingestion.readers.blocks import cut_pieces, find_local
from sparkml_ops.ingestion.readers.csv import Alike, find_headers, put_together, split_lines
from sparkml_ops.ingestion.readers.lines import decode_lines
from sparkml_ops.ingestion.readers.plain import Layout, can_be_plain, plain_type
from sparkml_ops.ingestion.readers.plain_rules import share_rule
from sparkml_ops.ingestion.uniqueness import has_duplicates
from sparkml_ops.ingestion.write import as_table
from sparkml_ops.lake import Lake, stage_files, stage_folder, table_exists
from sparkml_ops.lake.adopt import can_adopt
from sparkml_ops.lake.arrow_files import choose_codec
from sparkml_ops.lake.footers import Footer, ascend_apart, read_footers
from sparkml_ops.lake.location import local_root

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import Column, DataFrame

    from sparkml_ops.config.sources import Source

LEAST_BYTES = 64_000_000
"""Of less than this, starting Python beside each core takes longer than it saves."""
SAMPLE_BYTES = 4_000_000
_MOST_HEADERS = 8  # each is a plan of its own for the lines that go the long way
_MOST_AT_HAND = 1_000_000  # keys
_LEAST_PIECE_BYTES = 4_000_000
_IS_SOUND = "_is_sound"
_REST = f"{RAW} binary, {PIECE} int, {POSITION} bigint, {FILE} bigint, {ROW} bigint"


@dataclass(frozen=True)
class Express:
    """What came of a batch's first reading.

    Attributes:
        sure: rows that are beyond doubt: the columns of the contract, and `_source_file`.
        lines: all other lines, as they came; what `readers` give.
        kept: how many these are.
        one_in: how many rows one row of the sample stands for.
        footers: the files that the sure rows stand in.
        are_the_tables: whether the table can have these files as they are.
        columns: the table's columns.
    """

    sure: "DataFrame"
    lines: "DataFrame"
    kept: int
    one_in: int
    footers: Sequence[Footer]
    are_the_tables: bool
    columns: StructType

    def is_sampled(self) -> "Column":
        """True of lines that are in the sample."""
        return is_sampled(self.one_in)


def may_go_express(lake: Lake, source: "Source", batch: Batch) -> bool:
    """Whether a batch is large enough, only adds rows, and asks for nothing that needs each row's text later on."""
    if source.format != "csv" or batch.size_bytes < LEAST_BYTES or local_root(lake) is None:
        return False
    refers = any(rule.references for rule in source.columns.values())
    needs_text = refers or source.merge is not None or source.on_new_columns == "add" or bool(source.partition_columns)
    adds = batch.mode == "append" or (batch.mode == "replace" and not table_exists(lake, f"clean_{batch.source}"))
    is_local = all(find_local(file.path) for file in batch.files)
    return adds and is_local and not needs_text and can_be_plain(source)


@contextmanager
def read_express(lake: Lake, source: "Source", batch: Batch) -> Iterator[Express | None]:
    """Read the batch's files once; None, and nothing read, where headers are too many.

    Raises:
        ContractError: the columns are not those of the contract, a file cannot be read, or an expression fails.
        OverflowError: a moment of a row that goes the long way is past the year 9999, so that its file's bounds cannot be told.
        PythonException: a task failed.
    """
    alike = find_headers(lake.spark, source, [file.path for file in batch.files])
    if len(alike) > _MOST_HEADERS:
        yield None
        return
    with stage_folder(lake, batch.source, "express") as folder:
        lane = _plan_lane(lake, source, batch, alike, folder=f"{folder.removeprefix('file://')}/sure")
        Path(lane.folder).mkdir()
        files, rest, kept = _run_lane(lake, source, lane, rest=f"{folder}/rest")
        sure = _judge_typed(_read_files(lake, lane, files), source).select(*source.column_names(), "_source_file")
        columns = as_table(source, batch, sure.limit(0)).schema
        yield Express(
            sure,
            _judge_rest(lake, source, batch, lane, alike, rest),
            kept,
            lane.one_in,
            read_footers(files),
            bool(lane.stamps) and can_adopt(lake, f"clean_{batch.source}", columns),
            columns,
        )


def _plan_lane(lake: Lake, source: "Source", batch: Batch, alike: Sequence[Alike], *, folder: str) -> Lane:
    shares = {name: share_rule(rule, is_key=name in source.key) for name, rule in source.columns.items()}
    rules = {name: rule for name, (rule, _) in shares.items()}
    is_final = not source.derive and all(
        rules[name].kind == rule.type and rule.format is None for name, rule in source.columns.items()
    )
    stamps: dict[str, str | datetime] = {"_ingested_at": batch.started_at, "_batch_id": batch.batch_id}
    layouts, orders = [], []
    for one in alike:
        asked = [name for name in one.names if name in rules]
        types = tuple(rules[name].kind if name in rules else None for name in one.names)
        layouts.append(Layout(one.header, source.delimiter, ("", *source.null_values), types))
        orders.append([asked.index(name) for name in rules])
    sizes = [(file.path, file.size_bytes, kind) for kind, one in enumerate(alike) for file in one.files]
    return Lane(
        cut_pieces(
            [(find_local(path) or path, size, kind) for path, size, kind in sizes],
            most_bytes=_choose_piece_bytes(lake, sum(size for _, size, _ in sizes)),
        ),
        layouts,
        rules,
        list(_leave_to_spark(source).columns),
        orders,
        stamps if is_final else {},
        {find_local(path) or path: encoded_path(lake.spark, path) for path, _, _ in sizes},
        folder,
        uuid4().hex,
        choose_codec(lake),
        source.key[0] if len(source.key) == 1 else None,
        -(-batch.size_bytes // SAMPLE_BYTES),
    )


def _leave_to_spark(source: "Source") -> "Source":
    """The part of the contract that Spark must look at, with the columns that it takes."""
    left = {name: share_rule(rule, is_key=name in source.key)[1] for name, rule in source.columns.items()}
    derived = source.derive if source.expect else {}  # nothing else here looks at them
    texts = " ".join([*derived.values(), *(wanted.rule for wanted in source.expect)]).lower()
    named = {name for name in source.columns if name.lower() in texts}
    columns = {
        name: rule or Rule(type=source.columns[name].type, nullable=True)
        for name, rule in left.items()
        if rule is not None or name in named
    }
    return source.model_copy(update={"columns": columns, "key": [], "derive": derived})


def _choose_piece_bytes(lake: Lake, size_bytes: int) -> int:
    """As Spark chooses it for its own reads."""
    most = int(lake.spark._jsparkSession.sessionState().conf().filesMaxPartitionBytes())  # noqa: SLF001  # the text may be "128m"
    return min(most, max(_LEAST_PIECE_BYTES, -(-size_bytes // lake.spark.sparkContext.defaultParallelism)))


def _run_lane(lake: Lake, source: "Source", lane: Lane, *, rest: str) -> "tuple[list[Path], DataFrame, int]":
    """Read all: the files of the rows that are sure, the lines that are kept for the long way, and how many these are."""
    tasks = lake.spark.range(0, len(lane.tasks), 1, len(lane.tasks))
    lines = tasks.mapInArrow(read_lane(lane), told_of_lines(lane))
    is_sure = F.col(ROW).isNotNull() & F.col(_IS_SOUND)
    kept = _judge_typed(lines, _leave_to_spark(source)).where(~is_sure).select(RAW, PIECE, POSITION, FILE, ROW)
    kept.write.option("compression", "lz4").parquet(rest)
    staged = lake.spark.read.schema(_REST).parquet(rest)
    # Each attempt that ended well has lines here, the first and last of its blocks among them.
    counted = staged.groupBy(FILE).agg(F.count("*").alias("kept"), F.count(ROW).alias("unsound")).collect()
    names = {row[FILE]: lane.name_file(row[FILE]) for row in counted}
    texts = staged.where(F.col(ROW).isNull()).select(RAW, PIECE, POSITION)
    if any(row["unsound"] for row in counted):
        unsound = staged.where(F.col(ROW).isNotNull())
        taken = unsound.groupBy(FILE).applyInArrow(take_rows_out(lane), f"{FILE} bigint, name string")
        names |= {row[FILE]: row["name"] for row in taken.collect()}
        texts = texts.union(unsound.groupBy(PIECE).applyInArrow(find_lines(lane), texts.schema))
    files = sorted(file for name in names.values() if (file := Path(lane.folder, name)).exists())
    return files, texts, sum(row["kept"] for row in counted)


def _judge_typed(rows: "DataFrame", source: "Source") -> "DataFrame":
    """Rows of the lane with all columns of the contract, and whether they are sound."""
    others = [name for name in rows.columns if name not in source.columns]
    typed = rows.select(*others, *[one for name, rule in source.columns.items() for one in _type_column(name, rule)])
    return flag_sound(typed, source, flag=_IS_SOUND)


def _type_column(name: str, rule: Rule) -> "tuple[Column, Column]":
    """The text and the value of a column; a value that is typed already has no text."""
    plain = F.col(name)
    is_text = plain_type(rule) == "string"
    text = plain if is_text else F.lit(None).cast("string")
    return text.alias(text_of(name)), (type_values(plain, rule) if is_text else plain).alias(name)


def _read_files(lake: Lake, lane: Lane, files: Sequence[Path]) -> "DataFrame":
    columns = lane.columns(lane.rules).add("_source_file", "string")
    if not files:
        return lake.spark.createDataFrame([], columns)
    read = lake.spark.read.schema(columns)
    return read.parquet(*[literal_path(f"file://{file}") for file in files])


def _judge_rest(
    lake: Lake, source: "Source", batch: Batch, lane: Lane, alike: Sequence[Alike], rest: "DataFrame"
) -> "DataFrame":
    """The lines that were kept, by the long way."""
    pieces = lake.spark.createDataFrame(
        [(at, lane.source_files[one.path], one.start, one.kind) for at, one in enumerate(lane.list_pieces())],
        f"{PIECE} int, _source_file string, {BLOCK} bigint, _kind int",
    )
    line = F.col(RAW).cast("string")
    placed = rest.join(F.broadcast(pieces), PIECE).select(line.alias("value"), "_source_file", "_kind", BLOCK, POSITION)
    lines = decode_lines(placed, source)
    parts = [
        split_lines(lines.where(F.col("_kind") == kind), source, one.header, names=one.names)
        for kind, one in enumerate(alike)
    ]
    return apply_contract(put_together(parts), source, name=batch.source)


def has_keys_twice(
    express: Express, late: "DataFrame", source: "Source", batch: Batch, existing: "DataFrame | None"
) -> bool:
    """Whether two rows of the batch have the same key, or one has a key of the table.

    Args:
        express: what came of the first reading.
        late: the good ones of the rows that went the long way.
        source: the contract.
        batch: the batch.
        existing: rows of the table, if there are any.
    """
    sure, others = express.sure.select(*source.key), late.select(*source.key)
    if existing is None and express.kept <= _MOST_AT_HAND and ascend_apart(express.footers, source.key[0]):
        # No two of the sure rows have the same key, so only the others need be held against them.
        twice = others.groupBy(*source.key).count().where("count > 1").select(*source.key)
        return not twice.union(sure.join(F.broadcast(others), [*source.key], "left_semi")).limit(1).isEmpty()
    keys = sure.union(others)
    return has_duplicates(keys, source.key, refused=F.lit(False), existing=existing, size_bytes=batch.size_bytes)


@contextmanager
def write_late(lake: Lake, source: "Source", batch: Batch, late: "DataFrame") -> Iterator[list[Footer]]:
    """The rows that went the long way and are good, in files like those of the others; they are there while the block runs."""
    with stage_files(lake, batch.source, "late", as_table(source, batch, late)) as folder:
        yield read_footers(sorted(Path(folder.removeprefix("file://")).glob("*.parquet")))
