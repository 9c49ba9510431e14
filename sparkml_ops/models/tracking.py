"""Where MLflow is. Everything is asked through one explicit client: no global address is read or set."""

import fcntl
import hashlib
import logging
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_ops.config.environment import Environment, MLflowLocation
from sparkml_ops.errors import SetupError

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROBE_SECONDS = 5  # MLflow itself retries an unreachable server for minutes
_CHATTY_LOGGERS = ("mlflow", "mlflow.store.db.utils", "alembic", "alembic.runtime.migration")


@dataclass(frozen=True)
class Tracking:
    """Where runs and models are kept, and the client that reaches them.

    Attributes:
        client: MLflow's client, bound to the two addresses.
        tracking_uri: Where runs are.
        registry_uri: Where models are.
        artifact_location: Root of a new experiment's files; None leaves it to the server.
    """

    client: "MlflowClient"
    tracking_uri: str
    registry_uri: str
    artifact_location: str | None


def prepare_tracking(environment: Environment) -> Tracking:
    """Reach MLflow, and make its SQLite database if it is not there.

    Processes that start together would migrate a new database at the same time and fail on each other's tables, so the
    first access is made under a file lock.

    Raises:
        SetupError: The server does not answer, or the database cannot be used.
    """
    location = environment.mlflow
    _check_reachable(location.tracking_uri)
    if location.registry_uri:
        _check_reachable(location.registry_uri)
    database = _find_sqlite_file(location.tracking_uri)
    if database is not None:
        _make_folder(database.parent)
    with quiet_mlflow(), _hold_start_lock(location.tracking_uri):
        return _connect(location, database)


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """Keep MLflow's progress notes off stderr; warnings and errors still come through."""
    import mlflow  # noqa: F401  # it sets its loggers' levels when it is imported

    with quiet_loggers(_CHATTY_LOGGERS, logging.WARNING):
        yield


@contextmanager
def quiet_loggers(names: Sequence[str], level: int) -> Iterator[None]:
    """Raise the level of some loggers, for as long as the block runs."""
    levels = {name: logging.getLogger(name).level for name in names}
    for name in levels:
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)


def hide_password(uri: str) -> str:
    """The address without user and password, fit for a log."""
    parts = urllib.parse.urlsplit(uri)
    return (
        uri
        if "@" not in parts.netloc
        else urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[1]))
    )


def _connect(location: MLflowLocation, database: Path | None) -> Tracking:
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when mlflow is imported: it would phone home
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    registry_uri = location.registry_uri or location.tracking_uri
    try:
        client = MlflowClient(tracking_uri=location.tracking_uri, registry_uri=registry_uri)
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise SetupError(
            f"MLflow at {hide_password(location.tracking_uri)} cannot be used: {str(error).splitlines()[0]} "
            "Check `mlflow.tracking_uri` of the environment; an older database needs `mlflow db upgrade <uri>`."
        ) from error
    return Tracking(
        client=client,
        tracking_uri=location.tracking_uri,
        registry_uri=registry_uri,
        artifact_location=location.artifact_location or _default_artifacts(database),
    )


def _default_artifacts(database: Path | None) -> str | None:
    # MLflow's own default is a folder under whatever folder the process happens to run in
    return None if database is None else (database.resolve().parent / "artifacts").as_uri()


def _find_sqlite_file(uri: str) -> Path | None:
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix).split("?")[0]) if uri.startswith(prefix) else None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"The folder {folder} of MLflow's database cannot be made: {error}") from error


def _check_reachable(uri: str) -> None:
    if not uri.startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=PROBE_SECONDS).close()  # noqa: S310  # http(s) only
    except urllib.error.HTTPError:
        return  # a server that answers with an error is there; what it says to us is seen at the first real request
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise SetupError(
            f"No MLflow server answers at {hide_password(uri)} within {PROBE_SECONDS} s: {error}. "
            "Start it, or set `mlflow.tracking_uri` of the environment to where it is (sqlite:///… needs no server)."
        ) from error


@contextmanager
def _hold_start_lock(uri: str) -> Iterator[None]:
    name = f"sparkml_ops_mlflow_{os.getuid()}_{hashlib.sha256(uri.encode()).hexdigest()[:16]}.lock"
    with (Path(tempfile.gettempdir()) / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
