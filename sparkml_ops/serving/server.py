"""The feature server: what is published, over HTTP.

    GET  /features/{view}?<entity>=…                      one entity of one view
    POST /features/{view}  {"entities": […]}              several entities, answered in their order
    POST /features         {"views": […], "entities": […]} several entities, each from several views
    GET  /health                                          whether it can answer, and what is published since when
    GET  /openapi.json                                    all of this, typed by the columns that are published now

An entity of which nothing is known is an answer (`missing`), not an error: its counts are 0. With a token, every request must bring it
(`Authorization: Bearer …`); `/health` alone answers without it whether the store can be read, and nothing more.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from sparkml_ops.serving.service import Clock, FeatureService, read_clock
from sparkml_ops.serving.stores import FeatureStore, open_store
from sparkml_ops.serving.web import (
    HEALTH,
    Guard,
    add_route,
    answer_body,
    answer_in_thread,
    listen,
    make_app,
    require_token,
    run_app,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sparkml_ops.config.use_case import UseCase


def create_app(use_case: "UseCase", store: FeatureStore, *, clock: Clock = read_clock) -> "FastAPI":
    """The web application; any ASGI server runs it.

    Args:
        use_case: whose views are served, with `serving.token` and `serving.max_batch`.
        store: what is published.
        clock: tells the moment of a request.

    Raises:
        ConfigError: FastAPI is not installed.
    """
    guard = Guard(use_case)
    app = make_app(f"Features of {use_case.name}", guard)
    from starlette.requests import Request  # FastAPI reads the annotations
    from starlette.responses import Response

    service = FeatureService(use_case, store, clock)

    async def look_up_one(view: str, request: Request) -> Response:
        return await answer_in_thread(service.look_up_one, view, request.query_params.multi_items())

    async def look_up_batch(view: str, request: Request) -> Response:
        return await answer_body(service.look_up_batch, request, view)

    async def look_up_views(request: Request) -> Response:
        return await answer_body(service.look_up_views, request)

    async def report_health(request: Request) -> Response:
        return await answer_in_thread(service.report_health if guard.lets_in(request.scope) else service.report_life)

    async def describe() -> Response:
        return await answer_in_thread(service.describe)

    add_route(app, "GET", "/features/{view}", look_up_one)
    add_route(app, "POST", "/features/{view}", look_up_batch)
    add_route(app, "POST", "/features", look_up_views)
    add_route(app, "GET", HEALTH, report_health)
    add_route(app, "GET", "/openapi.json", describe)
    return app


def serve_features(use_case: "UseCase", *, host: str, port: int, at: datetime | None = None) -> None:
    """Answer requests until the process is told to stop.

    Args:
        use_case: whose views are served.
        host: the address to listen on. One that others can reach needs `serving.token`.
        port: the port; 0 takes a free one.
        at: answer as of this instant instead of now, for data of the past.

    Raises:
        ConfigError: there is no token for an address that others can reach, or uvicorn is not installed.
        SetupError: the store cannot be used, or the port is taken.
    """
    require_token(use_case, host)
    with open_store(use_case) as store:
        store.read_states()  # what is wrong with the store is told now, not at the first request
        app = create_app(use_case, store, clock=read_clock if at is None else lambda: at)
        with listen(host, port) as listener:
            run_app(app, listener)
