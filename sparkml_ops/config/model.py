"""`model`: what is trained and how it is tuned."""

from typing import Any, Literal

from pydantic import Field

from sparkml_ops.config.search import Search
from sparkml_ops.config.types import Section

METRICS = {
    "binary": ("roc_auc", "pr_auc", "log_loss"),
}
"""Metrics that a search may optimise, by task."""


class Levels(Section):
    """Which values of a text column are levels of their own, by the training rows, and what all others are."""

    at_most: int = Field(default=255, ge=1, le=255, description="so many of each column, the most frequent ones")
    at_least: int = Field(default=1, ge=1, description="training rows that a level needs")
    others: Literal["missing", "level"] = Field(
        default="missing",
        description="rarer values, and those that no training row has: as if they were missing, or one level together",
    )


class Model(Section):
    """The estimator, its fixed parameters and the search over the others."""

    task: Literal["binary"]
    estimator: str = Field(
        default="lightgbm",
        pattern=r"^(lightgbm|[A-Za-z_]\w*(\.\w+)+)$",
        description="lightgbm, or the dotted path of an sklearn-compatible class",
    )
    params: dict[str, Any] = Field(default={}, description="parameters that are not searched")
    search: Search = Search()
    metric: Literal["roc_auc", "pr_auc", "log_loss"] = "roc_auc"
    early_stopping_rounds: int = Field(default=50, ge=1, description="boosting stops after so many rounds without gain")
    levels: Levels = Levels()
    diagnosis: bool = Field(
        default=True, description="say in words what is wrong with a training; less than two more fits"
    )
    segment_by: None = Field(default=None, description="one model for all rows; models per segment are not built yet")
