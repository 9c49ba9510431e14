"""`sparkml-ops ingest`: what is new at the sources, once or for as long as it is wanted."""

import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.cli.options import Json, RunId, UseCaseName, open_both
from sparkml_ops.cli.output import format_table, print_result
from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.ingestion import Turn
    from sparkml_ops.lake import Lake


def ingest(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    source: Annotated[list[str] | None, typer.Option("--source", help="Only this source; repeatable.")] = None,
    replaced: Annotated[
        list[str] | None,
        typer.Option(
            "--replaced", help="A file whose new content takes the place of the old; repeatable.", metavar="FILE"
        ),
    ] = None,
    run_id: RunId = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Take everything in again, in place of what is there.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on taking in what lands, until Ctrl-C or SIGTERM.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="With --follow: seconds between two looks.")] = 10,
    as_json: Json = False,
) -> int:
    """Take in what is new at the sources, under their contracts.

    Examples:
        sparkml-ops ingest flights

        sparkml-ops ingest flights --source weather --full

        sparkml-ops ingest flights --source flights --replaced data/landing/flights/2013-03.csv

        sparkml-ops ingest flights --follow --every 30
    """
    if follow and (full or replaced or run_id):
        raise ConfigError("--follow goes with --source and --every alone: it takes in what is new, in runs of its own")
    loaded, lake = open_both(use_case, context.obj)
    if follow:
        return _follow(loaded, lake, source or None, every=every, as_json=as_json)
    from sparkml_ops.ingestion import ingest as take_in

    result = take_in(loaded, lake, sources=source or None, full=full, replaced=replaced or (), run_id=run_id)
    columns = ("source", "status", "rows in", "clean", "quarantined", "batch")
    rows = [(s.source, s.status, s.rows_in, s.rows_clean, s.rows_quarantined, s.batch_id) for s in result.sources]
    broken = [f"  {s.source}: {rows} rows  {rule}" for s in result.sources for rule, rows in s.violations]
    aside = [
        f"  {s.source}: {s.rows_deleted} deletions, {s.rows_superseded} rows superseded by later changes"
        for s in result.sources
        if s.rows_deleted or s.rows_superseded
    ]
    return print_result(result, as_json=as_json, lines=lambda: [*format_table(columns, rows), *aside, *broken])


def _follow(use_case: "UseCase", lake: "Lake", sources: list[str] | None, *, every: float, as_json: bool) -> int:
    from sparkml_ops.ingestion import follow

    for turn in follow(use_case, lake, sources=sources, every=timedelta(seconds=every)):
        print_result(turn, as_json=as_json, lines=partial(_describe_turn, turn, datetime.now(UTC)))
        sys.stdout.flush()
    return 0


def _describe_turn(turn: "Turn", now: datetime) -> list[str]:
    at = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    taken = [
        f"{at} {s.source}: {s.rows_in} rows in, {s.rows_clean} clean, {s.rows_quarantined} quarantined ({s.batch_id})"
        for s in turn.taken
    ]
    return [*taken, *(f"{at} {name}: refused: {why}" for name, why in turn.refused)]
