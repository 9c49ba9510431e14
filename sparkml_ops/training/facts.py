"""What is recorded of a training with the model: its card tells these facts and no others."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.training.trials import Trial, find_best

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.features import TrainingSet
    from sparkml_ops.training.candidate import Commission
    from sparkml_ops.training.columns import ChosenColumns

LIBRARIES = ("lightgbm", "scikit-learn", "hyperopt", "numpy", "pyspark")
_WISHES = {"class_weight", "sample_weight", "monotone"}


def describe_training(
    commission: "Commission", chosen: "ChosenColumns", trials: Sequence[Trial], *, classes: Sequence[str] = ()
) -> dict[str, Any]:
    """What was asked, what it was made from, and how it was found; plain values for JSON."""
    best, model = find_best(trials), commission.use_case.model
    return {
        **commission.origin,
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "use_case": _describe_use_case(commission.use_case),
        "training_set": _describe_rows(commission.training_set),
        "estimator": model.estimator,
        "params": best.params,
        "rounds": best.rounds,
        "metric": model.metric,
        "task": model.task,
        **({"classes": list(classes)} if classes else {}),
        **model.model_dump(mode="json", by_alias=True, include=_WISHES),
        "seed": model.search.seed,
        "fitted_on": {"encoder": ["train"], "trials": ["train"], "model": ["train", "valid"]},
        "search": _describe_search(commission.use_case, trials),
        "search_by": {"backend": model.search.backend, "algorithm": model.search.algorithm},
        "left_out": chosen.left_out,
        "personal": sorted(list_personal_features(commission.use_case)),
        "libraries": {library: installed_version(library) for library in LIBRARIES},
    }


def measure_period(rows: DataFrame, timestamp: str) -> dict[str, list[str | None]]:
    """The first and the last moment of each part, ISO 8601 in UTC.

    Args:
        rows: The rows of the training set.
        timestamp: The column with the moment of decision.
    """
    moment = F.unix_micros(F.col(f"`{timestamp}`").cast("timestamp"))
    found = rows.groupBy("split").agg(F.min(moment), F.max(moment)).collect()
    return {part: [_to_text(first), _to_text(last)] for part, first, last in sorted(found)}


def _describe_use_case(use_case: "UseCase") -> dict[str, str]:
    card = use_case.model.card
    return {
        "description": use_case.description,
        "owner": use_case.owner,
        "label": use_case.dataset.describe_label(),
        "intended_use": card.intended_use,
        "limits": card.limits,
    }


def _describe_rows(training_set: "TrainingSet") -> dict[str, Any]:
    return {
        "table": training_set.table,
        "table_version": training_set.table_version,
        "rows": training_set.rows,
        "positives": training_set.positives,
        **({"labels": training_set.labels} if training_set.labels else {}),
        "content_hash": training_set.content_hash,
        "definition_hash": training_set.definition_hash,
        "created_at": training_set.created_at.isoformat(timespec="seconds"),
        "labels_as_of": training_set.as_of.isoformat(timespec="seconds"),
    }


def _describe_search(use_case: "UseCase", trials: Sequence[Trial]) -> dict[str, Any]:
    best, search = find_best(trials), use_case.model.search
    spent = sum((trial.ended_at - trial.started_at for trial in trials), timedelta())
    return {
        "trials": len(trials),
        "failed": sum(trial.status == "failed" for trial in trials),
        "cancelled": sum(trial.status == "cancelled" for trial in trials),
        "max_trials": search.max_trials if search.space else 1,
        "seconds": round(spent.total_seconds(), 3),
        "best_trial": best.number,
        "best_loss": best.loss,
    }


def _to_text(micros: int | None) -> str | None:
    if micros is None:
        return None
    return datetime.fromtimestamp(micros // 1_000_000, UTC).isoformat(timespec="seconds")
