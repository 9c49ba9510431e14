"""`sparkml-ops export`: published predictions to databases and files."""

from typing import Annotated

import typer

from sparkml_ops.cli.options import Json, RunId, UseCaseName, open_both
from sparkml_ops.cli.output import print_result


def export(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    name: Annotated[str, typer.Argument(help="Name of an export in the section `exports`.", metavar="EXPORT")],
    batch: Annotated[
        str | None, typer.Option(help="Only the rows of this published batch; all that is published by default.")
    ] = None,
    run_id: RunId = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Bring all rows, whatever the target has.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be brought.")] = False,
    as_json: Json = False,
) -> int:
    """Bring what is published to a database or a folder; a version comes once, whole or not at all.

    A database gets what changed since the last time. Killed at any moment, run it again.

    Examples:
        sparkml-ops export flights warehouse

        sparkml-ops export flights files --batch 2013-12

        sparkml-ops export flights warehouse --dry-run
    """
    loaded, lake = open_both(use_case, context.obj, check=lambda found: found.require_export(name))
    from sparkml_ops.delivery import ExportResult, export_predictions

    result = export_predictions(loaded, lake, name, batch=batch, full=full, dry_run=dry_run, run_id=run_id)

    def tell(done: ExportResult) -> str:
        if done.mode == "unchanged":
            return f"{done.target}: {done.reason}; nothing to bring"
        would = "would be " if done.is_dry_run else ""
        counts = [(done.changed, "changed"), (done.removed, "removed")]
        more = "".join(f", {number} {word}" for number, word in counts if number is not None)
        what = "" if done.batch is None else f" of batch {done.batch}"
        return (
            f"{done.target}: v{done.version}{what} {would}brought ({done.mode}: {done.reason}): {done.rows} rows{more}"
        )

    return print_result(result, as_json=as_json, lines=lambda: [tell(result)])
