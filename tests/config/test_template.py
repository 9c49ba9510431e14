"""What `init` writes, and the configuration that comes with the project."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from sparkml_ops.config import list_environments, list_use_cases, load_environment, load_use_case
from sparkml_ops.config.template import ENVIRONMENT_FILES, render_use_case
from sparkml_ops.config.template_data import make_shop
from sparkml_ops.errors import ConfigError

CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture
def new_project(tmp_path: Path) -> Path:
    for path, text in render_use_case("returns").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_a_new_use_case_is_sound(new_project: Path) -> None:
    use_case = load_use_case("returns", conf_dir=new_project / "conf")
    assert use_case.name == "returns"
    for source in use_case.sources.values():
        assert list(new_project.glob(str(Path(source.path).relative_to(new_project))))
    assert list_use_cases(new_project / "conf") == ["returns"]
    assert list_environments(new_project / "conf") == ["cluster", "databricks", "local"]


def test_its_data_keep_the_contract_and_hold_a_signal(new_project: Path) -> None:
    use_case = load_use_case("returns", conf_dir=new_project / "conf")
    orders = [
        row
        for file in sorted((new_project / "data/landing/returns/orders").iterdir())
        for row in csv.DictReader(file.open())
    ]
    assert list(orders[0]) == list(use_case.sources["orders"].columns)
    assert len({order["order_id"] for order in orders}) == len(orders) == 3000
    assert {order["category"] for order in orders} == set(use_case.sources["orders"].columns["category"].allowed or ())
    by_category: defaultdict[str, list[int]] = defaultdict(list)
    for order in orders:
        by_category[order["category"]].append(int(order["returned"]))
    shares = {category: sum(returned) / len(returned) for category, returned in by_category.items()}
    assert shares["shoes"] > 2 * shares["books"]
    assert max(order["ordered_at"] for order in orders) > "2025-04-28"


def test_the_same_seed_makes_the_same_data() -> None:
    assert make_shop(1) == make_shop(1) != make_shop(2)


@pytest.mark.parametrize(
    "name", ["", "a b", "../x", "x; DROP TABLE", "😀", "a\0", "9lives", "n" * 65, "base", "local", "a\n"]
)
def test_ugly_names(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a use case: letters, digits and _ alone"):
        render_use_case(name)


@pytest.mark.parametrize("name", ENVIRONMENT_FILES)
def test_new_projects_get_this_projects_environments(name: str) -> None:
    assert render_use_case("x")[Path("conf") / f"{name}.yml"] == (CONF / f"{name}.yml").read_text()


def test_the_environments_are_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAKE_ROOT", "MLFLOW_TRACKING_URI", "LANDING_ROOT", "REPORTS_ROOT"):
        monkeypatch.setenv(name, f"s3a://bucket/{name}")
    for name in list_environments(CONF):
        environment = load_environment(name, conf_dir=CONF)
        assert environment.name == name
    assert load_environment("cluster", conf_dir=CONF).lake.root == "s3a://bucket/LAKE_ROOT"
    assert load_environment("databricks", conf_dir=CONF).lake.catalog == "main"


def test_the_flights_are_sound() -> None:
    assert load_use_case("flights", conf_dir=CONF).name == "flights"
