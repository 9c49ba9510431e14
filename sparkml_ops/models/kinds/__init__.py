"""Estimators by kind: one file each, all with the functions of `_base.EstimatorKind`."""

from sparkml_ops.errors import ModelError
from sparkml_ops.models.kinds import lightgbm, mllib, own, sklearn
from sparkml_ops.models.kinds._base import EstimatorKind

KINDS: dict[str, EstimatorKind] = {"lightgbm": lightgbm, "mllib": mllib, "own": own, "sklearn": sklearn}


def find_estimator_kind(name: str) -> EstimatorKind:
    """The functions of one kind of estimator.

    Raises:
        ModelError: The package was made by a version that knows more kinds.
    """
    if name not in KINDS:
        raise ModelError(f"A model of kind {name!r} cannot be loaded here; known kinds: {', '.join(sorted(KINDS))}.")
    return KINDS[name]
