"""What no estimator of the whole cluster can heed, and which of them answers which task."""

from collections.abc import Collection, Mapping, Sequence

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError

KEYS = ("class_weight", "sample_weight", "monotone")
"""Keys of `model`, which are no parameters."""
_NAMES = {"binary": "classifier", "regression": "regressor"}
_TOO_FEW = ("binary", "multiclass")


def check_cluster_wishes(model: Model) -> None:
    """Refuse a limit of memory: a trial is not one process that could have one.

    Raises:
        ConfigError: Says where memory is given.
    """
    if model.search.trial_memory_gb is not None:
        raise ConfigError(
            f"model.search.trial_memory_gb: a trial of {model.estimator} runs in all of Spark's executors, whose memory is "
            "given by spark.executor.memory and spark.executor.memoryOverhead. Take the limit out."
        )


def refuse_task(estimator: str, task: str, supported: Mapping[str, Sequence[str]]) -> None:
    """Refuse a class that is of another task.

    Args:
        estimator: As it is named.
        task: What is to be predicted.
        supported: Dotted paths of the classes, by task.

    Raises:
        ConfigError: Says which estimators there are for it.
    """
    found = [other for other, names in supported.items() if estimator.replace(":", ".") in names]
    if found and task not in found:
        told = "learns two classes and no more" if (found[0], task) == _TOO_FEW else f"is a {_NAMES[found[0]]}"
        raise ConfigError(
            f"model.estimator: {estimator} {told}, and model.task is {task}: take {' or '.join(supported[task])}."
        )


def refuse_ours(estimator: str, names: Sequence[str], ours: Collection[str]) -> None:
    """Refuse parameters that the framework sets.

    Raises:
        ConfigError: Names the first, and what it is set from.
    """
    for name in names:
        if name in KEYS:
            raise ConfigError(f"{estimator} has no parameter {name!r}: it is a key of its own, model.{name}.")
        if name in ours:
            raise ConfigError(
                f"The parameter {name!r} of {estimator} is set by the framework (from model.metric, model.search.seed, "
                "model.early_stopping_rounds, the weights and the columns): take it out of model.params and of "
                "model.search.space."
            )
