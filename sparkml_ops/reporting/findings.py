"""What the diagnosis of a training found, as a package tells it. Pure."""

from collections.abc import Mapping
from typing import Any

from sparkml_ops.reporting.formats import format_figure
from sparkml_ops.reporting.insight import DiagnosisFacts, FindingFacts


def read_diagnosis(metadata: Mapping[str, Any]) -> DiagnosisFacts | None:
    """None where a training was not diagnosed."""
    if "diagnosis" not in metadata:
        return None
    findings = tuple(
        FindingFacts(one["finding"], one["severity"], one["sentence"], one["advice"]) for one in metadata["diagnosis"]
    )
    return DiagnosisFacts(findings, _tell_fit(metadata.get("diagnosis_figures") or {}))


def _tell_fit(figures: Mapping[str, Any]) -> str:
    """The metric by part and by rows, in one or two sentences."""
    fit = figures.get("fit") or {}
    parts = [f"{part} {format_figure(fit[part])}" for part in ("train", "valid", "test") if fit.get(part) is not None]
    if not parts:
        return "The rows are too few to measure anything else."
    told = f"{fit['metric']} by part: {', '.join(parts)}."
    points = [point for point in figures.get("curve", ()) if point["value"] is not None]
    if len(points) > 1:
        told += " Learning curve, fitted on so many rows of train and judged on valid: "
        told += ", ".join(f"{point['rows']:,}: {format_figure(point['value'])}" for point in points) + "."
    return told
