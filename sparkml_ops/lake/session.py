"""A Spark session that works with nothing set by hand, and that never overrides what somebody else has set."""

import json
import logging
import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from py4j.java_gateway import JavaPackage
from pyspark import SparkConf
from pyspark.sql import SparkSession

from sparkml_ops.config.environment import Environment, Scalar
from sparkml_ops.errors import SetupError

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


def open_session(environment: Environment) -> SparkSession:
    """Return a session with Delta and UTC: the active one if there is one, otherwise a new one.

    Args:
        environment: gives `spark.conf`, used only where spark-submit, `spark-defaults.conf` or a notebook say nothing.

    Raises:
        SetupError: Java is missing or too old, Spark does not start, or the session came without Delta.
    """
    session = SparkSession.getActiveSession() or _start_session(environment)
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


def delta_coordinate() -> str:
    """Maven coordinate of the Delta jar that fits the installed pyspark and delta-spark."""
    spark_minor = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{spark_minor}_2.13:{version('delta-spark')}"


def choose_conf(environment: Environment, already_set: dict[str, str], jars: list[str]) -> dict[str, str]:
    """Settings to start a session with: the environment's over our defaults, and neither over what is already set."""
    wanted = DEFAULT_CONF | _jar_conf(jars) | environment.spark.conf
    master = str(already_set.get("spark.master") or wanted.get("spark.master", "local[*]"))
    local = LOCAL_CONF if master.startswith("local") else {}
    return {
        key: _text(value)
        for key, value in ({"spark.master": master} | local | wanted).items()
        if key not in already_set
    }


def _start_session(environment: Environment) -> SparkSession:
    under_submit = "PYSPARK_GATEWAY_PORT" in os.environ
    if not under_submit:
        require_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    jars = [] if under_submit else _read_jar_list()
    settings = choose_conf(environment, _conf_already_set(), jars)
    if settings.get("spark.driver.host") == LOCAL_CONF["spark.driver.host"]:
        os.environ.setdefault(
            "SPARK_LOCAL_IP", LOCAL_CONF["spark.driver.host"]
        )  # or Spark looks for another address, and says so
    builder = SparkSession.builder.appName(f"sparkml_ops-{environment.name}")
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except Exception as error:
        raise SetupError(
            f"Spark does not start: {_first_line(error)}. `sparkml-ops doctor` looks for the cause."
        ) from error
    if not under_submit and not jars:
        _write_jar_list(session)
    return session


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


# Ivy resolves the Delta jar at each start, which costs seconds and writes a page to stderr. After the first start the
# files are known; naming them directly skips Ivy.


def _jar_conf(jars: list[str]) -> dict[str, Scalar]:
    return {"spark.jars": ",".join(jars)} if jars else {"spark.jars.packages": delta_coordinate()}


def _jar_list() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "sparkml_ops" / f"{delta_coordinate().replace(':', '_')}.json"


def _read_jar_list() -> list[str]:
    try:
        jars: list[str] = json.loads(_jar_list().read_text())
    except (OSError, ValueError):
        return []
    return jars if jars and all(Path(jar).is_file() for jar in jars) else []


def _write_jar_list(session: SparkSession) -> None:
    resolved = session.sparkContext.getConf().get("spark.jars") or ""
    jars = [jar.removeprefix("file://") for jar in resolved.split(",") if jar]
    if not any("delta-spark" in jar for jar in jars):
        return
    try:
        _jar_list().parent.mkdir(parents=True, exist_ok=True)
        _jar_list().write_text(json.dumps(jars))
    except OSError as error:
        logger.warning("cannot remember where the Delta jars are (%s): the next start resolves them again", error)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
