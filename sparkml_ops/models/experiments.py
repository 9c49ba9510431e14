"""Runs in MLflow: one for each training, and one nested in it for each trial."""

import json
import logging
import math
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sparkml_ops.errors import SetupError
from sparkml_ops.models.tracking import Tracking, quiet_mlflow

log = logging.getLogger(__name__)

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]
PARENT_TAG = "mlflow.parentRunId"  # MLflow's pages nest runs by it
PROCESS_TAG = "sparkml_ops.process"
MAX_PARAMS_PER_CALL = 100  # MLflow's limit
MAX_VALUE_LENGTH = 500  # servers before MLflow 2.8 refuse longer ones


@dataclass(frozen=True)
class RunFigures:
    """What is known about a run.

    Attributes:
        params: Parameters; written as text.
        metrics: Figures; those that are missing or not finite are left out.
        tags: Tags; written as text.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    tags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LearnedRows:
    """The rows that a run learned from, as MLflow's pages show a dataset.

    Attributes:
        name: The version of the training set.
        digest: Hash of its rows.
        table: The table with them.
        table_version: Its Delta version.
        rows: Rows by part.
    """

    name: str
    digest: str
    table: str
    table_version: int
    rows: Mapping[str, int]


def open_experiment(tracking: Tracking, name: str) -> str:
    """The experiment's id; it is made if it is not there.

    Raises:
        SetupError: The experiment was deleted; MLflow keeps the name taken.
    """
    from mlflow.exceptions import MlflowException

    with quiet_mlflow():
        found = tracking.client.get_experiment_by_name(name)
        if found is None:
            try:
                return str(tracking.client.create_experiment(name, artifact_location=_locate_artifacts(tracking, name)))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was faster
                    raise
                found = tracking.client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage == "deleted":
        raise SetupError(f"The MLflow experiment {name!r} was deleted: restore it with `mlflow experiments restore`.")
    return str(found.experiment_id)


def start_run(
    tracking: Tracking, experiment: str, *, name: str, parent: str | None = None, started_at: datetime | None = None
) -> str:
    """Start a run and mark it with this process, so that a later start can tell whether it still lives.

    Returns:
        The run's id.
    """
    tags = {"mlflow.runName": name, PROCESS_TAG: _identify_process(os.getpid())}
    if parent is not None:
        tags[PARENT_TAG] = parent
    run = tracking.client.create_run(
        experiment, start_time=_to_milliseconds(started_at or datetime.now(UTC)), tags=tags
    )
    return str(run.info.run_id)


def reopen_run(tracking: Tracking, experiment: str, *, tag: str, value: str) -> str | None:
    """Go on with the newest run that has a tag, broke off and has no outcome yet, as this process; None where there is none.

    MLflow lets no parameter be written twice: a run that has some cannot take in those of another outcome. One that still runs is somebody's.
    """
    found = tracking.client.search_runs(
        [experiment],
        filter_string=f"tags.{tag} = '{value}' and attributes.status != 'FINISHED' and attributes.status != 'RUNNING'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not found or found[0].data.params:
        return None
    run = str(found[0].info.run_id)
    tracking.client.update_run(run, status="RUNNING")
    tracking.client.set_tag(run, PROCESS_TAG, _identify_process(os.getpid()))
    return run


def list_nested(tracking: Tracking, experiment: str, parent: str) -> set[str]:
    """Names of the runs that are nested in one and ended by themselves."""
    asked = f"tags.`{PARENT_TAG}` = '{parent}' and attributes.status != 'KILLED'"
    names, token = set(), None
    while True:
        found = tracking.client.search_runs([experiment], filter_string=asked, max_results=1000, page_token=token)
        names |= {str(run.info.run_name) for run in found}
        token = found.token
        if not token:
            return names


def log_figures(tracking: Tracking, run: str, figures: RunFigures) -> None:
    """Add parameters, metrics and tags to a run."""
    from mlflow.entities import Metric, Param, RunTag

    now = _to_milliseconds(datetime.now(UTC))
    params = [Param(key, str(value)[:MAX_VALUE_LENGTH]) for key, value in figures.params.items()]
    finite = {key: value for key, value in figures.metrics.items() if value is not None and math.isfinite(value)}
    metrics = [Metric(key, float(value), now, 0) for key, value in finite.items()]
    tags = [RunTag(key, str(value)) for key, value in figures.tags.items()]
    tracking.client.log_batch(run, metrics=metrics, params=params[:MAX_PARAMS_PER_CALL], tags=tags)
    for start in range(MAX_PARAMS_PER_CALL, len(params), MAX_PARAMS_PER_CALL):
        tracking.client.log_batch(run, params=params[start : start + MAX_PARAMS_PER_CALL])


def log_learned_rows(tracking: Tracking, run: str, learned: LearnedRows) -> None:
    """Note what a run learned from; a second time for the same run changes nothing."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = {"delta_table_name": learned.table, "delta_table_version": learned.table_version}
    dataset = Dataset(
        name=learned.name,
        digest=learned.digest,
        source_type="delta_table",
        source=json.dumps(source),
        profile=json.dumps({"num_rows": sum(learned.rows.values()), **learned.rows}),
    )
    context = InputTag("mlflow.data.context", "training")
    tracking.client.log_inputs(run, [DatasetInput(dataset, [context])])


def log_file(tracking: Tracking, run: str, path: str | Path) -> None:
    """Keep a file with a run."""
    tracking.client.log_artifact(run, str(path))


def log_document(tracking: Tracking, run: str, name: str, content: Mapping[str, Any]) -> None:
    """Keep plain values as a JSON file with a run."""
    tracking.client.log_dict(run, dict(content), name)


def log_text(tracking: Tracking, run: str, name: str, text: str) -> None:
    """Keep a text as a file with a run."""
    tracking.client.log_text(run, text, name)


def finish_run(tracking: Tracking, run: str, status: RunStatus, *, ended_at: datetime | None = None) -> None:
    """End a run."""
    tracking.client.set_terminated(run, status=status, end_time=_to_milliseconds(ended_at or datetime.now(UTC)))


def complete_run(tracking: Tracking, run: str) -> None:
    """End a run as FINISHED whose outcome is there, though its process was killed before it could say so."""
    if tracking.client.get_run(run).info.status != "FINISHED":
        finish_run(tracking, run, "FINISHED")


def close_abandoned_runs(tracking: Tracking, experiment: str) -> list[str]:
    """Mark runs as KILLED that a dead process of this host has left RUNNING.

    Returns:
        The ids of the runs that were marked.
    """
    running = tracking.client.search_runs([experiment], filter_string="attributes.status = 'RUNNING'", max_results=1000)
    abandoned = [run.info.run_id for run in running if _is_abandoned(run.data.tags.get(PROCESS_TAG, ""))]
    for run_id in abandoned:
        finish_run(tracking, run_id, "KILLED")
        log.info("MLflow run %s was left by a process that is gone: marked as KILLED", run_id)
    return abandoned


def _locate_artifacts(tracking: Tracking, name: str) -> str | None:
    return None if tracking.artifact_location is None else f"{tracking.artifact_location.rstrip('/')}/{name}"


def _identify_process(pid: int) -> str:
    """Host, process id, and when the process started where the system tells it: ids are used again."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        started = ""
    return f"{socket.gethostname()} {pid} {started}".strip()


def _is_abandoned(process: str) -> bool:
    host, _, rest = process.partition(" ")
    pid = rest.split(" ")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # somebody else's process, and it lives
    return _identify_process(int(pid)) != process


def _to_milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
