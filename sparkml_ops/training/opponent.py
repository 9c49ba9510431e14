"""The champion of the day of a training, to be judged on the same test rows as the candidate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ModelError, ModelNotFoundError, SparkMLOpsError
from sparkml_ops.features import describe_dataset, read_training_set
from sparkml_ops.models import (
    PackagedModel,
    RecordedTraining,
    check_rows,
    describe_recorded,
    find_version,
    list_aliases,
    load_version,
)
from sparkml_ops.training.facts import measure_period
from sparkml_ops.training.same_rows import TEST, Contestant, find_obstacle

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.features import TrainingSet
    from sparkml_ops.lake import Lake
    from sparkml_ops.models import Tracking

CHAMPION_ALIAS = "champion"


@dataclass(frozen=True)
class Opponent:
    """The champion.

    Attributes:
        version: Its version.
        model: The model; None where it cannot be asked for these rows.
        note: Why it cannot be asked, or what must be known of its figures; nothing where they stand for themselves.
    """

    version: int
    model: PackagedModel | None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """What is recorded with the candidate."""
        return {"version": self.version, "note": self.note}


def find_opponent(
    lake: "Lake", tracking: "Tracking", use_case: "UseCase", *, training_set: "TrainingSet"
) -> Opponent | None:
    """The model that serves at present; None where none does.

    Whatever keeps it from being asked is told and ends nothing. Rows that it was fitted on flatter it, which is told as well.

    Args:
        lake: Where the training sets are.
        tracking: Where the registry is.
        use_case: Whose champion.
        training_set: Whose part test it is asked on.
    """
    number = list_aliases(tracking, use_case.name).get(CHAMPION_ALIAS)
    if number is None:
        return None
    rows = read_training_set(lake, training_set.version)
    try:
        version = find_version(tracking, use_case.name, version=number)
        model = load_version(tracking, version)
        if model.task != use_case.model.task:
            return Opponent(number, None, f"it cannot be asked: its task is {model.task}, not {use_case.model.task}")
        check_rows(rows, model)
    except (ModelError, ModelNotFoundError) as error:
        return Opponent(number, None, f"it cannot be asked: {error}")
    recorded = describe_recorded(version, model.metadata, features=model.feature_columns)
    asked = _describe(use_case, rows, training_set)
    try:
        note = find_obstacle(lake, rows.where(TEST), asked, Contestant(recorded, model))
    except SparkMLOpsError as error:
        note = f"whether it was fitted on some of these rows is not known: {error}"
    return Opponent(number, model, note or "")


def _describe(use_case: "UseCase", rows: "DataFrame", training_set: "TrainingSet") -> RecordedTraining:
    """The candidate, which is not registered yet, as far as the rows that it is judged on go."""
    return RecordedTraining(
        version=0,
        training_set=training_set.version,
        content_hash=training_set.content_hash,
        period=measure_period(rows, use_case.dataset.timestamp),
        recipe={"dataset": describe_dataset(use_case)["dataset"]},
    )
