"""A batch's rows with all that speaks against each: first row by row, then against other rows."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pyspark.errors import PythonException
from pyspark.sql import functions as F

from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import HEADER, IS_ROW, apply_contract, blaming_expressions, find_severities
from sparkml_ops.ingestion.counts import BatchCounts, count_rows, flag_refused
from sparkml_ops.ingestion.express import Express, has_keys_twice, may_go_express, read_express, write_late
from sparkml_ops.ingestion.express_counts import join_counts, lines_in_block
from sparkml_ops.ingestion.merge import judge_changes
from sparkml_ops.ingestion.pieces import read_pieces
from sparkml_ops.ingestion.positions import number_lines
from sparkml_ops.ingestion.profile import Sample, choose_sample, list_bounds, list_figures
from sparkml_ops.ingestion.references import Parents, flag_orphans, read_parents
from sparkml_ops.ingestion.uniqueness import flag_duplicates, has_duplicates
from sparkml_ops.ingestion.write import list_encoded
from sparkml_ops.lake import Lake, read_table, stage_rows, table_exists

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    from sparkml_ops.config.sources import Source
    from sparkml_ops.lake.footers import Footer

logger = logging.getLogger(__name__)

_REPEATED = (HEADER, "_source_file")


@dataclass(frozen=True)
class Files:
    """Files that hold all rows of a batch that are taken in.

    Attributes:
        footers: the files.
        columns: the columns of the clean table.
    """

    footers: "Sequence[Footer]"
    columns: "StructType"


@dataclass(frozen=True)
class Judged:
    """A batch that was read and judged.

    Attributes:
        good: the rows that have a place in the table.
        refused: the others, with their violations, and as they came.
        counts: how many there are of each.
        sample: some of the good ones.
        referred: versions of the tables that rows were held against, by table.
        number: adds `_line` to refused rows.
        files: where the good rows stand in files already that can become the table's.
    """

    good: "DataFrame"
    refused: "DataFrame"
    counts: BatchCounts
    sample: Sample
    referred: "Mapping[str, int]"
    number: "Callable[[DataFrame], DataFrame]"
    files: Files | None = None


@contextmanager
def judge_batch(lake: Lake, source: "Source", batch: Batch) -> Iterator[Judged]:
    """Read the batch's pieces, once, and judge their rows; they are at hand while the block runs.

    Raises:
        ContractError: the columns are not those of the contract, a file cannot be read, or an expression fails.
    """
    with ExitStack() as stack:
        judged = _try_express(stack, lake, source, batch) if may_go_express(lake, source, batch) else None
        yield judged or stack.enter_context(_go_the_long_way(lake, source, batch))


def _try_express(stack: ExitStack, lake: Lake, source: "Source", batch: Batch) -> Judged | None:
    lane = stack.enter_context(ExitStack())
    judged, why = None, "keys are there twice, or headers are too many"
    try:
        judged = lane.enter_context(_go_express(lake, source, batch))
    except OverflowError:
        why = "a moment is past the year 9999"
    except PythonException as error:  # what the trouble is, if it is the file's, the long way tells
        why = f"a task failed: {str(error).strip().splitlines()[-1]}"
    if judged is None:
        logger.info("source %s: batch %s: goes the long way: %s", batch.source, batch.batch_id, why)
        lane.close()  # what it has staged is not needed
    return judged


@contextmanager
def _go_the_long_way(lake: Lake, source: "Source", batch: Batch) -> Iterator[Judged]:
    parents, referred = read_parents(lake, source, batch)
    judged = apply_contract(read_pieces(lake, source, batch), source, name=batch.source)
    is_refused = flag_refused(find_severities(source))
    with ExitStack() as stack:
        with blaming_expressions(batch.source):
            lines = stack.enter_context(stage_rows(lake, batch.source, judged, repeated=_REPEATED))
        rows = stack.enter_context(hold_together(lake, source, batch, lines.where(IS_ROW), parents=parents))
        counts = count_rows(rows, source, is_refused, figures=list_figures(rows, source, taken=~is_refused))
        good, refused = rows.where(~is_refused), rows.where(is_refused)
        sample = choose_sample(good, counts.rows_in - counts.rows_refused)
        yield Judged(good, refused, counts, sample, referred, partial(number_lines, lines=lines))


@contextmanager
def _go_express(lake: Lake, source: "Source", batch: Batch) -> Iterator[Judged | None]:
    """The same by the express lane; None where the batch cannot go there."""
    is_refused = flag_refused(find_severities(source))
    with ExitStack() as stack:
        with blaming_expressions(batch.source):
            express = stack.enter_context(read_express(lake, source, batch))
            if express is None:
                yield None
                return
            lines = stack.enter_context(stage_rows(lake, batch.source, express.lines, repeated=_REPEATED))
        rows = lines.where(IS_ROW)
        late = rows.where(~is_refused)
        figures = list_bounds(rows, source, taken=~is_refused)
        with ThreadPoolExecutor(1, thread_name_prefix="keys") as beside:
            are_twice = beside.submit(has_keys_twice, express, late, source, batch, _read_existing(lake, batch))
            files = stack.enter_context(_list_files(lake, source, batch, express, late))
            with blaming_expressions(batch.source):
                counts = join_counts(count_rows(rows, source, is_refused, figures=figures), express, lines, source)
        if are_twice.result():
            yield None
            return
        good = express.sure.union(late.select(*express.sure.columns))
        sample = Sample(late.where(express.is_sampled()), express.one_in)
        number = partial(number_lines, lines=lines, in_block=lines_in_block())
        yield Judged(good, rows.where(is_refused), counts, sample, {}, number, files)


@contextmanager
def _list_files(
    lake: Lake, source: "Source", batch: Batch, express: Express, late: "DataFrame"
) -> Iterator[Files | None]:
    """The files that the table can have as they are, if it can."""
    if not express.are_the_tables:
        yield None
        return
    with write_late(lake, source, batch, late) as footers:
        yield Files([*express.footers, *footers], express.columns)


@contextmanager
def hold_together(
    lake: Lake, source: "Source", batch: Batch, judged: "DataFrame", *, parents: Parents
) -> Iterator["DataFrame"]:
    """Hold judged rows against those that they refer to, against each other, and against the table."""
    with blaming_expressions(batch.source):
        judged = flag_orphans(judged, source, parents)
    if source.merge is not None:
        with judge_changes(lake, source, batch, judged) as changes:
            yield changes
        return
    is_refused, existing = flag_refused(find_severities(source)), _read_existing(lake, batch)
    # Most batches have no duplicates, and are spared the shuffle of whole rows.
    with blaming_expressions(batch.source):
        is_doubled = has_duplicates(
            judged,
            source.key,
            refused=is_refused,
            existing=existing,
            size_bytes=batch.size_bytes,
        )
    if is_doubled:
        judged = flag_duplicates(judged, source.key, refused=is_refused, existing=existing)
    yield judged


def _read_existing(lake: Lake, batch: Batch) -> "DataFrame | None":
    """Rows of the table that the batch's must not repeat."""
    table = f"clean_{batch.source}"
    if batch.mode not in {"append", "swap", "replay"} or not table_exists(lake, table):
        return None
    # A batch that was killed after this commit must not meet its own rows, nor those that it is to replace.
    existing = read_table(lake, table).where(F.col("_batch_id") != batch.batch_id)
    if batch.mode == "swap":
        existing = existing.where(~F.col("_source_file").isin(list_encoded(lake, batch)))
    return existing
