"""The feature server: what is published, over HTTP.

    GET  /features/{view}?<entity>=…                      one entity of one view
    POST /features/{view}  {"entities": […]}              several entities, answered in their order
    POST /features         {"views": […], "entities": […]} several entities, each from several views
    GET  /health                                          whether it can answer, and what is published since when
    GET  /openapi.json                                    all of this, typed by the columns that are published now

An entity of which nothing is known is an answer (`missing`), not an error: its counts are 0. With a token, every request must bring it
(`Authorization: Bearer …`); `/health` alone answers without it whether the store can be read, and nothing more.
"""

import hmac
import ipaddress
import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ConfigError, SparkMLOpsError
from sparkml_ops.serving.requests import BadRequestError
from sparkml_ops.serving.service import Clock, FeatureService, read_clock
from sparkml_ops.serving.stores import FeatureStore, open_store

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from fastapi import FastAPI, Request, Response

    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)

LONGEST_BODY = 16 * 1024 * 1024
"""Bytes of a request; a hundred thousand entities of 160."""
_EXTRA = "the feature server needs an extra: pip install 'sparkml-ops[online]'"


def create_app(use_case: "UseCase", store: FeatureStore, *, clock: Clock = read_clock) -> "FastAPI":
    """The web application; any ASGI server runs it.

    Args:
        use_case: whose views are served, with `serving.token` and `serving.max_batch`.
        store: what is published.
        clock: tells the moment of a request.

    Raises:
        ConfigError: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI
        from starlette.requests import Request  # FastAPI reads the annotations
        from starlette.responses import Response
    except ImportError as error:
        raise ConfigError(_EXTRA) from error

    service = FeatureService(use_case, store, clock)
    # The pages that FastAPI would add load scripts from elsewhere, and cannot send a token.
    app = FastAPI(title=f"Features of {use_case.name}", docs_url=None, redoc_url=None, openapi_url=None)
    token = use_case.serving.token
    guard = _Guard(None if token is None else token.get_secret_value())
    app.add_middleware(guard.around)

    async def look_up_one(view: str, request: Request) -> Response:
        return await _answer(service.look_up_one, view, request.query_params.multi_items())

    async def look_up_batch(view: str, request: Request) -> Response:
        return await _answer_body(service.look_up_batch, request, view)

    async def look_up_views(request: Request) -> Response:
        return await _answer_body(service.look_up_views, request)

    async def report_health(request: Request) -> Response:
        return await _answer(service.report_health if guard.lets_in(request.scope) else service.report_life)

    async def describe() -> Response:
        return await _answer(service.describe)

    app.add_api_route("/features/{view}", look_up_one, methods=["GET"], response_model=None)
    app.add_api_route("/features/{view}", look_up_batch, methods=["POST"], response_model=None)
    app.add_api_route("/features", look_up_views, methods=["POST"], response_model=None)
    app.add_api_route(_Guard.OPEN, report_health, methods=["GET"], response_model=None)
    app.add_api_route("/openapi.json", describe, methods=["GET"], response_model=None)
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
        SetupError: the store cannot be used.
    """
    if use_case.serving.token is None and not _is_own_machine(host):
        raise ConfigError(
            f"{host} can be reached by others, and serving.token is not set. Set it to ${{env:NAME}}, or listen on 127.0.0.1."
        )
    try:
        import uvicorn
    except ImportError as error:
        raise ConfigError(_EXTRA) from error
    with open_store(use_case) as store:
        store.read_states()  # what is wrong with the store is told now, not at the first request
        app = create_app(use_case, store, clock=read_clock if at is None else lambda: at)
        uvicorn.run(app, host=host, port=port, log_level="info", access_log=False, server_header=False)


def _is_own_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Guard:
    """Lets in who brings the token."""

    OPEN = "/health"

    def __init__(self, token: str | None) -> None:
        self._wanted = None if token is None else f"Bearer {token}".encode()

    def lets_in(self, scope: "MutableMapping[str, Any]") -> bool:
        """Whether a request brings the token; compared so that the time it takes tells nothing of the token."""
        if self._wanted is None:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._wanted)

    def around(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """An ASGI application that asks for the token before the inner one answers."""

        async def guarded(scope: "MutableMapping[str, Any]", receive: Any, send: Any) -> None:
            if scope["type"] != "http" or scope["path"] == self.OPEN or self.lets_in(scope):
                await inner(scope, receive, send)
                return
            refusal = _respond(
                401, {"detail": "expected the header `Authorization: Bearer <token>` with the server's token."}
            )
            refusal.headers["WWW-Authenticate"] = "Bearer"
            await refusal(scope, receive, send)

        return guarded


async def _answer_body(look_up: Callable[..., dict[str, Any]], request: "Request", *arguments: Any) -> "Response":
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            return _respond(413, {"detail": f"a body of more than {LONGEST_BODY} bytes. Ask in several requests."})
    return await _answer(look_up, *arguments, bytes(body))


async def _answer(look_up: Callable[..., dict[str, Any]], *arguments: Any) -> "Response":
    """The answer, or why there is none. A store is waited for in a thread, so that others are answered meanwhile."""
    from starlette.concurrency import run_in_threadpool

    try:
        return await run_in_threadpool(lambda: _respond(200, look_up(*arguments)))
    except BadRequestError as error:
        return _respond(error.status, {"detail": str(error)})
    except SparkMLOpsError as error:
        logger.warning("a request could not be answered: %s", error)
        return _respond(503, {"detail": str(error)})
    except Exception:
        logger.exception("a request met a bug")
        return _respond(500, {"detail": "an unexpected error; the server's log tells it"})


def _respond(status: int, document: dict[str, Any]) -> "Response":
    from starlette.responses import Response

    return Response(json.dumps(document, allow_nan=False), status_code=status, media_type="application/json")
