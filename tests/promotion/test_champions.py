"""Who serves, who is scored beside, and who was champion when: aliases and `promotions` tell the same, whoever comes in between."""

import dataclasses
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.cli import aliases as verbs
from sparkml_ops.cli.app import app
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError, ConflictError, ModelError, ModelNotFoundError
from sparkml_ops.lake import Lake, open_lake, query_tables, read_table
from sparkml_ops.lake.lease import hold_lease
from sparkml_ops.models import find_version, list_aliases, prepare_tracking, set_alias
from sparkml_ops.promotion import CHAMPIONS_SQL, list_champions, promote, roll_back, set_shadow
from sparkml_ops.promotion.decisions import last_switch, make_decision, record_decision
from sparkml_ops.reporting.candidates import read_decisions
from tests.flights_sample import PROJECT
from tests.promotion.test_promote import ask_gates, register, train_model
from tests.training.conftest import make_decisions

MONDAY = datetime(2020, 11, 23, 9, tzinfo=UTC)


@dataclasses.dataclass(frozen=True)
class Shop:
    use_case: UseCase
    lake: Lake

    def aliases(self) -> dict[str, int]:
        return list_aliases(prepare_tracking(self.use_case.environment), "shop")

    def point(self, alias: str, version: int) -> None:
        tracking = prepare_tracking(self.use_case.environment)
        set_alias(tracking, find_version(tracking, "shop", version=version), alias)

    def switches(self) -> list[tuple[int | None, int]]:
        rows = (
            read_table(self.lake, "promotions").where("decision IN ('promoted', 'rolled_back')").orderBy("decided_at")
        )
        return [(row["from_version"], row["to_version"]) for row in rows.collect()]


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Shop:
    """Three versions without gates, of which the first was promoted."""
    root = tmp_path_factory.mktemp("champions")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    use_case, decisions = ask_gates(root, mode=False), make_decisions(300)
    for rounds in (4, 3, 2):
        register(use_case, train_model(decisions, rounds))
    lake = open_lake(use_case, spark)
    promote(use_case, lake, version=1)
    return Shop(use_case, lake)


@pytest.fixture
def week(lake: Lake) -> Lake:
    """Version 1 on Monday at 9, version 2 at noon; back to 1 on Wednesday at 9; refusals and shadows in between are no changes."""
    told: list[tuple[Any, int | None, int | None, timedelta]] = [
        ("promoted", None, 1, timedelta(0)), ("promoted", 1, 2, timedelta(hours=3)), ("refused", 2, 3, timedelta(hours=4)),
        ("shadowed", None, 3, timedelta(hours=5)), ("rolled_back", 2, 1, timedelta(days=2)), ("unshadowed", 3, None, timedelta(days=3)),
    ]  # fmt: skip
    for kind, before, to, after in told:
        made = make_decision(kind, model=("shop", before, to), reason=f"why {kind}", origin=("ts", "run"))
        record_decision(lake, dataclasses.replace(made, decided_at=MONDAY + after), after=last_switch(lake))
    return lake


def test_the_champion_of_a_moment_and_of_a_day_is_one_query(week: Lake, shop: Shop) -> None:
    def serving(at: datetime, *, is_day: bool = False) -> list[int]:
        return [one.version for one in list_champions(shop.use_case, week, on=at, is_day=is_day)]

    assert [(one.version, one.from_version, one.decision) for one in list_champions(shop.use_case, week)] == [
        (1, 2, "rolled_back"), (2, 1, "promoted"), (1, None, "promoted"),
    ]  # fmt: skip
    newest = list_champions(shop.use_case, week)[0]
    assert (newest.since, newest.until, newest.reason) == (MONDAY + timedelta(days=2), None, "why rolled_back")
    assert serving(MONDAY - timedelta(microseconds=1)) == []
    assert serving(MONDAY) == [1]
    assert serving(MONDAY.replace(tzinfo=None, hour=12)) == [2]
    assert serving(MONDAY + timedelta(days=900)) == serving(datetime(9999, 12, 31, tzinfo=UTC), is_day=True) == [1]
    days = [serving(datetime(2020, 11, day, tzinfo=UTC), is_day=True) for day in (22, 23, 24, 25, 26)]
    assert days == [[], [2, 1], [2], [1, 2], [1]]


def test_the_query_of_the_readme_is_the_query(week: Lake) -> None:
    told = [
        text
        for text in re.findall(r"```sql\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
        if "lead(" in text
    ]
    assert len(told) == 1
    assert " ".join(CHAMPIONS_SQL.split()) in " ".join(told[0].split())
    asked = next(query for query in told[0].split(";") if "lead(" in query)
    found = query_tables(week, re.sub(r"--.*", "", asked).replace("2026-12-01", "2020-11-24"))[0].collect()
    assert [row["version"] for row in found] == [2]


def test_of_two_decisions_beside_each_other_the_second_is_told(week: Lake, shop: Shop) -> None:
    """As on storage without leases: both have seen the same champion."""
    seen = last_switch(week)
    mine, theirs = (
        make_decision("promoted", model=("shop", 1, to), reason="better", origin=("ts", "run")) for to in (2, 3)
    )
    record_decision(week, theirs, after=seen)
    with pytest.raises(
        ConflictError, match="another promotion or rollback of shop was decided meanwhile, and nothing was changed"
    ):
        record_decision(week, mine, after=seen)
    newest = last_switch(week)
    assert newest is not None
    assert (newest.decision_id, newest.to_version) == (theirs.decision_id, 3)
    early = dataclasses.replace(mine, decided_at=MONDAY)  # by a clock that is behind
    record_decision(week, early, after=newest)
    last = last_switch(week)
    assert last is not None
    assert (last.decision_id, last.decided_at - newest.decided_at) == (mine.decision_id, timedelta(microseconds=1))
    table = f"delta.`{week.root}/promotions`"
    week.spark.sql(f"DELETE FROM {table} WHERE decision_id = '{mine.decision_id}'")
    again = make_decision("promoted", model=("shop", 3, 2), reason="by hand", origin=("ts", "run"))
    record_decision(week, again, after=newest)
    assert [one.version for one in list_champions(shop.use_case, week)][:2] == [2, 3]


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(shop: Shop) -> None:
    before, told = shop.switches(), []
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        try:
            told.append(promote(shop.use_case, shop.lake, version=2).decision)
        except ConflictError as error:
            told.append("told" if "is being written by process" in str(error) else str(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) in (["no_change", "promoted"], ["promoted", "told"])
    assert shop.switches() == [*before, (1, 2)]
    assert shop.aliases()["champion"] == 2


def test_who_comes_while_another_decides_is_told_whom_to_wait_for(shop: Shop) -> None:
    champion, told = shop.aliases()["champion"], []

    def run() -> None:
        with pytest.raises(ConflictError) as raised:
            roll_back(shop.use_case, shop.lake, to_version=3, reason="late alarms")
        told.append(str(raised.value))

    with hold_lease(shop.lake, "promote", wait_seconds=1):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert re.match(r"promote is being written by process \d+ of .* nothing was written", told[0])
    assert shop.aliases()["champion"] == champion


def test_a_rollback_goes_to_any_version_and_takes_stale_aliases_away(shop: Shop) -> None:
    champion = shop.aliases()["champion"]
    shop.point("challenger", 3)
    shop.point("shadow", 3)
    found = roll_back(shop.use_case, shop.lake, to_version=3, reason="  the simpler\none ")
    assert (found.decision, found.reason, found.champion_before) == ("rolled_back", "the simpler one", champion)
    assert shop.aliases() == {"champion": 3}
    assert found.tell_undo("shop") == f"sparkml-ops rollback shop --to {champion} --reason WHY"
    back = roll_back(shop.use_case, shop.lake, to_version=champion, reason="undo")
    assert (back.champion, shop.aliases()) == (champion, {"champion": champion})
    with pytest.raises(ConfigError, match="--reason has no text that could be recorded"):
        roll_back(shop.use_case, shop.lake, to_version=3, reason=" \t")


def test_a_rollback_to_a_version_that_cannot_be_loaded_changes_nothing(shop: Shop) -> None:
    before, switches = shop.aliases(), shop.switches()
    source = Path(
        find_version(prepare_tracking(shop.use_case.environment), "shop", version=3).source.removeprefix("file://")
    )
    package = source / "data" / "package" / "package.json"
    content = package.read_bytes()
    package.write_bytes(content + b" ")
    with pytest.raises(ModelError, match="not those that were registered"):
        roll_back(shop.use_case, shop.lake, to_version=3, reason="late alarms")
    package.write_bytes(content)
    other_task = shop.use_case.model_copy(
        update={"model": shop.use_case.model.model_copy(update={"task": "regression"})}
    )
    with pytest.raises(
        ConfigError, match="version 3 of shop was trained for the task binary, and model.task is regression"
    ):
        roll_back(other_task, shop.lake, to_version=3, reason="late alarms")
    assert (shop.aliases(), shop.switches()) == (before, switches)


def test_a_switch_that_was_cut_off_is_completed_before_a_rollback(shop: Shop) -> None:
    """Else a rollback to the version that the alias still has would be no change, and the next promotion would move it after all."""
    champion = shop.aliases()["champion"]
    cut_off = make_decision("promoted", model=("shop", champion, 3), reason="better", origin=("ts", "run"))
    record_decision(shop.lake, cut_off, after=last_switch(shop.lake))
    found = roll_back(shop.use_case, shop.lake, to_version=champion, reason="late alarms")
    assert (found.decision, found.champion_before, shop.switches()[-1]) == ("rolled_back", 3, (3, champion))
    assert shop.aliases() == {"champion": champion}


def test_a_shadow_is_set_and_taken_away_on_the_record(shop: Shop) -> None:
    champion = shop.aliases()["champion"]
    done = set_shadow(shop.use_case, shop.lake, version=3, reason="how would it do?")
    assert (done.decision, done.shadow_before, done.is_scored) == ("shadowed", None, False)
    assert done.tell_undo("shop") == "sparkml-ops shadow shop --clear --reason WHY"
    assert shop.aliases() == {"champion": champion, "shadow": 3}
    assert set_shadow(shop.use_case, shop.lake, version=3, reason="again").tell_undo("shop") is None
    with pytest.raises(ConfigError, match=f"version {champion} of shop is the champion"):
        set_shadow(shop.use_case, shop.lake, version=champion, reason="why not")
    with pytest.raises(ModelNotFoundError, match="99"):
        set_shadow(shop.use_case, shop.lake, version=99, reason="a slip of the hand")
    cleared = set_shadow(shop.use_case, shop.lake, version=None, reason="seen enough")
    assert cleared.tell_undo("shop") == "sparkml-ops shadow shop --version 3 --reason WHY"
    assert shop.aliases() == {"champion": champion}
    rows = read_table(shop.lake, "promotions").where("decision LIKE '%shadowed'").orderBy("decided_at").collect()
    assert [(row["decision"], row["from_version"], row["to_version"], row["reason"]) for row in rows] == [
        ("shadowed", None, 3, "how would it do?"), ("unshadowed", 3, None, "seen enough"),
    ]  # fmt: skip
    assert not {one.decision for one in read_decisions(shop.lake)} & {"shadowed", "unshadowed"}


def test_an_alias_of_a_deleted_version_is_taken_away(shop: Shop) -> None:
    """Last in this file but one: it deletes a version."""
    tracking, champion = prepare_tracking(shop.use_case.environment), shop.aliases()["champion"]
    shop.point("challenger", 3)
    tracking.client.delete_model_version("shop", "3")
    roll_back(shop.use_case, shop.lake, to_version=3 - champion, reason="late alarms")
    assert shop.aliases() == {"champion": 3 - champion}


def test_the_verbs_tell_it(shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(verbs, "open_both", lambda *_: (shop.use_case, shop.lake))
    champion = shop.aliases()["champion"]
    assert app(["champions", "shop"], standalone_mode=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["version", "since", "until", "decision", "from_version", "decided_by", "reason"]
    assert lines[2].split()[:2] == [str(champion), f"{datetime.now(UTC):%Y-%m-%d}"]
    assert app(["champions", "shop", "--on", "2001-01-01"], standalone_mode=False) == 0
    assert capsys.readouterr().out == "no version was champion on 2001-01-01\n"
    assert app(["champions", "shop", "--on", datetime.now(UTC).isoformat(), "--json"], standalone_mode=False) == 0
    assert [one["version"] for one in json.loads(capsys.readouterr().out)["result"]] == [champion]
    assert app(["shadow", "shop", "--version", str(3 - champion), "--reason", "why"], standalone_mode=False) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"shadow: version {3 - champion} (shadowed)",
        "undo: sparkml-ops shadow shop --clear --reason WHY",
        "scoring.roles has no `shadow: shadow`: no batch is scored by it yet",
    ]
    with pytest.raises(ConfigError, match="expected one of --version N, which makes it the shadow, and --clear"):
        app(["shadow", "shop", "--reason", "why"], standalone_mode=False)
