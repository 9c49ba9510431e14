"""A batch's rows with all that speaks against each: first row by row, then against other rows."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.contract import HEADER, IS_ROW, apply_contract, blaming_expressions, find_severities
from sparkml_ops.ingestion.counts import flag_refused
from sparkml_ops.ingestion.merge import judge_changes
from sparkml_ops.ingestion.pieces import read_pieces
from sparkml_ops.ingestion.references import Parents, flag_orphans, read_parents
from sparkml_ops.ingestion.uniqueness import flag_duplicates, has_duplicates
from sparkml_ops.ingestion.write import list_encoded
from sparkml_ops.lake import Lake, read_table, stage_rows, table_exists

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Source


@dataclass(frozen=True)
class Judged:
    """A batch that was read and judged.

    Attributes:
        rows: the batch's rows with their violations.
        lines: all that was read; headers and blank lines too.
        referred: versions of the tables that rows were held against, by table.
    """

    rows: "DataFrame"
    lines: "DataFrame"
    referred: "Mapping[str, int]"


@contextmanager
def judge_batch(lake: Lake, source: "Source", batch: Batch) -> Iterator[Judged]:
    """Read the batch's pieces, once, and judge their rows; they are at hand while the block runs.

    Raises:
        ContractError: the columns are not those of the contract, a file cannot be read, or an expression fails.
    """
    parents, referred = read_parents(lake, source, name=batch.source)
    judged = apply_contract(read_pieces(lake, source, batch), source, name=batch.source)
    with ExitStack() as stack:
        with blaming_expressions(batch.source):
            lines = stack.enter_context(stage_rows(lake, batch.source, judged, repeated=(HEADER, "_source_file")))
        rows = stack.enter_context(hold_together(lake, source, batch, lines.where(IS_ROW), parents=parents))
        yield Judged(rows, lines, referred)


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
        is_doubled = has_duplicates(judged, source.key, refused=is_refused, existing=existing)
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
