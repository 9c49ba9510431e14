"""What a training set must have before anything is tried on it."""

from sparkml_ops.errors import TrainingError
from sparkml_ops.features import TrainingSet

MINIMUM_ROWS = {"train": 50, "valid": 20, "test": 20}
"""Below these not even a base rate is known to ten percentage points."""
PURPOSES = {"train": "to fit on", "valid": "to tune on", "test": "to judge on"}


def require_usable(training_set: TrainingSet) -> None:
    """Refuse a training set of which some part is too small or has one label alone, naming all such parts.

    Raises:
        TrainingError: Says which parts, what they have, and what to change.
    """
    wrong = []
    for part, minimum in MINIMUM_ROWS.items():
        rows = training_set.rows.get(part, 0)
        if rows < minimum:
            wrong.append(f"{part} has {rows} rows {PURPOSES[part]}, at least {minimum} are needed")
        elif alike := _tell_alike(training_set, part, rows):
            wrong.append(alike)
    if wrong:
        raise TrainingError(
            f"Training set {training_set.version} cannot be learned from: {'; '.join(wrong)}. "
            "Change dataset.split, dataset.label or dataset.where, or wait for more rows."
        )


def require_task(training_set: TrainingSet, task: str) -> None:
    """Refuse a training set whose labels were made for another task.

    Raises:
        TrainingError: Says which, and how to get another one.
    """
    if training_set.task != task:
        raise TrainingError(
            f"Training set {training_set.version} has the labels of a {training_set.task} task, and model.task is {task}. "
            "`sparkml-ops dataset` makes one of that task."
        )


def _tell_alike(training_set: TrainingSet, part: str, rows: int) -> str | None:
    """Why the labels of a part teach no difference."""
    if training_set.task == "binary":
        positives = training_set.positives.get(part, 0)
        if positives in (0, rows):
            return f"all {rows} labels of {part} are {int(positives > 0)}, both classes are needed"
        return None
    labels = training_set.labels.get(part)
    if training_set.task == "multiclass":
        return (
            None
            if labels is None or len(labels) > 1
            else f"all {rows} labels of {part} are {''.join(labels)!r}, several classes are needed"
        )
    if labels is not None and labels["lowest"] == labels["highest"]:
        return f"all {rows} labels of {part} are {labels['lowest']:g}, labels that differ are needed"
    return None
