"""`sparkml-ops batches`: what was scored, what consumers see of it, and how a person changes that."""

from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.cli.options import Json, RunId, UseCaseName, open_both
from sparkml_ops.cli.output import format_table, format_value, print_result

if TYPE_CHECKING:
    from sparkml_ops.scoring import BatchDifference, BatchesResult, PredictionBatch, Publications

app = typer.Typer(
    help="Scored batches: look at them, publish or hold one, take one back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

BatchName = Annotated[str, typer.Argument(help="Name of the batch.", metavar="BATCH")]
Version = Annotated[
    int | None, typer.Option("--version", min=1, help="Model version that scored it; by default the last that did.")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; recorded in `prediction_batches`.")]
_COLUMNS = ("batch", "version", "role", "status", "since", "by", "rows", "positives", "mean prediction", "current at")


@app.command("list")
def list_batches(
    context: typer.Context,
    use_case: UseCaseName,
    status: Annotated[list[str] | None, typer.Option("--status", help="Only of this status; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Batches to list, the newest.")] = 20,
    *,
    as_json: Json = False,
) -> int:
    """List the batches that were scored: their status, who decided it, and where predictions_current shows them.

    Examples:
        sparkml-ops batches list flights

        sparkml-ops batches list flights --status held
    """
    loaded, lake = open_both(use_case, context.obj, check=lambda _: _check_statuses(status or ()))
    from sparkml_ops.scoring import list_publications, read_batches

    del loaded
    wanted = f"status IN ({', '.join(repr(one) for one in status)})" if status else "true"
    found, publications = read_batches(lake, wanted, newest=limit), list_publications(lake)
    rows = [_lay_out(one, publications) for one in reversed(found)]
    return print_result(
        [{"batch": one, "is_current": publications.shows(one)} for one in reversed(found)],
        as_json=as_json,
        lines=lambda: format_table(_COLUMNS, rows) if rows else ["No such batch was scored."],
    )


@app.command()
def show(context: typer.Context, use_case: UseCaseName, batch: BatchName, *, as_json: Json = False) -> int:
    """Show all that is known of a batch: each version that scored it, its checks, and every decision about it.

    Examples:
        sparkml-ops batches show flights 2013-12
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.scoring import find_batch, list_publications

    found, publications = find_batch(loaded, lake, batch), list_publications(lake)
    return print_result(
        found, as_json=as_json, lines=lambda: [line for one in found for line in _describe(one, publications)]
    )


@app.command()
def diff(
    context: typer.Context, use_case: UseCaseName, batch: BatchName, version: Version = None, *, as_json: Json = False
) -> int:
    """Show what publishing a batch would change for consumers; of a published one, what it did change.

    Examples:
        sparkml-ops batches diff flights 2013-12
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.scoring import diff_batch

    found = diff_batch(loaded, lake, batch, version=version)
    return print_result(found, as_json=as_json, lines=lambda: _tell_difference(found))


@app.command()
def publish(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    batch: BatchName,
    reason: Reason,
    version: Version = None,
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Publish a batch from the ledger, whatever held it; nothing is scored.

    Examples:
        sparkml-ops batches publish flights 2013-12 --reason "the drop in rows is the holiday"
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.scoring import publish_batch

    result = publish_batch(loaded, lake, batch, reason=reason, version=version, run_id=run_id)
    return _tell(result, f"batch {batch} is published already", as_json=as_json)


@app.command()
def hold(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    batch: BatchName,
    reason: Reason,
    version: Version = None,
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Keep a batch that is not published from being published, until its rows change or `publish` brings it.

    Examples:
        sparkml-ops batches hold flights 2013-12 --reason "the weather is late"
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.scoring import hold_batch

    result = hold_batch(loaded, lake, batch, reason=reason, version=version, run_id=run_id)
    return _tell(result, f"batch {batch} is held already, for this reason", as_json=as_json)


@app.command()
def rollback(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    batch: BatchName,
    reason: Reason,
    run_id: RunId = None,
    *,
    with_later: Annotated[
        bool, typer.Option("--with-later", help="Also take back what was published after it.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Bring predictions_current back to what it was before a batch was published, in one commit, without scoring.

    Examples:
        sparkml-ops batches rollback flights 2013-12 --reason "the weather feed was doubled"
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.scoring import roll_back_batch

    result = roll_back_batch(loaded, lake, batch, reason=reason, with_later=with_later, run_id=run_id)
    return _tell(result, "nothing has changed", as_json=as_json)


def _check_statuses(given: "list[str] | tuple[str, ...]") -> None:
    from typing import get_args

    from sparkml_ops.scoring.ledger import BatchStatus

    known = get_args(BatchStatus)
    wrong = [one for one in given if one not in known]
    if wrong:
        raise typer.BadParameter(f"--status {wrong[0]!r}: expected one of {', '.join(known)}")


def _lay_out(batch: "PredictionBatch", publications: "Publications") -> tuple[object, ...]:
    since = batch.history[-1].at if batch.decided_by else batch.scored_at
    status = f"{batch.status} (taken back since)" if publications.has_lost(batch) else batch.status
    found = publications.find(batch.batch_id)
    at = found.version if found is not None and publications.shows(batch) else None
    named = (batch.batch_id, batch.model_version, batch.role, status, since, batch.decided_by)
    return (*named, batch.rows, batch.positives, batch.mean_prediction, at)


def _describe(batch: "PredictionBatch", publications: "Publications") -> list[str]:
    current = "what consumers see" if publications.shows(batch) else "not what consumers see"
    return [
        f"batch {batch.batch_id}, version {batch.model_version} ({batch.role}): {batch.status}, {current}",
        f"  scored {format_value(batch.scored_at)} UTC by run {batch.run_id}: {batch.rows} rows, predictions v{batch.predictions_version}",
        *(
            [f"  {batch.rows_refused} rows could not be scored: see prediction_quarantine"]
            if batch.rows_refused
            else []
        ),
        *(f"  check {check.check}: {check.verdict}: {check.reason}" for check in batch.checks),
        *(f"  {format_value(e.at)} UTC {e.status} by {e.by}: {e.reason}" for e in batch.history),
    ]


def _tell_difference(found: "BatchDifference") -> list[str]:
    verb = "changed" if found.is_published else "would change"
    counts = f"{found.added} new, {found.changed} changed ({found.class_changed} of them in class), {found.removed} gone, {found.same} the same"
    older = f", {found.older} older than what is published, which stays" if found.older else ""
    lines = [f"publishing batch {found.batch.batch_id} by version {found.batch.model_version} {verb}: {counts}{older}"]
    if found.mean_change is not None:
        means = f"{format_value(found.mean_before)} -> {format_value(found.mean_after)}"
        lines.append(f"  mean prediction {means}, mean change {format_value(found.mean_change)}")
    if not found.largest:
        return lines
    columns = list(found.largest[0])
    return [*lines, *format_table(columns, [[row[name] for name in columns] for row in found.largest])]


def _tell(result: "BatchesResult", nothing: str, *, as_json: bool) -> int:
    told = [
        f"batch {one.batch_id}, version {one.model_version}: {one.status.replace('_', ' ')}, {one.rows} rows"
        for one in result.changed
    ]
    undo = [f"undo: sparkml-ops batches {one} --reason …" for one in result.undo]
    return print_result(result, as_json=as_json, lines=lambda: [*(told or [nothing]), *undo])
