"""The figures of a version as rows of the table `metrics`."""

from collections.abc import Iterator, Mapping
from typing import Any

from sparkml_ops.lake import Metric
from sparkml_ops.models import ModelVersion
from sparkml_ops.training.judge import CANDIDATE


def gather_figures(metadata: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, float | None]]]:
    """Figures of the part test, by model; among the candidate's its threshold, the outcomes and what they are worth."""
    figures = {model: dict(found) for model, found in metadata["figures"].items()}
    point = metadata.get("operating_point")
    if point is not None:
        told = {"threshold": point["threshold"]["value"], **point["outcomes"]}
        counted = {name: {"value": float(value), "lower": None, "upper": None} for name, value in told.items()}
        figures[CANDIDATE] |= counted | point["figures"]
    return figures


def list_evaluation(metadata: Mapping[str, Any], version: ModelVersion) -> Iterator[Metric]:
    """What `gather_figures` gives, for the table `metrics`."""
    for model, figures in gather_figures(metadata).items():
        for name, figure in figures.items():
            yield Metric(
                scope="evaluation",
                subject=model,
                name=name,
                value=figure["value"],
                lower=figure["lower"],
                upper=figure["upper"],
                verdict="no_data" if figure["value"] is None else "info",
                model_version=version.version,
                details=version.training_set_version,
            )
