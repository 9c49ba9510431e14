"""The feature server over real sockets: what it answers, and what it says to those who ask wrongly."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import uvicorn
from online_shop import NOON, TOKEN, both_stores, make_use_case, minutes

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError
from sparkml_ops.lake import Lake
from sparkml_ops.serving.publication import Pending, Publication, ServedColumn, to_microseconds
from sparkml_ops.serving.publish import publish_features
from sparkml_ops.serving.server import create_app, serve_features
from sparkml_ops.serving.stores import Change, FeatureStore, open_store
from sparkml_ops.serving.web import LONGEST_BODY

LONG, TEXT = ServedColumn("n", "long"), ServedColumn("customer", "string")


@dataclass
class Client:
    """Asks a running server; the clock is the test's."""

    port: int
    store: FeatureStore
    at: float = 0

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN) -> tuple[int, Any]:
        status, answer, _ = self.ask_all(
            method, path, body, {} if token is None else {"Authorization": f"Bearer {token}"}
        )
        return status, answer

    def ask_all(
        self, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, sent, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer, response.headers

    def why(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        status, answer = self.ask(method, path, body)
        return status, answer["detail"]


@contextmanager
def run_server(use_case: UseCase) -> Iterator[Client]:
    with ExitStack() as stack:
        store = stack.enter_context(open_store(use_case))
        client = Client(0, store)
        app = create_app(use_case, store, clock=lambda: minutes(client.at))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, server, "should_exit", True)
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        client.port = server.servers[0].sockets[0].getsockname()[1]
        yield client


def publication(view: str, *entity: ServedColumn, generation: str = "g", **more: Any) -> Publication:
    fixed = {"table": f"features_{view}", "table_id": "i", "rows_version": 4, "run_id": "run-1"}
    rest = {
        "version": 4,
        "through": to_microseconds(minutes(120)),
        "counts": (),
        "ttl": 60_000_000,
        "columns": (LONG,),
    } | more
    return Publication(
        view=view, generation=generation, published_at=to_microseconds(NOON), entity=entity, **fixed, **rest
    )


def put(store: FeatureStore, target: Publication, records: dict[bytes, str]) -> None:
    pending = Pending("token", target)
    store.begin(pending)
    store.put(pending, [Change(key, content.encode()) for key, content in records.items()])
    store.commit(pending)


AT = to_microseconds(NOON)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with two views, of which one counts; tests leave it as it is."""
    with run_server(make_use_case(tmp_path_factory.mktemp("server"), token=TOKEN, max_batch=10)) as client:
        ann = f'-\n{AT} {AT} {{"0":9007199254740993}}'
        put(client.store, publication("profile", TEXT), {b"3:ann": ann, "3:é|".encode(): ann, b"0:": ann})
        put(
            client.store,
            publication("spending", TEXT, counts=("n",)),
            {b"3:ann": f'-\n{AT - 61_000_000} {AT} {{"0":5}}'},
        )
        yield client


FRESH = {
    "status": "fresh",
    "_timestamp": "2024-03-01T12:00:00.000000Z",
    "_known_at": "2024-03-01T12:00:00.000000Z",
    "features": {"n": 9007199254740993},
}
NOTHING = {"status": "missing", "_timestamp": None, "_known_at": None, "features": {"n": None}}


def test_one_entity_is_answered_with_its_versions(server: Client) -> None:
    stated = {
        "view": "profile",
        "version": 4,
        "published_at": "2024-03-01T12:00:00.000000Z",
        "asked_at": "2024-03-01T12:00:00.000000Z",
    }
    assert server.ask("GET", "/features/profile?customer=ann") == (
        200,
        {**stated, "entity": {"customer": "ann"}, **FRESH},
    )
    assert server.ask("GET", "/features/profile?customer=%C3%A9%7C")[1]["status"] == "fresh"
    assert server.ask("GET", "/features/profile?customer=")[1]["status"] == "fresh"
    assert server.ask("GET", "/features/profile?customer=dora")[1] == {
        **stated,
        "entity": {"customer": "dora"},
        **NOTHING,
    }


def test_a_batch_is_answered_in_its_order(server: Client) -> None:
    names = ["dora", "ann", None, "ann"]
    status, answer = server.ask("POST", "/features/profile", {"entities": [{"customer": name} for name in names]})
    assert (status, [result["entity"]["customer"] for result in answer["results"]]) == (200, names)
    assert [result["status"] for result in answer["results"]] == ["missing", "fresh", "missing", "fresh"]


def test_several_views_are_answered_at_once(server: Client) -> None:
    asked = {
        "views": ["spending", "profile", "spending"],
        "entities": [{"customer": "ann"}, {"customer": "dora"}, {"customer": None}],
    }
    status, answer = server.ask("POST", "/features", asked)
    assert (status, list(answer["views"]), answer["views"]["profile"]["version"]) == (200, ["spending", "profile"], 4)
    told = [
        {view: (a["status"], a["features"]["n"]) for view, a in result["views"].items()} for result in answer["results"]
    ]
    assert told == [
        {"spending": ("expired", 0), "profile": ("fresh", 9007199254740993)},
        {"spending": ("missing", 0), "profile": ("missing", None)},
        {"spending": ("missing", None), "profile": ("missing", None)},
    ]


def test_nobody_without_the_token_is_answered(server: Client) -> None:
    for path in ("/features/profile?customer=ann", "/features/nope", "/openapi.json", "/nope"):
        for headers in (
            {},
            {"Authorization": TOKEN},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": "Bearer "},
            {"Authorization": "Bearer \xe9"},
        ):
            status, answer, told = server.ask_all("GET", path, None, headers)
            assert (status, told["WWW-Authenticate"]) == (401, "Bearer")
            assert "Authorization: Bearer" in answer["detail"]
    assert server.ask("GET", "/health", token=None) == (200, {"status": "ok"})
    views = server.ask("GET", "/health")[1]["views"]
    assert views["profile"] == {
        "published": True,
        "version": 4,
        "published_at": "2024-03-01T12:00:00.000000Z",
        "age_seconds": 0.0,
        "holds_until": "2024-03-01T14:00:00.000000Z",
        "run_id": "run-1",
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/features/profil?customer=ann", None, 404, "no view 'profil'. Did you mean profile? Served are: spending, profile."),
        ("GET", "/features/profile", None, 422, "`customer` is lacking. An entity of profile has: customer (text)."),
        ("GET", "/features/profile?custmer=ann", None, 422, "unknown `custmer`, did you mean `customer`?"),
        ("GET", "/features/profile?customer=a&customer=b", None, 422, "`customer` is given twice"),
        ("POST", "/features/profile", b"{", 422, "the body is no JSON"),
        ("POST", "/features/profile", b"\xff", 422, "the body is no JSON"),
        ("POST", "/features/profile", b"[" * 100_000, 422, "the body is no JSON"),
        ("POST", "/features/profile", [], 422, 'expected {"entities": […]}, found []'),
        ("POST", "/features/profile", b"null", 422, 'expected {"entities": […]}, found null'),
        ("POST", "/features/profile", b'{"entities": [{"customer": "a", "customer": "b"}]}', 422, "`customer` is given twice"),
        ("POST", "/features/profile", {"entity": []}, 422, "found the keys ['entity']"),
        ("POST", "/features/profile", {"entities": []}, 422, "at least one"),
        ("POST", "/features/profile", {"entities": ["ann"]}, 422, "entities: expected a list of objects"),
        ("POST", "/features/profile", {"entities": [{"customer": 1}]}, 422, "entity 0 of profile: `customer`: expected text, found 1"),
        ("POST", "/features/profile", {"entities": [{"customer": "\ud800"}]}, 422, "expected text"),
        ("POST", "/features/profile", {"entities": [{"customer": "a"}] * 11}, 422, "11 look-ups in one request: at most 10"),
        ("POST", "/features", {"views": ["profile", "spending"], "entities": [{"customer": "a"}] * 6}, 422, "12 look-ups"),
        ("POST", "/features", {"views": [1], "entities": [{}]}, 422, "views: expected a list of texts"),
        ("POST", "/features", {"views": ["nope"], "entities": [{}]}, 404, "no view 'nope'"),
        ("POST", "/features/profile", b" " * (LONGEST_BODY + 1), 413, "a body of more than"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_told_what_would_be_right(
    server: Client, method: str, path: str, body: Any, status: int, message: str
) -> None:
    found, detail = server.why(method, path, body)
    assert (found, message in detail) == (status, True), detail


def test_the_description_is_typed_and_the_answers_keep_it(server: Client) -> None:
    status, document = server.ask("GET", "/openapi.json")
    assert (status, document["security"]) == (200, [{"token": []}])
    assert set(document["paths"]) == {"/health", "/features", "/features/profile", "/features/spending"}
    one = document["paths"]["/features/profile"]["get"]
    assert one["summary"] == "Where a customer lives"
    assert one["parameters"] == [{"name": "customer", "in": "query", "required": True, "schema": {"type": ["string"]}}]
    many = document["paths"]["/features"]["post"]
    asked = {"views": ["profile", "spending"], "entities": [{"customer": "ann"}, {"customer": "dora"}]}
    for operation, answer, body in (
        (one, server.ask("GET", "/features/profile?customer=ann")[1], None),
        (
            document["paths"]["/features/profile"]["post"],
            server.ask("POST", "/features/profile", {"entities": asked["entities"]})[1],
            {"entities": asked["entities"]},
        ),
        (many, server.ask("POST", "/features", asked)[1], asked),
    ):
        jsonschema.validate(answer, operation["responses"]["200"]["content"]["application/json"]["schema"])
        if body is not None:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            jsonschema.validate(body, schema)
            with pytest.raises(jsonschema.ValidationError):
                jsonschema.validate({**body, "entities": []}, schema)


def test_a_view_that_is_published_while_the_server_runs_is_served(tmp_path: Path) -> None:
    with run_server(make_use_case(tmp_path, token=TOKEN)) as client:
        assert client.why("GET", "/features/profile?customer=ann") == (
            404,
            "the view profile is not published yet: `sparkml-ops online publish` does it.",
        )
        assert client.ask("GET", "/health")[1]["views"]["profile"] == {"published": False}
        line = f'-\n{AT} {AT} {{"0":1}}'
        put(client.store, publication("profile", TEXT), {b"3:ann": line})
        assert client.ask("GET", "/features/profile?customer=ann")[1]["features"] == {"n": 1}
        # Published anew with another entity and other columns, between two requests.
        wider = publication(
            "profile",
            TEXT,
            ServedColumn("shop", "long"),
            generation="h",
            columns=(ServedColumn("m", "long"),),
            version=5,
        )
        put(client.store, wider, {b"3:ann1:7": line})
        status, answer = client.ask("POST", "/features/profile", {"entities": [{"customer": "ann", "shop": 7}]})
        assert (status, answer["version"], answer["results"][0]["features"]) == (200, 5, {"m": 1})
        client.store.forget("profile")
        assert client.ask("GET", "/features/profile?customer=ann&shop=7")[0] == 404


@both_stores
def test_what_was_published_from_the_tables_is_served(shop: Lake, use_case: UseCase) -> None:
    publish_features(use_case, shop, as_of=NOON)
    with run_server(use_case) as client:
        asked = {"views": ["spending", "profile"], "entities": [{"customer": "ann"}]}
        seen = {}
        for client.at in (0, 50, 60, 200):
            views = client.ask("POST", "/features", asked, token=None)[1]["results"][0]["views"]
            seen[client.at] = [(a["status"], *a["features"].values()) for a in views.values()]
    assert seen == {
        0: [("fresh", 20.0, 1), ("fresh", "Bonn")],
        50: [("fresh", None, 0), ("fresh", "Bonn")],
        60: [("fresh", None, 0), ("fresh", "Köln")],
        200: [("outdated", None, None), ("fresh", "Köln")],
    }


def test_a_store_that_fails_is_503_and_not_an_empty_answer(tmp_path: Path) -> None:
    use_case = make_use_case(tmp_path, store={"kind": "redis", "url": "redis://127.0.0.1:1/0"})
    with run_server(use_case) as client:
        for path in ("/features/profile?customer=ann", "/health"):
            status, detail = client.why("GET", path)
            assert (status, "Redis cannot be used" in detail) == (503, True)


def test_an_open_address_wants_a_token(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(ConfigError, match=r"can be reached by others, and serving\.token is not set"):
            serve_features(make_use_case(tmp_path), host=host, port=0)
