"""`model`: what is trained and how it is tuned."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from sparkml_ops.config.evaluation import ModelEvaluation
from sparkml_ops.config.search import Search
from sparkml_ops.config.segments import SegmentBy
from sparkml_ops.config.tasks import METRICS
from sparkml_ops.config.types import Identifier, Number, Section, SqlText

Weight = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
"""Of a class. Past a million the other class says nothing, and sums in 32 bits lose it."""


class Levels(Section):
    """Which values of a text column are levels of their own, by the training rows, and what all others are."""

    at_most: int = Field(default=255, ge=1, le=255, description="so many of each column, the most frequent ones")
    at_least: int = Field(default=1, ge=1, description="training rows that a level needs")
    others: Literal["missing", "level"] = Field(
        default="missing",
        description="rarer values, and those that no training row has: as if they were missing, or one level together",
    )


class ClassWeights(Section):
    """How much the rows of each class count."""

    negative: Weight = Field(alias="0", description="of rows whose label is 0")
    positive: Weight = Field(alias="1", description="of rows whose label is 1")

    @model_validator(mode="before")
    @classmethod
    def _with_text_keys(cls, value: Any) -> Any:
        """Python writes the classes as numbers; YAML's keys arrive as text."""
        return {str(key): weight for key, weight in value.items()} if isinstance(value, Mapping) else value


def _tell_form(value: Any) -> str:
    return "word" if isinstance(value, str) else "weights"


ClassWeight = Annotated[
    Annotated[Literal["balanced"], Tag("word")] | Annotated[ClassWeights, Tag("weights")],
    Discriminator(_tell_form),
]
"""One weight for each of two classes, or `balanced`: rows / (classes * rows of the class), of the rows that a fit is made on."""
Direction = Literal["increasing", "decreasing"]
Text = Annotated[str, Field(max_length=10_000)]


class Costs(Section):
    """What a row costs by how it was decided and what it was; a gain is below zero."""

    false_positive: Number = Field(description="of a row that was taken for positive and is not")
    false_negative: Number = Field(description="of a positive row that was not taken for one")
    true_positive: Number = Field(default=0, description="of a positive row that was taken for one")
    true_negative: Number = Field(default=0, description="of a row that was not taken for positive, and is not")

    @model_validator(mode="after")
    def _require_costly_mistakes(self) -> "Costs":
        if self.false_positive <= self.true_negative or self.false_negative <= self.true_positive:
            raise ValueError(
                "a false_positive that costs more than a true_negative, a false_negative more than a true_positive"
            )
        return self


class Card(Section):
    """What only people know of a model, for its card; Markdown is shown as it is written."""

    intended_use: Text = Field(default="", description="what its answers are for, and what not")
    limits: Text = Field(default="", description="where it is known to be wrong, or was not looked at")


class Model(Section):
    """The estimator, its fixed parameters and the search over the others."""

    task: Literal["binary", "regression", "multiclass"] = Field(
        description="binary: the probability that the label is 1; regression: the label is a number, and so is the answer; "
        "multiclass: a probability for each class"
    )
    estimator: str = Field(
        default="lightgbm",
        pattern=r"^(lightgbm|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*[.:][A-Za-z_]\w*)$",
        description="lightgbm, or the dotted path of a class, or package.module:function that returns an estimator",
    )
    params: dict[str, Any] = Field(default={}, description="parameters that are not searched")
    search: Search = Search()
    metric: Literal["roc_auc", "pr_auc", "log_loss", "rmse", "mae", "r2", "accuracy", "macro_f1"] = Field(
        default="roc_auc",
        description="what the search optimises: by default roc_auc, of a regression rmse, of several classes log_loss",
    )
    early_stopping_rounds: int = Field(default=50, ge=1, description="boosting stops after so many rounds without gain")
    levels: Levels = Levels()
    class_weight: ClassWeight | None = Field(
        default=None, description="how much the rows of each class count: balanced, or {0: a weight, 1: a weight}"
    )
    sample_weight: SqlText | None = Field(
        default=None, description="SQL over a row of the training set: how much the row counts, beside its class"
    )
    monotone: dict[Identifier, Direction] = Field(
        default={}, description="feature columns of numbers that the prediction may only rise with, or only fall"
    )
    costs: Costs | None = Field(
        default=None, description="by which the threshold of a version is chosen; without them it is 0.5"
    )
    evaluation: ModelEvaluation = Field(
        default=ModelEvaluation(), description="what versions are judged by beside the metrics of the task"
    )
    card: Card = Field(default=Card(), description="words for the model card; they do not decide what is trained")
    diagnosis: bool = Field(
        default=True, description="say in words what is wrong with a training; less than two more fits"
    )
    segment_by: SegmentBy | None = Field(
        default=None, description="a model per segment where it is better than that of all rows; else one for all"
    )

    @model_validator(mode="before")
    @classmethod
    def _with_metric_of_task(cls, value: Any) -> Any:
        """Where no metric is named, the task says which."""
        task = value.get("task") if isinstance(value, Mapping) else None
        if not isinstance(task, str) or task not in METRICS or "metric" in value:
            return value
        return {**value, "metric": METRICS[task][0]}
