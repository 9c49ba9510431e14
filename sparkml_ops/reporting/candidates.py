"""The model: its figures, what the package says of itself, and what was decided about it."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.lake import Lake, Metric
from sparkml_ops.models import find_version, list_aliases, load_version, prepare_tracking
from sparkml_ops.reporting.facts import (
    CHAMPION,
    PREDICTION,
    CalibrationPoint,
    CheckFacts,
    DecisionFacts,
    ModelCard,
    ModelFacts,
)
from sparkml_ops.reporting.findings import read_diagnosis
from sparkml_ops.reporting.importance import read_importance
from sparkml_ops.reporting.rows import RecordedMetric, collect_rows, keep_newest
from sparkml_ops.reporting.shares import spread_counts

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

PROMOTIONS = "promotions"
MAX_DECISIONS = 10
MAX_WEIGHTS = 15
MAX_PARAMS = 30
_SWITCHES = ("promoted", "rolled_back")


def read_decisions(lake: Lake) -> list[DecisionFacts]:
    """The last decisions, newest first; those about a shadow change nothing that the page tells."""
    about = ~F.col("decision").isin("shadowed", "unshadowed")
    newest = collect_rows(
        lake, PROMOTIONS, lambda rows: rows.where(about).orderBy(F.desc("decided_at")), limit=MAX_DECISIONS
    )
    return [_to_decision(row) for row in newest]


def find_champion(lake: Lake, decisions: Sequence[DecisionFacts]) -> int | None:
    """The champion by the decisions; the table is asked only when the last ones do not tell."""
    switch = next((decision.to_version for decision in decisions if decision.decision in _SWITCHES), None)
    if switch is not None or len(decisions) < MAX_DECISIONS:
        return switch
    switches = collect_rows(
        lake,
        PROMOTIONS,
        lambda rows: rows.where(F.col("decision").isin(*_SWITCHES)).orderBy(F.desc("decided_at")),
        limit=1,
    )
    return switches[0]["to_version"] if switches else None


MAX_CLASSES = 25
"""Of a confusion matrix on the page."""
BESIDE_SLICES = frozenset({"rows", "positives", "p_value", "p_value_corrected"})
"""What is recorded of a slice beside its figures; the card has it."""


def read_model(use_case: "UseCase", metrics: Sequence[RecordedMetric], *, champion: int | None) -> ModelFacts:
    """The champion, or the newest version where there is none: figures from the lake, the rest from the registry.

    A registry that cannot be reached, or a package that cannot be read, is told on the page and ends nothing.
    """
    judged = [row for row in metrics if row.metric.scope == "evaluation" and row.metric.model_version is not None]
    newest = max((row.metric.model_version for row in judged if row.metric.model_version is not None), default=None)
    shown = newest if champion is None else champion
    if shown is None:
        return ModelFacts()
    ours = keep_newest(
        (row for row in judged if row.metric.model_version in {champion, newest}), "model_version", "subject", "name"
    )
    figures = tuple(sorted(ours, key=lambda m: (m.model_version, m.subject, m.name)))
    try:
        tracking = prepare_tracking(use_case.environment)
        alias = list_aliases(tracking, use_case.name).get(CHAMPION)
        card = read_card(shown, load_version(tracking, find_version(tracking, use_case.name, version=shown)).metadata)
    except SparkMLOpsError as error:
        return ModelFacts(champion, None, newest, figures, None, str(error))
    return ModelFacts(champion, alias, newest, figures, card)


def list_slices(metrics: Sequence[RecordedMetric], version: int | None) -> list[Metric]:
    """The metric by slice and its difference to all other rows, where they were recorded for this version."""
    ours = [
        row
        for row in metrics
        if row.metric.scope == "slice" and row.metric.model_version == version and row.metric.name not in BESIDE_SLICES
    ]
    return sorted(keep_newest(ours, "subject", "name"), key=lambda m: (m.subject, m.name))


def read_card(version: int, metadata: Mapping[str, Any]) -> ModelCard:
    """What the page shows of a package's metadata; what is not there is left empty."""
    judged, reference = metadata.get("judged_on", {}), metadata.get("reference", {}).get(PREDICTION)
    span = _find_span(metadata, (reference or {}).get("edges") or ())
    weights = sorted(dict(metadata.get("column_weights") or {}).items(), key=lambda pair: -abs(pair[1]))
    return ModelCard(
        version=version,
        training_set=metadata.get("training_set_version"),
        estimator=metadata.get("estimator"),
        params={name: _show_param(value) for name, value in sorted(metadata.get("params", {}).items())[:MAX_PARAMS]},
        trials=metadata.get("search", {}).get("trials"),
        judged_rows=judged.get("rows"),
        judged_positives=judged.get("positives"),
        calibration=tuple(
            CalibrationPoint(group["rows"], group["predicted"], group["observed"])
            for group in metadata.get("calibration", ())
        ),
        weights=tuple((name, float(weight)) for name, weight in weights[:MAX_WEIGHTS] if weight),
        reference_shares=spread_counts(reference["edges"] or (), reference["counts"], span=span) if reference else (),
        span=span,
        importance=read_importance(metadata),
        diagnosis=read_diagnosis(metadata),
        classes=tuple(metadata.get("classes", ())),
        confusion=_read_confusion(metadata),
        importance_method=(metadata.get("explanation") or {}).get("method"),
        importance_rows=(metadata.get("explanation") or {}).get("rows"),
    )


def _read_confusion(metadata: Mapping[str, Any]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Of at most `MAX_CLASSES` classes; the card of the version has more."""
    classes = list(metadata.get("classes", ()))
    rows_of = {(cell["label"], cell["answer"]): cell["rows"] for cell in metadata.get("confusion", ())}
    labels = [*classes, *sorted({label for label, _ in rows_of} - set(classes))]
    if not rows_of or len(labels) > MAX_CLASSES:
        return ()
    return tuple((label, tuple(rows_of.get((label, answer), 0) for answer in classes)) for label in labels)


def _find_span(metadata: Mapping[str, Any], edges: Sequence[float]) -> tuple[float, float]:
    """From 0 to 1 for probabilities; of a regression from the lowest to the highest prediction of the test rows."""
    if metadata.get("task", "binary") != "regression":
        return 0.0, 1.0
    return (edges[0], edges[-1]) if edges and edges[0] < edges[-1] else (0.0, 1.0)


def _show_param(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _to_decision(row: dict[str, Any]) -> DecisionFacts:
    plain = ("decided_at", "decision", "from_version", "to_version", "is_opposed", "reason", "decided_by")
    evidence = json.loads(row["evidence"] or "{}")
    return DecisionFacts(
        **{name: row[name] for name in plain},
        gates=tuple(
            CheckFacts(g["gate"], g["verdict"], g["figure"], g["threshold"], g["reason"]) for g in row["gates"] or ()
        ),
        evidence={
            model: {metric: tuple(figure) for metric, figure in figures.items()}
            for model, figures in evidence.items()
            if isinstance(figures, dict)
        },
    )
