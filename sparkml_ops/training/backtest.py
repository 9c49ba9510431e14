"""A registered version's parameters, fitted again and again on the past and judged on what came next."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from sparkml_ops.config.dataset import HashSplit
from sparkml_ops.config.gates import Gates
from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.features import TrainingSet, read_training_set
from sparkml_ops.lake import Lake, Metric, new_run_id, record_metrics
from sparkml_ops.models import PackagedModel, find_version, prepare_tracking
from sparkml_ops.training.backtest_summary import FIRST, Figures, Spread, summarize_windows, tell_ageing
from sparkml_ops.training.backtest_windows import (
    BacktestPlan,
    Window,
    check_plan,
    count_windows,
    deal_window,
    find_range,
    find_shortage,
    plan_windows,
)
from sparkml_ops.training.evaluated import gather_figures
from sparkml_ops.training.judge import CHAMPION
from sparkml_ops.training.prepare import prepare_rows
from sparkml_ops.training.recorded_version import open_recorded, open_scratch
from sparkml_ops.training.winner import Winner, fit_winner, judge_candidate

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

log = logging.getLogger(__name__)

STEP = "backtest"


@dataclass(frozen=True)
class WindowResult:
    """What came of one window.

    Attributes:
        window: Which rows it has, by time.
        status: skipped: too few rows, or a single class; failed: no model could be fitted or judged.
        reason: Why, where it was not judged.
        rows: Rows by part.
        positives: Rows with label 1 by part; empty where labels are no classes.
        figures: By model (candidate, linear, trivial, and first in later windows) and name: value, lower, upper.
    """

    window: Window
    status: Literal["judged", "skipped", "failed"]
    reason: str
    rows: Mapping[str, int]
    positives: Mapping[str, int]
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True)
class BacktestResult:
    """What came of all windows.

    Attributes:
        run_id: The run in the ledger.
        model_name: The model.
        model_version: The version whose settings, parameters and rounds were used.
        training_set: Whose rows were gone through.
        metric: What the summary is about.
        windows: The windows, the earliest first.
        summary: The metric over the judged windows, by model.
        ageing: Whether quality falls with the age of the model, in words.
        notes: What must be known of these figures.
        seconds: How long it took.
    """

    run_id: str
    model_name: str
    model_version: int
    training_set: str
    metric: str
    windows: tuple[WindowResult, ...]
    summary: Mapping[str, Spread]
    ageing: str
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class _Past:
    """What is gone through: the settings as they were recorded, the model, and its rows."""

    asked: "UseCase"
    lake: Lake
    recorded: PackagedModel
    made: TrainingSet
    rows: "DataFrame"


def backtest(
    use_case: "UseCase",
    lake: Lake,
    *,
    version: int | None = None,
    alias: str | None = None,
    plan: BacktestPlan | None = None,
    run_id: str | None = None,
) -> BacktestResult:
    """Judge the way a version is made on window after window of its training set, each by a model of the rows before it.

    Settings, parameters and rounds are those that were recorded; nothing is searched. The parts of the training set are not
    heeded: all of its rows are dealt anew, by time. Nothing is written but figures (scope `backtest`) and the row in `runs`.

    Args:
        use_case: Whose model.
        lake: Where its tables are.
        version: Its number.
        alias: Or its alias; the newest version when neither is given.
        plan: The windows.
        run_id: Name of the run in the ledger; a new one by default.

    Raises:
        ConfigError: The windows are impossible, or leave no time to fit on.
        ModelNotFoundError: There is no such version; nothing was started.
        ModelError: Its files are not those that were registered, or it was trained by an earlier release.
        TableNotFoundError: Its training set is gone.
        ConflictError: Another backtest of the same use case is under way.
    """
    started, run, plan = time.monotonic(), run_id or new_run_id(), plan or BacktestPlan()
    check_plan(plan)
    tracking = prepare_tracking(use_case.environment)
    registered = find_version(tracking, use_case.name, alias=alias, version=version)
    with open_recorded(use_case, lake, registered=registered, step=STEP, run_id=run) as (step, opened):
        made = opened.made
        step.read(made.table, made.table_version, sum(made.rows.values()))
        asked = opened.asked.model_copy(update={"gates": Gates()})  # slices of so few rows say little
        past = _Past(asked, lake, opened.model, made, read_training_set(lake, made.version))
        windows = tuple(_go_through(past, plan))
        judged, metric = [one.figures for one in windows if one.status == "judged"], asked.model.metric
        summary, ageing = summarize_windows(judged, metric), tell_ageing(judged, metric)
        figures = [*_list_figures(windows, registered.version), *_list_summary(summary, metric, registered.version)]
        step.wrote(record_metrics(lake, figures, run_id=run, step=STEP, write_id=f"{STEP}:{run}"))
        step.note("windows_judged", len(judged))
        step.note("ageing", ageing)
        if not judged:
            step.refuse("no window could be judged")
    return BacktestResult(
        run_id=run,
        model_name=registered.name,
        model_version=registered.version,
        training_set=made.version,
        metric=metric,
        windows=windows,
        summary=summary,
        ageing=ageing,
        notes=tuple(_list_notes(past)),
        seconds=time.monotonic() - started,
    )


def _go_through(past: _Past, plan: BacktestPlan) -> Iterator[WindowResult]:
    timestamp = past.asked.dataset.timestamp
    windows = plan_windows(*find_range(past.rows, timestamp), plan, past.asked.dataset)
    first: PackagedModel | None = None
    for window, counts in zip(windows, count_windows(past.rows, windows, timestamp), strict=True):
        rows = {part: count.rows for part, count in counts.items()}
        is_binary = past.asked.model.task == "binary"
        positives = {part: count.positives for part, count in counts.items()} if is_binary else {}
        shortage = find_shortage(counts)
        if shortage is not None:
            log.warning("window %d is skipped: %s", window.number, shortage)
            yield WindowResult(window, "skipped", shortage, rows, positives)
            continue
        try:
            model, figures = _judge_window(past, window, first)
        except Exception as error:  # noqa: BLE001  # whatever a fit on few rows stumbles over, other windows may be fine
            told = str(error) if isinstance(error, SparkMLOpsError) else f"{type(error).__name__}: {error}"
            log.warning("window %d failed: %s", window.number, told)
            yield WindowResult(window, "failed", told, rows, positives)
            continue
        first = first or model
        log.info("window %d of %d is judged", window.number, len(windows))
        yield WindowResult(window, "judged", "", rows, positives, figures)


def _judge_window(past: _Past, window: Window, first: PackagedModel | None) -> tuple[PackagedModel, Figures]:
    """As `make_candidate` does it, with what its search has found; the encoder knows rows of this window's part train alone."""
    dealt = past.rows.withColumn("split", deal_window(window, past.asked.dataset.timestamp)).where("split IS NOT NULL")
    found = Winner(past.recorded.metadata["params"], past.recorded.metadata["rounds"])
    with open_scratch(past.lake, f"{STEP}_{window.number}") as folder:
        _, encoder = prepare_rows(past.asked, dealt, past.made.feature_columns, folder=folder)
        model, threshold, _ = fit_winner(past.asked, dealt, encoder, found, folder=folder)
        judged = judge_candidate(past.asked, dealt, model, folder=folder, threshold=threshold, champion=first)
    figures = {FIRST if name == CHAMPION else name: of_one for name, of_one in gather_figures(judged.to_dict()).items()}
    point = judged.operating_point
    return replace(model, metadata={} if point is None else {"operating_point": asdict(point)}), figures


def _list_figures(windows: Sequence[WindowResult], version: int) -> Iterator[Metric]:
    for one in windows:
        place = {"window": one.window.number, "judged_from": one.window.origin.isoformat(), "judged_until": one.window.until.isoformat(), "rows": dict(one.rows)}  # fmt: skip
        details = json.dumps(place | ({"reason": one.reason} if one.reason else {}))
        if one.status != "judged":
            yield Metric(STEP, "candidate", "judged", None, verdict="no_data", model_version=version, details=details)
        for model, figures in one.figures.items():
            for name, figure in figures.items():
                value, lower, upper = (figure[part] for part in ("value", "lower", "upper"))
                yield Metric(STEP, model, name, value, lower, upper, model_version=version, details=details)


def _list_summary(summary: Mapping[str, Spread], metric: str, version: int) -> Iterator[Metric]:
    for model, spread in summary.items():
        told: dict[str, Any] = {"windows": spread.windows}
        for name, value in (("mean", spread.mean), ("deviation", spread.deviation)):
            yield Metric(STEP, model, f"{metric}_{name}", value, model_version=version, details=json.dumps(told))


def _list_notes(past: _Past) -> Iterator[str]:
    metadata, split = past.recorded.metadata, past.asked.dataset.split
    tuned = (metadata.get("period", {}).get("valid") or [None, None])[1]
    if metadata.get("search", {}).get("trials", 0) > 1 and tuned is not None:
        yield f"the parameters were chosen on rows until {tuned}: windows before that are judged a little too well"
    if isinstance(split, HashSplit):
        yield "dataset.split deals rows by hash; the windows go by time, and what the hash keeps together may be on both sides of an origin"
    elif split.groups:
        yield f"dataset.split keeps {', '.join(split.groups)} apart; the windows do not"
