"""What models are asked for: one file each, all with the functions of `_base.Task`. Nothing else knows what a figure is made of."""

from typing import cast

from sparkml_ops.errors import ModelError
from sparkml_ops.models.tasks import binary, multiclass, regression
from sparkml_ops.models.tasks._base import CalibrationGroup, ConfusionCell, Task, TrivialAnswer, measure_gain

TASKS = cast("dict[str, Task]", {"binary": binary, "regression": regression, "multiclass": multiclass})

__all__ = ["TASKS", "CalibrationGroup", "ConfusionCell", "Task", "TrivialAnswer", "find_task", "measure_gain"]


def find_task(name: str) -> Task:
    """The functions of one task.

    Raises:
        ModelError: The package was made by a version that knows more tasks.
    """
    if name not in TASKS:
        raise ModelError(
            f"A model of the task {name!r} cannot be judged here; known tasks: {', '.join(sorted(TASKS))}."
        )
    return TASKS[name]
