"""Published rows as Parquet or CSV: a folder per version, there whole or not at all.

`<path>/current/v0000000012/`, or `<path>/batch-<name>/v…/` for one batch, has the files, `_SUCCESS`, and `_manifest.json`, which says what is in
them: version, batch, rows, and size and SHA-256 of each file. It is written beside its place and moved there in one step.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pyspark.sql import functions as F

from sparkml_ops.config.exports import FilesExport
from sparkml_ops.delivery.plans import ExportPlan
from sparkml_ops.delivery.published import Published
from sparkml_ops.delivery.rows import write_as_text
from sparkml_ops.errors import SetupError
from sparkml_ops.lake.folders import FolderDraft, draft_folder, read_back, read_manifest


@dataclass(frozen=True)
class FilesOrder:
    """What is to be written where.

    Attributes:
        use_case: name of the use case.
        name: of the export.
        export: where to, and in which format.
        published: what there is.
        run_id: the run that this belongs to.
        full: write the folder anew.
        dry_run: only tell.
    """

    use_case: str
    name: str
    export: FilesExport
    published: Published
    run_id: str
    full: bool = False
    dry_run: bool = False

    @property
    def folder(self) -> str:
        """The folder of this version; a batch's name is written so that no name leaves `path`."""
        batch = self.published.batch
        scope = "current" if batch is None else f"batch-{quote(batch, safe='')}"
        return f"{self.export.path.rstrip('/')}/{scope}/v{self.published.version:010d}"


@dataclass(frozen=True)
class Written:
    """What was done, where, and how many rows there are."""

    plan: ExportPlan
    folder: str
    rows: int


def export_to_files(order: FilesOrder) -> Written:
    """Write what is published into the folder of its version, unless that is there already.

    Raises:
        ConfigError: there is something else at that place, or it cannot be written to.
        SetupError: the files do not hold the rows that were to be written.
    """
    earlier = read_manifest(order.published.lake, order.folder)
    if earlier and earlier.get("table_id") == order.published.table_id and not order.full:
        plan = ExportPlan("unchanged", f"{order.folder} is there already", order.published.version)
        return Written(plan, order.folder, int(earlier["rows"]))
    reason = (
        "as asked"
        if order.full
        else "what is there is of another table"
        if earlier is not None
        else "it is not there yet"
    )
    plan = ExportPlan("whole" if order.published.batch is None else "batch", reason)
    if order.dry_run:
        return Written(plan, order.folder, order.published.measure()[0])
    return Written(plan, order.folder, _write(order, replaces=earlier is not None))


def _write(order: FilesOrder, *, replaces: bool) -> int:
    form, lake, published = order.export.to, order.published.lake, order.published
    rows = published.read_rows()
    count, newest = published.measure()
    with draft_folder(lake, order.folder, replace=replaces) as draft:
        draft.save(write_as_text(rows) if form == "csv" else rows, form)
        there = read_back(lake, draft.path, form).count()
        if there != count:
            raise SetupError(
                f"export {order.name}: {count} rows were to be written, and the files have {there}. Nothing is at {order.folder}; run again."
            )
        facts = {"format": form, "rows": count, "newest_as_of": None if newest is None else newest.isoformat()}
        draft.note({**_describe(order), **facts, "columns": _describe_columns(order), "files": _sum_files(draft)})
    return count


def _describe(order: FilesOrder) -> dict[str, Any]:
    return {
        "use_case": order.use_case,
        "export": order.name,
        "batch": order.published.batch,
        "table": "predictions_current",
        "version": order.published.version,
        "table_id": order.published.table_id,
        "run_id": order.run_id,
        "exported_at": datetime.now(UTC).isoformat(),
    }


def _describe_columns(order: FilesOrder) -> list[dict[str, str]]:
    return [
        {"name": column.name, "type": column.dataType.simpleString(), "comment": column.metadata.get("comment", "")}
        for column in order.published.read_rows().schema
    ]


def _sum_files(draft: FolderDraft) -> list[dict[str, Any]]:
    """Name, size and checksum of each file; they are summed where they are, and none is brought here."""
    files = draft.lake.spark.read.format("binaryFile").load(draft.path)
    name = F.element_at(F.split("path", "/"), -1).alias("name")
    summed = files.select(name, F.col("length").alias("bytes"), F.sha2("content", 256).alias("sha256"))
    return [row.asDict() for row in summed.orderBy("name").collect()]
