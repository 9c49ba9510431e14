"""What wins over what, and what is never shown."""

from pathlib import Path

import pytest

from sparkml_ops.config import load_environment, load_use_case
from sparkml_ops.errors import ConfigError


def told(overrides: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_use_case("shop", overrides=overrides)
    return [line.strip() for line in str(raised.value).split("\n")[1:]]


def test_overrides_win_over_environment_variables_over_overlay_over_base(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_environment().lake.root == str(project / "data/lake")
    (project / "conf" / "local.yml").write_text("lake: {root: overlay}\n")
    assert load_environment().lake.root == str(project / "overlay")
    monkeypatch.setenv("SPARKML_OPS_LAKE__ROOT", "/variable")
    assert load_environment().lake.root == "/variable"
    assert load_environment(overrides={"environment.lake.root": "s3a://set/lake"}).lake.root == "s3a://set/lake"


def test_overrides_reach_everything(project: Path) -> None:
    use_case = load_use_case(
        "shop",
        overrides={
            "scoring.threshold": "0.4",
            "variables.landing": "/landing",
            "environment.spark.conf.spark.sql.shuffle.partitions": "4",
            "dataset.features": "[customer]",
            "features.customer_orders.aggregate.0.windows": "[1d, 2d]",
            "owner": "''",
        },
    )
    assert use_case.scoring.threshold == 0.4
    assert use_case.sources["orders"].path == "/landing/orders/*.csv"
    assert use_case.environment.spark.conf == {"spark.sql.shuffle.partitions": 4}
    assert use_case.dataset.features == ["customer"]
    assert use_case.features["customer_orders"].column_names()[:2] == ["amount_mean_1d", "amount_mean_2d"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("scoring.treshold", "0.4", "--set scoring.treshold: unknown key; allowed: from, as_of, incremental, roles, threshold, max_violation_ratio, hold_if, explain; did you mean 'threshold'?"),
        ("scoring.threshold", "high", "--set scoring.threshold: found 'high'; allowed: a number"),
        ("scoring.explain", "", "--set scoring.explain: found nothing; allowed: a whole number"),
        ("scoring.threshold", "[", "--set scoring.threshold: cannot be read: "),
        ("scoring.threshold", "!!python/name:os.system x", "--set scoring.threshold: the tag '!!python/name:os.system'; allowed: "),
        ("scoring.threshold", "\0", "--set scoring.threshold: cannot be read: a character that YAML does not allow: '\\x00'"),
        ("scoring.threshold", "{a: 1, a: 2}", "--set scoring.threshold: written twice; first in line 1"),
        ("scoring.threshold.x", "1", "--set scoring.threshold.x: found {x: 1}; allowed: a number"),
        ("scoring.explain", "9" * 400, "--set scoring.explain: found 9999"),
        ("owner", "no", "--set owner: found false, which is how YAML reads the bare word no: put quotes around it; allowed: text"),
        ("environment.lake.rot", "/x", "--set environment.lake.rot: unknown key; allowed: root, catalog, schema; did you mean 'root'?"),
        ("environment", "/x", "--set environment: no key; allowed: a dotted key, such as scoring.threshold"),
        ("", "1", "--set : no key; allowed: a dotted key, such as scoring.threshold"),
        ("scoring..threshold", "1", "--set scoring..threshold: no key; allowed: a dotted key, such as scoring.threshold"),
        ("../../etc/passwd", "1", "--set ../../etc/passwd: no key; allowed: "),
        ("x; DROP TABLE orders", "1", "--set x; DROP TABLE orders: unknown key; allowed: name, "),
        ("😀", "1", "--set 😀: unknown key; allowed: name, "),
        ("a\0b\n", "1", "--set 'a\\x00b\\n': unknown key; allowed: name, "),
        ("k" * 300, "1", f"--set {'k' * 194}: unknown key; allowed: name, "),
        ("features.customer_orders.aggregate.7.windows", "[1d]", "--set features.customer_orders.aggregate.7.windows: found {7: "),
    ],
)  # fmt: skip
def test_ugly_overrides(key: str, value: str, expected: str, project: Path) -> None:
    lines = told({key: value})
    assert lines[0].startswith(expected)
    assert all(len(line) < 500 for line in lines)


def test_mistakes_of_all_files_come_together(project: Path) -> None:
    (project / "conf" / "base.yml").write_text(
        "lake: {rot: data/lake}\nmlflow: {tracking_uri: 5}\nvariables: {landing: x}\n"
    )
    (project / "conf" / "local.yml").write_text("reports: [a]\n")
    use_case = project / "conf" / "shop.yml"
    use_case.write_text(
        use_case.read_text().replace("task: binary", "task: ranking").replace("of: amount,", "of: amout,")
    )
    assert told({"scoring.threshold": "2"}) == [
        "--set scoring.threshold: found 2; allowed: a number below 1",
        "conf/base.yml:1: lake.root: missing: a folder or a storage URL; relative to the project folder",
        "conf/base.yml:1: lake.rot: unknown key; allowed: root, catalog, schema; did you mean 'root'?",
        "conf/base.yml:2: mlflow.tracking_uri: found 5: put quotes around it; allowed: text",
        "conf/local.yml:1: reports: found ['a']; allowed: text",
        (
            "conf/shop.yml:46: features.customer_orders.aggregate[0].of: no column 'amout' in orders; allowed: order_id, customer_id, "
            "amount, channel, ordered_on, returned, note, is_large, _ingested_at, _batch_id, _source_file; did you mean 'amount'?"
        ),
        "conf/shop.yml:61: model.task: found 'ranking'; allowed: binary, regression, multiclass",
    ]


def test_what_comes_from_the_environment_is_never_shown(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2-secret")
    monkeypatch.setenv("SPARKML_OPS_MLFLOW__TRAKING_URI", "http://user:hunter2-secret@host")
    (project / "conf" / "local.yml").write_text("variables: {password: '${env:SHOP_PASSWORD}'}\n")
    use_case = project / "conf" / "shop.yml"
    use_case.write_text(
        use_case.read_text()
        .replace("of: amount,", 'of: "amount + ${password}",')
        .replace("estimator: lightgbm", "estimator: ${SHOP_PASSWORD}")
        .replace("freshness: 2d", "freshness: '${password}'")
        .replace("at_least: 0.1", "at_least: '${env:SHOP_PASSWORD}'")
    )
    lines = told({"scoring.explain": "${password}"})
    assert "hunter2" not in "\n".join(lines)
    hidden = "a value from the environment, which is not shown"
    assert (
        f"conf/shop.yml:62: model.estimator: {hidden}; allowed: lightgbm, or the dotted path of a class, or package.module:function that returns an estimator"
        in lines
    )
    assert (
        f"conf/shop.yml:75: monitoring.freshness: {hidden}; allowed: a number with a unit: 90s, 15m, 6h or 7d" in lines
    )
    assert f"conf/shop.yml:68: gates.kpi.at_least: {hidden}; allowed: a number" in lines
    assert f"--set scoring.explain: {hidden}; allowed: a whole number" in lines
    assert (
        f"environment variable SPARKML_OPS_MLFLOW__TRAKING_URI: {hidden}; allowed: tracking_uri, registry_uri, artifact_location"
        in lines
    )


def test_variables_keep_their_type_and_can_be_escaped(project: Path) -> None:
    (project / "conf" / "local.yml").write_text("variables: {limit: 0.25, where: 'amount > ${limit}'}\n")
    use_case = load_use_case(
        "shop",
        overrides={"scoring.threshold": "${limit}", "owner": "'$${limit} of ${limit}'", "dataset.where": "${where}"},
    )
    assert use_case.scoring.threshold == 0.25
    assert use_case.owner == "${limit} of 0.25"
    assert use_case.dataset.where == "amount > 0.25"
