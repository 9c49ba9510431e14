"""A training -> its diagnosis: measures on Spark and on the driver, then judges."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sparkml_ops.lake import Metric
from sparkml_ops.models import ModelVersion, SliceFigure
from sparkml_ops.models.package import predict_matrix
from sparkml_ops.training.baseline import share_classes
from sparkml_ops.training.diagnosed_rows import Subject, measure_data, measure_shifts
from sparkml_ops.training.diagnosis import Finding
from sparkml_ops.training.diagnosis_figures import DiagnosisFigures, FitFigures
from sparkml_ops.training.findings_data import judge_data, judge_shifts, judge_suspects
from sparkml_ops.training.findings_fit import judge_curve, judge_fit, judge_shuffled
from sparkml_ops.training.findings_slices import judge_slice_figures
from sparkml_ops.training.judge import CANDIDATE, LINEAR, TRIVIAL, Judgement
from sparkml_ops.training.matrix import Part
from sparkml_ops.training.probes import (
    LOOKED_ROWS,
    Fitted,
    Probe,
    draw_curve,
    is_measurable,
    measure_metric,
    shuffle_columns,
    take_evenly,
)
from sparkml_ops.training.suspects import tell_suspects

log = logging.getLogger(__name__)


def run_diagnosis(
    subject: Subject, probe: Probe, judgement: Judgement, *, explained: Mapping[str, Any]
) -> dict[str, Any]:
    """`diagnosis` and `diagnosis_figures` of the version's metadata; empty with `model.diagnosis: false`.

    Where the estimator does not say what its columns add, their permutation importance is its `explanation`.
    What cannot be measured is told in the log and ends nothing: the candidate is fitted and judged by then.

    Args:
        subject: The training.
        probe: What the winner is.
        judgement: The figures on test.
        explained: What `explain_candidate` gave.
    """
    if not subject.use_case.model.diagnosis:
        return {}
    started = time.monotonic()
    try:
        figures, shuffled_rows = _measure(subject, probe, judgement, explained)
    except Exception as error:  # noqa: BLE001  # whatever a fit on a small sample stumbles over, the candidate is good
        log.warning("the training was not diagnosed: %s: %s", type(error).__name__, error)
        return {}
    findings = list_findings(figures, judgement.slices, sliced_by=judgement.sliced_by)
    log.info("%d findings in %.1f s", len(findings), time.monotonic() - started)
    kept = {"diagnosis": [one.to_dict() for one in findings], "diagnosis_figures": figures.to_dict()}
    if explained or not figures.shuffled:
        return kept
    return kept | {"explanation": _explain_by_shuffling(figures, shuffled_rows)}


def list_findings(
    figures: DiagnosisFigures, slices: Sequence[SliceFigure] = (), *, sliced_by: str | None = None
) -> list[Finding]:
    """All findings, those that want attention first."""
    found = [
        *judge_data(figures.data),
        *judge_fit(figures.fit),
        *judge_curve(figures),
        *judge_suspects(figures.suspects),
        *judge_shifts(figures),
        *judge_shuffled(figures),
        *judge_slice_figures(slices, metric=sliced_by or figures.fit.metric),
    ]
    return sorted(found, key=lambda one: one.severity != "attention")


def list_diagnosis(metadata: Mapping[str, Any], version: ModelVersion) -> list[Metric]:
    """The findings for the table `metrics`, a row for each figure, and how many there are."""
    if "diagnosis" not in metadata:
        return []
    rows = [("findings", "count", float(len(metadata["diagnosis"])), "info", version.training_set_version)]
    for one in metadata["diagnosis"]:
        verdict, told = (
            "alert" if one["severity"] == "attention" else "info",
            f"{one['sentence']}. To try: {one['advice']}",
        )
        rows += [(one["finding"], name, float(value), verdict, told) for name, value in one["figures"].items()]
    return [
        Metric("diagnosis", subject, name, value, verdict=verdict, model_version=version.version, details=details)
        for subject, name, value, verdict, details in rows
    ]


def _measure(
    subject: Subject, probe: Probe, judgement: Judgement, explained: Mapping[str, Any]
) -> tuple[DiagnosisFigures, int]:
    data, shifts = measure_data(subject), measure_shifts(subject)
    limit, metric = subject.use_case.monitoring.drift.psi_over, probe.settings.metric
    if not (is_measurable(probe.matrix.train) and is_measurable(probe.matrix.valid)):
        return DiagnosisFigures(data, FitFigures(metric), shifts=shifts, shift_limit=limit), 0
    curve, gain, fitted = draw_curve(probe)
    importance = {one["name"]: one["importance"] for one in explained.get("explanation", {}).get("features", ())}
    shuffled, rows = shuffle_columns(probe, fitted, importance=importance)
    fit = measure_fit(probe, fitted, judgement)
    suspects = tell_suspects(subject, fitted, task=probe.settings.task)
    return DiagnosisFigures(data, fit, curve, gain, shuffled, shifts, limit, suspects), rows


def measure_fit(probe: Probe, fitted: Fitted, judgement: Judgement) -> FitFigures:
    """The metric by part, beside the baselines."""
    metric, task = probe.settings.metric, probe.settings.task
    train = take_evenly(probe.matrix.train, LOOKED_ROWS)
    answers = predict_matrix(fitted.model, np.asarray(train.features))
    on_test = {name: one.metrics[metric].value for name, one in judgement.evaluations.items()}
    return FitFigures(
        metric=metric,
        train=measure_metric(train.labels, answers, metric, task=task),
        valid=measure_metric(fitted.valid.labels, fitted.answers, metric, task=task),
        test=on_test.get(CANDIDATE),
        linear=on_test.get(LINEAR),
        trivial={
            "train": _measure_trivial(train, probe),
            "valid": _measure_trivial(fitted.valid, probe),
            "test": on_test.get(TRIVIAL),
        },
    )


def _measure_trivial(part: Part, probe: Probe) -> float | None:
    classes, rows = len(probe.encoder.classes), len(part.labels)
    shares = share_classes(part.labels, classes) if classes else np.mean(part.labels)
    answers = np.broadcast_to(shares, (rows, classes) if classes else (rows,))
    return measure_metric(part.labels, answers, probe.settings.metric, task=probe.settings.task)


def _explain_by_shuffling(figures: DiagnosisFigures, rows: int) -> dict[str, Any]:
    features: list[dict[str, Any]] = [
        {
            "name": one.column,
            "importance": one.loss.value or 0.0,
            "lower": one.loss.lower,
            "upper": one.loss.upper,
            "groups": [],
        }
        for one in figures.shuffled
    ]
    return {"method": "permutation", "rows": rows, "features": features}
