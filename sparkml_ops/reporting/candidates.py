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
from sparkml_ops.reporting.rows import collect_rows, to_metric
from sparkml_ops.reporting.shares import spread_counts

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

MAX_DECISIONS = 10
MAX_FIGURES = 200
MAX_WEIGHTS = 15
MAX_PARAMS = 30
_SWITCHES = ("promoted", "rolled_back")


def read_decisions(lake: Lake) -> list[DecisionFacts]:
    """The last decisions, newest first."""
    found = collect_rows(lake, "promotions", lambda rows: rows.orderBy(F.desc("decided_at")), limit=MAX_DECISIONS)
    return [_to_decision(row) for row in found]


def read_model(use_case: "UseCase", lake: Lake) -> ModelFacts:
    """The champion, or the newest version where there is none: figures from the lake, the rest from the registry.

    A registry that cannot be reached, or a package that cannot be read, is told on the page and ends nothing.
    """
    champion = _find_champion(lake)
    newest = _find_newest(lake)
    versions = sorted({version for version in (champion, newest) if version is not None})
    figures = _read_figures(lake, versions) if versions else ()
    if not versions:
        return ModelFacts()
    try:
        tracking = prepare_tracking(use_case.environment)
        alias = list_aliases(tracking, use_case.name).get(CHAMPION)
        found = find_version(tracking, use_case.name, version=newest if champion is None else champion)
        card = read_card(found.version, load_version(tracking, found).metadata)
    except SparkMLOpsError as error:
        return ModelFacts(champion, None, newest, figures, None, str(error))
    return ModelFacts(champion, alias, newest, figures, card)


def read_slices(lake: Lake, version: int | None) -> list[Metric]:
    """Figures by slice, where they were recorded for this version."""
    if version is None:
        return []
    is_ours = (F.col("scope") == "slice") & (F.col("model_version") == version)
    return _collect_newest(lake, is_ours, keys=("subject", "name"))


def read_card(version: int, metadata: Mapping[str, Any]) -> ModelCard:
    """What the page shows of a package's metadata; what is not there is left empty."""
    judged, reference = metadata.get("judged_on", {}), metadata.get("reference", {}).get(PREDICTION)
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
        reference_shares=spread_counts(reference["edges"] or (), reference["counts"]) if reference else (),
    )


def _show_param(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _find_champion(lake: Lake) -> int | None:
    switched = collect_rows(
        lake,
        "promotions",
        lambda rows: rows.where(F.col("decision").isin(*_SWITCHES)).orderBy(F.desc("decided_at")).select("to_version"),
        limit=1,
    )
    return switched[0]["to_version"] if switched else None


def _find_newest(lake: Lake) -> int | None:
    found = collect_rows(
        lake,
        "metrics",
        lambda rows: rows.where("scope = 'evaluation'").agg(F.max("model_version").alias("newest")),
        limit=1,
    )
    return found[0]["newest"] if found else None


def _read_figures(lake: Lake, versions: Sequence[int]) -> tuple[Metric, ...]:
    is_ours = (F.col("scope") == "evaluation") & F.col("model_version").isin(*versions)
    return tuple(_collect_newest(lake, is_ours, keys=("model_version", "subject", "name")))


def _collect_newest(lake: Lake, condition: Any, *, keys: Sequence[str]) -> list[Metric]:
    """Of rows of `metrics` with the same keys the newest."""

    def choose(metrics: "DataFrame") -> "DataFrame":
        newest = metrics.where(condition).groupBy(*keys).agg(F.max_by(F.struct("*"), "recorded_at").alias("row"))
        return newest.select("row.*").orderBy(*keys)

    return [to_metric(row) for row in collect_rows(lake, "metrics", choose, limit=MAX_FIGURES)]


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
