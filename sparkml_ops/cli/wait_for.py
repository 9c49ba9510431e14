"""`sparkml-ops wait-for`: a scheduler waits until something is published."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from sparkml_ops.cli.options import Json, UseCaseName, open_both, read_instant
from sparkml_ops.cli.output import print_result


def _read_duration(text: str) -> timedelta:
    from sparkml_ops.config.types import parse_duration

    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"expected {error}, found {text!r}") from error
    assert isinstance(duration, timedelta)  # what a text is parsed to
    return duration


def wait_for(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    batch: Annotated[str | None, typer.Option(help="This batch has to be published; any by default.")] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=read_instant, metavar="INSTANT", help="A decision of this moment or later has to be published (UTC)."
        ),
    ] = None,
    published_after: Annotated[
        datetime | None,
        typer.Option(parser=read_instant, metavar="INSTANT", help="It has to be published after this instant (UTC)."),
    ] = None,
    *,
    timeout: Annotated[
        timedelta, typer.Option(parser=_read_duration, metavar="DURATION", help="How long at most; 0s looks once.")
    ] = timedelta(hours=1),
    every: Annotated[
        timedelta, typer.Option(parser=_read_duration, metavar="DURATION", help="How long between two looks.")
    ] = timedelta(seconds=30),
    as_json: Json = False,
) -> int:
    """Wait until something is published; exit 1 when it is not within the time.

    Examples:
        sparkml-ops wait-for flights --batch 2013-12 --timeout 2h

        sparkml-ops wait-for flights --as-of 2013-12-01T12:00 --timeout 0s
    """
    if every <= timedelta(0):
        raise typer.BadParameter("expected a duration above 0s", param_hint="'--every'")
    _, lake = open_both(use_case, context.obj)
    from sparkml_ops.delivery.wait import Awaited, wait_for_publication

    awaited = Awaited(batch, as_of, published_after)
    result = wait_for_publication(
        lake, awaited, timeout_seconds=timeout.total_seconds(), every_seconds=every.total_seconds()
    )
    head = result.reason if result.is_there else f"not published: {result.reason} (waited {result.waited_seconds:g} s)"
    more = f"predictions_current v{result.version}, decisions up to {result.newest_as_of}" if result.is_there else ""
    return print_result(
        result,
        as_json=as_json,
        lines=lambda: [line for line in (head, more) if line],
        exit_code=int(not result.is_there),
    )
