"""`model`: what is trained and how it is tuned."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sparkml_ops.config.types import Duration, Identifier, Pair, Section, Triple

METRICS = {
    "binary": ("roc_auc", "pr_auc", "log_loss"),
}
"""Metrics that a search may optimise, by task."""


class Distribution(Section):
    """One dimension of the search space, in Hyperopt's words: exactly one of the keys."""

    uniform: Pair | None = None
    loguniform: Pair | None = Field(default=None, description="lowest and highest value, not their logarithms")
    quniform: Triple | None = Field(default=None, description="lowest, highest, step")
    qloguniform: Triple | None = Field(default=None, description="lowest, highest, step")
    choice: list[str | int | float | bool | None] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> "Distribution":
        named = self.model_dump(exclude_none=True)
        if len(named) != 1:
            raise ValueError("exactly one of uniform, loguniform, quniform, qloguniform, choice")
        kind, value = next(iter(named.items()))
        if kind != "choice" and value[0] >= value[1]:
            raise ValueError(f"{kind}: the lowest value before the highest")
        if "log" in kind and value[0] <= 0:
            raise ValueError(f"{kind}: values above zero")
        if kind.startswith("q") and value[2] <= 0:
            raise ValueError(f"{kind}: a step above zero")
        return self

    @property
    def kind(self) -> str:
        """The one key that is set."""
        return next(iter(self.model_dump(exclude_none=True)))


class Search(Section):
    """How the parameters are searched for, on Spark."""

    max_trials: int = Field(default=20, ge=1, le=10_000)
    parallelism: int = Field(default=2, ge=1, le=128, description="trials at a time; 1 makes TPE repeatable")
    timeout: Duration | None = None
    early_stop_after: int | None = Field(
        default=None, ge=1, description="stop after so many trials without a better one"
    )
    max_failed_ratio: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="past this share of failed trials the search is refused"
    )
    algorithm: Literal["tpe", "random"] = "tpe"
    seed: int = Field(default=0, ge=0)
    space: dict[Identifier, Distribution] = Field(default={})


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
    segment_by: None = Field(default=None, description="one model for all rows; models per segment are not built yet")
