"""The candidate and the champion on the same rows that neither was tuned on."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from sparkml_ops.config.sql import forgive_zero
from sparkml_ops.errors import ConfigError
from sparkml_ops.models import (
    DEFAULT_THRESHOLD,
    PREDICTED_CLASS,
    PREDICTION,
    AnsweredRows,
    Comparison,
    Evaluation,
    GroupCounts,
    NamedSlice,
    SliceResult,
    compare,
    count_groups,
    count_named_slices,
    evaluate_all,
    find_largest_slice,
    find_task,
    lay_answer,
    predict_rows,
    recorded_threshold,
    take_answered_rows,
    tell_answer,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.models import PackagedModel

CANDIDATE, CHAMPION, TRIVIAL = "_candidate", "_champion", "_trivial"
SEED = 20130101
LATENCY_ROWS = 20_000
_LATENCY_REPEATS = 3  # the best of three: what else the machine does must not refuse a model


@dataclass(frozen=True)
class Evidence:
    """What the gates decide on.

    Attributes:
        evaluations: of `_candidate`, `_trivial` and, if there is one, `_champion`.
        comparison: candidate against champion; None without one.
        slices: the same by slice; None without one, or when no slices are declared.
        rows_per_second: of the candidate on one core.
        kpi: the business figure; None when not declared or null.
        over_trivial: candidate against trivial model on the same days; None where the trivial model's figures do not vary.
        named: rows of the slices that must be there.
        largest: the slice with the most rows, where none has enough.
        groups: counts of the groups that fairness is asked for between.
        threshold: from which probability on these count a row as positive.
        answered: some test rows and the candidate's answers, for a fresh process; None when not declared.
    """

    evaluations: Mapping[str, Evaluation]
    comparison: Comparison | None
    slices: list[SliceResult] | None
    rows_per_second: float | None
    kpi: float | None
    over_trivial: Comparison | None = None
    named: Sequence[NamedSlice] = ()
    largest: NamedSlice | None = None
    groups: Sequence[GroupCounts] = ()
    threshold: float = DEFAULT_THRESHOLD
    answered: AnsweredRows | None = None

    def figures(self) -> dict[str, Any]:
        """Figures as plain values for JSON."""
        return {
            name.strip("_"): {metric: [f.value, f.lower, f.upper] for metric, f in evaluation.metrics.items()}
            for name, evaluation in self.evaluations.items()
        } | {"rows_per_second": self.rows_per_second, "kpi": self.kpi}


def gather_evidence(
    rows: "DataFrame", use_case: "UseCase", *, candidate: "PackagedModel", champion: "PackagedModel | None"
) -> Evidence:
    """Score the judged rows with both models and compute what the declared gates need.

    Args:
        rows: the whole training set, with `split`, `label`, the dataset's timestamp and the feature columns.
        use_case: which gates are declared.
        candidate: the model to decide about.
        champion: the model to be better than, if there is one.
    """
    gates, task = use_case.gates, use_case.model.task
    trivial = tell_answer(find_task(task).learn_trivial(rows.where("split = 'train'"), "label"))
    scored = _score(rows.where("split = 'test'"), candidate, champion).withColumn(TRIVIAL, trivial).persist()
    try:
        names, at = [CANDIDATE, TRIVIAL] + ([CHAMPION] if champion else []), use_case.dataset.timestamp
        comparison = slices = largest = None
        if champion is not None:
            comparison = compare(scored, label="label", pair=(CANDIDATE, CHAMPION), block=at, seed=SEED, task=task)
            slices, largest = _compare_slices(scored, use_case)
        threshold = _find_threshold(use_case, candidate)
        return Evidence(
            evaluate_all(scored, label="label", predictions=names, block=at, seed=SEED, task=task),
            comparison,
            slices,
            measure_speed(scored, candidate) if gates.latency else None,
            _compute_kpi(scored, gates.kpi.sql) if gates.kpi else None,
            compare(scored, label="label", pair=(CANDIDATE, TRIVIAL), block=at, seed=SEED, task=task)
            if find_task(task).TRIVIAL_VARIES
            else None,
            named=count_named_slices(scored, gates.slices.must_have, label="label") if gates.slices else (),
            largest=largest,
            groups=_count_groups(scored, use_case, threshold),
            threshold=threshold,
            answered=take_answered_rows(scored, candidate, prediction=CANDIDATE, rows=gates.loads.rows)
            if gates.loads
            else None,
        )
    finally:
        scored.unpersist()


def find_obstacle(
    candidate: "PackagedModel", opponent: "PackagedModel | None", *, columns: Sequence[str], champion: int | None
) -> str | None:
    """Why the champion cannot be asked on the candidate's rows; None where it can, or there is none."""
    if opponent is None:
        return None
    if opponent.task != candidate.task:
        return f"version {champion} is a {opponent.task} model, and the candidate a {candidate.task} model"
    lacking = sorted(set(opponent.feature_columns) - set(columns))
    if lacking:
        return f"version {champion} needs columns that the training set has not: {', '.join(lacking[:5])}"
    return None


def measure_speed(rows: "DataFrame", model: "PackagedModel") -> float:
    """Rows a second of the packaged model in this process, on one core, over at most LATENCY_ROWS rows."""
    sample = rows.select(*model.needed_columns).limit(LATENCY_ROWS).toPandas()
    model.predict(sample)  # the first call builds what later ones find
    best = float("inf")
    for _ in range(_LATENCY_REPEATS):
        started = time.perf_counter()
        model.predict(sample)
        best = min(best, time.perf_counter() - started)
    return len(sample) / best


def _score(rows: "DataFrame", candidate: "PackagedModel", champion: "PackagedModel | None") -> "DataFrame":
    scored = predict_rows(rows, candidate).withColumnRenamed(PREDICTION, CANDIDATE)
    return scored if champion is None else predict_rows(scored, champion).withColumnRenamed(PREDICTION, CHAMPION)


def _compare_slices(scored: "DataFrame", use_case: "UseCase") -> tuple[list[SliceResult] | None, NamedSlice | None]:
    """Both models on each slice that is large enough, and the largest slice where none is."""
    gate = use_case.gates.slices
    if gate is None:
        return None, None
    slices = find_task(use_case.model.task).compare_slices(
        scored, by=gate.by, label="label", candidate=CANDIDATE, champion=CHAMPION, minimum_rows=gate.minimum_rows
    )
    return slices, None if slices else find_largest_slice(scored, gate.by, label="label")


def _find_threshold(use_case: "UseCase", candidate: "PackagedModel") -> float:
    """By which scoring makes classes of the candidate's answers."""
    declared = use_case.scoring.threshold
    return recorded_threshold(candidate.metadata) if declared is None else declared


def _count_groups(scored: "DataFrame", use_case: "UseCase", threshold: float) -> Sequence[GroupCounts]:
    gate = use_case.gates.fairness
    if gate is None:
        return ()
    return count_groups(scored, by=gate.by, label="label", prediction=CANDIDATE, threshold=threshold)


def _compute_kpi(scored: "DataFrame", sql: str) -> float | None:
    """The figure of the candidate; a division by zero is null."""
    answer = lay_answer(scored, CANDIDATE, expressions=[sql])
    answer.pop(PREDICTED_CLASS, None)  # which needs a threshold
    try:
        value = scored.withColumns(answer).agg(F.expr(forgive_zero(sql)).cast("double")).first()[0]  # type: ignore[index]
    except PySparkException as error:
        raise ConfigError(
            f"gates.kpi.sql: `{sql}` cannot be computed on the judged rows ({error.getCondition() or type(error).__name__}). "
            "Say what holds there: try_divide(…), try_cast(…), coalesce(…)."
        ) from error
    return None if value is None else float(value)
