"""Which files a name stands for, and which paths a file stands for."""

from pathlib import Path

import pytest
from config_sample import USE_CASE

from sparkml_ops.config import list_environments, list_use_cases, load_environment, load_use_case
from sparkml_ops.config.paths import resolve_mlflow_uri, resolve_path
from sparkml_ops.errors import ConfigError

NOT_A_NAME = (
    "is no name of a use case: letters, digits and _ alone, at most 64, no digit first. Use cases in conf: shop."
)
NO_FILE = "no such YAML file. Give a use case's name, or the path of its file."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shopp", "there is no use case 'shopp' in conf; there are: shop. Did you mean 'shop'?"),
        ("base", "there is no use case 'base' in conf; there are: shop."),
        ("local", "there is no use case 'local' in conf; there are: shop."),
        ("../../etc/passwd", f"'../../etc/passwd': {NO_FILE}"),
        ("..\\shop", f"'..\\\\shop': {NO_FILE}"),
        ("conf/shopp.yml", f"'conf/shopp.yml': {NO_FILE}"),
        ("x; DROP TABLE orders", f"'x; DROP TABLE orders' {NOT_A_NAME}"),
        ("`a`", f"'`a`' {NOT_A_NAME}"),
        ("%2e%2e", f"'%2e%2e' {NOT_A_NAME}"),
        ("😀", f"'😀' {NOT_A_NAME}"),
        ("shop\n", f"'shop\\n' {NOT_A_NAME}"),
        ("", f"'' {NOT_A_NAME}"),
        ("s" * 300, f"'{'s' * 79}… (302 characters) {NOT_A_NAME}"),
        ("/" + "s" * 300 + ".yml", f"'/{'s' * 78}… (307 characters): {NO_FILE}"),
        ("shop\0", "'shop\\x00' holds a NUL character; no file has such a name."),
        ("\u202eshop", f"'\\u202eshop' {NOT_A_NAME}"),
    ],
)
def test_ugly_names(name: str, message: str, project: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_use_case(name)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ("prod", "there is no environment 'prod' in conf; there are: local."),
        ("lokal", "there is no environment 'lokal' in conf; there are: local. Did you mean 'local'?"),
        ("shop", "there is no environment 'shop' in conf; there are: local."),
        ("base", "there is no environment 'base' in conf; there are: local."),
        ("../local", "there is no environment '../local' in conf; there are: local. Did you mean 'local'?"),
    ],
)
def test_unknown_environments(env: str, message: str, project: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load_use_case("shop", env=env)
    assert str(raised.value) == message


def test_files_are_found_from_anywhere_below_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(project / "deep" / "down")
    use_case = load_use_case("shop")
    assert use_case.sources["orders"].path == str(project / "data/landing/orders/*.csv")
    assert use_case == load_use_case(project / "conf" / "shop.yml") == load_use_case("../../conf/shop.yml")
    assert use_case == load_use_case("shop", conf_dir=project / "conf")
    assert list_use_cases() == ["shop"]
    assert list_environments() == ["local"]


def test_without_configuration_it_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no conf/base.yml in .* or above it\. Go to the project"):
        load_use_case("shop")
    with pytest.raises(ConfigError, match="'nowhere' is no folder"):
        load_use_case("shop", conf_dir="nowhere")
    (tmp_path / "shop.yml").write_text(USE_CASE)
    (tmp_path / "local.yml").write_text("name: local\n")
    with pytest.raises(ConfigError, match=r"base.yml: cannot be read: No such file or directory"):
        load_use_case("shop.yml")


def test_the_environment_is_chosen_by_argument_then_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cluster", "test"):
        (project / "conf" / f"{name}.yml").write_text("reports: elsewhere\n")
    assert load_environment().name == "local"
    monkeypatch.setenv("SPARKML_OPS_ENV", "cluster")
    assert load_environment().name == "cluster"
    assert load_environment("test").name == "test"


@pytest.mark.parametrize(
    ("path", "resolved"),
    [
        ("data/lake", "/project/data/lake"),
        ("./data/lake/", "/project/data/lake"),
        ("/lake", "/lake"),
        ("/Volumes/main/x", "/Volumes/main/x"),
        ("s3://bucket/lake", "s3://bucket/lake"),
        ("s3a://bucket/lake", "s3a://bucket/lake"),
        ("dbfs:/lake", "dbfs:/lake"),
        ("abfss://c@a.dfs.core.windows.net/x", "abfss://c@a.dfs.core.windows.net/x"),
        ("file:///lake", "file:///lake"),
    ],
)
def test_paths_start_from_the_project(path: str, resolved: str) -> None:
    assert resolve_path(path, Path("/project")) == resolved


@pytest.mark.parametrize(
    ("uri", "resolved"),
    [
        ("sqlite:///data/mlflow.db", "sqlite:////project/data/mlflow.db"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("mlruns", "/project/mlruns"),
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("databricks", "databricks"),
        ("databricks-uc", "databricks-uc"),
        ("uc:http://x", "uc:http://x"),
    ],
)
def test_mlflow_addresses_start_from_the_project(uri: str, resolved: str) -> None:
    assert resolve_mlflow_uri(uri, Path("/project")) == resolved
