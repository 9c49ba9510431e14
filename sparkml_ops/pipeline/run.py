"""The whole road: every step that has something to do, in order."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sparkml_ops.catalog import describe_tables
from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.features import build_features, create_training_set
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, new_run_id
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.monitoring import monitor
from sparkml_ops.pipeline.plan import PlannedStep, plan
from sparkml_ops.pipeline.steps import STAGES, Step, count_depth
from sparkml_ops.promotion import promote
from sparkml_ops.reporting import report
from sparkml_ops.scoring import score
from sparkml_ops.training import train

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)

# A small step waits for commits more than it computes; more than this at a time only makes them wait for each other.
SIDE_BY_SIDE = 3


@dataclass(frozen=True)
class StepOutcome:
    """What became of one step.

    Attributes:
        name: the step.
        status: succeeded, refused (a gate or a check said no) or skipped.
        seconds: how long it took.
        reason: why it ran, was skipped or was refused.
        result: what its verb returned; None when skipped.
    """

    name: str
    status: str
    seconds: float
    reason: str
    result: Any = None


@dataclass(frozen=True)
class RunResult:
    """A whole run.

    Attributes:
        run_id: its name in the ledger.
        steps: all steps in order.
        summary_path: the summary page; None when nothing ran.
    """

    run_id: str
    steps: tuple[StepOutcome, ...]
    summary_path: str | None

    @property
    def has_changes(self) -> bool:
        """Whether anything ran."""
        return any(step.status != "skipped" for step in self.steps)

    @property
    def refused(self) -> list[StepOutcome]:
        """Steps that ran to their end and said no."""
        return [step for step in self.steps if step.status == "refused"]


def run(
    use_case: "UseCase",
    lake: Lake,
    *,
    from_stage: str | None = None,
    to_stage: str | None = None,
    replace: bool = False,
    run_id: str | None = None,
) -> RunResult:
    """Run every step that has something to do; where nothing has changed, nothing is written at all.

    A run that ended early is gone on with by the next: what was done is skipped. When a gate refuses the new model, the
    present champion goes on scoring.

    Args:
        use_case: the configuration.
        lake: where the tables are.
        from_stage: run this stage and those after it, changed or not.
        to_stage: stop after this stage.
        replace: whether rows of a batch that differ from those it had may take their place; without it, scoring refuses.
        run_id: name of the run.

    Raises:
        ConflictError: the use case is being run by somebody else.
        SparkMLOpsError: whatever the first step that fails raises; what was done before stands.
    """
    call = _Call(run_id or new_run_id(), replace)
    with hold_lease(lake, "run", wait_seconds=STAGE_WAIT_SECONDS):
        steps = plan(use_case, lake, from_stage=from_stage, to_stage=to_stage).steps
        outcomes: list[StepOutcome] = []
        for alike in _find_layers(steps):
            ready = [_after(outcomes, planned) for planned in alike]
            outcomes += _run_side_by_side(use_case, lake, ready, call)
        summary = None
        if any(outcome.status != "skipped" for outcome in outcomes):
            describe_tables(use_case, lake)
            summary = str(report(use_case, lake, run_id=call.run_id).path)
    return RunResult(call.run_id, tuple(outcomes), summary)


@dataclass(frozen=True)
class _Call:
    """What was asked of the run as a whole."""

    run_id: str
    replace: bool


def _find_layers(steps: Sequence[PlannedStep]) -> list[list[PlannedStep]]:
    """Steps of one stage that do not follow each other, layer by layer."""
    depth = count_depth([planned.step for planned in steps])

    def order(planned: PlannedStep) -> tuple[int, int]:
        return STAGES.index(planned.step.stage), depth[planned.step.name]

    return [[*alike] for _, alike in groupby(sorted(steps, key=order), key=order)]


def _run_side_by_side(
    use_case: "UseCase", lake: Lake, ready: Sequence[PlannedStep], call: "_Call"
) -> list[StepOutcome]:
    """Run steps of one stage that do not follow each other; the first error is raised when all have ended."""
    executor = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="step")
    try:
        started = [executor.submit(_run_step, use_case, lake, planned, call) for planned in ready]
        wait(started)
        return [step.result() for step in started]
    except BaseException:
        lake.spark.sparkContext.cancelAllJobs()  # after Ctrl-C nobody waits for what is under way
        raise
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _after(outcomes: Sequence[StepOutcome], planned: PlannedStep) -> PlannedStep:
    """A held batch leaves nothing new to watch."""
    is_held = any(outcome.name == "score" and outcome.status == "refused" for outcome in outcomes)
    if planned.step.stage == "monitor" and is_held:
        return PlannedStep(planned.step, runs=False, reason="the batch was held: nothing new is published")
    return planned


def _run_step(use_case: "UseCase", lake: Lake, planned: PlannedStep, call: "_Call") -> StepOutcome:
    name = planned.step.name
    if not planned.runs:
        return StepOutcome(name, "skipped", 0.0, planned.reason)
    logger.info("%s: %s", name, planned.reason)
    started = time.monotonic()
    try:
        result = _VERBS[planned.step.stage](use_case, lake, planned.step, call)
    except SparkMLOpsError as error:
        error.add_note(
            f"Run {call.run_id} ended at step {name}. What was done before stands; run again to go on from there."
        )
        raise
    seconds = time.monotonic() - started
    refusal = _find_refusal(result)
    logger.info("%s: %s in %.1f s", name, "refused" if refusal else "done", seconds)
    return StepOutcome(name, "refused" if refusal else "succeeded", seconds, refusal or planned.reason, result)


_VERBS: dict[str, Callable[["UseCase", Lake, Step, _Call], Any]] = {
    "ingest": lambda u, lake, step, call: ingest(u, lake, sources=[str(step.subject)], run_id=call.run_id),
    "features": lambda u, lake, step, call: build_features(u, lake, views=[str(step.subject)], run_id=call.run_id),
    "dataset": lambda u, lake, _, call: create_training_set(u, lake, run_id=call.run_id),
    "train": lambda u, lake, _, call: train(u, lake, run_id=call.run_id),
    "promote": lambda u, lake, _, call: promote(u, lake, run_id=call.run_id),
    "score": lambda u, lake, _, call: score(u, lake, replace=call.replace, run_id=call.run_id),
    "monitor": lambda u, lake, _, call: monitor(u, lake, run_id=call.run_id),
}


def _find_refusal(result: Any) -> str | None:
    """The reason, when a gate refused a model or a check held a batch."""
    if getattr(result, "decision", None) in {"refused", "awaiting_approval"}:
        return str(result.reason)
    refusal: str | None = getattr(result, "refusal", None)
    return refusal
