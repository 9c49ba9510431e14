"""The run of a training in MLflow, and the runs of its trials nested in it."""

from collections.abc import Callable, Sequence
from typing import Any

from sparkml_ops.features import TrainingSet
from sparkml_ops.models import (
    LearnedRows,
    RunFigures,
    Tracking,
    finish_run,
    list_nested,
    log_document,
    log_figures,
    start_run,
)
from sparkml_ops.training.trials import Trial

STATUSES: dict[str, Any] = {"ok": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}
MAX_TAG_LENGTH = 1000


def make_trial_logger(
    tracking: Tracking, experiment: str, *, parent: str, before: Sequence[Trial] = ()
) -> Callable[[Trial], None]:
    """A function that writes a finished trial as a run of its own, with its real start and end.

    Those before, which an earlier process made, are written too where that process was killed before it did.
    """

    def log_trial(trial: Trial) -> None:
        name = f"trial {trial.number}"
        run = start_run(tracking, experiment, name=name, parent=parent, started_at=trial.started_at)
        seconds = (trial.ended_at - trial.started_at).total_seconds()
        metrics = {
            **trial.metrics,
            "loss": trial.loss,
            "rounds": trial.rounds,
            "seconds": seconds,
            "peak_mb": trial.peak_mb,
        }
        tags = {"cause": trial.cause[-MAX_TAG_LENGTH:]} if trial.cause else {}
        log_figures(tracking, run, RunFigures(params=trial.params, metrics=metrics, tags=tags))
        finish_run(tracking, run, STATUSES[trial.status], ended_at=trial.ended_at)

    written = list_nested(tracking, experiment, parent) if before else set()
    for trial in before:
        if f"trial {trial.number}" not in written:
            log_trial(trial)
    return log_trial


def describe_learned(made: TrainingSet) -> LearnedRows:
    """A training set as MLflow notes it."""
    return LearnedRows(made.version, made.content_hash, made.table, made.table_version, made.rows)


def log_outcome(tracking: Tracking, run: str, metadata: dict[str, Any]) -> None:
    """Write what came out of a training into its run: best parameters, figures, where it came from."""
    figures = {
        f"{model}_{metric}{end}": figure[part]
        for model, metrics in metadata["figures"].items()
        for metric, figure in metrics.items()
        for part, end in (("value", ""), ("lower", "_lower"), ("upper", "_upper"))
    }
    search = {f"search_{key}": value for key, value in metadata["search"].items()}
    params = {**metadata["params"], "rounds": metadata["rounds"], "estimator": metadata["estimator"]}
    log_figures(tracking, run, RunFigures(params=params, metrics=figures | search))
    log_document(tracking, run, "figures.json", {key: value for key, value in metadata.items() if key != "reference"})
    log_document(tracking, run, "reference.json", metadata["reference"])
