"""What `validate` tells of sources that are no files, and where it keeps silent about their passwords."""

from pathlib import Path

import pytest
from config_sample import LOCAL, USE_CASE, BreakSample

from sparkml_ops.config import load_use_case
from sparkml_ops.errors import ConfigError

FILES = "    path: ${landing}/orders/*.csv\n    format: csv\n    mode: incremental\n"
URL = "    path: jdbc:postgresql://db:5432/shop\n    format: jdbc\n"
SOUND = URL + "    jdbc: {table: orders, user: reader, password: '${env:PG_PASSWORD}', high_water: ordered_on}\n"
PASSWORD = "hunter2 & more"


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_PASSWORD", PASSWORD)


CASES = [
    pytest.param(
        URL,
        ["6: sources.orders.jdbc: missing: what is read from the database; allowed: {table: …} or {query: …}"],
        id="no section",
    ),
    pytest.param(
        SOUND.replace("//db", "//reader:pw@db"),
        [
            "7: sources.orders.path: a user or a password in the URL; allowed: a URL without; they belong to jdbc.user, jdbc.password"
        ],
        id="a password in the URL",
    ),
    pytest.param(
        SOUND.replace("/shop\n", "/shop?ssl=true&password=pw\n"),
        [
            "7: sources.orders.path: a user or a password in the URL; allowed: a URL without; they belong to jdbc.user, jdbc.password"
        ],
        id="a password among the URL's parameters",
    ),
    pytest.param(
        SOUND.replace("${env:PG_PASSWORD}", "hunter2"),
        [
            "9: sources.orders.jdbc.password: a password that does not come from the environment; allowed: ${env:NAME}, and the variable NAME set"
        ],
        id="a password in the file",
    ),
    pytest.param(
        SOUND.replace("PG_PASSWORD", "PG_PASSWORDS"),
        [
            "9: sources.orders.jdbc.password: the environment variable PG_PASSWORDS is not set; did you mean 'PG_PASSWORD'?"
        ],
        id="a variable that is not set",
    ),
    pytest.param(
        SOUND.replace("table: orders", "table: orders, query: select 1"),
        ["9: sources.orders.jdbc: a value from the environment, which is not shown; allowed: one of: table, query"],
        id="a table and a query",
    ),
    pytest.param(
        SOUND.replace(", high_water: ordered_on", ""),
        [
            "9: sources.orders.jdbc.high_water: missing: mode incremental reads what is new; allowed: a column, or mode: snapshot"
        ],
        id="nothing tells what is new",
    ),
    pytest.param(
        SOUND.replace("high_water: ordered_on", "partition_by: id, partitions: 4") + "    mode: snapshot\n",
        [
            "9: sources.orders.jdbc.partition_by: a snapshot in parts, each of which would see another moment; allowed: a snapshot in one piece, or a high_water"
        ],
        id="a snapshot of many moments",
    ),
    pytest.param(
        SOUND.replace("ordered_on", "returned, lag: 5m"),
        ["9: sources.orders.jdbc.lag: a lag for a high_water of type int; allowed: a timestamp or a date with it"],
        id="a lag for a number",
    ),
    pytest.param(
        SOUND.replace("postgresql", "mysql"),
        ["9: sources.orders.jdbc.driver: missing; allowed: the class of the driver, such as com.mysql.cj.jdbc.Driver"],
        id="a driver that we do not know",
    ),
    pytest.param(
        SOUND.replace("format: jdbc", "format: parquet\n    encoding: utf-8"),
        [
            "9: sources.orders.encoding: an encoding for parquet; allowed: format: csv with it",
            "10: sources.orders.jdbc: a value from the environment, which is not shown; allowed: format: jdbc with it",
        ],
        id="keys of other formats",
    ),
    pytest.param(
        "    path: lake.orders\n    format: delta\n    delta: {version: 3, changes: true}\n",
        [
            "9: sources.orders.delta.changes: changes for mode: incremental; allowed: mode: merge with them",
            "9: sources.orders.delta.version: one version for mode: incremental; allowed: mode: snapshot with it",
        ],
        id="a version that would never grow",
    ),
    pytest.param(
        "    path: lake.orders\n    format: delta\n    mode: merge\n    delta: {changes: true}\n",
        [
            "10: sources.orders.delta.changes: changes, of which nothing says which are deletions; allowed: merge.deleted_when with them"
        ],
        id="changes without deletions",
    ),
    pytest.param(
        "    path: shop/rates.py\n    format: python\n",
        [
            "6: sources.orders.python: missing: mode incremental reads what is new; allowed: {pieces: package.module:function}, or mode: snapshot",
            "7: sources.orders.path: no function; allowed: package.module:function",
        ],
        id="a file instead of a function",
    ),
]


@pytest.mark.parametrize(("source", "expected"), CASES)
def test_message(source: str, expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample({FILES: source}) == expected


def test_a_password_is_nowhere_to_be_seen(project: Path) -> None:
    (project / "conf" / "shop.yml").write_text(USE_CASE.replace(FILES, SOUND))
    use_case = load_use_case("shop")
    jdbc = use_case.sources["orders"].jdbc
    assert jdbc is not None
    assert jdbc.password is not None
    assert jdbc.password.get_secret_value() == PASSWORD
    assert PASSWORD not in repr(use_case) + use_case.model_dump_json() + str(use_case.model_dump())


def test_a_password_may_come_by_a_variable_of_the_environment_file(project: Path) -> None:
    (project / "conf" / "local.yml").write_text(LOCAL + "variables: {secret: '${env:PG_PASSWORD}', plain: hunter2}\n")
    file = project / "conf" / "shop.yml"
    file.write_text(USE_CASE.replace(FILES, SOUND.replace("env:PG_PASSWORD", "secret")))
    jdbc = load_use_case("shop").sources["orders"].jdbc
    assert jdbc is not None
    file.write_text(USE_CASE.replace(FILES, SOUND.replace("env:PG_PASSWORD", "plain")))
    with pytest.raises(ConfigError, match="a password that does not come from the environment") as raised:
        load_use_case("shop")
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("    path: main.sales.orders\n    format: delta\n", "main.sales.orders"),
        ("    path: lake/orders\n    format: delta\n", "{project}/lake/orders"),
        ("    path: ./lake.orders\n    format: delta\n", "{project}/lake.orders"),
        ("    path: my_shop.rates:read\n    format: python\n    mode: snapshot\n", "my_shop.rates:read"),
    ],
)
def test_names_are_no_paths(project: Path, lines: str, path: str) -> None:
    (project / "conf" / "shop.yml").write_text(USE_CASE.replace(FILES, lines))
    assert load_use_case("shop").sources["orders"].path == path.format(project=project)
