"""A trial on a worker: fit, judge, and bring back what became of it. It never raises: the cause would be lost on the way."""

import math
import os
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sparkml_ops.errors import SparkMLOpsError, TrainingError
from sparkml_ops.training.estimators import FitSettings, find_estimator, find_loss

MAX_CAUSE_LENGTH = 2000
_GIGABYTE = 2**30


@dataclass(frozen=True)
class TrialTask:
    """What a worker needs for a trial: small, since it travels with each one.

    Attributes:
        folder: Where the encoded rows are.
        settings: Of the fit, with the fixed parameters.
        memory_gb: That a trial may take beyond what its worker has; None for no limit.
    """

    folder: str
    settings: FitSettings
    memory_gb: float | None = None


def try_params(task: TrialTask, params: Mapping[str, Any]) -> dict[str, Any]:
    """One trial, with these parameters beside the fixed ones: loss, metrics, rounds or the cause; and its seconds and memory."""
    outcome: dict[str, Any] = {"started": time.time()}
    _forget_peak()
    try:
        settings = replace(task.settings, params=dict(task.settings.params) | dict(params))
        with _limit_memory(task.memory_gb):
            fit = find_estimator(settings.estimator).fit_trial(task.folder, settings)
        loss = find_loss(settings.metric, fit.metrics[settings.metric])
        if not math.isfinite(loss):
            raise TrainingError(f"{settings.metric} on the tuning rows is {fit.metrics[settings.metric]}")  # noqa: TRY301
        outcome |= {"loss": loss, "metrics": dict(fit.metrics), "rounds": fit.rounds}
    except MemoryError:
        outcome["cause"] = _tell_memory(task.memory_gb)
    except SparkMLOpsError as error:  # the user's to mend: no traceback says more
        outcome["cause"] = " ".join(str(error).split())[:MAX_CAUSE_LENGTH]
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the cause
        is_memory = "bad_alloc" in str(error) or "cannot allocate" in str(error).lower()
        outcome["cause"] = _tell_memory(task.memory_gb) if is_memory else traceback.format_exc()[-MAX_CAUSE_LENGTH:]
    return outcome | {"ended": time.time(), "peak_mb": _read_peak()}


def _tell_memory(gigabytes: float | None) -> str:
    limit = "" if gigabytes is None else f" (model.search.trial_memory_gb: {gigabytes:g})"
    return f"it ran out of memory{limit}"


@contextmanager
def _limit_memory(gigabytes: float | None) -> Iterator[None]:
    """Let this process have so much more than it has now; where the system has such a limit."""
    if gigabytes is None:
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    limit = _read_pages() * os.sysconf("SC_PAGE_SIZE") + int(gigabytes * _GIGABYTE)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _read_pages() -> int:
    """Of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0])


def _forget_peak() -> None:
    """Begin to measure the peak anew: a worker lives on from trial to trial."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # no Linux, or not allowed: the peak is then of the worker's whole life


def _read_peak() -> float | None:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) / 1024
