"""`exports` in a file: what is told about it, and that its passwords are not shown."""

from pathlib import Path

import pytest
from config_sample import USE_CASE, BreakSample

from sparkml_ops.config.exports import DatabaseExport, FilesExport
from sparkml_ops.config.load import load_use_case

URL = "url: 'jdbc:postgresql://h/d'"
CASES = [
    pytest.param(
        "w: {to: jdbc, url: 'jdbc:postgresql://u:p@h/d', table: a..b, password: hunter2}, f: {to: cvs, path: out}",
        [
            "76: exports.f.to: found 'cvs'; allowed: jdbc, parquet, csv; did you mean 'csv'?",
            "76: exports.w.password: a password that does not come from the environment; allowed: ${env:NAME}, and the variable NAME set",
            "76: exports.w.table: found 'a..b'; allowed: a table, schema.table or catalog.schema.table",
            "76: exports.w.url: a user or a password in the URL; allowed: a URL without; they belong to user and password",
        ],
        id="secrets in the file",
    ),
    pytest.param(
        f"w: {{to: jdbc, {URL}, table: a.b.c.d, connections: 0, tabel: 3}}, f: {{to: parquet, table: out}}",
        [
            "76: exports.f.path: missing: the folder, or a storage URL that all workers reach",
            "76: exports.f.table: unknown key; allowed: to, path",
            "76: exports.w.connections: found 0; allowed: a number from 1 up",
            "76: exports.w.tabel: unknown key; allowed: to, url, table, user, password, driver, connections, send_rows; did you mean 'table'?",
        ],
        id="keys of another kind",
    ),
    pytest.param(
        "m: {to: jdbc, url: 'jdbc:mysql://h/d', table: t}, h: {to: jdbc, url: 'postgres://h', table: t}, 'a b': {to: csv, path: x}",
        [
            "76: exports.a b: the name 'a b'; allowed: a name of letters, digits and _ that does not start with a digit",
            "76: exports.h.url: no database; allowed: its URL, such as jdbc:postgresql://host:5432/warehouse",
            "76: exports.m.driver: missing; allowed: the class of the driver, such as com.mysql.cj.jdbc.Driver",
        ],
        id="no database",
    ),
    pytest.param(
        "w: 3, v: {to: jdbc, path: x}, u: {path: x}",
        [
            "76: exports.u.to: missing; allowed: jdbc, parquet, csv",
            "76: exports.v.path: unknown key; allowed: to, url, table, user, password, driver, connections, send_rows",
            "76: exports.v.table: missing: with its schema: scores.flights; it is made when it is not there",
            "76: exports.v.url: missing: of the database: jdbc:postgresql://host:5432/warehouse",
            "76: exports.w: found 3; allowed: a mapping of keys",
        ],
        id="nothing at all",
    ),
]


@pytest.mark.parametrize(("section", "lines"), CASES)
def test_message(break_sample: BreakSample, section: str, lines: list[str]) -> None:
    assert break_sample({"freshness: 2d}": f"freshness: 2d}}\nexports: {{{section}}}"}) == lines


def test_secrets_come_from_the_environment_and_paths_start_from_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PG_PASSWORD", "hunter2")
    section = f"exports:\n  w: {{to: jdbc, {URL}, table: a.b, password: '${{env:PG_PASSWORD}}'}}\n  f: {{to: csv, path: out}}\n"
    (project / "conf" / "shop.yml").write_text(USE_CASE + section)
    loaded = load_use_case("shop")
    database = loaded.exports["w"]
    assert isinstance(database, DatabaseExport)
    assert database.password is not None
    assert (database.password.get_secret_value(), database.table_name()) == ("hunter2", ("a", "b"))
    assert loaded.exports["f"] == FilesExport(to="csv", path=str(project / "out"))
    assert all("hunter2" not in shown for shown in (repr(loaded), loaded.model_dump_json()))
