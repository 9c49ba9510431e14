"""The champion over HTTP: the answers of bulk scoring for the same rows, and what is said to those who ask wrongly."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from model_shop import CLASSES, Client, load_shop, register, serve, train, wait_until, write_project
from online_shop import NOON, TOKEN
from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.features import look_up_features
from sparkml_ops.lake import Lake
from sparkml_ops.models import Tracking, predict_rows, prepare_tracking, set_alias
from sparkml_ops.serving.publish import publish_features

CUSTOMERS = ["ann", "bob", "cem", "nobody", None]
FULL = {
    "order_id": 1,
    "customer": "ann",
    "hour": 7,
    "profile__town": "Bonn",
    "spending__amount_sum_1h": 12.5,
    "spending__amount_count_1h": 1,
}
LOOKED_UP = {"order_id": 1, "customer": "ann", "hour": 1}


@dataclass(frozen=True)
class Started:
    """A running server.

    Attributes:
        client: asks it.
        tracking: where its versions are.
        features: what `score` looks up for the customers, as of noon.
        before: what was answered before there was a champion, and before features were published.
    """

    client: Client
    tracking: Tracking
    features: DataFrame
    before: dict[str, Any]

    def promote(self, task: str, seed: int) -> int:
        """Promote a version, and wait until it answers."""
        version = register(self.tracking, train(task, seed))
        set_alias(self.tracking, version, "champion")
        wait_until(lambda: self.client.ask("GET", "/health")[1].get("model_version") == version.version)
        return version.version


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path, shop_folder: Path, spark: SparkSession
) -> Iterator[Started]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONLINE_TOKEN", TOKEN)
        root = tmp_path_factory.mktemp("champion")
        folder = write_project(root)
        shutil.copy(mlflow_template, root / "mlflow.db")
        shutil.copytree(shop_folder, root / "lake" / "shop")
        use_case, lake = load_shop(folder), Lake(spark, str(root / "lake" / "shop"), None, "shop", frozenset())
        asked = [(at, customer, NOON) for at, customer in enumerate(CUSTOMERS)]
        moments = spark.createDataFrame(asked, "order_id long, customer string, ordered_at timestamp")
        features = look_up_features(moments, use_case, lake, timestamp="ordered_at")[0].cache()
        with serve(folder, "--at", "2024-03-01T12:00", "--reload-every", "0.1") as client:
            before = {str(token): client.ask("GET", "/health", token=token) for token in (TOKEN, None)}
            before["predict"] = client.ask("POST", "/predict", {"rows": [FULL]})
            found = Started(client, prepare_tracking(use_case.environment), features, before)
            found.promote("binary", 1)
            before["unpublished"] = client.ask("POST", "/predict", {"rows": [FULL, LOOKED_UP]})
            publish_features(use_case, lake, as_of=NOON)
            yield found


@pytest.fixture
def client(started: Started) -> Client:
    return started.client


@pytest.mark.parametrize("task", ["multiclass", "regression", "binary"])
def test_the_answers_are_those_of_bulk_scoring(started: Started, task: str) -> None:
    """Each customer by look-up, and rows with values of their own in place of those, over HTTP and as `score` does it."""
    client, features = started.client, started.features
    started.promote(task, 1)
    own = [("Bonn", 3.25, 9.0), ("unseen", None, None), (None, float("inf"), 0.0), ("Ulm", float("nan"), -1e300)]
    supplied = features.sparkSession.createDataFrame(
        [(10 + at, "ann", *values) for at, values in enumerate(own)],
        "order_id long, customer string, profile__town string, spending__amount_sum_1h double, spending__amount_count_1h double",
    ).selectExpr("*", "12.0D AS hour", "customer AS buyer")
    wanted = ["order_id", *(name for name in features.columns if name in supplied.columns and name != "order_id")]
    rows = features.select(*wanted).unionByName(supplied.select(*wanted))
    scored = predict_rows(rows, train(task, 1), explain=3).orderBy("order_id").collect()
    hours = {row["order_id"]: row["hour"] for row in scored}
    looked_up = [{"order_id": at, "customer": customer, "hour": hours[at]} for at, customer in enumerate(CUSTOMERS)]
    brought = [
        {"order_id": 10 + at, "customer": "ann", "hour": 12, "profile__town": town,
         "spending__amount_sum_1h": amount, "spending__amount_count_1h": count}
        for at, (town, amount, count) in enumerate(own)
    ]  # fmt: skip
    together = client.predict(*looked_up, *brought, explain=3)["results"]
    assert [result["error"] for result in together] == [None] * len(scored)
    for row, result in zip(scored, together, strict=True):
        assert result["entity"]["order_id"] == row["order_id"]
        assert result["reasons"] == [reason.asDict() for reason in row["reasons"]]
        answer = row["prediction"]
        assert (result["probabilities"] if task == "multiclass" else result["prediction"]) == answer
        if task == "multiclass":
            label = max(answer, key=answer.get)
            assert (result["predicted_label"], result["prediction"]) == (label, answer[label])
        assert result["predicted_class"] == (int(answer >= 0.4) if task == "binary" else None)
    alone = [client.predict(row, explain=3)["results"][0] for row in [*looked_up, *brought]]
    assert alone == together
    model = client.ask("GET", "/model")[1]
    assert (model["task"], model["classes"]) == (task, list(CLASSES) if task == "multiclass" else None)
    assert model["threshold"] == (0.4 if task == "binary" else None)


def test_a_row_is_told_what_it_lacks_and_the_others_are_answered(client: Client) -> None:
    refused = {
        "`order_id` is null": FULL | {"order_id": None},
        "`order_id` is lacking": {name: value for name, value in FULL.items() if name != "order_id"},
        "`hour` is lacking: it is `hour(ordered_at)` in Spark, so the request brings it": {"order_id": 1, "customer": "x"},
        "`customer` is lacking: features of spending are looked up by it": {"order_id": 1, "hour": 1},
        "`hour`: expected a number or null, found 'seven'": FULL | {"hour": "seven"},
        "`hour`: expected a number or null, found a number beyond all doubles": FULL | {"hour": 10**400},
        "`profile__town`: expected a text or null, found 5": FULL | {"profile__town": 5},
        "`profile__town`: expected a text or null": FULL | {"profile__town": "\ud800"},
        "`customer`: expected one value, found [1]": FULL | {"customer": [1]},
        "`customer`: expected text, found 5": {"order_id": 1, "customer": 5, "hour": 3},
    }  # fmt: skip
    alone = client.predict(FULL)["results"][0]
    told = client.predict(*refused.values(), FULL)["results"]
    assert [reason in result["error"] for reason, result in zip(refused, told[:-1], strict=True)] == [True] * len(
        refused
    )
    assert {result["prediction"] for result in told[:-1]} == {None}
    assert told[-1] == alone


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"rows": [FULL | {"huor": 7}]}, 422, "row 0: unknown `huor`, did you mean `hour`?"),
        ({"rows": [FULL | {"amount": 7}]}, 422, "row 0: unknown `amount`"),
        ({"rows": []}, 422, "rows: expected at least one"),
        ({"rows": [5]}, 422, "rows: expected a list of objects"),
        ({"row": [FULL]}, 422, "expected {\"rows\": […]}, found the keys ['row']"),
        ({"rows": [FULL], "explain": 99}, 422, "explain: expected a whole number from 0 to 20, found 99"),
        ({"rows": [FULL], "explain": True}, 422, "explain: expected a whole number"),
        ({"rows": [FULL] * 501}, 422, "501 rows in one request: at most 500 are answered"),
        (b"{", 422, "the body is no JSON"),
        (b"", 422, "the body is no JSON"),
        (b'{"rows": [{"hour": 1, "hour": 2}]}', 422, "`hour` is given twice"),
        (b'{"rows": [{"hour": ' + b"9" * 5000 + b"}]}", 422, "the body is no JSON"),
        (b"[" * 100_000, 422, "the body is no JSON"),
    ],
)  # fmt: skip
def test_a_request_of_another_form_is_refused(client: Client, body: Any, status: int, reason: str) -> None:
    found, answer = client.ask("POST", "/predict", body)
    assert (found, reason in answer["detail"]) == (status, True), answer


def test_what_no_json_can_hold_is_missing_and_told_as_text(client: Client) -> None:
    odd = client.ask("POST", "/predict", b'{"rows": [{"order_id": 1e999, "customer": null, "hour": NaN}]}')
    plain = client.predict({"order_id": 1, "customer": None, "hour": None})["results"][0]
    assert odd[0] == 200
    assert odd[1]["results"][0] == plain | {"entity": {"order_id": "inf", "customer": None}}


def test_features_that_were_looked_up_are_told_with_their_times(client: Client) -> None:
    answer = client.predict({"order_id": 1, "customer": "ann", "hour": 7, "spending__amount_sum_1h": 1})
    assert answer["model_name"] == "shop"
    assert answer["asked_at"] == "2024-03-01T12:00:00.000000Z"
    states = answer["results"][0]["features"]
    assert {view: state["status"] for view, state in states.items()} == {"spending": "fresh", "profile": "fresh"}
    assert states["profile"]["_timestamp"] == "2024-03-01T10:20:00.000000Z"
    assert client.predict(FULL)["results"][0]["features"] == {}


def test_the_token_is_wanted_everywhere_but_for_health(client: Client) -> None:
    for method, path in (("POST", "/predict"), ("GET", "/model"), ("GET", "/metrics"), ("GET", "/openapi.json")):
        assert client.ask(method, path, token=None)[0] == client.ask(method, path, token="wrong")[0] == 401
    assert client.ask("GET", "/health", token=None) == (200, {"status": "ok"})
    health = client.ask("GET", "/health")[1]
    assert (health["model_name"], health["trouble"], "since" in health) == ("shop", None, True)


def test_the_document_describes_what_is_answered(client: Client) -> None:
    document = client.ask("GET", "/openapi.json")[1]
    operation = document["paths"]["/predict"]["post"]
    request = operation["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate({"rows": [FULL, {"order_id": 1, "customer": "x", "hour": None}]}, request)
    for wrong in ({"order_id": 1, "customer": "x"}, FULL | {"huor": 1}, FULL | {"profile__town": 5}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"rows": [wrong]}, request)
    response = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(client.predict(FULL, {"order_id": None}, explain=2), response)
    columns = {column["name"]: column for column in client.ask("GET", "/model")[1]["columns"]}
    assert columns["buyer"]["given_as"] == ["buyer", "customer"]
    assert (columns["hour"]["otherwise"], columns["profile__town"]["otherwise"]) == (
        None,
        "features of profile by customer",
    )


def test_a_promotion_takes_over_without_a_lost_request(started: Started) -> None:
    client, tracking = started.client, started.tracking
    first = started.promote("binary", 1)
    seen: list[tuple[int, float]] = []
    failures: list[object] = []
    ended = threading.Event()

    def hammer() -> None:
        while not ended.is_set():
            try:
                answer = client.predict(FULL)
                seen.append((answer["model_version"], answer["results"][0]["prediction"]))
            except BaseException as error:  # noqa: BLE001  # whatever it is, a request was lost
                failures.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    second, broken = register(tracking, train("binary", 2)), register(tracking, train("binary", 3))
    set_alias(tracking, second, "champion")
    wait_until(lambda: client.ask("GET", "/model")[1]["model_version"] == second.version)
    damage(Path(broken.source.removeprefix("file://")))
    set_alias(tracking, broken, "champion")
    wait_until(lambda: client.ask("GET", "/health")[1]["trouble"])
    ended.set()
    for thread in threads:
        thread.join()
    assert failures == []
    expected = {first: client_free_answer(1), second.version: client_free_answer(2)}
    assert {version for version, _ in seen} == set(expected)
    assert [found for found in seen if found != (found[0], expected[found[0]])] == []
    health = client.ask("GET", "/health")
    assert (health[0], health[1]["model_version"]) == (200, second.version)
    assert "not those that were registered" in health[1]["trouble"]
    metrics = client.ask("GET", "/metrics")[1]
    for line in (
        f'sparkml_ops_model_info{{model_name="shop",model_version="{second.version}"}} 1.0', "sparkml_ops_registry_trouble 1.0",
        "sparkml_ops_ready 1.0",
    ):  # fmt: skip
        assert line in metrics.splitlines()
    set_alias(tracking, second, "champion")
    wait_until(lambda: client.ask("GET", "/health")[1]["trouble"] is None)


def client_free_answer(seed: int) -> float:
    """What the model answers to the full row, without a server."""
    import pandas as pd

    return float(train("binary", seed).predict(pd.DataFrame([FULL | {"buyer": "ann"}]))[0])


def damage(source: Path) -> None:
    package = next(source.rglob("package.json"))
    package.write_text(package.read_text().replace("Bonn", "Rome"))


def test_without_a_champion_it_is_not_ready_and_then_needs_no_features_that_a_row_brings(started: Started) -> None:
    before = started.before
    assert before["None"] == (503, {"detail": "no champion is loaded"})
    assert (before[TOKEN][0], "has no version with the alias champion" in before[TOKEN][1]["detail"]) == (503, True)
    assert before["predict"][0] == 503
    brought, looked_up = before["unpublished"][1]["results"]
    assert (brought["prediction"], brought["error"]) == (client_free_answer(1), None)
    assert (looked_up["prediction"], "is not published yet" in looked_up["error"]) == (None, True)


def test_a_taken_port_is_told(tmp_path: Path, client: Client, call_verb: Callable[..., tuple[int, str]]) -> None:
    folder = write_project(tmp_path)
    for verb in (["serve"], ["online", "serve"]):
        code, told = call_verb(folder, *verb, "shop", "--port", str(client.port))
        assert (code, f"port {client.port}: Address already in use" in told, "Traceback" in told) == (3, True, False)


@pytest.fixture
def call_verb() -> Callable[..., tuple[int, str]]:
    import os
    import subprocess
    import sys

    def call(folder: Path, *arguments: str) -> tuple[int, str]:
        ended = subprocess.run(
            [sys.executable, "-m", "sparkml_ops", "--conf-dir", str(folder), *arguments],
            capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "ONLINE_TOKEN": TOKEN},
        )  # fmt: skip
        return ended.returncode, ended.stderr

    return call
