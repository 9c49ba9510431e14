"""What is missing or broken on this machine."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sparkml_ops.errors import SparkMLOpsError

if TYPE_CHECKING:
    from sparkml_ops.cli.options import Shared
    from sparkml_ops.config.environment import Environment

PACKAGES = ("pyspark", "delta-spark", "mlflow", "hyperopt", "lightgbm", "pandas", "pyarrow", "numpy", "pydantic")
MINIMUM_FREE_GIB = 2


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    found: str
    advice: str = ""


def examine(shared: "Shared") -> list[Finding]:
    """Look at Python, packages, Java, configuration, storage, Spark with Delta, and MLflow."""
    return list(_examine(shared))


def _examine(shared: "Shared") -> Iterator[Finding]:
    yield Finding(
        "Python", sys.version_info >= (3, 11), f"{platform.python_version()} at {sys.executable}", "install Python 3.11"
    )
    for package in PACKAGES:
        yield _look_at_package(package)
    yield Finding(
        "Spark's Python", True, os.environ.get("PYSPARK_PYTHON", f"{sys.executable} (PYSPARK_PYTHON is not set)")
    )
    yield _attempt("Java", _look_at_java)
    environment: list[Environment] = []

    def read_configuration() -> str:
        from sparkml_ops.config.load import load_environment

        environment.append(load_environment(env=shared.env, conf_dir=shared.conf_dir))
        return f"environment {environment[0].name}, lake at {environment[0].lake.root}"

    yield _attempt("configuration", read_configuration)
    if environment:
        yield _attempt("disk", lambda: _look_at_disk(environment[0]))
        yield _attempt("Spark and Delta", lambda: _write_and_read(environment[0]))
        yield _attempt("MLflow", lambda: _reach_mlflow(environment[0]))


def _attempt(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, is_well=True, found=look())
    except SparkMLOpsError as error:
        return Finding(what, is_well=False, found="see below", advice=str(error))
    except Exception as error:  # noqa: BLE001  # a doctor that dies of the illness helps nobody
        return Finding(what, is_well=False, found=type(error).__name__, advice=str(error).splitlines()[0][:300])


def _look_at_package(package: str) -> Finding:
    try:
        return Finding(package, is_well=True, found=version(package))
    except PackageNotFoundError:
        return Finding(package, is_well=False, found="not installed", advice="install from requirements.lock")


def _look_at_java() -> str:
    from sparkml_ops.lake.session import java_major_version, require_java

    require_java()
    return f"Java {java_major_version()}"


def _look_at_disk(environment: "Environment") -> str:
    from pathlib import Path

    folder = Path(environment.lake.root)
    if "://" in environment.lake.root:
        return "remote storage: not looked at"
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free / 2**30
    if free < MINIMUM_FREE_GIB:
        raise OSError(f"only {free:.1f} GiB free at {there}; at least {MINIMUM_FREE_GIB} are wanted")
    return f"{free:.0f} GiB free at {there}"


def _write_and_read(environment: "Environment") -> str:
    """Write a small Delta table beside the use cases, read it back, and take it away."""
    from sparkml_ops.lake import Lake, append_once, new_run_id, open_session, read_table
    from sparkml_ops.lake.location import local_root

    session = open_session(environment)
    probe = Lake(session, f"{environment.lake.root}/_doctor-{new_run_id()}", None, "_doctor")
    append_once(probe, "probe", session.range(3), write_id="probe")
    total = read_table(probe, "probe").agg({"id": "sum"}).collect()[0][0]
    folder = local_root(probe)
    if folder is not None:
        shutil.rmtree(folder)
    if total != 3:  # noqa: PLR2004  # 0 + 1 + 2
        raise OSError(f"wrote 0, 1, 2 to {probe.root} and read a sum of {total}")
    return f"Spark {session.version}, master {session.sparkContext.master}, wrote and read a Delta table"


def _reach_mlflow(environment: "Environment") -> str:
    from sparkml_ops.models import prepare_tracking

    tracking = prepare_tracking(environment)
    count = len(tracking.client.search_experiments(max_results=1000))
    return f"{count} experiments at the tracking server"
