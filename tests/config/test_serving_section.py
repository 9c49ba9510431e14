"""`serving`: what is wrong with it is told with what would be right, and its secrets stand in no file."""

from pathlib import Path

import pytest
from config_sample import USE_CASE, BreakSample

from sparkml_ops.config import load_use_case
from sparkml_ops.config.serving import RedisStore, SqliteStore

TOKEN = "a secret of more than sixteen characters"
CASES = [
    pytest.param(
        "views: [customer, custmer_orders, customer], horizon: 0s",
        [
            "76: serving.horizon: found 0s; allowed: a duration above zero",
            "76: serving.views[1]: there is no feature view 'custmer_orders'; allowed: customer, customer_orders; did you mean 'customer_orders'?",
            "76: serving.views[2]: 'customer' a second time",
        ],
        id="views that are not there",
    ),
    pytest.param(
        "token: hunter2, store: {kind: redis, url: 'redis://:hunter2@db:6379/0'}",
        [
            "76: serving.store.url: a password that does not come from the environment; allowed: ${env:NAME} for the address, and the variable NAME set",
            "76: serving.token: a token that does not come from the environment; allowed: ${env:NAME}, and the variable NAME set",
        ],
        id="secrets in the file",
    ),
    pytest.param(
        "token: '${env:SHORT}', store: {kind: redis, url: 'http://db:6379'}",
        [
            "76: serving.store.url: no address of a Redis server; allowed: redis://host:6379/0 or rediss://…",
            "76: serving.token: a value from the environment, which is not shown; allowed: 16 characters or more",
        ],
        id="a token that can be guessed",
    ),
    pytest.param(
        "store: {kind: rediss}, max_batch: 0",
        [
            "76: serving.max_batch: found 0; allowed: a number from 1 up",
            "76: serving.store.kind: found 'rediss'; allowed: sqlite, redis; did you mean 'redis'?",
        ],
        id="a kind that is not there",
    ),
    pytest.param(
        "store: {kind: redis}",
        [
            "76: serving.store.url: missing: redis://host:6379/0, rediss:// for TLS; ${env:NAME} where it holds a password: never in a file"
        ],
        id="no address",
    ),
]


@pytest.mark.parametrize(("section", "lines"), CASES)
def test_message(break_sample: BreakSample, monkeypatch: pytest.MonkeyPatch, section: str, lines: list[str]) -> None:
    monkeypatch.setenv("SHORT", "hunter2")
    assert break_sample({"freshness: 2d}": f"freshness: 2d}}\nserving: {{{section}}}"}) == lines


def test_without_a_section_the_datasets_views_go_to_a_file_of_the_project(project: Path) -> None:
    loaded = load_use_case("shop")
    assert loaded.served_views() == loaded.dataset.features
    assert loaded.serving.store == SqliteStore(kind="sqlite", path=str(project / "data" / "online" / "shop.sqlite"))


def test_secrets_come_from_the_environment_and_are_not_shown(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", TOKEN)
    monkeypatch.setenv("REDIS", "redis://:hunter2@db:6379/0")
    section = "serving:\n  token: ${env:TOKEN}\n  store: {kind: redis, url: '${env:REDIS}'}\n"
    (project / "conf" / "shop.yml").write_text(USE_CASE + section)
    serving = load_use_case("shop").serving
    assert isinstance(serving.store, RedisStore)
    assert serving.store.url.get_secret_value() == "redis://:hunter2@db:6379/0"
    for shown in (repr(serving), serving.model_dump_json()):
        assert TOKEN not in shown
        assert "hunter2" not in shown
