"""Export: published predictions to a declared database or folder, exactly once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkml_ops.catalog.output_contract import require_promises
from sparkml_ops.config.exports import DatabaseExport
from sparkml_ops.config.use_case import hash_config
from sparkml_ops.delivery.published import CURRENT, find_published
from sparkml_ops.delivery.to_database import DatabaseOrder, export_to_database
from sparkml_ops.delivery.to_files import FilesOrder, export_to_files
from sparkml_ops.lake import new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.delivery.plans import Mode
    from sparkml_ops.delivery.published import Published
    from sparkml_ops.lake import Lake, StepRecord


@dataclass(frozen=True)
class ExportResult:
    """What an export did, or would do.

    Attributes:
        run_id: the run.
        export: its name.
        to: jdbc, parquet or csv.
        target: the table, or the folder.
        batch: the batch; None for all that is published.
        version: of `predictions_current`.
        mode: whole, incremental, batch, or unchanged where the target has that version.
        reason: why that.
        rows: rows that were sent.
        changed: rows that the database put in or updated; None of files and of a dry run.
        removed: rows that it removed, because they are published no more; None where that is not known.
        is_dry_run: nothing was written.
    """

    run_id: str
    export: str
    to: str
    target: str
    batch: str | None
    version: int
    mode: "Mode"
    reason: str
    rows: int
    changed: int | None
    removed: int | None
    is_dry_run: bool


def export_predictions(  # noqa: PLR0913  # each is a choice of the caller's
    use_case: "UseCase",
    lake: "Lake",
    name: str,
    *,
    batch: str | None = None,
    full: bool = False,
    dry_run: bool = False,
    run_id: str | None = None,
) -> ExportResult:
    """Bring what is published to a declared target: a version once, whole or not at all.

    Args:
        use_case: declares the exports.
        lake: where its tables are.
        name: of the export.
        batch: the batch to bring; all that is published by default.
        full: bring all rows, whatever the target has.
        dry_run: only tell what would be done.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: there is no such export, or its target is another one's.
        TableNotFoundError: nothing, or not that batch, is published.
        SetupError: the database cannot be reached, or refuses the user.
        ContractError: what is published breaks its contract, or the database cannot take the rows.
        ConflictError: the same export is under way.
    """
    export, run = use_case.require_export(name), run_id or new_run_id()
    if dry_run:
        return _carry_out(use_case, find_published(lake, batch=batch), name, full=full, run_id=run, dry_run=True)
    with (
        hold_lease(lake, f"export_{name}", wait_seconds=STAGE_WAIT_SECONDS),
        record_step(lake, run_id=run, step=f"export:{name}", config_hash=hash_config(export)) as record,
    ):
        published = find_published(lake, batch=batch)
        record.read(CURRENT, published.version)
        require_promises(use_case, published.read_rows(), place=f"{CURRENT} v{published.version}")
        result = _carry_out(use_case, published, name, full=full, run_id=run, dry_run=False)
        _note(record, result)
    return result


def _carry_out(
    use_case: "UseCase", published: "Published", name: str, *, full: bool, run_id: str, dry_run: bool
) -> ExportResult:
    export = use_case.exports[name]
    if isinstance(export, DatabaseExport):
        brought = export_to_database(
            DatabaseOrder(use_case, name, export, published, run_id, full=full, dry_run=dry_run)
        )
        target, plan, rows = export.table, brought.plan, brought.rows
        changed, removed = brought.changed, brought.removed
    else:
        written = export_to_files(
            FilesOrder(use_case.name, name, export, published, run_id, full=full, dry_run=dry_run)
        )
        target, plan, rows, changed, removed = written.folder, written.plan, written.rows, None, None
    what = published.batch, published.version, plan.mode, plan.reason
    return ExportResult(run_id, name, export.to, target, *what, rows, changed, removed, dry_run)


def _note(record: "StepRecord", result: ExportResult) -> None:
    for key in ("to", "target", "batch", "mode", "reason", "rows", "changed", "removed"):
        value = getattr(result, key)
        if value is not None:
            record.note(key, value)
