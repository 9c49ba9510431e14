"""What both servers share: a socket to listen on, the token, and answers that never carry a traceback."""

import hmac
import ipaddress
import json
import logging
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ConfigError, SetupError, SparkMLOpsError
from sparkml_ops.serving.requests import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from fastapi import FastAPI, Request, Response

    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)

LONGEST_BODY = 16 * 1024 * 1024
"""Bytes of a request; a hundred thousand entities of 160."""
HEALTH = "/health"
"""Answers without the token too."""
_EXTRA = "the server needs an extra: pip install 'sparkml-ops[online]'"
_BACKLOG = 2048  # connections that wait to be taken; uvicorn's own number


class Guard:
    """Lets in who brings the token."""

    def __init__(self, use_case: "UseCase") -> None:
        token = use_case.serving.token
        self._wanted = None if token is None else f"Bearer {token.get_secret_value()}".encode()

    def lets_in(self, scope: "MutableMapping[str, Any]") -> bool:
        """Whether a request brings the token; compared so that the time it takes tells nothing of the token."""
        if self._wanted is None:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._wanted)

    def around(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """An ASGI application that asks for the token before the inner one answers."""

        async def guarded(scope: "MutableMapping[str, Any]", receive: Any, send: Any) -> None:
            if scope["type"] != "http" or scope["path"] == HEALTH or self.lets_in(scope):
                await inner(scope, receive, send)
                return
            refusal = respond(
                401, {"detail": "expected the header `Authorization: Bearer <token>` with the server's token."}
            )
            refusal.headers["WWW-Authenticate"] = "Bearer"
            await refusal(scope, receive, send)

        return guarded


def make_app(title: str, guard: Guard) -> "FastAPI":
    """An application without routes, behind the guard.

    Raises:
        ConfigError: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI
    except ImportError as error:
        raise ConfigError(_EXTRA) from error
    # The pages that FastAPI would add load scripts from elsewhere, and cannot send a token.
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(guard.around)
    return app


def add_route(app: "FastAPI", method: str, path: str, answer: Callable[..., Any]) -> None:
    """Answer a path; what the answers look like is told by a document of ours."""
    app.add_api_route(path, answer, methods=[method], response_model=None)


def require_token(use_case: "UseCase", host: str) -> None:
    """No address that others can reach without a token.

    Raises:
        ConfigError: there is none.
    """
    if use_case.serving.token is None and not _is_own_machine(host):
        raise ConfigError(
            f"{host} can be reached by others, and serving.token is not set. Set it to ${{env:NAME}}, or listen on 127.0.0.1."
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket on which nobody else listens.

    Args:
        host: the address, or a name of it.
        port: the port; 0 takes a free one.

    Raises:
        SetupError: the port is taken, not allowed, or the address is none of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address, family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        why = os.strerror(number) if number > 0 else str(error)
        raise SetupError(
            f"cannot listen on {host}, port {port}: {why}. Stop what listens there, or choose another with --port "
            "(0 takes a free one) and --host."
        ) from error


def run_app(app: "FastAPI", listener: socket.socket) -> None:
    """Answer requests until the process is told to stop; those under way are answered before it ends.

    Raises:
        ConfigError: uvicorn is not installed.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise ConfigError(_EXTRA) from error
    host, port = listener.getsockname()[:2]
    logger.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    server = uvicorn.Server(uvicorn.Config(app, log_level="info", access_log=False, server_header=False))
    server.run(sockets=[listener])


async def answer_body(
    answer: Callable[..., "Mapping[str, Any]"], request: "Request", *arguments: Any, limiter: Any = None
) -> "Response":
    """The answer to a request with a body, which is given last."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_BODY:
            return respond(413, {"detail": f"a body of more than {LONGEST_BODY} bytes. Ask in several requests."})
    return await answer_in_thread(answer, *arguments, bytes(body), limiter=limiter)


async def answer_in_thread(
    answer: Callable[..., "Mapping[str, Any]"], *arguments: Any, limiter: Any = None
) -> "Response":
    """The answer, or why there is none; made in a thread, so that others are answered meanwhile.

    Args:
        answer: makes it.
        arguments: for it.
        limiter: of anyio: how many answers of a kind are made at the same time; Starlette's own by default.
    """
    from anyio import to_thread

    try:
        return await to_thread.run_sync(lambda: respond(200, answer(*arguments)), limiter=limiter)
    except BadRequestError as error:
        return respond(error.status, {"detail": str(error)})
    except SparkMLOpsError as error:
        logger.warning("a request could not be answered: %s", error)
        return respond(503, {"detail": str(error)})
    except Exception:
        logger.exception("a request met a bug")
        return respond(500, {"detail": "an unexpected error; the server's log tells it"})


def respond(status: int, document: "Mapping[str, Any]") -> "Response":
    """A JSON document."""
    from starlette.responses import Response

    return Response(json.dumps(document, allow_nan=False), status_code=status, media_type="application/json")


def _is_own_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
