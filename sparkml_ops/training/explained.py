"""What the candidate looks at: computed on rows that it never saw, and kept with the version."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Metric
from sparkml_ops.models import ModelVersion, PackagedModel, Reference, choose_sample_size, draw_rows, explain_model

NAMES = {"shap": "mean_abs_shap", "linear": "mean_abs_shap", "permutation": "permutation_loss"}
"""Name of the figure in `metrics`, by the method that gave it."""


def explain_candidate(
    use_case: UseCase, rows: DataFrame, candidate: PackagedModel, *, reference: Reference, known: int
) -> dict[str, Any]:
    """`explanation` of the version's metadata; empty when the estimator does not say what its columns add.

    Args:
        use_case: Says by what a row is known, and which columns are personal data.
        rows: The rows of the training set, of which some of the part test are drawn.
        candidate: The fitted model.
        reference: The bins of the training rows.
        known: How many rows the part test has.
    """
    test = rows.where("split = 'test'")
    identity = list(dict.fromkeys([*use_case.dataset.entity, use_case.dataset.timestamp]))
    drawn = draw_rows(test, identity, known=known, most=choose_sample_size(candidate))
    explanation = explain_model(drawn, candidate, reference, withhold=list_personal_features(use_case))
    return {} if explanation is None else {"explanation": explanation.to_dict()}


def list_importance(metadata: Mapping[str, Any], version: ModelVersion) -> list[Metric]:
    """A figure for each feature column, for the table `metrics`."""
    explanation = metadata.get("explanation")
    if explanation is None:
        return []
    return [
        Metric(
            scope="importance",
            subject=column["name"],
            name=NAMES[explanation["method"]],
            value=column["importance"],
            lower=column.get("lower"),
            upper=column.get("upper"),
            model_version=version.version,
            details=version.training_set_version,
        )
        for column in explanation["features"]
    ]
