"""Settings: ours fill the gaps, and never take the place of what somebody has set."""

import pytest
from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment, SparkSettings
from sparkml_ops.errors import SetupError
from sparkml_ops.lake.jars import delta_coordinate, list_packages, require_driver
from sparkml_ops.lake.location import quote_identifier, quote_text
from sparkml_ops.lake.session import choose_conf, with_required_conf


def test_the_environment_stands_over_our_defaults(environment: Environment) -> None:
    chosen = choose_conf(environment, {}, [])
    assert chosen["spark.sql.shuffle.partitions"] == "2"
    assert chosen["spark.sql.session.timeZone"] == "UTC"
    assert chosen["spark.jars.packages"].startswith("io.delta:delta-spark_4.2_2.13:")


def test_what_is_set_already_is_not_touched(environment: Environment) -> None:
    already = {"spark.master": "spark://host:7077", "spark.sql.shuffle.partitions": "400", "spark.driver.memory": "1g"}
    chosen = choose_conf(environment, already, [])
    assert not set(already) & set(chosen)
    assert "spark.driver.host" not in chosen, "an address for a laptop has no place on a cluster"


def test_known_jars_are_named_so_that_ivy_is_not_asked(environment: Environment) -> None:
    chosen = choose_conf(environment, {}, ["/a.jar", "/b.jar"])
    assert chosen["spark.jars"] == "/a.jar,/b.jar"
    assert "spark.jars.packages" not in chosen


def test_packages_and_jars_of_the_environment_come_beside_ours(environment: Environment) -> None:
    conf = {
        **environment.spark.conf,
        "spark.jars.packages": "com.mysql:mysql-connector-j:9.4.0",
        "spark.jars": "/own.jar",
    }
    more = environment.model_copy(update={"spark": SparkSettings(conf=conf)})
    packages = list_packages(more, ["org.postgresql:postgresql:1"])
    first = choose_conf(more, {}, [], packages=packages)
    assert (
        first["spark.jars.packages"]
        == f"{delta_coordinate()},org.postgresql:postgresql:1,com.mysql:mysql-connector-j:9.4.0"
    )
    assert first["spark.jars"] == "/own.jar"
    later = choose_conf(more, {}, ["/delta.jar"], packages=packages)
    assert (later["spark.jars"], "spark.jars.packages" in later) == ("/delta.jar,/own.jar", False)


def test_a_driver_that_is_not_there_is_told_with_what_to_add(spark: SparkSession) -> None:
    require_driver(spark, "org.postgresql.Driver", place="source orders")
    with pytest.raises(
        SetupError, match=r"source orders: the driver com.mysql.cj.jdbc.Driver is not on .*--packages io.delta"
    ):
        require_driver(spark, "com.mysql.cj.jdbc.Driver", place="source orders")


def test_a_session_in_another_zone_is_left_as_it_is_and_ours_is_in_utc(spark: SparkSession) -> None:
    theirs = spark.newSession()
    theirs.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
    ours = with_required_conf(theirs)
    instant = "SELECT hour(TIMESTAMP'2026-07-01T12:00:00Z') AS h"
    assert (theirs.sql(instant).first()["h"], ours.sql(instant).first()["h"]) == (14, 12)
    assert with_required_conf(ours) is ours


@pytest.mark.parametrize("name", ["a`b", "a b", "名前", "x; DROP TABLE y", "a.b", "<script>", "'", '"'])
def test_ugly_names_survive_quoting(spark: SparkSession, name: str) -> None:
    row = spark.sql(f"SELECT {quote_text(name)} AS {quote_identifier(name)}").first()
    assert row is not None
    assert row.asDict() == {name: name}
