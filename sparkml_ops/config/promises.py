"""What `predictions_current` promises, by the configuration: for contracts that people read, and for the check before rows are passed on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

_ALWAYS = ("as_of", "prediction", "model_name", "model_version", "role", "batch_id", "run_id", "scored_at")


@dataclass(frozen=True)
class Promise:
    """Something that holds for every published row.

    Attributes:
        column: the column that it is about.
        text: in words.
        sql: in SQL over a row; null keeps it.
        is_required: the column is never null.
        between: its least and greatest value.
        among: its only values.
    """

    column: str
    text: str
    sql: str
    is_required: bool = False
    between: tuple[float, float] | None = None
    among: tuple[int | str, ...] = ()


def list_promises(use_case: "UseCase") -> list[Promise]:
    """All that is promised, columns that name a decision first."""
    required = [*use_case.dataset.key_columns(), *_ALWAYS, *_answer_columns(use_case)]
    return [*(_require(column) for column in required), *_limit_answers(use_case)]


def _answer_columns(use_case: "UseCase") -> tuple[str, ...]:
    return {"binary": ("predicted_class",), "multiclass": ("predicted_label", "probabilities")}.get(
        use_case.model.task, ()
    )


def _require(column: str) -> Promise:
    return Promise(column, f"{column} is never null", f"`{column}` IS NOT NULL", is_required=True)


def _limit_answers(use_case: "UseCase") -> Iterator[Promise]:
    if use_case.model.task != "regression":
        yield Promise(
            "prediction", "prediction is a probability, from 0 to 1", "prediction BETWEEN 0 AND 1", between=(0.0, 1.0)
        )
    else:
        yield Promise(
            "prediction", "prediction is a finite number", "NOT isnan(prediction) AND abs(prediction) < double('inf')"
        )
    if use_case.model.task == "binary":
        yield Promise("predicted_class", "predicted_class is 0 or 1", "predicted_class IN (0, 1)", among=(0, 1))
    role = use_case.scoring.publisher
    yield Promise("role", f"role is {role}", f"role = '{role}'", among=(role,))
