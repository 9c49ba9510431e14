"""Predictions in a real PostgreSQL server: each version once, whole or not at all, whatever is killed when."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.exports import DatabaseExport
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.delivery import refused
from sparkml_ops.delivery import to_database as module
from sparkml_ops.delivery.published import Published
from sparkml_ops.delivery.to_database import DatabaseOrder, Delivered, export_to_database
from sparkml_ops.errors import (
    ConfigError,
    ConflictError,
    ContractError,
    SetupError,
    SparkMLOpsError,
    TableNotFoundError,
)
from tests.delivery.conftest import History
from tests.delivery.published_shop import describe_exports
from tests.postgres import PASSWORD, USER, Postgres, start_postgres

SCHEMA, TABLE = 'scores "x"', "we\"ird 'täble"
QUOTED = '"scores ""x"""."we""ird \'täble"'
MARKERS = '"scores ""x""".sparkml_ops_exports'
Bring = Callable[..., Delivered]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as running:
        yield running


@pytest.fixture
def postgres(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Postgres:
    monkeypatch.setattr(refused, "WAITS_SECONDS", (0.2, 0.5, 1.0))
    server.run('DROP SCHEMA IF EXISTS "scores ""x""" CASCADE; CREATE SCHEMA "scores ""x"""')
    return server


@pytest.fixture
def declare(postgres: Postgres, environment: Environment) -> Callable[..., UseCase]:
    def build(name: str = "warehouse", **changed: Any) -> UseCase:
        given = {"to": "jdbc", "url": postgres.url, "table": f"{SCHEMA}.{TABLE}", "user": USER, "password": PASSWORD}
        return describe_exports(environment, {name: given | {"connections": 2} | changed})

    return build


@pytest.fixture
def bring(declare: Callable[..., UseCase]) -> Bring:
    numbers = iter(range(100))

    def order(published: Published, *, full: bool = False, dry_run: bool = False, **changed: Any) -> Delivered:
        use_case = declare(**changed)
        ((name, export),) = use_case.exports.items()
        assert isinstance(export, DatabaseExport)
        run = f"run-{next(numbers)}"
        return export_to_database(DatabaseOrder(use_case, name, export, published, run, full=full, dry_run=dry_run))

    return order


def read(postgres: Postgres) -> dict[str, float]:
    answer = postgres.run(f"SELECT coalesce(json_object_agg(\"order\", prediction), '{{}}') FROM {QUOTED}")
    return dict(json.loads(answer))


def ask(postgres: Postgres, column: str, where: str = "true") -> str:
    return postgres.run(f"SELECT {column} FROM {QUOTED} WHERE {where}")


def test_all_rows_then_what_changed_and_a_retry_adds_nothing(
    history: History, postgres: Postgres, bring: Bring
) -> None:
    first = bring(history.at(history.first))
    assert (first.plan.mode, first.rows, first.changed, first.removed) == ("whole", 7, 7, 0)
    assert read(postgres) == history.states[history.first]
    again = bring(history.at(history.first))
    assert (again.plan.mode, again.rows, again.changed) == ("unchanged", 0, 0)
    planned = bring(history.at(history.second), dry_run=True)
    assert (planned.plan.mode, planned.rows, planned.changed, planned.removed) == ("incremental", 8, None, 1)
    assert read(postgres) == history.states[history.first]
    changed = bring(history.at(history.second))
    assert (changed.plan.mode, changed.rows, changed.changed, changed.removed) == ("incremental", 8, 7, 1)
    assert read(postgres) == history.states[history.second]
    more = bring(history.at(history.third))
    assert (more.plan.mode, more.rows, more.changed, more.removed) == ("incremental", 1, 1, 0)
    written = ask(postgres, "xmin", "\"order\" = 'a'")
    full = bring(history.at(history.third), full=True)
    assert (full.plan.mode, full.rows, full.changed, full.removed) == ("whole", 8, 0, 0)
    assert ask(postgres, "xmin", "\"order\" = 'a'") == written, "what is there already is not written again"
    back = bring(history.at(history.restored))
    assert (back.plan.mode, back.removed, read(postgres)) == ("incremental", 2, history.states[history.restored])


def test_types_comments_and_the_marker_tell_what_is_there(history: History, postgres: Postgres, bring: Bring) -> None:
    bring(history.at(history.first))
    one = "\"order\" = 'a'"
    assert ask(postgres, "as_of AT TIME ZONE 'UTC'", one) == "29.03.2026 01:30:00.123456"
    assert json.loads(ask(postgres, "reasons", one)) == [{"feature": "größe 'x\"", "contribution": None}]
    assert json.loads(ask(postgres, "feature_versions", one)) == {"features_f": 3}
    assert ask(postgres, "probabilities IS NULL AND predicted_class = 0", one) == "t"
    name = QUOTED.replace("'", "''")
    assert "one row per decision" in postgres.run(f"SELECT obj_description('{name}'::regclass)")
    told = f"SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attname = 'reasons' AND attrelid = '{name}'::regclass"
    assert postgres.run(told).endswith("; JSON")
    marker = (
        f"SELECT use_case, export, scope, version, row_count, run_id, newest_as_of AT TIME ZONE 'UTC' FROM {MARKERS}"
    )
    assert postgres.run(marker) == f"shop|warehouse||{history.first}|7|run-0|29.03.2026 01:30:00.123456"
    assert postgres.run(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{SCHEMA}'") == "2", (
        "no staging table is left"
    )


def test_a_batch_alone_and_then_all(history: History, postgres: Postgres, bring: Bring) -> None:
    tuesday, monday = (history.at(history.third, batch=batch) for batch in ("tuesday", "monday"))
    only = bring(tuesday)
    assert (only.plan.mode, only.rows, read(postgres)) == ("batch", 1, {"z": 0.3})
    assert bring(tuesday).plan.mode == "unchanged"
    postgres.run(f"INSERT INTO {QUOTED} (\"order\", batch_id) VALUES ('gone', 'monday'), ('theirs', 'sunday')")
    assert bring(monday).removed == 1
    assert read(postgres) == history.states[history.third] | {"theirs": None}
    everything = bring(history.at(history.third))
    assert everything.plan.reason == "nothing was exported there before but single batches"
    assert (everything.removed, read(postgres)) == (1, history.states[history.third])


def test_a_feed_that_cannot_be_read_means_all_rows(
    history: History, postgres: Postgres, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(history.at(history.first))

    def refuse(*given: Any) -> None:
        raise TableNotFoundError("predictions_current cannot give the changes of v2 to v3: vacuumed")

    monkeypatch.setattr(Published, "read_changes", refuse)
    result = bring(history.at(history.second))
    assert (result.plan.mode, result.removed, read(postgres)) == ("whole", 1, history.states[history.second])
    assert "the change feed cannot be read any more (predictions_current cannot give" in result.plan.reason


def test_a_server_killed_in_the_middle_has_all_or_nothing(
    history: History, postgres: Postgres, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed with SIGKILL before the staging, after it, and in the transaction; the restarted server goes on."""
    bring(history.at(history.first))
    monkeypatch.setattr(refused, "WAITS_SECONDS", ())
    for place in ("_write_staging", "_require_all", "_replace_rows"):
        with monkeypatch.context() as patch:
            patch.setattr(module, place, killing(postgres, getattr(module, place)))
            with pytest.raises(SetupError, match="cannot be reached: .*The target is as it was"):
                bring(history.at(history.second))
        postgres.control("start")
        assert read(postgres) == history.states[history.first]
    result = bring(history.at(history.second))
    assert (result.plan.mode, result.removed, read(postgres)) == ("incremental", 1, history.states[history.second])
    left = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'sparkml_ops_staging%'"
    assert postgres.run(left) == "", "what killed exports have left is gone"
    assert bring(history.at(history.second)).plan.mode == "unchanged"


def test_a_server_that_restarts_is_waited_for(
    history: History, postgres: Postgres, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused, "WAITS_SECONDS", (1.0, 5.0, 20.0))
    monkeypatch.setattr(module, "_require_all", killing(postgres, module._require_all, once=True))
    starter = threading.Timer(2.0, postgres.control, ["start"])
    monkeypatch.setattr(postgres.__class__, "kill", starting(postgres.__class__.kill, starter))
    assert bring(history.at(history.first)).plan.mode == "whole"
    starter.join()
    assert read(postgres) == history.states[history.first]


def test_a_commit_whose_answer_is_lost_is_not_made_again(
    history: History, postgres: Postgres, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sparkml_ops'"
    commit = module._commit

    def cut(order: DatabaseOrder, target: Any, *given: Any, **named: Any) -> Any:
        commit(order, target, *given, **named)
        postgres.run(ends)
        return target.connection.ask("SELECT 1")

    monkeypatch.setattr(module, "_commit", cut)
    result = bring(history.at(history.first))
    assert (result.rows, result.changed, result.removed) == (7, 7, 0)
    assert "was committed before the connection was lost" in result.plan.reason


def test_who_comes_second_is_told_and_changes_nothing(
    history: History, postgres: Postgres, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(history.at(history.first))
    staged = module._require_all

    def meanwhile(*given: Any, **named: Any) -> Any:
        postgres.run(f"UPDATE {MARKERS} SET run_id = 'another'")
        return staged(*given, **named)

    monkeypatch.setattr(module, "_require_all", meanwhile)
    with pytest.raises(ConflictError, match="another export has written"):
        bring(history.at(history.second))
    assert read(postgres) == history.states[history.first]


def test_rows_that_a_repeated_task_has_written_twice_count_once(
    history: History, postgres: Postgres, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = module._write_staging

    def twice(*given: Any) -> None:
        write(*given)
        write(*given)

    monkeypatch.setattr(module, "_write_staging", twice)
    assert (bring(history.at(history.first)).changed, read(postgres)) == (7, history.states[history.first])


REFUSED: list[tuple[dict[str, str], type[SparkMLOpsError], str]] = [
    ({"url": "jdbc:postgresql://127.0.0.1:1/shop"}, SetupError, r"127.0.0.1:1/shop cannot be reached: .*refused.* tried 4 times"),
    ({"url": "jdbc:postgresql://127.0.0.1:70000/shop"}, ConfigError, "takes no URL such as jdbc:postgresql://127.0.0.1:70000/shop"),
    ({"password": "wrong-p4ss"}, SetupError, "refuses the user: .*Check `exports.warehouse.user`"),
    ({"table": "nowhere.scores"}, ConfigError, 'refuses it: .*schema "nowhere" does not exist.*a schema is not made'),
    ({"table": "theirs"}, ConfigError, "there with other columns: it lacks order, user, as_of.*and has id"),
    ({"table": "pg_catalog.scores"}, SetupError, "does not give the right to it: .*permission denied"),
    ({"driver": "org.nowhere.Driver"}, SetupError, "the driver org.nowhere.Driver is not on the class path"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "kind", "told"), REFUSED)
def test_what_cannot_be_is_told(
    history: History, postgres: Postgres, bring: Bring, changed: dict[str, str], kind: type[SparkMLOpsError], told: str
) -> None:
    postgres.run("DROP TABLE IF EXISTS theirs; CREATE TABLE theirs (id int)")
    with pytest.raises(kind, match=told) as raised:
        bring(history.at(history.first), **changed)
    assert not re.search(f"{PASSWORD}|wrong-p4ss", str(raised.value))


def test_rows_of_somebody_else_are_not_removed(history: History, postgres: Postgres, bring: Bring) -> None:
    bring(history.at(history.first))
    with pytest.raises(ConfigError, match="has rows that this export has not brought, and would remove"):
        bring(history.at(history.second), name="second")
    assert read(postgres) == history.states[history.first]


def test_a_value_that_the_table_cannot_hold_is_told_and_nothing_is_brought(
    history: History, postgres: Postgres, bring: Bring
) -> None:
    bring(history.at(history.first))
    postgres.run(f"ALTER TABLE {QUOTED} ADD CONSTRAINT low CHECK (prediction < 0.85)")
    with pytest.raises(ContractError, match="cannot take the rows: .*check constraint.*The target is as it was"):
        bring(history.at(history.second))
    assert read(postgres) == history.states[history.first]


def test_a_column_that_came_later_is_added_and_filled(history: History, postgres: Postgres, bring: Bring) -> None:
    bring(history.at(history.first))
    postgres.run(f"ALTER TABLE {QUOTED} DROP COLUMN prediction")
    with pytest.raises(ConfigError, match="lacks prediction. Nothing was written. Export all"):
        bring(history.at(history.second, batch="monday"))
    assert bring(history.at(history.first)).plan.reason == "the target lacks prediction"
    assert read(postgres) == history.states[history.first]


def killing(postgres: Postgres, action: Callable[..., Any], *, once: bool = False) -> Callable[..., Any]:
    """An action before which the server is killed, by the id of its own process."""
    done: list[bool] = []

    def act(*given: Any, **named: Any) -> Any:
        if not (once and done):
            done.append(True)
            postgres.kill()
        return action(*given, **named)

    return act


def starting(kill: Callable[..., None], starter: threading.Timer) -> Callable[..., None]:
    """A kill after which somebody starts the server again, a little later."""

    def act(server: Postgres) -> None:
        kill(server)
        starter.start()

    return act
