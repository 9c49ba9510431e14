"""`sparkml-ops online`: the newest features by entity, for applications."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.cli.options import Json, RunId, UseCaseName, load, open_both, read_instant
from sparkml_ops.cli.output import format_table, print_result

if TYPE_CHECKING:
    from sparkml_ops.serving.consistency import ConsistencyResult
    from sparkml_ops.serving.publish import PublishResult

app = typer.Typer(
    help="Features for applications: publish the newest values by entity, serve them over HTTP, check them against the tables.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

View = Annotated[list[str] | None, typer.Option("--view", help="Only this view; repeatable.")]
At = Annotated[
    datetime | None,
    typer.Option(
        "--at",
        parser=read_instant,
        metavar="INSTANT",
        help="As of this instant (UTC) instead of now: for data of the past.",
    ),
]


@app.command()
def publish(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    view: View = None,
    at: At = None,
    run_id: RunId = None,
    *,
    full: Annotated[bool, typer.Option("--full", help="Write every record anew, whatever the store has.")] = False,
    as_json: Json = False,
) -> int:
    """Bring the online store to the newest feature tables; only what changed since the last time is written.

    What is published stays right for `serving.horizon`, though nobody publishes: time to live and windows that run empty are
    told at each request.

    Examples:
        sparkml-ops online publish flights

        sparkml-ops online publish flights --view origin_weather --full

        sparkml-ops online publish flights --at 2013-12-01T12:00
    """
    loaded, lake = open_both(use_case, context.obj, views=view)
    from sparkml_ops.serving.publish import publish_features

    result = publish_features(loaded, lake, views=view or None, full=full, as_of=at, run_id=run_id)
    return print_result(result, as_json=as_json, lines=lambda: _tell_published(result))


@app.command()
def serve(
    context: typer.Context,
    use_case: UseCaseName,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that others reach needs serving.token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    at: At = None,
) -> int:
    """Answer requests from what is published, until it is stopped. It needs neither Spark nor the tables.

    GET /features/VIEW?ENTITY=…, POST /features/VIEW and POST /features for several, /health, /openapi.json.

    Examples:
        sparkml-ops online serve flights

        sparkml-ops --set 'serving.token=${env:TOKEN}' online serve flights --host 0.0.0.0 --port 8080
    """
    loaded = load(use_case, context.obj)
    from sparkml_ops.serving.server import serve_features

    serve_features(loaded, host=host, port=port, at=at)
    return 0


@app.command()
def check(
    context: typer.Context,
    use_case: UseCaseName,
    view: View = None,
    at: At = None,
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Hold what is served against the feature tables; exit 1 when an entity is stale, missing or extra.

    Examples:
        sparkml-ops online check flights

        sparkml-ops online check flights --view origin_weather --json
    """
    loaded, lake = open_both(use_case, context.obj, views=view)
    from sparkml_ops.serving.consistency import compare_served

    result = compare_served(loaded, lake, views=view or None, as_of=at, run_id=run_id)
    return print_result(result, as_json=as_json, lines=lambda: _tell_compared(result), exit_code=int(not result.agrees))


def _tell_published(result: "PublishResult") -> list[str]:
    columns = ("view", "mode", "put", "removed", "table", "holds until")
    rows = [
        (v.view, v.mode, v.written, v.removed, f"{v.table}@v{v.version}", v.holds_until) for v in result.views.values()
    ]
    gone = [f"{view} is served no more: taken out of the store" for view in result.forgotten]
    return [*format_table(columns, rows), *gone]


def _tell_compared(result: "ConsistencyResult") -> list[str]:
    from sparkml_ops.serving.consistency import VERDICTS

    rows = [
        (r.view, *(r.counts[verdict] for verdict in VERDICTS), r.published_version, r.version)
        for r in result.views.values()
    ]
    examples = [
        f"  {r.view}: {verdict}: {'; '.join(some)}"
        for r in result.views.values()
        for verdict, some in r.examples.items()
    ]
    return [*format_table(("view", *VERDICTS, "served version", "table version"), rows), *examples]
