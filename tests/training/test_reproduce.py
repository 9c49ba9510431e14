"""A registered version is made again from what was recorded of it, whatever tables and YAML hold by then."""

import json
import shutil
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from pyspark.sql import SparkSession

from sparkml_ops.cli.app import app
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ModelError, ModelNotFoundError, TableNotFoundError
from sparkml_ops.features import build_features, create_training_set
from sparkml_ops.lake import Lake, append_once, list_tables, open_lake, read_table, replace_where, table_version
from sparkml_ops.models import (
    PackagedModel,
    find_environment,
    find_version,
    list_versions,
    load_version,
    open_experiment,
    prepare_tracking,
    register_model,
    set_alias,
    start_run,
)
from sparkml_ops.training import reproduce, train
from tests.flow_project import call
from tests.training.conftest import make_decisions

SCHEMA = "order_id long, ordered_at timestamp, amount double, town string, bought int"
IMPUTE = {"amount": {"with": "mean", "flag": True}}


def make_orders(rows: int, *, first: int = 0, seed: int = 0) -> pd.DataFrame:
    made = make_decisions(rows, seed)
    columns = {"orders__amount": "amount", "orders__town": "town", "label": "bought"}
    orders = made[["ordered_at", *columns]].rename(columns=columns)
    return orders.assign(order_id=range(first, first + rows))[["order_id", "ordered_at", "amount", "town", "bought"]]


def shop_config(root: Path, **model: Any) -> dict[str, Any]:
    types = {"order_id": "long", "ordered_at": "timestamp", "amount": "double", "town": "string", "bought": "int"}
    columns = {name: {"type": kind} for name, kind in types.items()}
    search = {"max_trials": 2, "parallelism": 1, "seed": 3, "space": {"learning_rate": {"loguniform": [0.05, 0.3]}}}
    view = {"entity": ["order_id"], "timestamp": "ordered_at", "from": "orders", "impute": IMPUTE}
    return {
        "name": "shop",
        "environment": {
            "lake": {"root": str(root / "lake")},
            "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db"},
        },
        "sources": {"orders": {"path": "/nowhere/*.csv", "format": "csv", "key": ["order_id"], "columns": columns}},
        "features": {"basket": view | {"select": {"amount": "amount", "town": "town"}}},
        "dataset": {
            "from": "orders",
            "entity": ["order_id"],
            "timestamp": "ordered_at",
            "label": "bought = 1",
            "features": ["basket"],
            "derived": {"hour": "hour(ordered_at)"},
            "split": {"by": "time", "train_until": "2024-02-06", "valid_until": "2024-02-15"},
        },
        "model": {"task": "binary", "params": {"num_leaves": 7, "num_iterations": 30}, "search": search} | model,
        "scoring": {"from": "orders", "as_of": "ordered_at"},
    }


def make_use_case(root: Path, **model: Any) -> UseCase:
    return UseCase.model_validate(shop_config(root, **model), strict=False)


@dataclass(frozen=True)
class Shop:
    """A shop that has trained version 1 with LightGBM and version 2 with a forest."""

    root: Path
    use_case: UseCase
    lake: Lake

    def register(self, **metadata: Any) -> int:
        """Version 1 once more, with other metadata; what `None` stands for is left out."""
        tracking = prepare_tracking(self.use_case.environment)
        model = load_version(tracking, find_version(tracking, "shop", version=1))
        changed = {key: value for key, value in {**model.metadata, **metadata}.items() if value is not None}
        run = start_run(tracking, open_experiment(tracking, "shop"), name="train")
        return register_model(tracking, replace(model, metadata=changed), run_id=run).version

    def load(self, version: int) -> PackagedModel:
        tracking = prepare_tracking(self.use_case.environment)
        return load_version(tracking, find_version(tracking, "shop", version=version))


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Shop:
    root = tmp_path_factory.mktemp("reproduce")
    (root / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    use_case = make_use_case(root)
    lake = open_lake(use_case, spark)
    append_once(lake, "clean_orders", spark.createDataFrame(make_orders(1200), SCHEMA), write_id="1")
    build_features(use_case, lake)
    create_training_set(use_case, lake)
    train(use_case, lake)
    forest = {"params": {"n_estimators": 10, "max_depth": 4}, "search": {"max_trials": 1, "parallelism": 1}}
    train(make_use_case(root, estimator="sklearn.ensemble.RandomForestClassifier", **forest), lake)
    return Shop(root, use_case, lake)


@pytest.fixture(scope="module")
def moved_on(shop: Shop, spark: SparkSession) -> Shop:
    """The same after its table got more rows, others were changed, and the YAML says everything otherwise."""
    more = spark.createDataFrame(make_orders(300, first=5000, seed=5), SCHEMA)
    append_once(shop.lake, "clean_orders", more, write_id="2")
    raised = (
        read_table(shop.lake, "clean_orders")
        .where("order_id < 400")
        .selectExpr("* EXCEPT (amount)", "amount * 2 + 1 AS amount")
    )
    replace_where(
        shop.lake,
        "clean_orders",
        raised.select("order_id", "ordered_at", "amount", "town", "bought"),
        condition="order_id < 400",
        write_id="3",
    )
    changed = shop_config(
        shop.root, params={"num_leaves": 31, "num_iterations": 9}, levels={"at_most": 1}, metric="log_loss"
    )
    changed["features"]["basket"] |= {"select": {"town": "upper(town)"}, "impute": {}}
    changed["dataset"] |= {"derived": {"day": "day(ordered_at)"}, "impute": {"day": {"with": "median"}}}
    use_case = UseCase.model_validate(changed, strict=False)
    build_features(use_case, shop.lake)
    create_training_set(use_case, shop.lake)
    return replace(shop, use_case=use_case)


def list_table_versions(lake: Lake) -> dict[str, int]:
    return {table: table_version(lake, table) for table in list_tables(lake) if table != "runs"}


def read_run(lake: Lake, run_id: str) -> Any:
    return read_table(lake, "runs").where(f"run_id = '{run_id}'").collect()[0]


@pytest.mark.parametrize("version", [1, 2], ids=["lightgbm", "forest"])
def test_the_same_model_comes_out_and_nothing_else_is_written(shop: Shop, version: int) -> None:
    before = list_table_versions(shop.lake)
    result = reproduce(shop.use_case, shop.lake, version=version, run_id=f"same-{version}")
    assert (result.verdict, result.model_version, result.differences) == ("identical", version, ())
    assert (result.rows.rows, result.rows.equal, result.rows.above, result.rows.largest) == (1200, 1200, 0, 0.0)
    recorded = shop.load(version).metadata["figures"]
    again = {(figure.model, figure.metric, figure.part): figure.again for figure in result.figures}
    assert {"roc_auc", "threshold", "true_positive", "precision"} <= {
        metric for model, metric, _ in again if model == "candidate"
    }
    assert again["candidate", "roc_auc", "value"] == pytest.approx(recorded["candidate"]["roc_auc"]["value"], abs=1e-9)
    assert list_table_versions(shop.lake) == before
    assert [one.version for one in list_versions(prepare_tracking(shop.use_case.environment), "shop")][:2] == [1, 2]
    left = [path for place in ("_scratch", "_staging") for path in Path(shop.lake.root).glob(f"{place}/*")]
    assert left == []
    run = read_run(shop.lake, f"same-{version}")
    assert (run["step"], run["status"], run["model_version"]) == ("reproduce", "succeeded", version)
    assert (run["details"]["verdict"], run["details"]["rows_equal"], run["outputs"]) == ("identical", "1200", [])
    assert {use["table"] for use in run["inputs"]} == {"clean_orders", "features_basket"}


def test_what_was_recorded_counts_and_not_what_tables_and_yaml_hold_today(moved_on: Shop) -> None:
    result = reproduce(moved_on.use_case, moved_on.lake, version=1)
    assert (result.verdict, result.rows.equal) == ("identical", 1200)
    told = {change.key: (change.old, change.new) for change in result.configuration}
    assert table_version(moved_on.lake, "clean_orders") == 2
    assert told["model.params.num_leaves"] == (7, 31)
    assert told["model.metric"] == ("roc_auc", "log_loss")
    assert told["model.levels.at_most"] == (255, 1)
    assert told["impute.basket__amount.with"] == ("mean", None)
    assert told["impute.day.with"] == (None, "median")
    assert told["features.basket.select.town"] == ("town", "upper(town)")
    assert told["dataset.derived.hour"] == ("hour(ordered_at)", None)


def test_another_recorded_parameter_gives_another_model_and_the_figures_say_so(shop: Shop) -> None:
    version = shop.register(params={**shop.load(1).metadata["params"], "learning_rate": 0.9})
    result = reproduce(shop.use_case, shop.lake, version=version, run_id="differs")
    assert (result.verdict, result.rows.rows) == ("differs", 1200)
    assert result.rows.above == 1200 - result.rows.equal > 1000
    assert 0.01 < result.rows.largest < 1
    changed = {(figure.model, figure.metric) for figure in result.figures if not figure.is_same}
    assert ("candidate", "log_loss") in changed
    assert "linear" not in {model for model, _ in changed}
    run = read_run(shop.lake, "differs")
    assert (run["status"], run["details"]["verdict"], run["error"]) == ("refused", "differs", None)
    assert run["details"]["reason"].startswith(f"made again it differs in {result.rows.above} of 1200 predictions")


def test_what_is_not_as_it_was_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    here, then = find_environment(), shop.load(1).metadata
    version = shop.register(code_version="0.0.1+old", recipe=then["recipe"] | {"spark": "3.5.0", "threads": 99})
    numpy = replace(here.distributions["numpy"], version="9.9")
    other = replace(here, distributions={**here.distributions, "numpy": numpy})
    monkeypatch.setitem(reproduce.__globals__, "find_environment", lambda: other)
    result = reproduce(shop.use_case, shop.lake, version=version)
    assert result.verdict == "identical"
    told = "\n".join(result.differences)
    assert "code: 0.0.1+old -> " in told
    assert "Spark: 3.5.0 -> 4.2" in told
    assert f"environment: other versions: numpy {here.distributions['numpy'].version} -> 9.9" in told
    assert "threads" not in told  # they changed nothing
    unknown = shop.register(
        environment=then["environment"] | {"hash": "0" * 64}, rounds=2, recipe=then["recipe"] | {"threads": 99}
    )
    told = "\n".join(reproduce(shop.use_case, shop.lake, version=unknown).differences)
    assert "what it was is not known" in told
    assert "threads: 99 -> " in told


def test_other_levels_and_fills_are_named(shop: Shop) -> None:
    recipe = shop.load(1).metadata["recipe"]
    version = shop.register(recipe=recipe | {"impute": {}})
    result = reproduce(shop.use_case, shop.lake, version=version)
    assert result.verdict == "differs"
    assert result.differences == ("columns with other levels or fills: basket__amount",)


def test_a_table_version_that_is_gone_is_named(shop: Shop, spark: SparkSession, tmp_path: Path) -> None:
    shutil.copytree(Path(shop.lake.root).parent, tmp_path / "lake")
    config = shop_config(shop.root)
    config["environment"]["lake"]["root"] = str(tmp_path / "lake")
    use_case = UseCase.model_validate(config, strict=False)
    lake = open_lake(use_case, spark)
    for file in Path(lake.root, "clean_orders").glob("*.parquet"):
        file.unlink()
    with pytest.raises(TableNotFoundError, match=r"ts-\w+ cannot be made again without clean_orders@v0\."):
        reproduce(use_case, lake, version=1, run_id="gone")
    assert read_run(lake, "gone")["error"].startswith("TableNotFoundError: ")
    shutil.rmtree(Path(lake.root, "training_sets"))
    with pytest.raises(TableNotFoundError, match="Model shop version 1 cannot be made again: shop has no training set"):
        reproduce(use_case, lake, version=1)


def test_a_version_of_an_earlier_release_says_what_to_do(shop: Shop) -> None:
    version = shop.register(recipe=None, code_version="0.0.9+abc")
    with pytest.raises(ModelError, match=r"trained by an earlier release \(0\.0\.9\+abc\).*`sparkml-ops train shop`"):
        reproduce(shop.use_case, shop.lake, version=version)
    later = shop.load(1).metadata["recipe"]
    version = shop.register(recipe=later | {"model": {**later["model"], "quantum": True}})
    with pytest.raises(ModelError, match=r"whose configuration this one cannot read: .*quantum"):
        reproduce(shop.use_case, shop.lake, version=version)


def test_a_version_that_is_not_there_starts_nothing(shop: Shop) -> None:
    runs = table_version(shop.lake, "runs")
    for asked in ({"version": 99}, {"alias": "nobody"}):
        with pytest.raises(ModelNotFoundError, match="It has: version"):
            reproduce(shop.use_case, shop.lake, **asked)
    assert table_version(shop.lake, "runs") == runs


def write_project(shop: Shop) -> Path:
    config = shop_config(shop.root)
    files = {"base": {"name": "local", **config.pop("environment")}, "local": {"name": "local"}, "shop": config}
    for name, content in files.items():
        (shop.root / "conf").mkdir(exist_ok=True)
        (shop.root / "conf" / f"{name}.yml").write_text(yaml.safe_dump(content))
    return shop.root / "conf"


def test_the_command_line_says_by_how_much_and_what_the_yaml_says_otherwise(shop: Shop) -> None:
    conf, printed = write_project(shop), StringIO()
    version = shop.register(params={**shop.load(1).metadata["params"], "learning_rate": 0.9})
    with redirect_stdout(printed):
        code = app(
            ["--conf-dir", str(conf), "--set", "model.metric=pr_auc", "reproduce", f"shop@{version}"],
            standalone_mode=False,
        )
    lines = printed.getvalue().splitlines()
    assert (code, lines[0].split(", made again")[0], lines[0].endswith(": differs")) == (
        1,
        f"shop version {version}",
        True,
    )
    assert "; largest difference 0." in lines[1]
    assert "otherwise in the YAML today (what was recorded was done):" in lines
    assert "  model.metric: roc_auc -> pr_auc" in lines


@pytest.mark.slow
def test_a_process_of_its_own_makes_the_same_model(moved_on: Shop) -> None:
    conf = write_project(moved_on)
    tracking = prepare_tracking(moved_on.use_case.environment)
    set_alias(tracking, find_version(tracking, "shop", version=1), "champion")
    ended = call(moved_on.root, "--conf-dir", str(conf), "reproduce", "shop@champion", "--json")
    assert ended.returncode == 0, ended.stderr[-3000:]
    result = json.loads(ended.stdout)["result"]
    assert (result["verdict"], result["model_version"], result["rows"]["equal"]) == ("identical", 1, 1200)
    ended = call(moved_on.root, "--conf-dir", str(conf), "reproduce", "shop@99")
    assert (ended.returncode, ended.stdout, "Traceback" in ended.stderr) == (2, "", False)
    assert "Model 'shop' has no version 99. It has: version" in ended.stderr
