"""`sparkml-ops serve`: the champion, for applications."""

from typing import Annotated

import typer

from sparkml_ops.cli.online import At
from sparkml_ops.cli.options import UseCaseName, load


def serve(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    host: Annotated[
        str, typer.Option(help="Address to listen on; one that others reach needs serving.token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8001,
    at: At = None,
    *,
    reload_every: Annotated[
        float, typer.Option(min=0.1, max=86400, help="Seconds between two looks whether another version was promoted.")
    ] = 10.0,
    threads: Annotated[
        int, typer.Option(min=1, max=1000, help="Requests predicted at the same time, each in one thread.")
    ] = 4,
) -> int:
    """Answer requests by the champion, over HTTP, until it is stopped; a promoted version takes over without a lost request.

    POST /predict with {"rows": [...]}, /model, /health, /metrics, /openapi.json. Features that a row does not bring are looked up in
    the online store. It needs neither a Spark session nor the tables.

    Examples:
        sparkml-ops serve flights

        sparkml-ops --set 'serving.token=${env:TOKEN}' serve flights --host 0.0.0.0 --port 8080 --reload-every 30
    """
    loaded = load(use_case, context.obj)
    from sparkml_ops.serving.model_server import serve_model

    serve_model(loaded, host=host, port=port, at=at, every=reload_every, threads=threads)
    return 0
