"""The figures of a version as rows of the table `metrics`."""

from collections.abc import Iterator, Mapping
from typing import Any

from sparkml_ops.lake import Metric
from sparkml_ops.models import ModelVersion
from sparkml_ops.training.judge import CANDIDATE, CHAMPION


def gather_figures(metadata: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, float | None]]]:
    """Figures of the part test, by model, with the business figures (`kpi_<name>`); among the candidate's its threshold and outcomes."""
    figures = {model: dict(found) for model, found in metadata["figures"].items()}
    point = metadata.get("operating_point")
    if point is not None:
        told = {"threshold": point["threshold"]["value"], **point["outcomes"]}
        counted = {name: {"value": float(value), "lower": None, "upper": None} for name, value in told.items()}
        figures[CANDIDATE] |= counted | point["figures"]
    for name, kpi in metadata.get("kpis", {}).items():
        for model, figure in kpi["figures"].items():
            figures[model][f"kpi_{name}"] = figure
    return figures


def gather_repeatable(metadata: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, float | None]]]:
    """What `gather_figures` gives, without the champion: who that was, another day does not repeat."""
    return {model: figures for model, figures in gather_figures(metadata).items() if model != CHAMPION}


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


def list_slices(metadata: Mapping[str, Any], version: ModelVersion) -> Iterator[Metric]:
    """The candidate on slices of the part test, for the table `metrics`: five or six rows for each, with the scope `slice`."""
    for one in metadata.get("slices", ()):
        figure, difference = one["figure"], one["difference"]
        rows = {
            "rows": {"value": float(one["rows"])},
            **({} if one["positives"] is None else {"positives": {"value": float(one["positives"])}}),
            metadata.get("sliced_by", metadata["metric"]): figure,
            "difference": difference,
            "p_value": {"value": one["p_value"]},
            "p_value_corrected": {"value": one["corrected"]},
        }
        for name, found in rows.items():
            yield Metric(
                scope="slice",
                subject=one["name"],
                name=name,
                value=found["value"],
                lower=found.get("lower"),
                upper=found.get("upper"),
                verdict="alert" if one["is_worse"] and name == "difference" else "info",
                model_version=version.version,
                details=version.training_set_version,
            )
