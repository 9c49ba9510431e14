"""The express lane: of a large batch, the rows that are beyond doubt are written once, as the files that the clean table will have.

Most rows of most batches are written plainly (`readers/plain.py`) and break no rule. Arrow types them, Spark holds them against the
rules, and they go straight into files. All other lines are kept as they came, and go the long way (parser, casts, rules, reasons), and
with them the first and last lines of each block, by which lines are counted, and a sample, by which columns are profiled. What a
row is, and why it is refused, is said by the long way alone: the express lane takes only rows of which it would say the same.

A row that is found to be there twice is found too late to have kept its text: such a batch goes the long way from the start.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import (
    BLOCK,
    HEADER,
    POSITION,
    RAW,
    apply_contract,
    flag_sound,
    text_of,
    type_values,
)
from sparkml_ops.ingestion.counts import BatchCounts
from sparkml_ops.ingestion.profile import has_bounds, list_kinds
from sparkml_ops.ingestion.readers.csv import Alike, find_headers, put_together, split_lines
from sparkml_ops.ingestion.readers.lines import decode_lines, read_text
from sparkml_ops.ingestion.readers.plain import IS_BOUND, IS_PLAIN, LINE, can_be_plain, plain_type, take_apart
from sparkml_ops.ingestion.write import as_table
from sparkml_ops.lake import Lake, stage_files, table_exists
from sparkml_ops.lake.adopt import can_adopt
from sparkml_ops.lake.footers import Footer, join_bounds, read_footers

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

    from sparkml_ops.config.sources import Column as Rule
    from sparkml_ops.config.sources import Source

LEAST_BYTES = 64_000_000
"""Of less than this, starting Python beside each core takes longer than it saves."""
SAMPLE_BYTES = 8_000_000
_MOST_HEADERS = 8  # each is a plan of its own
_LANE, _PLAIN, _IS_SOUND = "_lane", "_plain", "_is_sound"
_SURE, _REST = "sure", "rest"


@dataclass(frozen=True)
class Express:
    """What came of a batch's first reading.

    Attributes:
        sure: rows that are beyond doubt, with the table's columns.
        footers: the files that they stand in.
        columns: the table's columns.
        lines: all other lines, as they came; what `readers` give.
        one_in: how many rows one row of the sample stands for.
    """

    sure: "DataFrame"
    footers: Sequence[Footer]
    columns: "StructType"
    lines: "DataFrame"
    one_in: int

    def is_sampled(self) -> "Column":
        """True of lines that are in the sample."""
        return _is_sampled(self.one_in)


def may_go_express(lake: Lake, source: "Source", batch: Batch) -> bool:
    """Whether a batch is large enough, only adds rows, and asks for nothing that needs each row's text later on."""
    if source.format != "csv" or batch.size_bytes < LEAST_BYTES:
        return False
    refers = any(rule.references for rule in source.columns.values())
    needs_text = refers or source.merge is not None or source.new_columns == "add" or bool(source.partition_columns)
    adds = batch.mode == "append" or (batch.mode == "replace" and not table_exists(lake, f"clean_{batch.source}"))
    return adds and not needs_text and can_be_plain(source)


@contextmanager
def read_express(lake: Lake, source: "Source", batch: Batch) -> Iterator[Express | None]:
    """Read the batch's files once; None, and nothing read, where the table takes no files or headers are too many.

    Raises:
        ContractError: the columns are not those of the contract, a file cannot be read, or an expression fails.
        OverflowError: a derived moment is past the year 9999, so that the files' bounds cannot be told.
    """
    alike = find_headers(lake.spark, source, [file.path for file in batch.files])
    one_in = -(-batch.size_bytes // SAMPLE_BYTES)
    rows = put_together([_sort_lines(lake, source, batch, one, one_in=one_in) for one in alike[:_MOST_HEADERS]])
    names = rows.columns[: rows.columns.index("_source_file") + 1]
    columns = rows.select(*names).schema
    if len(alike) > _MOST_HEADERS or not can_adopt(lake, f"clean_{batch.source}", columns):
        yield None
        return
    with stage_files(lake, batch.source, "express", rows, by=_LANE) as folder:
        staged = lake.spark.read.schema(rows.schema).parquet(folder)
        sure, rest = (staged.where(F.col(_LANE) == lane) for lane in (_SURE, _REST))
        kept = [F.col(f"_kept{name}").alias(name) for name in (HEADER, BLOCK, POSITION)]
        lines = decode_lines(rest.select(F.col(f"_kept{RAW}").alias("value"), "_source_file", *kept), source)
        judged = apply_contract(
            put_together(
                [
                    split_lines(lines.where(F.col(HEADER) == one.header), source, one.header, names=one.names)
                    for one in alike
                ]
            ),
            source,
            name=batch.source,
        )
        yield Express(sure.select(*names), read_footers(_list_files(folder, _SURE)), columns, judged, one_in)


def _sort_lines(lake: Lake, source: "Source", batch: Batch, alike: Alike, *, one_in: int) -> "DataFrame":
    """The table's columns of each line, and of what goes the long way the line as it came (`_raw`) and where it stood."""
    lines = read_text(lake.spark, alike.files)
    split = partial(take_apart, alike.header, alike.names, source)
    told = lines.withColumn(_PLAIN, split(F.col("value"), F.xxhash64("_source_file", BLOCK)))
    typed = told.select(
        F.col("value").alias(RAW),
        "_source_file",
        BLOCK,
        F.col(_PLAIN).getField(LINE).alias(POSITION),
        F.col(_PLAIN).getField(IS_BOUND).alias(IS_BOUND),
        F.col(_PLAIN).getField(IS_PLAIN).alias(IS_PLAIN),
        *[one for name, rule in source.columns.items() for one in _type_column(name, rule)],
    )
    is_sure = F.col(IS_PLAIN) & F.col(_IS_SOUND) & ~F.col(IS_BOUND) & ~_is_sampled(one_in)
    sorted_ = flag_sound(typed, source, flag=_IS_SOUND).withColumn(_LANE, F.when(is_sure, _SURE).otherwise(_REST))
    told_of_rest = {RAW: F.col(RAW), HEADER: F.lit(alike.header), BLOCK: F.col(BLOCK), POSITION: F.col(POSITION)}
    kept = [F.when(F.col(_LANE) == _REST, value).alias(f"_kept{name}") for name, value in told_of_rest.items()]
    columns = sorted_.select(*source.column_names(), "_source_file", _LANE, *kept)
    return as_table(source, batch, columns, kept=columns.columns[-len(kept) - 1 :])


def _type_column(name: str, rule: "Rule") -> "tuple[Column, Column]":
    """The text and the value of a column; a value that is typed already has no text."""
    plain = F.col(_PLAIN).getField(name)
    is_text = isinstance(plain_type(rule), StringType)
    text = plain if is_text else F.lit(None).cast("string")
    return text.alias(text_of(name)), (type_values(plain, rule) if is_text else plain).alias(name)


def _is_sampled(one_in: int) -> "Column":
    return F.pmod(F.xxhash64(BLOCK, POSITION), F.lit(one_in)) == 0


@contextmanager
def write_late(lake: Lake, source: "Source", batch: Batch, late: "DataFrame") -> Iterator[list[Footer]]:
    """The rows that went the long way and are good, in files like those of the others; they are there while the block runs."""
    rows = as_table(source, batch, late).withColumn(_LANE, F.lit(_REST))
    with stage_files(lake, batch.source, "late", rows, by=_LANE) as folder:
        yield read_footers(_list_files(folder, _REST))


def _list_files(folder: str, lane: str) -> list[Path]:
    return sorted(Path(folder.removeprefix("file://"), f"{_LANE}={lane}").glob("*.parquet"))


def join_counts(late: BatchCounts, express: Express, lines: "DataFrame", source: "Source") -> BatchCounts:
    """The counts of all rows of a batch.

    Args:
        late: of those that went the long way.
        express: what came of the first reading.
        lines: all lines that went the long way, the first and last of each block among them: how many there are of the others
            follows from where these stand, and not from the files that were written.
        source: the contract.
    """
    blocks = lines.groupBy("_source_file", BLOCK).agg((lines_in_block() - F.count("*")).alias("sure"))
    sure = int(blocks.agg(F.sum("sure")).collect()[0][0] or 0)
    figures = dict(late.figures)
    for name, figure in _measure_sure(express, source).items():
        figures[name] = _JOINED[name.rpartition(".")[2]](figure, figures.get(name))
    newest = late.newest
    if source.freshness is not None:
        greatest = join_bounds(express.footers, source.freshness.of).greatest
        newest = max((one for one in (newest, _to_utc(greatest)) if one is not None), default=None)
    return replace(late, rows_in=late.rows_in + sure, newest=newest, figures=figures)


def lines_in_block() -> "Column":
    """Aggregate over the lines that went the long way: how many lines their block has, for its last is one of them."""
    return F.max(POSITION) + 1


def _to_utc(moment: Any) -> datetime | None:
    return moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else None


def _measure_sure(express: Express, source: "Source") -> dict[str, float | None]:
    """What the files tell of their columns, by the names that `list_figures` has for it: numbers, and moments as seconds since 1970."""
    found: dict[str, float | None] = {}
    for name, kind in list_kinds(express.sure, source).items():
        bounds = join_bounds(express.footers, name)
        found[f"{name}.nulls"] = bounds.nulls
        if has_bounds(name, kind, source):
            found |= {f"{name}.min": _as_number(bounds.least), f"{name}.max": _as_number(bounds.greatest)}
    return found


def _least(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _greatest(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _sum(one: float | None, other: float | None) -> float | None:
    return (one or 0) + (other or 0)


_JOINED = {"nulls": _sum, "min": _least, "max": _greatest}


def _as_number(value: Any) -> float | None:
    """A bound as a profile tells it; None for what is no number and no moment."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).timestamp()
    if isinstance(value, date):
        return float((value - date(1970, 1, 1)).days * 86_400)
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return float(value) + 0.0 if is_number else None  # a file's least zero is -0.0, whatever the rows have
