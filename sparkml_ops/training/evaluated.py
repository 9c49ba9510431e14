"""The figures of a version as rows of the table `metrics`."""

from collections.abc import Iterator, Mapping
from typing import Any

from sparkml_ops.lake import Metric
from sparkml_ops.models import ModelVersion
from sparkml_ops.training.judge import CANDIDATE


def list_evaluation(metadata: Mapping[str, Any], version: ModelVersion) -> Iterator[Metric]:
    """Figures of the part test, by model; and the threshold of the candidate, its outcomes and what they are worth."""
    point = metadata["operating_point"]
    told = {"threshold": point["threshold"]["value"], **point["outcomes"]}
    counted = {name: {"value": float(value), "lower": None, "upper": None} for name, value in told.items()}
    for model, figures in [*metadata["figures"].items(), (CANDIDATE, counted | point["figures"])]:
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
