"""One trial of a search: on the worker that tries, and as it is read back from Hyperopt's record.

Hyperopt's SparkTrials hides why trials fail: all failing, a timeout and a dying worker give the same message. So a
trial catches its own exceptions and brings back the cause, and what Spark reports is taken from the trial's record.
"""

import math
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sparkml_ops.config.model import Search
from sparkml_ops.errors import TrainingError
from sparkml_ops.training.estimators import FitSettings, find_estimator, find_loss
from sparkml_ops.training.space import build_space, decode_params

MAX_CAUSE_LENGTH = 2000


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what became of it.

    Attributes:
        number: Counts from 0, in the order in which they were proposed.
        params: All parameters, fixed ones too.
        status: Failed trials have a cause; cancelled ones were stopped by the timeout or by early stopping.
        loss: What is minimised; None unless it is ok.
        metrics: Figures on the tuning rows.
        rounds: Boosting rounds at the best figure.
        started_at: When it started, UTC.
        ended_at: When it ended, UTC.
        cause: Why it failed; the last line says it shortest.
    """

    number: int
    params: dict[str, Any]
    status: Literal["ok", "failed", "cancelled"]
    loss: float | None
    metrics: dict[str, float]
    rounds: int
    started_at: datetime
    ended_at: datetime
    cause: str | None = None


@dataclass(frozen=True)
class TrialTask:
    """What a worker needs for a trial: small, since it travels with each one. `settings` has the fixed parameters."""

    folder: str
    settings: FitSettings
    search: Search


def try_params(task: TrialTask, drawn: dict[str, Any]) -> dict[str, Any]:
    """One trial, on a worker. Never raises: Hyperopt would lose the cause."""
    params = dict(task.settings.params) | decode_params(task.search.space, drawn)
    outcome: dict[str, Any] = {"status": "fail", "params": params, "started": time.time()}
    try:
        settings = replace(task.settings, params=params)
        fit = find_estimator(settings.estimator).fit_trial(task.folder, settings)
        loss = find_loss(settings.metric, fit.metrics[settings.metric])
        if not math.isfinite(loss):
            raise TrainingError(f"{settings.metric} on the tuning rows is {fit.metrics[settings.metric]}")  # noqa: TRY301
        outcome |= {"status": "ok", "loss": loss, "metrics": dict(fit.metrics), "rounds": fit.rounds}
    except Exception:  # noqa: BLE001  # whatever it is, it is the cause
        outcome["cause"] = traceback.format_exc()[-MAX_CAUSE_LENGTH:]
    return outcome | {"ended": time.time()}


def find_best(trials: Sequence[Trial]) -> Trial:
    """The trial with the lowest loss, the earliest of equals."""
    return min((trial for trial in trials if trial.loss is not None), key=lambda trial: (trial.loss, trial.number))


def read_trial(record: dict[str, Any], task: TrialTask) -> Trial:
    """A trial from Hyperopt's record of it."""
    from hyperopt import space_eval
    from hyperopt.base import JOB_STATE_CANCEL

    result = record["result"]
    now = datetime.now(UTC)
    if "params" in result:
        params, started, ended = result["params"], result["started"], result["ended"]
    else:  # its worker never answered
        drawn = space_eval(build_space(task.search.space), {k: v[0] for k, v in record["misc"]["vals"].items() if v})
        params = dict(task.settings.params) | decode_params(task.search.space, drawn)
        started = _to_seconds(record["book_time"]) or now.timestamp()
        ended = _to_seconds(record["refresh_time"]) or now.timestamp()
    is_ok = result.get("status") == "ok"
    status: Any = "ok" if is_ok else "cancelled" if record["state"] == JOB_STATE_CANCEL else "failed"
    return Trial(
        number=int(record["tid"]),
        params=params,
        status=status,
        loss=result["loss"] if is_ok else None,
        metrics=result.get("metrics", {}),
        rounds=result.get("rounds", 0),
        started_at=datetime.fromtimestamp(started, UTC),
        ended_at=datetime.fromtimestamp(max(ended, started), UTC),
        cause=_find_cause(record) if status == "failed" else None,
    )


def _to_seconds(instant: datetime | None) -> float | None:
    """Hyperopt's instants are UTC without saying so."""
    return None if instant is None else instant.replace(tzinfo=UTC).timestamp()


def _find_cause(record: dict[str, Any]) -> str:
    cause = record["result"].get("cause")
    if cause is None:
        told = " ".join(str(part) for part in record["misc"].get("error", ()) if part)
        cause = f"the worker died or the task could not run: {told or 'Spark gave no cause'}"
    return str(cause)[-MAX_CAUSE_LENGTH:].strip()
