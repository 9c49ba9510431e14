"""What can be refused of `model` before Spark starts and any row is read."""

from sparkml_ops.config.search import list_params
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.training.estimators import find_estimator
from sparkml_ops.training.proposers import open_proposer
from sparkml_ops.training.segment_columns import require_segments


def check_model(use_case: UseCase) -> None:
    """Whether the estimator and the search's backend are there, and the estimator has these parameters and can heed what is wished.

    Raises:
        ConfigError: The estimator cannot be had, has no such parameters, or cannot heed weights or directions; there can be no models of these segments; or the
            backend lacks something.
        SetupError: The backend is not installed.
    """
    model = use_case.model
    estimator, names = find_estimator(model.estimator), [*model.params, *list_params(model.search.space)]
    estimator.check_params(model.estimator, names, task=model.task)
    estimator.check_wishes(model, names)
    require_segments(use_case)
    open_proposer(model.search)
