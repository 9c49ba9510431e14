"""Labels that have come in since: the figures of a published batch, once the truth is known."""

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops import features
from sparkml_ops.config.dataset import EventLabel
from sparkml_ops.config.monitoring import PerformanceAlert
from sparkml_ops.features import IMMATURE, KNOWN, LabelEvents, find_label_rules, tell_labels
from sparkml_ops.lake import Metric
from sparkml_ops.models import Evaluation, evaluate, measure_gain

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.dataset import Dataset
    from sparkml_ops.monitoring.batch import PublishedBatch

SEED = 20130101
LABEL, STATE = "_label", "_label_state"
NO_DECISION, AMBIGUOUS = "no_decision", "ambiguous"
SWITCHED = "task_switched"


@dataclass(frozen=True)
class LabelCounts:
    """What is known about the labels of a batch.

    Attributes:
        states: predictions by the state of their label: `known`, `immature`, `no_label` and `no_timestamp` as in training;
            `no_decision` where the dataset has no row of that key, `ambiguous` where it has several.
    """

    states: dict[str, int]

    def share(self, state: str) -> float | None:
        """Share of the predictions in a state; None where there is no prediction."""
        rows = sum(self.states.values())
        return self.states.get(state, 0) / rows if rows else None


def join_labels(
    predictions: "DataFrame",
    decisions: "DataFrame",
    dataset: "Dataset",
    *,
    as_of: datetime,
    events: LabelEvents | None = None,
    task: str = "binary",
) -> "DataFrame":
    """Give each prediction its label, told as in training, and the state of it; the label is null unless it is `known`.

    Args:
        predictions: rows of the ledger.
        decisions: rows of the dataset's relation; two of the same key give a prediction no label, and never double it.
        dataset: key, timestamp, label, maturity.
        as_of: the moment we look from, UTC.
        events: what the label is told by, where that is not the decision's row.
        task: what the label is for.

    Returns:
        The predictions with `_label` (a double, of several classes text) and `_label_state`.
    """
    columns = dataset.key_columns()
    found_by = dataset.label.entity if isinstance(dataset.label, EventLabel) else []
    named = list(dict.fromkeys([*columns, *found_by]))
    told = tell_labels(decisions, dataset, as_of=as_of, events=events, columns=named, task=task)
    keys = [f"_{key}" for key in columns]
    # Only of one decision are label and state taken, so it does not matter which of several `min` would choose.
    labels = told.groupBy(*(F.col(key).alias(alias) for key, alias in zip(columns, keys, strict=True))).agg(
        F.min(features.LABEL).alias(LABEL), F.min(features.STATE).alias(STATE), F.count("*").alias("_decisions")
    )
    same = reduce(and_, [F.col(key).eqNullSafe(F.col(alias)) for key, alias in zip(columns, keys, strict=True)])
    state = (
        F.when(F.col("_decisions").isNull(), NO_DECISION)
        .when(F.col("_decisions") > 1, AMBIGUOUS)
        .otherwise(F.col(STATE))
    )
    joined = predictions.join(labels, same, "left").withColumn(STATE, state)
    return joined.withColumn(LABEL, F.when(F.col(STATE) == KNOWN, F.col(LABEL))).drop(*keys, "_decisions")


def count_labels(labelled: "DataFrame", *, task: str = "binary") -> LabelCounts:
    """Count the predictions by the state of their label, in one pass.

    Raises:
        ContractError: a label is none of the task.
    """
    rules = find_label_rules(task)
    strange = rules.is_strange(LABEL)
    found = (
        labelled.groupBy(STATE)
        .agg(
            F.count("*").alias("rows"),
            F.count_if(strange).alias("strange"),
            F.min(F.when(strange, F.col(LABEL))).alias("example"),
        )
        .collect()
    )
    for row in found:
        if row["strange"]:
            raise rules.refuse(row["strange"], row["example"])
    return LabelCounts({row[STATE]: row["rows"] for row in found})


def measure_performance(
    labelled: "DataFrame", alert: PerformanceAlert, *, batch: "PublishedBatch", task: str = "binary"
) -> list[Metric]:
    """Figures with 95 % intervals, the share of rows that have a label, and of those whose label is not mature.

    Raises:
        ContractError: a label is none of the task.
    """
    counts = count_labels(labelled, task=task)
    # Of several classes `prediction` is the probability of the most probable one alone.
    prediction = "probabilities" if task == "multiclass" else "prediction"
    evaluation = evaluate(labelled, label=LABEL, prediction=prediction, block="as_of", seed=SEED, task=task)
    about: dict[str, Any] = {"batch_id": batch.batch_id, "model_version": batch.model_version}
    share = evaluation.rows / batch.rows if batch.rows else None
    immature, told = counts.share(IMMATURE), _explain_states(counts)
    figures = [
        Metric(
            "performance",
            "labels",
            "share_labelled",
            share,
            verdict="info" if share else "no_data",
            details=told,
            **about,
        ),
        Metric(
            "performance",
            "labels",
            "share_immature",
            immature,
            verdict="no_data" if immature is None else "info",
            details=told,
            **about,
        ),
    ]
    limits = alert.limits()
    for name, figure in evaluation.metrics.items():
        limit = limits.get(name)
        verdict = judge_performance(name, figure.value, limit)
        figures.append(
            Metric(
                "performance",
                "champion",
                name,
                figure.value,
                lower=figure.lower,
                upper=figure.upper,
                threshold=limit,
                verdict=verdict,
                details=_explain(evaluation),
                **about,
            )
        )
    return figures


def find_switch(scored_for: str, task: str, *, batch: "PublishedBatch") -> Metric | None:
    """An alert where a batch was scored for another task than the labels are told for; None where it was not.

    Its answers are no answers to these labels: a probability of the class 1 beside the name of a class, or a null where probabilities would
    be. A figure of them would be wrong, or worse, look right.

    Args:
        scored_for: the task of the model that scored the batch.
        task: the task of the use case.
        batch: the batch.
    """
    if scored_for == task:
        return None
    told = (
        f"the batch was scored for the task {scored_for}, and model.task is {task}: its predictions are no answers to these labels, and are not "
        f"judged. The first batch that a {task} version publishes will be."
    )
    return Metric(
        "performance",
        "labels",
        SWITCHED,
        None,
        verdict="alert",
        batch_id=batch.batch_id,
        model_version=batch.model_version,
        details=told,
    )


def judge_performance(name: str, value: float | None, limit: float | None) -> str:
    """Whether a figure is past its limit."""
    if value is None:
        return "no_data"
    if limit is None:
        return "info"
    return "alert" if measure_gain(name, value, limit) < 0 else "ok"


def _explain(evaluation: Evaluation) -> str:
    return evaluation.reason or f"{evaluation.rows} labelled rows, {_tell_labels(evaluation)}, {evaluation.blocks} days"


def _tell_labels(evaluation: Evaluation) -> str:
    if evaluation.positives is not None:
        return f"{evaluation.positives} positives"
    return ", ".join(f"{name} {value:.6g}" for name, value in evaluation.labels.items() if name != "rows")


def _explain_states(counts: LabelCounts) -> str:
    return "predictions by label: " + ", ".join(f"{state} {rows}" for state, rows in sorted(counts.states.items()))
