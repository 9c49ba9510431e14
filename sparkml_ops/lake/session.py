"""A Spark session that works with nothing set by hand, and that never overrides what somebody else has set."""

import logging
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from py4j.java_gateway import JavaPackage
from pyspark import SparkConf
from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment, Scalar
from sparkml_ops.errors import SetupError
from sparkml_ops.lake.jars import (
    PACKAGES,
    delta_coordinate,
    jar_conf,
    list_packages,
    read_jar_list,
    resolving_alone,
    write_jar_list,
)

logger = logging.getLogger(__name__)

DELTA_EXTENSION = "io.delta.sql.DeltaSparkSessionExtension"
DELTA_CATALOG = "org.apache.spark.sql.delta.catalog.DeltaCatalog"
MINIMUM_JAVA = 17

# Instants would mean something else under another zone, and a bad cast would become a silent null without ANSI.
REQUIRED_SQL_CONF = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "true"}

DEFAULT_CONF: dict[str, Scalar] = {
    **REQUIRED_SQL_CONF,
    "spark.sql.extensions": DELTA_EXTENSION,
    "spark.sql.catalog.spark_catalog": DELTA_CATALOG,
    # Spark's 200 and Delta's 50 partitions dominate the time of small tables; adaptive execution splits large ones.
    "spark.sql.shuffle.partitions": 8,
    "spark.databricks.delta.snapshotPartitions": 1,
    # A commit of unknown outcome is looked up instead of being written twice.
    "spark.databricks.delta.commit.idempotencyCheck.enabled": "true",
    # Java never compiles a method of more than 8,000 bytes. Spark's own limit of 65,535 lets the one method that it makes
    # for a wide row be interpreted, which costs more than the splitting into small methods that it falls back to.
    "spark.sql.codegen.hugeMethodLimit": 8000,
    # Or each call of a function of columns asks the JVM seven times for the place in the code that an error could name.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}

LOCAL_CONF = {
    # A laptop's host name may not resolve, or may resolve to a VPN's address.
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "4g",
    # On the few cores of a laptop the collector for throughput leaves more of them to the work than Java's default.
    "spark.driver.defaultJavaOptions": "-XX:+UseParallelGC",
}


def open_session(environment: Environment, *, packages: Sequence[str] = ()) -> SparkSession:
    """Return a session with Delta and UTC: the active one if there is one, otherwise a new one.

    Args:
        environment: gives `spark.conf`, used only where spark-submit, `spark-defaults.conf` or a notebook say nothing.
        packages: Maven coordinates of the drivers that the sources need, for a new session.

    Raises:
        SetupError: Java is missing or too old, Spark does not start, or the session came without Delta.
    """
    session = SparkSession.getActiveSession() or _start_session(environment, packages)
    require_delta(session)
    return with_required_conf(session)


def with_required_conf(session: SparkSession) -> SparkSession:
    """Return the session itself if it is in UTC under ANSI rules, otherwise a sibling that is; the first is not changed."""
    if all(session.conf.get(key, None) == value for key, value in REQUIRED_SQL_CONF.items()):
        return session
    logger.info("the active Spark session is not in UTC with ANSI rules: working in a session of our own beside it")
    return sibling_session(session)


def sibling_session(session: SparkSession) -> SparkSession:
    """Return a new session on the same context, whose settings nobody else sees."""
    sibling = session.newSession()
    for key, value in REQUIRED_SQL_CONF.items():
        sibling.conf.set(key, value)
    return sibling


def require_delta(session: SparkSession) -> None:
    """Raise SetupError, with what to add, when a session that somebody else started came without Delta."""
    if "DATABRICKS_RUNTIME_VERSION" in os.environ:
        return
    has_jar = not isinstance(session._jvm.io.delta.tables.DeltaTable, JavaPackage)  # type: ignore[union-attr]  # noqa: SLF001
    has_extension = DELTA_EXTENSION in (session.conf.get("spark.sql.extensions", None) or "")
    if has_jar and has_extension:
        return
    missing = "its jar is not on the class path" if not has_jar else "its SQL extension is not set"
    raise SetupError(
        f"This Spark session came without Delta Lake: {missing}. The JVM was up before us, so we cannot add it.\n"
        f"Start with:  spark-submit --packages {delta_coordinate()} \\\n"
        f"    --conf spark.sql.extensions={DELTA_EXTENSION} \\\n"
        f"    --conf spark.sql.catalog.spark_catalog={DELTA_CATALOG} …\n"
        "or give it  --properties-file conf/spark-delta.conf , which says the same."
    )


def choose_conf(
    environment: Environment, already_set: Mapping[str, str], jars: list[str], *, packages: Sequence[str] = ()
) -> dict[str, str]:
    """Settings to start a session with: the environment's over our defaults, and neither over what is already set."""
    own = {key: value for key, value in environment.spark.conf.items() if key != PACKAGES}
    wanted = DEFAULT_CONF | own | jar_conf(jars, packages, own=_own_jars(environment))
    master = str(already_set.get("spark.master") or wanted.get("spark.master", "local[*]"))
    local = LOCAL_CONF if master.startswith("local") else {}
    return {
        key: _text(value)
        for key, value in ({"spark.master": master} | local | wanted).items()
        if key not in already_set
    }


def _start_session(environment: Environment, drivers: Sequence[str]) -> SparkSession:
    under_submit = "PYSPARK_GATEWAY_PORT" in os.environ
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    packages = list_packages(environment, drivers)
    if under_submit:
        return _build_session(environment, packages, jars=[])
    require_java()
    if jars := read_jar_list(packages):
        return _build_session(environment, packages, jars=jars)
    with resolving_alone():
        jars = read_jar_list(packages)  # whoever held the lock may have resolved the same
        session = _build_session(environment, packages, jars=jars)
        if not jars and session.sparkContext.getConf().get(PACKAGES) == ",".join(packages):
            write_jar_list(session, packages, but=_own_jars(environment))
        return session


def _build_session(environment: Environment, packages: Sequence[str], *, jars: list[str]) -> SparkSession:
    settings = choose_conf(environment, _conf_already_set(), jars, packages=packages)
    if settings.get("spark.driver.host") == LOCAL_CONF["spark.driver.host"]:
        os.environ.setdefault(
            "SPARK_LOCAL_IP", LOCAL_CONF["spark.driver.host"]
        )  # or Spark looks for another address, and says so
    builder = SparkSession.builder.appName(f"sparkml_ops-{environment.name}")
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    except Exception as error:
        raise SetupError(
            f"Spark does not start: {_first_line(error)}. `sparkml-ops doctor` looks for the cause."
        ) from error


def _conf_already_set() -> dict[str, str]:
    """What spark-submit has set, or else the file spark-defaults.conf."""
    settings = dict(SparkConf().getAll())
    folder = os.environ.get("SPARK_CONF_DIR") or (
        os.environ.get("SPARK_HOME", "") and f"{os.environ['SPARK_HOME']}/conf"
    )
    defaults = Path(folder or ".") / "spark-defaults.conf"
    if folder and defaults.is_file():
        lines = (line.split(None, 1) for line in defaults.read_text().splitlines() if line.strip()[:1] not in {"", "#"})
        settings = {parts[0]: parts[-1].strip() for parts in lines} | settings
    return settings


def java_major_version() -> int | None:
    """Major version of the Java that Spark would use; None when there is none."""
    import re
    import subprocess

    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    if not java or not Path(java).exists():
        return None
    shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    found = re.search(r'version "(?:1\.)?(\d+)', shown)
    return int(found[1]) if found else None


def require_java() -> None:
    """Raise SetupError when there is no Java, or one too old for Spark."""
    major = java_major_version()
    if major is None or major < MINIMUM_JAVA:
        found = "none was found" if major is None else f"Java {major} was found"
        raise SetupError(
            f"Spark needs Java {MINIMUM_JAVA} or newer; {found}. Install one, for instance "
            "`apt-get install openjdk-17-jre-headless` or `brew install openjdk@17`, and set JAVA_HOME if there are several."
        )


def _own_jars(environment: Environment) -> list[str]:
    return [jar.strip() for jar in str(environment.spark.conf.get("spark.jars", "")).split(",") if jar.strip()]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
