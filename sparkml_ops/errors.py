"""The errors a user can meet, each with the exit code the command line ends with.

A message says where, what was expected, what was found and what to do. These errors are shown
without a traceback; any other exception is a bug of ours and is shown with one.
"""

from typing import ClassVar


class SparkMLOpsError(Exception):
    """Root of all errors that a user can mend."""

    exit_code: ClassVar[int] = 1


class ConfigError(SparkMLOpsError):
    """The configuration or the arguments are wrong; nothing was started."""

    exit_code = 2


class ContractError(SparkMLOpsError):
    """The data does not keep its contract; the batch was refused whole."""


class TableNotFoundError(SparkMLOpsError):
    """A table, or the version of it that was asked for, is not there."""


class TrainingSetNotFoundError(TableNotFoundError):
    """There is no training set yet, or none of the name that was given; nothing was started."""

    exit_code = 2


class ModelNotFoundError(SparkMLOpsError):
    """A model, a version or an alias is not in the registry; nothing was started."""

    exit_code = 2


class ModelError(SparkMLOpsError):
    """A model is there but cannot be used: damaged, or it answers with impossible values."""


class TrainingError(SparkMLOpsError):
    """Training cannot give a model: too few rows, a single class, or every trial failed."""


class GateError(SparkMLOpsError):
    """A gate said no."""


class SetupError(SparkMLOpsError):
    """Java, Spark, storage or MLflow is not usable as set up."""

    exit_code = 3


class ConflictError(SparkMLOpsError):
    """Somebody else is writing, or the same name arrived with other content."""

    exit_code = 4
