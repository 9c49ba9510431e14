"""What a training set must have before anything is tried on it."""

from sparkml_ops.errors import TrainingError
from sparkml_ops.features import TrainingSet

MINIMUM_ROWS = {"train": 50, "valid": 20, "test": 20}
"""Below these not even a base rate is known to ten percentage points."""
PURPOSES = {"train": "to fit on", "valid": "to tune on", "test": "to judge on"}


def require_usable(training_set: TrainingSet) -> None:
    """Refuse a training set of which some part is too small or has a single class, naming all such parts.

    Raises:
        TrainingError: Says which parts, what they have, and what to change.
    """
    wrong = []
    for part, minimum in MINIMUM_ROWS.items():
        rows, positives = training_set.rows.get(part, 0), training_set.positives.get(part, 0)
        if rows < minimum:
            wrong.append(f"{part} has {rows} rows {PURPOSES[part]}, at least {minimum} are needed")
        elif positives in (0, rows):
            wrong.append(f"all {rows} labels of {part} are {int(positives > 0)}, both classes are needed")
    if wrong:
        raise TrainingError(
            f"Training set {training_set.version} cannot be learned from: {'; '.join(wrong)}. "
            "Change dataset.split, dataset.label or dataset.where, or wait for more rows."
        )
