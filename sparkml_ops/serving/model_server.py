"""The model server: the packaged champion, over HTTP, without a Spark session.

    POST /predict      {"rows": […], "explain": 3}   one row or several, answered in their order by one version
    GET  /model        name, version, signature, and where its card is
    GET  /health       whether a champion is loaded, which, and since when
    GET  /metrics      counts for Prometheus
    GET  /openapi.json all of this, typed by the signature of the version that answers

A row has the key of a decision and what its features are looked up by; columns that it brings stand in for those that would be looked
up. A row that cannot be answered has its own `error`, and takes nothing from the others.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sparkml_ops.models import prepare_tracking
from sparkml_ops.serving.champion import Champion, ChampionWatch
from sparkml_ops.serving.metrics import Metrics
from sparkml_ops.serving.model_openapi import describe_model_server, describe_signature
from sparkml_ops.serving.prediction import predict_request
from sparkml_ops.serving.requests import BadRequestError
from sparkml_ops.serving.service import FeatureService, read_clock
from sparkml_ops.serving.stores import open_store
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
    from collections.abc import MutableMapping

    from fastapi import FastAPI

    from sparkml_ops.config.use_case import UseCase

_PATHS = ("/predict", "/model", "/metrics", "/openapi.json", HEALTH)


class ModelService:
    """Answers by the version that the watch has at the moment of a request."""

    def __init__(self, use_case: "UseCase", features: FeatureService, watch: ChampionWatch, metrics: Metrics) -> None:
        self._use_case, self._features, self._watch, self._metrics = use_case, features, watch, metrics

    def predict(self, body: bytes) -> dict[str, Any]:
        """Answer the rows of a request; see `predict_request`."""
        answered = predict_request(self._use_case, self._features, self._require(), body)
        refused = sum(result["error"] is not None for result in answered["results"])
        self._metrics.count_rows(predicted=len(answered["results"]) - refused, refused=refused)
        return answered

    def describe_model(self) -> dict[str, Any]:
        """What answers."""
        champion = self._require()
        version, model = champion.version, champion.model
        return {
            **_name(champion),
            "task": model.task,
            "classes": list(model.classes) or None,
            "threshold": champion.threshold,
            "columns": describe_signature(self._use_case, champion),
            "training_set_version": version.training_set_version,
            "card": f"runs:/{version.run_id}/card.md",
        }

    def report_health(self, *, is_trusted: bool) -> dict[str, Any]:
        """Whether a champion is loaded; what and since when, and what is wrong, only to those who bring the token.

        Raises:
            BadRequestError: 503: none is.
        """
        trouble = self._watch.trouble if is_trusted else None
        if self._watch.current is None:
            raise BadRequestError(503, f"no champion is loaded{f': {trouble}' if trouble else ''}")
        return {"status": "ok"} | ({**_name(self._watch.current), "trouble": trouble} if is_trusted else {})

    def describe(self) -> dict[str, Any]:
        """The OpenAPI document of the version that answers."""
        return describe_model_server(self._use_case, self._require())

    def write_metrics(self) -> str:
        """Counts for Prometheus."""
        return self._metrics.write(self._watch.current, is_troubled=self._watch.trouble is not None)

    def _require(self) -> Champion:
        champion = self._watch.current
        if champion is None:
            raise BadRequestError(503, f"no champion is loaded: {self._watch.trouble}")
        return champion


def create_model_app(use_case: "UseCase", service: ModelService, metrics: Metrics, *, threads: int) -> "FastAPI":
    """The web application.

    Args:
        use_case: whose token is wanted.
        service: answers.
        metrics: counts.
        threads: so many requests are predicted at the same time, each in one thread; others wait their turn.

    Raises:
        ConfigError: FastAPI is not installed.
    """
    guard = Guard(use_case)
    app = make_app(f"The model {use_case.name}", guard)
    app.add_middleware(lambda inner: _count_requests(inner, metrics))
    from anyio import CapacityLimiter
    from starlette.requests import Request  # FastAPI reads the annotations
    from starlette.responses import PlainTextResponse, Response

    limiter = CapacityLimiter(threads)

    async def predict(request: Request) -> Response:
        return await answer_body(service.predict, request, limiter=limiter)

    async def report_health(request: Request) -> Response:
        is_trusted = guard.lets_in(request.scope)
        return await answer_in_thread(lambda: service.report_health(is_trusted=is_trusted))

    async def describe_model() -> Response:
        return await answer_in_thread(service.describe_model)

    async def describe() -> Response:
        return await answer_in_thread(service.describe)

    async def write_metrics() -> Response:
        return PlainTextResponse(service.write_metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    add_route(app, "POST", "/predict", predict)
    add_route(app, "GET", HEALTH, report_health)
    add_route(app, "GET", "/model", describe_model)
    add_route(app, "GET", "/metrics", write_metrics)
    add_route(app, "GET", "/openapi.json", describe)
    return app


def serve_model(  # an option is an argument
    use_case: "UseCase", *, host: str, port: int, at: datetime | None, every: float, threads: int
) -> None:
    """Answer requests until the process is told to stop.

    Args:
        use_case: whose champion answers.
        host: the address to listen on. One that others can reach needs `serving.token`.
        port: the port; 0 takes a free one.
        at: look features up as of this instant instead of now, for data of the past.
        every: seconds between two looks at the registry.
        threads: so many requests are predicted at the same time.

    Raises:
        ConfigError: there is no token for an address that others can reach, or uvicorn is not installed.
        SetupError: the store or MLflow cannot be used, or the port is taken.
    """
    require_token(use_case, host)
    with open_store(use_case) as store, listen(host, port) as listener:
        store.read_states()  # what is wrong with the store is told now, not at the first request
        metrics = Metrics()
        watch = ChampionWatch(use_case, prepare_tracking(use_case.environment), metrics)
        features = FeatureService(use_case, store, read_clock if at is None else lambda: at)
        service = ModelService(use_case, features, watch, metrics)
        app = create_model_app(use_case, service, metrics, threads=threads)
        watch.look()
        with watch.follow(every):
            run_app(app, listener)


def _name(champion: Champion) -> dict[str, Any]:
    version = champion.version
    return {"model_name": version.name, "model_version": version.version, "since": champion.since.isoformat()}


def _count_requests(inner: Callable[..., Any], metrics: Metrics) -> Callable[..., Any]:
    """An ASGI application that counts what the inner one answers; paths that are none of ours are one."""

    async def counted(scope: "MutableMapping[str, Any]", receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await inner(scope, receive, send)
            return
        started, path = time.perf_counter(), scope["path"] if scope["path"] in _PATHS else "other"

        async def send_counted(message: "MutableMapping[str, Any]") -> None:
            if message["type"] == "http.response.start":
                metrics.count_request(path, message["status"], seconds=time.perf_counter() - started)
            await send(message)

        await inner(scope, receive, send_counted)

    return counted
