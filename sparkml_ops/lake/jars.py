"""Which jars a session needs, and where their files are.

Ivy resolves jars at each start, which costs seconds and writes a page to stderr. After the first start the files are known;
naming them directly skips Ivy.
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from py4j.java_gateway import JavaPackage

from sparkml_ops.config.environment import Environment
from sparkml_ops.errors import SetupError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)

PACKAGES = "spark.jars.packages"
POSTGRESQL_DRIVER = ("org.postgresql.Driver", "org.postgresql:postgresql:42.7.8")
"""Class and Maven coordinate."""


def list_drivers(use_case: "UseCase") -> list[str]:
    """Maven coordinates of the drivers that we know and the use case's sources and exports need."""
    addresses = [source.path for source in use_case.sources.values()]
    addresses += [export.url for export in use_case.exports.values() if export.to == "jdbc"]
    return [POSTGRESQL_DRIVER[1]] if any(url.startswith("jdbc:postgresql:") for url in addresses) else []


def require_driver(session: "SparkSession", driver: str, *, place: str) -> None:
    """Raise SetupError, with what to add, when a session came without a database's driver."""
    found: Any = session._jvm  # noqa: SLF001
    for part in driver.split("."):
        found = getattr(found, part)
    if not isinstance(found, JavaPackage):
        return
    known, coordinate = POSTGRESQL_DRIVER
    jar = coordinate if driver == known else "GROUP:ARTIFACT:VERSION"
    raise SetupError(
        f"{place}: the driver {driver} is not on the class path of this Spark session. Under spark-submit, and in a notebook with a "
        f"session of its own, name it at the start:  --packages {delta_coordinate()},{jar}\n"
        f"For a session that we start, say in the environment:  spark: {{conf: {{spark.jars.packages: '{jar}'}}}}"
    )


def delta_coordinate() -> str:
    """Maven coordinate of the Delta jar that fits the installed pyspark and delta-spark."""
    spark_minor = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{spark_minor}_2.13:{version('delta-spark')}"


def list_packages(environment: Environment, drivers: Sequence[str]) -> list[str]:
    """Maven coordinates: Delta's, the drivers', and those that the environment adds."""
    added = str(environment.spark.conf.get(PACKAGES, "")).split(",")
    return list(dict.fromkeys(name.strip() for name in (delta_coordinate(), *drivers, *added) if name.strip()))


def jar_conf(jars: Sequence[str], packages: Sequence[str], *, own: Sequence[str]) -> dict[str, str]:
    """The settings that bring jars: by file where the files are known, else by coordinate; the user's own beside them."""
    files = [*jars, *own]
    named = {"spark.jars": ",".join(files)} if files else {}
    return named if jars else {**named, PACKAGES: ",".join(packages or [delta_coordinate()])}


def _jar_list(packages: Sequence[str]) -> Path:
    others = hashlib.sha256(",".join(packages[1:]).encode()).hexdigest()[:12] if packages[1:] else ""
    name = "_".join(filter(None, [packages[0].replace(":", "_"), others]))
    return _cache_folder() / f"{name}.json"


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparkml_ops"


def read_jar_list(packages: Sequence[str]) -> list[str]:
    """Files of the jars as an earlier start resolved them; empty where that is not known, or they are gone."""
    try:
        jars: list[str] = json.loads(_jar_list(packages).read_text())
    except (OSError, ValueError):
        return []
    return jars if jars and all(Path(jar).is_file() for jar in jars) else []


@contextmanager
def resolving_alone() -> Iterator[None]:
    """Let one process of this user at a time resolve jars: Ivy's cache is not safe for two, which get half a jar."""
    folder = _cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "resolving.lock").open("a")
    except OSError as error:
        logger.warning("cannot lock %s (%s): another process may resolve jars at the same time", folder, error)
        yield
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_jar_list(session: "SparkSession", packages: Sequence[str], *, but: Sequence[str]) -> None:
    """Remember the files that the session's jars were resolved to, but for the user's own."""
    resolved = session.sparkContext.getConf().get("spark.jars") or ""
    jars = [jar.removeprefix("file://") for jar in resolved.split(",") if jar]
    jars = [jar for jar in jars if jar not in {own.removeprefix("file://") for own in but}]
    if not any("delta-spark" in jar for jar in jars):
        return
    try:
        _jar_list(packages).parent.mkdir(parents=True, exist_ok=True)
        _jar_list(packages).write_text(json.dumps(jars))
    except OSError as error:
        logger.warning("cannot remember where the jars are (%s): the next start resolves them again", error)
