"""Backends of the search: one file each, all with the methods of `_base.Proposer`."""

from sparkml_ops.config.search import Search
from sparkml_ops.training.proposers._base import Proposer

__all__ = ["Proposer", "open_proposer"]


def open_proposer(search: Search) -> Proposer:
    """The backend that `model.search` names.

    Raises:
        SetupError: it is an extra that is not installed.
        ConfigError: it cannot do what is asked of it.
    """
    if search.backend == "optuna":
        from sparkml_ops.training.proposers.optuna import OptunaProposer

        return OptunaProposer(search)
    from sparkml_ops.training.proposers.hyperopt import HyperoptProposer

    return HyperoptProposer(search)
